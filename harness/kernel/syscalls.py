"""System-call numbers by name, and the classes of calls that checks speak of.

The numbers are those of ``asm/unistd_64.h`` (x86-64) and of
``asm-generic/unistd.h`` (aarch64).  A call that an architecture lacks, such as
``pause`` on aarch64, has no number there: the C library uses another one.
What else a filter must know of an architecture stands in ``native/arch.h``.
"""

import platform
import sys

ARCHITECTURES = ("x86_64", "aarch64")
# name: a number for each of these
TABLE = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "stat": (4, None),
    "poll": (7, None),
    "rt_sigaction": (13, 134),
    "ioctl": (16, 29),
    "readv": (19, 65),
    "writev": (20, 66),
    "select": (23, None),
    "dup": (32, 23),
    "dup2": (33, None),
    "pause": (34, None),
    "nanosleep": (35, 101),
    "alarm": (37, None),
    "setitimer": (38, 103),
    "sendfile": (40, 71),
    "socket": (41, 198),
    "connect": (42, 203),
    "accept": (43, 202),
    "sendto": (44, 206),
    "recvfrom": (45, 207),
    "sendmsg": (46, 211),
    "recvmsg": (47, 212),
    "shutdown": (48, 210),
    "bind": (49, 200),
    "listen": (50, 201),
    "getsockname": (51, 204),
    "getpeername": (52, 205),
    "setsockopt": (54, 208),
    "clone": (56, 220),
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "timer_create": (222, 107),
    "timer_settime": (223, 110),
    "timerfd_create": (283, 85),
    "timerfd_settime": (286, 86),
    "exit": (60, 93),
    "wait4": (61, 260),
    "fcntl": (72, 25),
    "unlink": (87, None),
    "rt_sigsuspend": (130, 133),
    "rt_sigtimedwait": (128, 137),
    "futex": (202, 98),
    "epoll_wait": (232, None),
    "exit_group": (231, 94),
    "clock_nanosleep": (230, 115),
    "waitid": (247, 95),
    "open": (2, None),
    "openat": (257, 56),
    "newfstatat": (262, 79),
    "unlinkat": (263, 35),
    "pselect6": (270, 72),
    "ppoll": (271, 73),
    "epoll_pwait": (281, 22),
    "accept4": (288, 242),
    "dup3": (292, 24),
    "splice": (275, 76),
    "sendmmsg": (307, 269),
    "recvmmsg": (299, 243),
    "preadv2": (327, 286),
    "pwritev2": (328, 287),
    "clone3": (435, 435),
    "epoll_pwait2": (441, 441),
    "restart_syscall": (219, 128),
}


def architecture() -> str:
    """Return whose calls programs make here: as uname(2) names it, unless they have 32 bits."""
    return platform.machine() if sys.maxsize > 1 << 32 else f"{platform.machine()} with 32 bits"


def numbers_of(architecture: str) -> dict[str, int]:
    """Return the numbers of an architecture by name; none of one that is not in the table."""
    if architecture not in ARCHITECTURES:
        return {}
    column = ARCHITECTURES.index(architecture)
    return {name: row[column] for name, row in TABLE.items() if row[column] is not None}


NUMBER = numbers_of(architecture())
NAME = {number: name for name, number in NUMBER.items()}

# A contract never says which of these a program must use, so a check waits for
# the class.
ACCEPT = frozenset({"accept", "accept4"})
# splice(2) is in both classes: it reads from its first descriptor and writes to
# its third argument.
READ = frozenset({"read", "readv", "preadv2", "recvfrom", "recvmsg", "recvmmsg", "splice"})
WRITE = frozenset(
    {"write", "writev", "pwritev2", "sendto", "sendmsg", "sendmmsg", "sendfile", "splice"}
)
POLL = frozenset({"poll", "ppoll"})
SELECT = frozenset({"select", "pselect6"})
EPOLL = frozenset({"epoll_wait", "epoll_pwait", "epoll_pwait2"})
MULTIPLEX = POLL | SELECT | EPOLL
SLEEP = frozenset({"nanosleep", "clock_nanosleep"})
FORK = frozenset({"fork", "vfork", "clone", "clone3"})
WAIT_CHILD = frozenset({"wait4", "waitid"})
# What starts a timer.
TIMER = frozenset({"alarm", "setitimer", "timer_settime", "timerfd_settime"})
WAIT_SIGNAL = frozenset({"pause", "rt_sigsuspend", "rt_sigtimedwait"})


def supported() -> bool:
    """Whether this machine's architecture is in the table."""
    return architecture() in ARCHITECTURES


def numbers(names) -> list[int]:
    """Return the numbers of those of ``names`` that this architecture has."""
    return sorted(NUMBER[name] for name in names if name in NUMBER)
