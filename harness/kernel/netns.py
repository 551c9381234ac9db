"""A network namespace of one's own, with its loopback up.

Sources: unshare(2), user_namespaces(7), netdevice(7).
"""

import ctypes
import fcntl
import os
import socket
import struct

from . import prctl

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _unshare(flags: int) -> None:
    if _libc.unshare(flags) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def loopback_up() -> None:
    """Switch the loopback interface of the present namespace on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(sock, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def enter() -> None:
    """Move this single-threaded process into a network namespace of its own.

    Who may not do that directly gets a user namespace first, in which it keeps
    its user and group ids.

    Raises:
        OSError: the machine refuses; which call is in the message.
    """
    uid, gid = os.getuid(), os.getgid()
    try:
        _unshare(CLONE_NEWNET)
    except PermissionError:
        _unshare(CLONE_NEWUSER | CLONE_NEWNET)
        prctl.show()
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")
    loopback_up()


def set_sysctl(name: str, value: str) -> None:
    """Set a network sysctl of the present namespace, as ``net.ipv4.x``."""
    _write("/proc/sys/" + name.replace(".", "/"), value)


def flush_loopback() -> None:
    """Return when all that was sent over loopback before has been delivered.

    A packet to loopback waits in a queue of the CPU that sent it, and the
    queue is worked off in order: when a datagram of ours has passed the queue
    of every CPU, whatever stood before it has too.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
        allowed = os.sched_getaffinity(0)
        try:
            # a timer of the kernel's may send on others than those that we stay on
            os.sched_setaffinity(0, range(os.sysconf("SC_NPROCESSORS_CONF")))
            for cpu in os.sched_getaffinity(0):
                os.sched_setaffinity(0, {cpu})
                sock.send(b"x")
                sock.recv(1)
        finally:
            os.sched_setaffinity(0, allowed)


def settle() -> bool:
    """Deliver what waits in a queue of loopback, if anything does.

    Where the machine is busy, older kernels leave that work to a thread of
    their own.  Returns whether there was something.
    """
    with open("/proc/net/softnet_stat", "rb") as file:
        rows = [line.split() for line in file]
    # since Linux 5.10, the twelfth number is the length of the queue
    if all(len(row) > 11 and int(row[11], 16) == 0 for row in rows):
        return False
    flush_loopback()
    return True
