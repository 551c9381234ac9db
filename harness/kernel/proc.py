"""A process as ``/proc`` shows it: state, blocked call, descriptors, children.

Sources: proc(5); for CPU clocks, clock_getcpuclockid(3).  What is closed to us
is read by an observer, if there is one.
"""

import collections
import errno
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from . import observer, syscalls

O_NONBLOCK = 0o4000

_TICKS = os.sysconf("SC_CLK_TCK")
# A file of /proc gives less only at its end: it stops early where the next
# record does not fit into a page any more, and no record is as long as that.
_HALF_A_PAGE = 2048


class Hidden(Exception):
    """A process has made itself unobservable: prctl(2), PR_SET_DUMPABLE."""

    def __init__(self, pid: int):
        super().__init__(f"process {pid} has made itself unobservable")


def _read(path: str) -> str | None:
    """Return the text of a file under /proc, or None when the task has gone.

    Raises:
        PermissionError: it is closed to us, and to an observer if there is one.
    """
    try:
        data = _read_directly(path)
    except PermissionError:
        data = observer.file(path)
    return None if data is None else data.decode("latin-1")


def _read_directly(path: str) -> bytes | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError):
        return None
    # Read so often that file objects cost a third of a check.
    try:
        data = chunk = os.read(fd, 1 << 14)
        while len(chunk) >= _HALF_A_PAGE:
            chunk = os.read(fd, 1 << 14)
            data += chunk
    except ProcessLookupError:
        return None
    finally:
        os.close(fd)
    return data


def _guarded(look, pid: int, tid: int | None = None):
    """Return what ``look()`` returns; None where that is refused for a moment.

    Whoever is ending is closed to all but root from the moment that its memory
    has gone, so a refusal means something only if the task still sleeps.

    Raises:
        Hidden: it sleeps, and does not let itself be looked at.
    """
    for _attempt in range(2):
        try:
            return look()
        except PermissionError:
            found = stat(pid, tid)
            if found is None or found.state not in "ST":
                return None
    raise Hidden(pid)


def barrier() -> None:
    """Return when whoever was ending has told its parent.

    The kernel makes a zombie and sends SIGCHLD under one lock, which this call
    takes, too.  A zombie seen before it is a zombie that its parent knows of.
    """
    os.killpg(os.getpgrp(), 0)


def _children_of_task(pid: int, tid: int) -> list[int]:
    text = _read(f"/proc/{pid}/task/{tid}/children")
    return [int(word) for word in text.split()] if text else []


def tasks(pid: int) -> list[int]:
    """Return the thread ids of a process; none when it has gone."""
    where = f"/proc/{pid}/task"
    try:
        # A folder has two links, and one more for each folder in it; the first
        # thread's is there as long as the process is.
        if os.stat(where).st_nlink == 3:
            return [pid]
        return [int(name) for name in os.listdir(where)]
    except (FileNotFoundError, ProcessLookupError):
        return []


def children(pid: int) -> list[int]:
    """Return the children of all threads of a process, zombies included."""
    return [child for tid in tasks(pid) for child in _children_of_task(pid, tid)]


def threads_below(pid: int, most: int | None = None) -> dict[int, list[int]]:
    """Return all processes below ``pid`` with their threads, parents before their children.

    Args:
        pid: the ancestor, not itself among them.
        most: look no further when there are more processes than this.
    """
    found: dict[int, list[int]] = {}
    todo = collections.deque(children(pid))
    while todo and (most is None or len(found) <= most):
        child = todo.popleft()
        if child not in found:
            found[child] = tasks(child)
            for tid in found[child]:
                todo.extend(_children_of_task(child, tid))
    return found


def descendants(pid: int, most: int | None = None) -> list[int]:
    """Return all processes below ``pid``, as ``threads_below`` does."""
    return list(threads_below(pid, most))


@dataclass(frozen=True)
class Stat:
    """The fields of ``/proc/PID/stat`` that checks ask for."""

    comm: str
    state: str
    ppid: int
    threads: int

    @property
    def is_zombie(self) -> bool:
        """Whether it has ended: a first thread that has, alone, is none."""
        return self.state == "Z" and self.threads <= 1


def stat(pid: int, tid: int | None = None) -> Stat | None:
    """Return the state of a process or one of its threads; None when gone."""
    where = f"/proc/{pid}/stat" if tid is None else f"/proc/{pid}/task/{tid}/stat"
    text = _read(where)
    if not text:
        return None
    comm, rest = text[text.index("(") + 1 :].rsplit(")", 1)
    fields = rest.split()
    return Stat(comm, fields[0], int(fields[1]), int(fields[17]))


def state(pid: int) -> str:
    """Return the one-letter state of a process, ``""`` when it has gone."""
    found = stat(pid)
    return found.state if found else ""


def is_zombie(pid: int) -> bool:
    """Whether the process has ended and waits for its parent to reap it."""
    found = stat(pid)
    return found is not None and found.is_zombie


