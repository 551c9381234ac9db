"""What lies in a folder, a zip or a tar: names first, contents one by one.

All three look the same from outside: a dictionary of paths, and a way to read
one of them.  Nothing is unpacked where a name in an archive says, no link is
followed, and budgets bound what a stranger can make us read.
"""

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness import intake

from . import files

# Budgets of one tree.  Bytes are counted unpacked.
MAX_ENTRIES = 10_000
MAX_DEPTH = 12
MAX_BYTES = 64 << 20
# Characters of a path in an archive: twice what a path on a disk may have.
_MAX_PATH = 8192
# Bytes that a zip's list may take for each file that it may hold.
_MAX_ROW = 1024
# Of an archive that holds a whole class.
MAX_CLASS_ENTRIES = 1_000_000
MAX_CLASS_BYTES = 16 << 30

# What macOS and Windows put beside one's files, besides names with a dot in front.
_LEFT_BESIDE = {"__MACOSX", "Thumbs.db", "desktop.ini"}

FOLDER = "is a directory, not a file"
LINK = "is a symbolic link; hand in the file itself"

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_COMPRESSED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
)


class Refused(Exception):
    """A tree as a whole can't be read; the message says why."""


@dataclass
class Tree:
    """Paths, and how to read one.

    Args:
        problems: by path why something is no file to read, such as "is a
            symbolic link"; an empty string where it is one.
        read: returns the content of a path, of at most so many bytes; raises
            ``intake.Refused``.
        open_below: returns the tree of a folder that was not looked into yet.
    """

    problems: dict[str, str] = field(default_factory=dict)
    read: Callable[[str, int], bytes] = lambda _path, _limit: b""
    open_below: "Callable[[str], Tree] | None" = None

    def below(self, prefix: str) -> "Tree":
        """Return what lies in a folder of this tree, as a tree of its own.

        Raises:
            Refused: it can't be opened, or holds too much.
        """
        if self.open_below is not None:
            return self.open_below(prefix)
        start = prefix + "/"
        inside = {
            path[len(start) :]: why for path, why in self.problems.items() if path.startswith(start)
        }
        return Tree(inside, lambda path, limit: self.read(start + path, limit))

    def tops(self) -> list[str]:
        """Return the names at the top, sorted."""
        return sorted({path.split("/", 1)[0] for path in self.problems})


@dataclass(frozen=True)
class Budget:
    """How much a tree may hold."""

    entries: int = MAX_ENTRIES
    unpacked: int = MAX_BYTES


CLASS = Budget(MAX_CLASS_ENTRIES, MAX_CLASS_BYTES)


def hidden(path: str) -> bool:
    """Whether a path is what systems leave beside one's files."""
    return any(part.startswith(".") or part in _LEFT_BESIDE for part in path.split("/"))


def of_class(top: Path) -> Tree:
    """Return the tree of a folder of submissions; each is looked into later.

    Raises:
        OSError: it can't be opened.
    """
    tree = Tree(
        read=lambda path, _limit: _read_below(top, path),
        open_below=lambda name: of_folder(top / name),
    )
    for entry in os.scandir(top):
        tree.problems[entry.name] = _problem(entry.stat(follow_symlinks=False).st_mode)
    return tree


def of_folder(top: Path, budget: Budget = Budget()) -> Tree:
    """Return the tree of a folder, without following a link.

    Raises:
        Refused: it can't be opened, or has more entries than the budget allows.
    """
    tree = Tree(read=lambda path, _limit: _read_below(top, path))
    try:
        folder = os.open(top, _FOLDER)
    except OSError as error:
        if top.is_symlink():
            raise Refused("it is a symbolic link; hand in the folder itself") from None
        raise Refused(f"it can't be opened: {error.strerror}") from None
    _walk(folder, "", tree, budget)
    return tree


