"""Looking at a process through its launcher, where that is refused to us.

A program of another user is closed to whoever lacks CAP_SYS_PTRACE: ptrace(2),
"Ptrace access mode checking".  Its launcher is of the same user and may look;
it answers what ``native/launch/observe.c`` lists, about its descendants alone.
The readers of this package ask here when the kernel has said EPERM or EACCES.
"""

import array
import os
import re
import socket
import struct

_QUESTION = struct.Struct("=IiiiQQ")
_ANSWER = struct.Struct("=iI")
_LIMITS = struct.Struct("=QQ")
_FILE, _LINKS, _PEEK, _POKE, _DESCRIPTOR, _LIMIT, _SET_LIMIT = range(1, 8)
_FILES = ("syscall", "stat", "status", "children", "timers", "cmdline", "fdinfo")
_PACKET = 1 << 16
# The most that one answer brings, and one question takes along.
_MOST = 1 << 20
_MOST_DATA = 1 << 15
_INFINITE = (1 << 64) - 1
# Seconds.  An answer takes microseconds, so who is silent for so long is stopped.
_SILENCE = 60.0

_observers: list["Observer"] = []
_known: dict[int, "Observer"] = {}


class Observer:
    """Our end of a launcher's socket for questions.

    ``theirs`` is the launcher's end, for the option ``-q``; close it when the
    launcher has got it.
    """

    def __init__(self):
        self._ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.settimeout(_SILENCE)
        self._nested = False
        self.silent = False
        _observers.insert(0, self)

    def started(self, launcher: int) -> None:
        """Take note of the launcher's process id; it may have another one itself."""
        self._nested = len(_numbers(f"/proc/{launcher}")) > 1

    def close(self) -> None:
        """Ask no more."""
        self.theirs.close()
        self._ours.close()
        if self in _observers:
            _observers.remove(self)
        for pid in [pid for pid, one in _known.items() if one is self]:
            del _known[pid]

    def ask(self, what, pid, tid=0, which=0, first=0, second=0, data=b""):
        """Return the bytes of an answer, and the descriptors that came with it.

        Raises:
            ProcessLookupError: it has no such descendant, or has ended itself.
            OSError: what the kernel said to it.
        """
        if self.silent:
            raise ProcessLookupError("the observer does not answer")
        if self._nested:
            tid = tid and _numbers(f"/proc/{pid}/task/{tid}")[-1]
            pid = _numbers(f"/proc/{pid}")[-1]
        found, fds, more, error = b"", array.array("i"), 1, 0
        try:
            self._ours.send(_QUESTION.pack(what, pid, tid, which, first, second) + data)
            while more:
                packet, ancillary, _flags, _address = self._ours.recvmsg(
                    _PACKET, socket.CMSG_SPACE(fds.itemsize), socket.MSG_CMSG_CLOEXEC
                )
                error, more = _ANSWER.unpack_from(packet)
                found += packet[_ANSWER.size :]
                for _level, _kind, content in ancillary:
                    fds.frombytes(content)
        except TimeoutError:
            self.silent = True
            raise ProcessLookupError("the observer does not answer") from None
        except (OSError, struct.error):
            raise ProcessLookupError("the observer has ended") from None
        if error:
            raise OSError(error, os.strerror(error))
        return found, fds


def _numbers(where: str) -> list[int]:
    """Return a task's ids, in our namespace first and in its own last: NSpid, proc(5)."""
    try:
        with open(f"{where}/status", "rb") as file:
            row = re.search(rb"^NSpid:\s*(.*)", file.read(), re.M)
    except (FileNotFoundError, ProcessLookupError):
        row = None
    if row is None:
        raise ProcessLookupError("the process has ended")
    return [int(word) for word in row[1].split()]


def _ask(what, pid, *rest, data=b""):
    """Ask the observer whose descendant a process is.

    Raises:
        PermissionError: there is none, or the kernel refuses it, too.
        OSError: what else the kernel said to it.
    """
    known = _known.pop(pid, None)
    for one in sorted(_observers, key=lambda one: one is not known):
        try:
            answer = one.ask(what, pid, *rest, data=data)
        except ProcessLookupError:
            continue
        _known[pid] = one
        return answer
    raise PermissionError(f"process {pid} is nobody's whom we may ask")


def file(path: str) -> bytes:
    """Return what is in a file of /proc, such as ``/proc/7/task/8/syscall``.

    Raises:
        OSError: see ``_ask``.
    """
    pid, *rest = path.split("/")[2:]
    tid = rest[1] if rest[0] == "task" else 0
    name, *fd = rest[2:] if tid else rest
    if name not in _FILES:
        raise PermissionError(f"no observer reads {path}")
    number = int(fd[0]) if fd else 0
    return _ask(_FILE, int(pid), int(tid), _FILES.index(name), number)[0]


def links(pid: int) -> dict[int, str]:
    """Return the open descriptors of a process and what each refers to.

    Raises:
        OSError: see ``_ask``.
    """
    found, _fds = _ask(_LINKS, pid)
    pairs = (row.partition(b" ") for row in found.split(b"\0")[:-1])
    return {int(fd): os.fsdecode(target) for fd, _space, target in pairs}


def peek(pid: int, address: int, size: int) -> bytes:
    """Return bytes of a process's memory, fewer if not all can be read.

    Raises:
        OSError: see ``_ask``.
    """
    found = b""
    while len(found) < size:
        part = _ask(_PEEK, pid, 0, 0, address + len(found), min(size - len(found), _MOST))[0]
        found += part
        if len(part) < _MOST:
            break
    return found


def poke(pid: int, address: int, data: bytes) -> None:
    """Write into a process's memory.

    Raises:
        OSError: see ``_ask``.
    """
    for start in range(0, len(data), _MOST_DATA):
        part = data[start : start + _MOST_DATA]
        _ask(_POKE, pid, 0, 0, address + start, data=part)


def borrow(pid: int, fd: int) -> int:
    """Return a duplicate, in this process, of a descriptor of another one.

    Raises:
        OSError: see ``_ask``.
    """
    _found, fds = _ask(_DESCRIPTOR, pid, 0, fd)
    return fds[0]


def limit(pid: int, which: int, limits: tuple[int, int] | None) -> tuple[int, int]:
    """Set a resource limit of a process, if any is given; return the one before.

    Args:
        pid: the process.
        which: one of the constants of the module ``resource``.
        limits: the soft and the hard one.

    Raises:
        OSError: see ``_ask``.
    """
    soft, hard = (one & _INFINITE for one in limits or (0, 0))
    what = _LIMIT if limits is None else _SET_LIMIT
    found, _fds = _ask(what, pid, 0, which, soft, hard)
    soft, hard = (-1 if one == _INFINITE else one for one in _LIMITS.unpack(found))
    return soft, hard
