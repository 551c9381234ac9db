"""The references of the lab on address lookup call each function it teaches."""

import shutil
import subprocess

import pytest

from harness import build, labs

TAUGHT = """
gethostent sethostent endhostent
getnetbyaddr getnetbyname getnetent setnetent endnetent
getprotobyname getprotobynumber getprotoent setprotoent endprotoent
getservbyname getservbyport getservent setservent endservent
getaddrinfo freeaddrinfo gai_strerror getnameinfo
"""


@pytest.mark.skipif(shutil.which("nm") is None, reason="there is no nm here")
def test_every_function_is_called():
    """Each is an undefined symbol of one of the programs, so one of them calls it."""
    lab = labs.find("02", "solutions")
    called = set()
    for name in lab.files():
        built = build.build(lab, name.removesuffix(".c"), "plain")
        assert built.ok, built.text
        command = ["nm", "-D", "--undefined-only", str(built.path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        called |= {line.split()[-1].split("@")[0] for line in done.stdout.splitlines()}
    assert set(TAUGHT.split()) <= called
