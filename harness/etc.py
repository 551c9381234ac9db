"""A made-up /etc: hosts, services and the like that exist only in one check.

Where the machine lets us, a folder is mounted over /etc whole, in a mount
namespace of the check's own, and an empty one over the places where caches and
local resolvers have their sockets.  Elsewhere the program is held whenever it
opens a file below /etc, and is handed the made-up file instead
(seccomp_unotify(2), SECCOMP_ADDFD); connections to such a cache are refused.
Either way the C library's own code reads our files, and no network is asked.
"""

import contextlib
import errno
import os
import platform
import shutil
import socket
import struct
import tempfile

from . import build
from .breakpoints import Held
from .kernel import mounts, proc, syscalls
from .stage import remove

# Where the C library, or a plug-in of it, would ask somebody else.
HIDDEN = ("/run/nscd", "/run/systemd/resolve")
# What the loader needs, whoever made /etc.
_KEPT = ("ld.so.cache", "ld.so.conf", "ld.so.preload")
_OPEN = frozenset({"open", "openat"})
_STAT = frozenset({"stat", "newfstatat"})
_PAGE = 4096
_DNS = 53
_LINES_SHOWN = 6

# Enough for programs that ask files alone; services and the like are added.
PLAIN = {
    "nsswitch.conf": "hosts: files\nnetworks: files\nprotocols: files\nservices: files\n",
    "host.conf": "multi on\n",
    "gai.conf": "",
    "resolv.conf": "",
    "hosts": "127.0.0.1 localhost\n",
    "networks": "",
    "protocols": "",
    "services": "",
}


class Etc:
    """The /etc of one check.

    Args:
        stage: the check's world.
        files: contents by name, beside or instead of those of ``PLAIN``.
        dns: the port of the name server at the check's address, which the
            program shall find at the usual port.
        mounted: False hands files over even where mounting is possible.

    A check that made one starts its programs through ``start``, and no other
    way: its own process sees the made-up folder too.
    """

    def __init__(self, stage, files=None, dns: int = _DNS, mounted: bool = True):
        self.stage = stage
        self.dns = dns
        # not in the check's own folder, where the program might put another in its place
        self.folder = tempfile.mkdtemp(prefix="etc-", dir=os.path.dirname(stage.folder))
        stage.closers.append(lambda: remove(self.folder))
        os.chmod(self.folder, 0o755)
        self._handle = os.open(self.folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        stage.closers.append(lambda: os.close(self._handle))
        for name, text in PLAIN.items():
            self._put(name, text)
        for name, text in (files or {}).items():
            self.write(name, text)
        self.mounted = mounted and stage.private and self._mount()

    def write(self, name: str, text: str) -> None:
        """Make a file, or another one in its place."""
        lines = "; ".join(text.split("\n")[:_LINES_SHOWN]).strip("; ")
        more = " ..." if text.count("\n") > _LINES_SHOWN else ""
        self.stage.tape.add("write", f"/etc/{name}: {lines}{more}")
        self._put(name, text)

    def _put(self, name: str, text: str) -> None:
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, 0o644)  # who reads it may be another user

    def remove(self, name: str) -> None:
        """Let a file be missing."""
        self.stage.tape.add("remove", f"/etc/{name}")
        os.unlink(os.path.join(self.folder, name))

    def _mount(self) -> bool:
        """Cover the real folders; False where the machine refuses that."""
        for name in _KEPT:
            with contextlib.suppress(OSError):
                shutil.copy(os.path.join("/etc", name), os.path.join(self.folder, name))
        self.stage.etc = self.folder
        if self.stage.level == "namespaces":
            return True  # mounted for the program alone, which finds no cache or resolver
        empty = self.stage.path("empty")
        os.mkdir(empty, 0o755)
        build.compiler_version()  # cc may be a link that leads through /etc
        try:
            mounts.enter()
            self._cover("/etc", self.folder)
            for where in HIDDEN:
                if os.path.isdir(where):
                    self._cover(where, empty)
        except OSError:
            self.stage.etc = None
            return False
        return True

    def _cover(self, where: str, folder: str) -> None:
        """Mount a folder over another one until the check ends."""
        mounts.cover(where, folder)
        self.stage.closers.append(lambda: mounts.uncover(where))

    def start(self, program, *args: str, watch=(), **how):
        """Start a program that finds the made-up files; see ``Program.start``."""
        if self.mounted:
            return program.start(*args, watch=watch, **how)
        calls = {*_OPEN, *_STAT, "connect"}
        known = calls & set(syscalls.NUMBER)
        process = program.start(*args, watch={*watch, *known}, **how)
        process.breakpoints.on(_OPEN, self._open)
        process.breakpoints.on(_STAT, self._stat)
        process.breakpoints.on({"connect"}, self._connect)
        return process

    def run(self, program, *args: str, server=None, **how):
        """Start a program, wait for its end, and return it.

        Args:
            program: the program.
            args: its arguments.
            server: the NameServer that answers it meanwhile.
            how: passed on to ``start``.
        """
        process = self.start(program, *args, **how)
        end = process.wait_end() if server is None else server.wait_end(process)
        self.stage.tape.add("wait", f"for the end of {program.name}", str(end))
        return process

    # -- in place of mounts ------------------------------------------------------

    def _open(self, held: Held) -> None:
        name = _name(_text(held.tid, held.args[1 if held.call == "openat" else 0]))
        if not name:
            return
        # The program may write to the folder: follow no link, wait for no pipe.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            fd = os.open(name, flags, dir_fd=self._handle)
        except OSError as error:
            held.fail(error.errno)
            return
        held.give(fd, os.O_CLOEXEC)
        os.close(fd)

    def _stat(self, held: Held) -> None:
        first = 1 if held.call == "newfstatat" else 0
        name = _name(_text(held.tid, held.args[first]))
        if not name:
            return
        try:
            found = os.stat(name, dir_fd=self._handle, follow_symlinks=False)
        except OSError as error:
            held.fail(error.errno)
            return
        try:
            proc.poke(held.tid, held.args[first + 1], _struct_stat(found))
        except OSError:
            held.fail(errno.EFAULT)
            return
        held.answer(0)

    def _connect(self, held: Held) -> None:
        name = proc.peek(held.tid, held.args[1], min(held.args[2], 128))
        if len(name) < 8:
            return
        family, port = struct.unpack_from("=H", name)[0], struct.unpack_from(">H", name, 2)[0]
        if family == socket.AF_UNIX and b"nscd" in name:
            held.fail(errno.ENOENT)
        elif family == socket.AF_INET and port == _DNS and self.dns != _DNS:
            with contextlib.suppress(OSError):  # of memory that it can't change itself
                proc.poke(held.tid, held.args[1] + 2, struct.pack(">H", self.dns))


