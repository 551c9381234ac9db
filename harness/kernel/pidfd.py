"""Descriptors of another process, through pidfd_open(2) and pidfd_getfd(2)."""

import ctypes
import errno
import os
import socket

from . import observer

_PIDFD_GETFD = 438  # the same number on x86-64 and aarch64

_libc = ctypes.CDLL(None, use_errno=True)


def borrow(pid: int, fd: int) -> int:
    """Return a duplicate, in this process, of descriptor ``fd`` of ``pid``.

    Raises:
        OSError: the process or descriptor has gone, or the machine refuses.
    """
    handle = os.pidfd_open(pid)
    try:
        copy = _libc.syscall(_PIDFD_GETFD, handle, fd, 0)
        if copy == -1:
            number = ctypes.get_errno()
            if number == errno.EPERM:
                return observer.borrow(pid, fd)
            raise OSError(number, f"pidfd_getfd: {os.strerror(number)}")
        return copy
    finally:
        os.close(handle)


def borrow_socket(pid: int, fd: int) -> socket.socket:
    """Return a duplicate of a socket; close it when done: it holds the socket."""
    copy = borrow(pid, fd)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise
