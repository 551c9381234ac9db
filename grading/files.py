"""Files of a run: whole or not there, and nobody's but the instructor's."""

import contextlib
import errno
import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

# The disk, a quota or a limit is used up.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_TEMPORARY = re.compile(r"\..+\.(?P<who>[^.]+)\.part")


def me() -> str:
    """Return a name for this process that no other one has, on any machine or in a container."""
    host = re.sub(r"[^A-Za-z0-9]", "", socket.gethostname())
    world = re.sub(r"[^0-9]", "", os.readlink("/proc/self/ns/pid"))
    return f"{host}-{world}-{os.getpid()}"


def is_dead(who: str) -> bool:
    """Whether a process of this machine, as ``me`` named it, has ended."""
    mine, other = me().rpartition("-"), who.rpartition("-")
    return mine[0] == other[0] and not os.path.exists(f"/proc/{other[2]}")


@contextlib.contextmanager
def whole(path: Path, encoding: str = "utf-8") -> Iterator:
    """Open a text file for writing; it gets its name when all of it is on the disk.

    Args:
        path: its name.  What lies there is replaced, or stays if this fails.
        encoding: of the text.
    """
    temporary = path.with_name(f".{path.name}.{me()}.part")
    temporary.unlink(missing_ok=True)
    try:
        with open(temporary, "x", encoding=encoding, newline="", opener=_private) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def sweep(folder: Path) -> None:
    """Remove what writers that were killed have left in a folder."""
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(folder):
            match = _TEMPORARY.fullmatch(entry.name)
            if match and is_dead(match["who"]):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)
                else:
                    Path(entry.path).unlink(missing_ok=True)


def private(folder: Path) -> None:
    """Make a folder that only its owner can look into; it may be there already."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_uid == os.geteuid():
        folder.chmod(0o700)
