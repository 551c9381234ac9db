"""What a sleeping thread waits for: call, descriptors, time limit."""

import contextlib
import math
import socket
import struct
from dataclasses import dataclass

from .kernel import pidfd, proc, syscalls

_FD_SETSIZE = 1024
# For a stream poll(2) treats both names alike: POLLIN and POLLRDNORM, POLLOUT
# and POLLWRNORM.
_POLL_READS = 0x001 | 0x040
_POLL_WRITES = 0x004 | 0x100
# Which function of the C library ends in a call of another name: on every
# architecture, or where there is no call of its own.
_FUNCTIONS = {
    "pselect6": "select",
    "ppoll": "poll",
    "epoll_pwait": "epoll_wait",
    "rt_sigsuspend": "sigsuspend",
    "wait4": "waitpid",
}
_PAUSE_IS_PPOLL = "pause" not in syscalls.NUMBER


@dataclass(frozen=True)
class Blocked:
    """A thread asleep in a system call.

    ``reads`` and ``writes`` are the descriptors it waits for; ``timeout`` is
    the call's own limit in seconds, None when the call waits for ever, NaN
    when there is a limit that can't be seen.
    """

    call: str
    args: tuple[int, ...]
    reads: frozenset[int] = frozenset()
    writes: frozenset[int] = frozenset()
    timeout: float | None = None

    def __str__(self) -> str:
        """The call as a person would name it, such as ``read(4)``."""
        name = _FUNCTIONS.get(self.call, self.call)
        fds = sorted(self.reads | self.writes)
        if self.call == "ppoll" and not fds and self.timeout is None and _PAUSE_IS_PPOLL:
            return "pause"
        if self.call in syscalls.MULTIPLEX:
            inner = "{" + ", ".join(map(str, fds)) + "}"
            return f"{name}({inner})" if fds else f"{name}()"
        if fds:
            return f"{name}({fds[0]})"
        return name


def _timespec(pid: int, address: int, divisor: int = 1_000_000_000) -> float | None:
    if address == 0:
        return None
    data = proc.peek(pid, address, 16)
    if len(data) < 16:
        return math.nan
    seconds, fraction = struct.unpack("=qq", data)
    return seconds + fraction / divisor


def _fd_set(pid: int, address: int, count: int) -> frozenset[int]:
    if address == 0:
        return frozenset()
    data = proc.peek(pid, address, (min(count, _FD_SETSIZE) + 63) // 64 * 8)
    return frozenset(
        index * 8 + bit
        for index, byte in enumerate(data)
        for bit in range(8)
        if byte >> bit & 1 and index * 8 + bit < count
    )


def _pollfds(pid: int, address: int, count: int) -> tuple[frozenset[int], frozenset[int]]:
    data = proc.peek(pid, address, min(count, 65536) * 8)
    reads, writes = set(), set()
    for offset in range(0, len(data) - 7, 8):
        fd, events, _revents = struct.unpack_from("=ihh", data, offset)
        if fd >= 0 and events & _POLL_READS:
            reads.add(fd)
        if fd >= 0 and events & _POLL_WRITES:
            writes.add(fd)
    return frozenset(reads), frozenset(writes)


def _signed(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value & 1 << 31 else value


def _milliseconds(value: int) -> float | None:
    value = _signed(value)
    return None if value < 0 else value / 1000


def describe(pid: int, call: str, args: tuple[int, ...]) -> Blocked:
    """Resolve a blocked call into what it waits for.

    Args:
        pid: the process, whose memory holds descriptor sets and time limits.
        call: the system call's name.
        args: its six arguments.
    """
    if call in syscalls.POLL:
        reads, writes = _pollfds(pid, args[0], args[1])
        timeout = _milliseconds(args[2]) if call == "poll" else _timespec(pid, args[2])
        return Blocked(call, args, reads, writes, timeout)
    if call in syscalls.SELECT:
        divisor = 1_000_000 if call == "select" else 1_000_000_000
        reads = _fd_set(pid, args[1], args[0])
        writes = _fd_set(pid, args[2], args[0])
        return Blocked(call, args, reads, writes, _timespec(pid, args[4], divisor))
    if call in syscalls.EPOLL:
        reads, writes = map(frozenset, proc.epoll_interest(pid, args[0]))
        pwait2 = call == "epoll_pwait2"
        timeout = _timespec(pid, args[3]) if pwait2 else _milliseconds(args[3])
        return Blocked(call, args, reads, writes, timeout)
    if call == "splice":
        return Blocked(call, args, frozenset({_signed(args[0])}), frozenset({_signed(args[2])}))
    if call in syscalls.READ | syscalls.ACCEPT:
        return Blocked(call, args, reads=frozenset({_signed(args[0])}))
    if call in syscalls.WRITE:
        return Blocked(call, args, writes=frozenset({_signed(args[0])}))
    if call == "connect":
        # A TCP connect is given up by the kernel's own timer some day.
        return Blocked(call, args, writes=frozenset({_signed(args[0])}), timeout=math.nan)
    if call == "nanosleep":
        return Blocked(call, args, timeout=_timespec(pid, args[0]))
    if call == "clock_nanosleep":
        return Blocked(call, args, timeout=_timespec(pid, args[2]))
    if call == "rt_sigtimedwait":
        return Blocked(call, args, timeout=_timespec(pid, args[2]))
    if call == "futex":
        return Blocked(call, args, timeout=_timespec(pid, args[3]))
    if call == "restart_syscall":
        return Blocked(call, args, timeout=math.nan)
    return Blocked(call, args)


def hidden_timeout(pid: int, blocked: Blocked) -> float | None:
    """Return a time limit that stands not in the call but at its descriptors.

    That is a timerfd among them, or SO_RCVTIMEO and SO_SNDTIMEO of a socket.
    Whoever forbids pidfd_getfd hides the latter from us.
    """
    limits = [proc.timer_seconds(pid, fd) for fd in blocked.reads]
    if blocked.call not in syscalls.MULTIPLEX:
        limits += [_socket_timeout(pid, fd, socket.SO_RCVTIMEO) for fd in blocked.reads]
        limits += [_socket_timeout(pid, fd, socket.SO_SNDTIMEO) for fd in blocked.writes]
    return min((limit for limit in limits if limit), default=None)


def _socket_timeout(pid: int, fd: int, option: int) -> float | None:
    with contextlib.suppress(OSError), pidfd.borrow_socket(pid, fd) as sock:
        data = sock.getsockopt(socket.SOL_SOCKET, option, 16)
        seconds, micro = struct.unpack("=qq", data)
        return seconds + micro / 1e6
    return None
