"""Files in the check's folder, where a program may have put something else.

A link would lead to files of ours, a FIFO or a device would never end.  Who is
root reads and writes whatever a link leads to; so none is followed, and what is
no file of its kind is the program's failure.  The folder itself is ours.
"""

import errno
import os
import socket
import stat
import weakref

from .failure import Failure

# Bytes; no check asks for a file that is larger.
_MOST = 64 << 20
_WHY = "the program has put something else in its place"


def _open(path: str, flags: int, is_right) -> int:
    """Open a file of the right kind, and nothing else.

    Raises:
        Failure: there is something else.
        OSError: it can't be opened, such as ENOENT, and ENXIO of a FIFO.
    """
    folder = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        parent = os.open(os.path.dirname(path), folder)
        try:
            fd = os.open(os.path.basename(path), flags, 0o666, dir_fd=parent)
        finally:
            os.close(parent)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise Failure(f"the file {path}", "a symbolic link", _WHY) from None
        if error.errno == errno.EISDIR:
            raise Failure(f"the file {path}", "a directory", _WHY) from None
        if error.errno in (errno.EACCES, errno.EPERM):
            raise Failure(f"the file {path}", "a file that is closed to others", _WHY) from None
        if error.errno == errno.ETXTBSY:
            raise Failure(f"the file {path}", "a program that runs", _WHY) from None
        raise
    if is_right(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise Failure(f"the file {path}", "a special file", _WHY)


def _regular(path: str, flags: int) -> int:
    try:
        return _open(path, flags, stat.S_ISREG)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        raise Failure(f"the file {path}", "a FIFO", _WHY) from None


def read(path: str) -> bytes:
    """Return what is in a file, as far as a check may ask for it.

    Raises:
        Failure: it is no file.
        FileNotFoundError: there is none.
    """
    with open(_regular(path, os.O_RDONLY), "rb") as file:
        return file.read(_MOST)


def write(path: str, data: bytes, mode: int | None = None) -> None:
    """Make or overwrite a file.

    Args:
        path: where, in the check's folder or a folder of ours in it.
        data: what shall be in it.
        mode: its permissions, if they matter.

    Raises:
        Failure: something else is there.
    """
    with open(_regular(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(data)


def bind(sock: socket.socket, path: str) -> None:
    """Bind a socket to a path.

    Raises:
        OSError: something is there; with the path, which bind(2) keeps to itself.
    """
    _named(path, sock.bind)


def fifo(path: str) -> None:
    """Make a FIFO.

    Raises:
        OSError: something is there; with the path, as above.
    """
    _named(path, os.mkfifo)


def _named(path: str, call) -> None:
    try:
        call(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None


class Shared:
    """A file of so many bytes, zeros at first, which the program maps.

    We don't: who maps a file that somebody cuts short is killed by SIGBUS.

    Args:
        path: where.
        size: how many.
    """

    def __init__(self, path: str, size: int):
        self._path = path
        self._size = size
        self._fd = _regular(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        weakref.finalize(self, os.close, self._fd)
        self.write(bytes(size))

    def write(self, data: bytes) -> None:
        """Write it anew."""
        os.pwrite(self._fd, data, 0)

    def read(self) -> bytes:
        """Return what is in it.

        Raises:
            Failure: it was cut short.
        """
        data = os.pread(self._fd, self._size, 0)
        if len(data) < self._size:
            raise Failure(f"the file {self._path} as it was", f"{len(data)} bytes", _WHY)
        return data


def wake(path: str, data: bytes) -> None:
    """Write to whoever waits for a FIFO to be opened; then they read end of file.

    Raises:
        Failure: it is no FIFO, or full: whoever is to read has written to it.
        OSError: ENXIO if nobody waits.
    """
    fd = _open(path, os.O_WRONLY, stat.S_ISFIFO)
    try:
        os.write(fd, data)
    except BlockingIOError:
        why = "the program has filled it, which is only there to be read"
        raise Failure(f"the FIFO {path}", "one that is full", why) from None
    except BrokenPipeError:
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO)) from None
    finally:
        os.close(fd)


def output(path: str) -> int:
    """Return a descriptor for a program's stdout: of a file, a FIFO that we read, a device.

    Raises:
        Failure: a link is there, or a FIFO that nobody reads.
    """
    if path.startswith("/dev/"):
        return os.open(path, os.O_WRONLY)

    def is_right(mode: int) -> bool:
        return stat.S_ISREG(mode) or stat.S_ISFIFO(mode)

    try:
        fd = _open(path, os.O_WRONLY | os.O_CREAT, is_right)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        raise Failure(f"the file {path}", "a FIFO", _WHY) from None
    os.set_blocking(fd, True)
    return fd