def _problem(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return FOLDER
    return LINK if stat.S_ISLNK(mode) else ""  # reading a FIFO or the like says what it is


def _walk(folder: int, prefix: str, tree: Tree, budget: Budget) -> None:
    try:
        for name in sorted(os.listdir(folder)):
            path = prefix + name
            why = _problem(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
            if why == FOLDER and path.count("/") < MAX_DEPTH:
                try:
                    inner = os.open(name, _FOLDER, dir_fd=folder)
                    _walk(inner, path + "/", tree, budget)
                except OSError as error:
                    why = f"can't be opened: {error.strerror}"
            tree.problems[path] = why
            if len(tree.problems) > budget.entries:
                raise Refused(f"it has more than {budget.entries} files")
    finally:
        os.close(folder)


def _read_below(top: Path, path: str) -> bytes:
    """Return a file's content; each folder on the way is opened without following a link."""
    *folders, name = path.split("/")
    here = os.open(top, _FOLDER)
    try:
        for one in folders:
            inner = os.open(one, _FOLDER, dir_fd=here)
            os.close(here)
            here = inner
        return intake.take(Path(f"/proc/self/fd/{here}"), name)
    except OSError as error:
        raise intake.Refused(f"{name} can't be opened: {error.strerror}") from None
    finally:
        os.close(here)


def is_archive(data: bytes) -> bool:
    """Whether these are the first 512 bytes, or more, of a zip or a tar."""
    packed = any(data.startswith(magic) for magic in _COMPRESSED)
    zipped = data.startswith((b"PK\x03\x04", b"PK\x05\x06"))
    return packed or zipped or data[257:262] == b"ustar"


def of_archive(
    file,
    budget: Budget = Budget(),
    wanted: Callable[[str], bool] = lambda _path: True,
    spool: Path | None = None,
) -> Tree:
    """Return the tree of a zip or a tar, packed or not.

    Args:
        file: a binary file that can seek.
        budget: how much it may hold.
        wanted: which paths will be read; a tar can only be read in order, so
            the contents of those are kept.
        spool: an empty folder of ours to keep them in, instead of in memory.

    Raises:
        Refused: it is damaged, locked, or too large.
    """
    head = file.read(512)
    file.seek(0)
    try:
        if head.startswith(b"PK"):
            return _of_zip(file, budget)
        return _of_tar(file, head, budget, wanted, spool)
    except Refused:
        raise
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno in files.FULL:
            raise
        raise Refused(f"it is a damaged archive ({error}): hand it in again") from None


def _add(tree: Tree, path: str, why: str, budget: Budget) -> str:
    """Add an entry of an archive; return its path, or nothing if it must not be used."""
    if len(path) > _MAX_PATH:  # which packs to next to nothing
        path = f"{path[:60]}..."
        tree.problems[path] = "has a name that is too long"
        return ""
    clean = path.removeprefix("./").rstrip("/")
    parts = clean.split("/")
    odd = any(part in ("", ".", "..") for part in parts) or "\\" in clean or "\0" in clean
    if len(tree.problems) >= budget.entries:
        raise Refused(f"it has more than {budget.entries} files")
    if odd or len(parts) > MAX_DEPTH:
        tree.problems.setdefault(path, "has a path that leads elsewhere")
        return ""
    if clean in tree.problems and not (why or tree.problems[clean]):
        tree.problems[clean] = "is there twice"
        return ""
    tree.problems.setdefault(clean, why)
    return "" if why else clean


def _list_size(file) -> int:
    """Return how long the list at a zip's end says to be, in bytes.

    Source: PKWARE's APPNOTE.TXT, 4.3.16; a list of 4 GB or more says so elsewhere.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - (22 + 65535)))
    tail = file.read()
    start = tail.rfind(b"PK\5\6")
    return int.from_bytes(tail[start + 12 : start + 16], "little") if start != -1 else 0


def _of_zip(file, budget: Budget) -> Tree:
    if _list_size(file) > budget.entries * _MAX_ROW:
        raise Refused(f"it has more than {budget.entries} files")
    archive = zipfile.ZipFile(file)
    where: dict[str, zipfile.ZipInfo] = {}

    def read(path: str, limit: int) -> bytes:
        try:
            with archive.open(where[path]) as member:
                return _limited(path, member.read(limit + 1), limit)
        except _DAMAGED as error:
            raise intake.Refused(f"{_name(path)} can't be unpacked: {error}") from None

    tree = Tree(read=read)
    for info in archive.infolist():
        mode = info.external_attr >> 16
        if info.is_dir():
            why = FOLDER
        elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            why = LINK if stat.S_ISLNK(mode) else "is a special file, not a file"
        elif info.flag_bits & 1:
            why = "is locked with a password"
        else:
            why = ""
        path = _add(tree, info.filename, why, budget)
        if path:
            where[path] = info
    return tree


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than so many bytes."""

    def __init__(self, stream, most: int):
        super().__init__()
        self.stream = stream
        self.left = most

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; raises Refused when the budget is used up."""
        data = self.stream.read(min(size, self.left + 1) if size >= 0 else self.left + 1)
        self.left -= len(data)
        if self.left < 0:
            raise Refused("it unpacks to more than is allowed")
        return data


def _of_tar(file, head: bytes, budget: Budget, wanted, spool: Path | None) -> Tree:
    unpack = next((one for magic, one in _COMPRESSED.items() if head.startswith(magic)), None)
    stream = _Bounded(unpack(file) if unpack else file, budget.unpacked)
    kept: dict[str, bytes | Path] = {}

    def read(path: str, limit: int) -> bytes:
        data = kept[path]
        if isinstance(data, Path):
            with open(data, "rb") as content:
                data = content.read(limit + 1)
        return _limited(path, data, limit)

    tree = Tree(read=read)
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            why = ""
            if member.isdir():
                why = FOLDER
            elif member.issym() or member.islnk():
                why = LINK
            elif not member.isreg():
                why = "is a special file, not a file"
            elif member.size > MAX_BYTES:  # which a few bytes can claim of holes
                why = f"has {member.size} bytes"
            path = _add(tree, member.name, why, budget)
            if not path or not wanted(path):
                continue
            data = archive.extractfile(member).read()
            if spool is None:
                kept[path] = data
            else:
                kept[path] = spool / str(len(kept))
                kept[path].write_bytes(data)
    return tree


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _limited(path: str, data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise intake.Refused(f"{_name(path)} has more than {limit} bytes")
    return data