def status(pid: int, tid: int | None = None) -> dict[str, str]:
    """Return the status of a process, or of one thread, as a dictionary; empty when gone."""
    where = f"/proc/{pid}/status" if tid is None else f"/proc/{pid}/task/{tid}/status"
    return dict(re.findall(r"^(\w+):[ \t]*(.*)$", _read(where) or "", re.M))


def signals(pid: int, field: str) -> set[int]:
    """Return a signal mask of ``/proc/PID/status`` as a set of numbers.

    Args:
        pid: the process.
        field: SigCgt (handled), SigIgn, SigBlk, SigPnd or ShdPnd.
    """
    mask = int(status(pid).get(field, "0"), 16)
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used, all threads together.

    The clock id is what clock_getcpuclockid(3) makes of a process id.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def reaped_seconds(pid: int) -> float:
    """Return the CPU time of all descendants that a process has waited for."""
    text = _read(f"/proc/{pid}/stat")
    if not text:
        return 0.0
    fields = text.rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) / _TICKS


def _links(pid: int) -> dict[int, str]:
    found = {}
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
            except FileNotFoundError:
                continue  # closed meanwhile
    except PermissionError:
        return observer.links(pid)
    return found


def descriptors(pid: int) -> dict[int, str]:
    """Return the open descriptors of a process and what each refers to.

    Raises:
        Hidden: the process does not let itself be looked at.
    """
    try:
        return _guarded(lambda: _links(pid), pid) or {}
    except (FileNotFoundError, ProcessLookupError):
        return {}


def socket_inodes(pid: int) -> dict[int, int]:
    """Return the descriptors of a process that are sockets, with inodes."""
    return {
        fd: int(target[8:-1])
        for fd, target in descriptors(pid).items()
        if target.startswith("socket:[")
    }


def _fdinfo(pid: int, fd: int) -> str:
    return _guarded(lambda: _read(f"/proc/{pid}/fdinfo/{fd}"), pid) or ""


def flags(pid: int, fd: int) -> int:
    """Return the file status flags of a descriptor (O_NONBLOCK, O_ASYNC...)."""
    text = _fdinfo(pid, fd)
    match = re.search(r"^flags:\s*([0-7]+)", text, re.M)
    return int(match[1], 8) if match else 0


def epoll_interest(pid: int, fd: int) -> tuple[set[int], set[int]]:
    """Return what an epoll descriptor watches for reading, and for writing."""
    rows = re.findall(r"^tfd:\s*(\d+) events:\s*([0-9a-f]+)", _fdinfo(pid, fd), re.M)
    events = [(int(target), int(mask, 16)) for target, mask in rows]
    return {t for t, mask in events if mask & 0x1}, {t for t, mask in events if mask & 0x4}


def timer_seconds(pid: int, fd: int) -> float | None:
    """Return when a timerfd expires next; None when it is not armed, or none."""
    match = re.search(r"^it_value:\s*\((\d+), (\d+)\)", _fdinfo(pid, fd), re.M)
    seconds = int(match[1]) + int(match[2]) / 1e9 if match else 0.0
    return seconds or None


def has_posix_timers(pid: int) -> bool:
    """Whether a process has timers of timer_create(2), armed or not."""
    try:
        return bool(_read(f"/proc/{pid}/timers"))
    except PermissionError:
        return False


def command_line(pid: int) -> list[str]:
    """Return the argument vector of a process; empty when gone or a zombie."""
    text = _read(f"/proc/{pid}/cmdline") or ""
    return text.split("\0")[:-1]


# No address of a program lies above, and nobody reads more at a time.
_ADDRESSES = 1 << 63
_MOST = 64 << 20


def peek(pid: int, address: int, size: int) -> bytes:
    """Return bytes of a process's memory; empty when it can't be read."""
    if address >= _ADDRESSES or size > _MOST:
        return b""
    try:
        try:
            with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
                return os.pread(memory.fileno(), size, address)
        except PermissionError:
            return observer.peek(pid, address, size)
    except OSError:
        return b""


def poke(pid: int, address: int, data: bytes) -> None:
    """Write into a process's memory; OSError when that is refused."""
    if address >= _ADDRESSES:
        raise OSError(errno.EFAULT, "no address of a program")
    try:
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            os.pwrite(memory.fileno(), data, address)
    except PermissionError:
        observer.poke(pid, address, data)


def current_call(pid: int, tid: int) -> tuple[str, tuple[int, ...]] | None:
    """Return the name and arguments of the call a thread is blocked in.

    None when it runs.  Read it only after ``stat`` said S: a thread that was
    woken and has not run yet still shows its old call.

    Raises:
        Hidden: the process does not let itself be looked at.
    """
    text = _guarded(lambda: _read(f"/proc/{pid}/task/{tid}/syscall"), pid, tid)
    if not text or text.startswith("running"):
        return None
    words = text.split()
    number = int(words[0])
    if number < 0:
        return ("", ())
    args = tuple(int(word, 16) for word in words[1:7])
    return (syscalls.NAME.get(number, f"call {number}"), args)


def has_proc_syscall() -> bool:
    """Whether this kernel shows the blocked call of a process."""
    return Path("/proc/self/syscall").exists()
