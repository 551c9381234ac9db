"""Folders of one's own in place of the system's: unshare(2), mount(2).

What is covered here is covered for this process and those that it starts, for
good; the rest of the machine sees nothing of it.
"""

import ctypes
import os

CLONE_NEWNS = 0x00020000

_MS_NOSUID = 2
_MS_NODEV = 4
_MS_REMOUNT = 32
_MS_NOSYMFOLLOW = 256
_MNT_DETACH = 2
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_PRIVATE = 0x40000

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source: str, where: str, kind: str, flags: int, options: bytes | None = None) -> None:
    names = os.fsencode(source), os.fsencode(where), kind.encode("ascii") or None
    _check(_libc.mount(*names, ctypes.c_ulong(flags), options), f"mount {where}")


def enter() -> None:
    """Move this single-threaded process into a mount namespace of its own.

    It needs the privilege that ``netns.enter`` brings.

    Raises:
        OSError: the machine refuses; which call is in the message.
    """
    _check(_libc.unshare(CLONE_NEWNS), "unshare")
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)


def cover(where: str, folder: str) -> None:
    """Mount a folder over another one; call ``enter`` first.

    Args:
        where: the absolute path of what shall be hidden.
        folder: what is to be seen there instead.

    Raises:
        OSError: the machine refuses.
    """
    _mount(folder, where, "", _MS_BIND)


def small(where: str, size: int, files: int) -> None:
    """Mount an empty folder in memory over another one; call ``enter`` first.

    Args:
        where: the absolute path of the folder.
        size: bytes that fit in; tmpfs(5).
        files: how many files and folders fit in.

    Raises:
        OSError: the machine refuses.
    """
    options = f"size={size},nr_inodes={files},mode=0711".encode("ascii")
    _mount("none", where, "tmpfs", _MS_NOSUID | _MS_NODEV, options)


def follow_no_link(where: str, folder: str) -> None:
    """Let a folder be seen in a second place, where no link is followed.

    Args:
        where: the absolute path of that place (MS_NOSYMFOLLOW, since Linux
            5.10; mount(2)).
        folder: what is to be seen there.

    Raises:
        OSError: the machine refuses.
    """
    cover(where, folder)
    flags = _MS_REMOUNT | _MS_BIND | _MS_NOSYMFOLLOW | _MS_NOSUID | _MS_NODEV
    _mount("none", where, "", flags)


def uncover(where: str) -> None:
    """Take away what was mounted there last, whoever may still use it.

    Raises:
        OSError: nothing is mounted there.
    """
    _check(_libc.umount2(os.fsencode(where), _MNT_DETACH), f"umount {where}")
