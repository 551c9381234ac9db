"""``make doctor``: what this machine can and can't check, and what mends it."""

import importlib.util
import os
import platform
import shutil

from .. import build, confine, machine, probes
from ..kernel import syscalls
from . import say

# What improves things but is not needed: (program or module, package, use).
_OPTIONAL = (
    ("strace", "strace", "look at a program's system calls by hand"),
    ("nc", "netcat-openbsd", "talk to a server by hand"),
    ("socat", "socat", "do the same over UNIX sockets too"),
    ("gdb", "gdb", "look into a running program"),
)


def main(argv: list[str]) -> int:
    """Print what the probes found; exit status 1 when something is lacking."""
    say(f"system     {platform.system()} {platform.release()} on {platform.machine()}")
    build.folder()
    compiler = build.compiler_version()
    if not compiler and os.environ.get("CC"):
        say(f"compiler   there is no {build.compiler()[0]!r}: install it, or leave CC out")
    else:
        say(f"compiler   {compiler or 'none: sudo apt-get install gcc libc6-dev'}")
    say(f"python     {platform.python_version()}")
    if importlib.util.find_spec("pytest") is None:
        say("pytest     none: sudo apt-get install python3-pytest")
    if not compiler:
        return 1
    say(f"speed      limits of CPU time are multiplied by {machine.scale():.1f}")
    bad = 0
    best, missed = confine.best() if syscalls.supported() else ("none", {})
    for name in [*probes.abilities(), *probes.limits(best)]:
        probe = probes.PROBES[name]
        reason = probes.failing(name, best if probe.limits else "none")
        bad += bool(reason) and not probe.limits
        say(
            f"{'lacking' if reason else 'ok':<10} {name}"
            + (f": {probe.lack} ({reason})" if reason else "")
        )
        if reason:
            say(f"           to mend it: {probe.mend}")
    if not syscalls.supported():
        say("Nothing can be checked here.")
        return 1
    say(f"level      {best}: how well strangers' programs can be confined here")
    for level, why in missed.items():
        say(f"           no {level}: {why}")
    for command, package, use in _OPTIONAL:
        if shutil.which(command) is None:
            say(f"optional   {command}, to {use}: sudo apt-get install {package}")
    if bad:
        say("Checks that need what is lacking are left out of the score, on both sides.")
    return 1 if bad else 0
