"""The launcher's part in confinement: it watches over a program where we can't.

At every level but ``none`` it is built with WARDEN; see ``native/launch.c``.
"""

from pathlib import Path

from . import build
from .failure import Broken
from .kernel import cgroup
from .kernel.observer import Observer

# How much memory a program may take with all that it starts, in bytes.  The
# sanitizer keeps up to 256 MB of what was freed.
MEMORY = 512 << 20
# How many processes and threads: more than what is known for a fork without end
# (``waiting``), and no harm to others.
PROCESSES = 256
# How the launcher is compiled.
NATIVE = ("launch", "-DWARDEN")


def native(level: str) -> tuple[str, ...]:
    """Return how the launcher is compiled for programs that are confined at a level."""
    return ("launch",) if level == "none" else NATIVE


def launcher(level: str) -> Path:
    """Return the launcher for programs that are confined at a level."""
    return build.native(*native(level))


def group() -> cgroup.Group:
    """Return a cgroup for one program.

    Raises:
        Broken: there is none to be had.
    """
    folder, why = cgroup.enter()
    if why:
        raise Broken(f"programs were to have cgroups here: {why}")
    return cgroup.Group(folder, MEMORY, PROCESSES)


def options(observer: Observer | None) -> list[str]:
    """Return what a launcher is told besides, where it is an observer."""
    if observer is None:
        return []
    return ["-g", "-m", str(MEMORY), "-q", str(observer.theirs.fileno())]
