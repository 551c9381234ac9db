"""The compiler's process and its parts: they end with whoever asked for them."""

import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness import build, confine, labs, stage
from harness.kernel import proc

# Seconds; the compiler below computes for thirty.
LIMIT = 15.0
# A compiler that goes on, in two processes; the second says when it does.
ENDLESS = "#!/bin/sh\n(echo here >here; while :; do :; done) & while :; do :; done\n"
# The same of gcc's: whoever knows its parts ties them to it.
PART = "#!/bin/sh\necho here >here; while :; do :; done\n"
GCC = '#!/bin/sh\nexec {} -B{}/ "$@"\n'
ASKS = """
import sys
from pathlib import Path
from harness import compiling, confine
compiling.call([sys.argv[1], "-c", "./x.c"], Path(sys.argv[2]), sys.argv[3], gcc=True)
"""


@pytest.fixture
def folder():
    """A folder that every user may enter."""
    where = Path(tempfile.mkdtemp(prefix="slc-"))
    where.chmod(0o755)
    yield where
    stage.remove(str(where))


@pytest.mark.parametrize("level", confine.LEVELS)
def test_compiler_ends_with_us(folder, level):
    """Whoever compiles is killed: nothing of the compiler lives on until its limit."""
    if confine.why_not(level):
        pytest.skip(f"{level}: {confine.why_not(level)}")
    if level == "none" and not build._is_gcc():
        pytest.skip("only gcc has parts that can be tied to it")
    compiler, where = folder / "bin" / "compiler", folder / "work"
    part = compiler.with_name("cc1")
    compiler.parent.mkdir()
    part.write_text(PART)
    part.chmod(0o755)
    gcc = GCC.format(build.compiler()[0], part.parent)
    compiler.write_text(gcc if level == "none" else ENDLESS)
    compiler.chmod(0o755)
    where.mkdir()
    (where / "x.c").touch()
    asks = subprocess.Popen(
        [sys.executable, "-c", ASKS, str(compiler), str(where), level], cwd=labs.ROOT
    )
    handles: list[int] = []
    try:
        while not (where / "here").exists():
            assert asks.poll() is None
        handles = [os.pidfd_open(pid) for pid in proc.descendants(asks.pid)]
    finally:
        asks.send_signal(signal.SIGKILL)
        asks.wait()
    assert len(handles) >= (2 if level == "none" else 3)
    alive = set(handles)
    while alive:
        ended = select.select([*alive], [], [], LIMIT)[0]
        if not ended:
            break
        alive -= set(ended)
    for one in alive:
        signal.pidfd_send_signal(one, signal.SIGKILL)
    for one in handles:
        os.close(one)
    assert alive == set()