def _name(path: str) -> str:
    """Return which of our files a path means; nothing where it means another.

    Of all that is deeper in the folder, or leads out of it, nothing is there:
    the name of such a file is one that no file can have.
    """
    if not path.startswith("/etc/") or os.path.basename(path) in _KEPT:
        return ""
    name = path[len("/etc/") :].strip("/")
    return "none/none" if "/" in name or name in ("", ".", "..") else name


def _text(pid: int, address: int) -> str:
    """Return the string at an address of the program, cut at 4096 bytes."""
    data = b""
    while b"\0" not in data and len(data) < _PAGE:
        more = proc.peek(pid, address + len(data), _PAGE - (address + len(data)) % _PAGE)
        if not more:
            break
        data += more
    return os.fsdecode(data.split(b"\0", 1)[0])


def _struct_stat(found: os.stat_result) -> bytes:
    """Return a ``struct stat`` as this architecture's kernel writes it.

    Its layout is that of ``asm/stat.h``, without the padding at its end.
    """
    size, blocks = found.st_size, found.st_blocks
    times = []
    for moment in (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns):
        times += divmod(moment, 1_000_000_000)
    who = (found.st_uid, found.st_gid)
    head = struct.pack("=QQ", found.st_dev, found.st_ino)
    if platform.machine() == "x86_64":
        head += struct.pack("=QIIIIQ", found.st_nlink, found.st_mode, *who, 0, found.st_rdev)
        head += struct.pack("=qqq", size, found.st_blksize, blocks)
    else:
        head += struct.pack("=IIIIQQ", found.st_mode, found.st_nlink, *who, found.st_rdev, 0)
        head += struct.pack("=qiiq", size, found.st_blksize, 0, blocks)
    return head + struct.pack("=6q", *times)
