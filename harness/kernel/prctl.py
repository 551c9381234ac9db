"""Properties of this process itself, as a guardian of others: prctl(2)."""

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl: {os.strerror(number)}")


def adopt_orphans() -> None:
    """Become the parent of every descendant that loses its own."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """End as soon as the parent does; at once if that has already happened.

    Args:
        parent: its process id, taken before the fork; its first thread is the
            one that must have forked, for the kernel watches that thread.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def hide() -> None:
    """Close memory, environment and descriptors to others of the same user."""
    _prctl(_PR_SET_DUMPABLE, 0)


def show() -> None:
    """Take ``hide`` back: a hidden process can't write its own id maps."""
    _prctl(_PR_SET_DUMPABLE, 1)
