"""Taking a student's sources: regular files, of sane size, and nothing else."""

import os
import stat
from pathlib import Path

MAX_BYTES = 1 << 20


class Refused(Exception):
    """A file can't be taken; the message says why, in one sentence."""


def take(folder: Path, name: str) -> bytes:
    """Return the contents of one source file.

    Never follows a link, never waits on a FIFO, never reads more than
    MAX_BYTES.

    Args:
        folder: the student's folder.
        name: one of the names that the lab asks for.

    Raises:
        Refused: there is no such file, or it is not what it should be.
    """
    path = folder / name
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Refused(f"{name} is missing{_similar(folder, name)}") from None
    except PermissionError:
        raise Refused(f"{name} can't be read: chmod u+r {name}") from None
    except OSError as error:
        if path.is_symlink():
            raise Refused(f"{name} is a symbolic link; hand in the file itself") from None
        raise Refused(f"{name} can't be opened: {error.strerror}") from None
    try:
        kind = os.fstat(fd)
        if not stat.S_ISREG(kind.st_mode):
            raise Refused(f"{name} is {_kind(kind.st_mode)}, not a file")
        if kind.st_size > MAX_BYTES:
            raise Refused(f"{name} has {kind.st_size} bytes; a source file has {MAX_BYTES} at most")
        data = b""
        while len(data) <= MAX_BYTES:
            chunk = os.read(fd, MAX_BYTES + 1 - len(data))
            if not chunk:
                return data
            data += chunk
        raise Refused(f"{name} grew while it was read")
    finally:
        os.close(fd)


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a directory"
    if stat.S_ISFIFO(mode):
        return "a FIFO"
    return "a special file"


def _similar(folder: Path, name: str) -> str:
    """Say which file may be meant, if one looks like it."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return f": there is no folder {folder.name}"
    for other in names[:1000]:
        if other.lower().replace("_", "").replace("-", "") == name.lower() and other != name:
            return f"; there is {other!r}: rename it to {name}"
    return ""
