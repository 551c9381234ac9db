"""The resource limits of another process: prlimit(2)."""

import resource

from . import observer


def prlimit(pid: int, which: int, limits: tuple[int, int] | None = None) -> tuple[int, int]:
    """Set a limit of a process, if one is given; return the one before.

    Args:
        pid: the process.
        which: one of the constants of the module ``resource``.
        limits: the soft and the hard one.

    Raises:
        OSError: the process has gone, or neither we nor an observer may.
    """
    try:
        if limits is None:
            return resource.prlimit(pid, which)
        return resource.prlimit(pid, which, limits)
    except PermissionError:
        return observer.limit(pid, which, limits)
