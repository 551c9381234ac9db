"""Our end of the socket over which a launcher tells what becomes of its program."""

import array
import socket
import struct

from .failure import Broken

_CREDENTIALS = struct.Struct("=3i")
_SPACE = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(4)


class Control:
    """The talk with one launcher; see native/launch.c for its lines.

    The kernel tells who sent a line (SO_PASSCRED, unix(7)), by the number that
    the process has for us, in whatever namespace it lives itself.

    ``theirs`` is the launcher's end, ``ended`` whether it was closed there, and
    ``fd`` the number of our end, -1 when that is closed.
    """

    def __init__(self):
        self._ours, self.theirs = socket.socketpair()
        self._ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.fd = self._ours.fileno()
        self._rest = b""
        self._early: list[tuple[str, int, int]] = []
        self.ended = False

    def receive(self) -> list[tuple[str, int, int]]:
        """Return the lines that have come: word, number, and the pid of who said it."""
        found, self._early = self._early, []
        if not self.ended:
            try:
                found += self._take(socket.MSG_DONTWAIT)[0]
            except BlockingIOError:
                pass
        return found

    def listener(self) -> int:
        """Wait for the listener of the program's filter, and return it.

        Raises:
            Broken: the launcher ended without one.
        """
        while not self.ended:
            lines, fds = self._take(0)
            self._early += lines
            if fds:
                return fds[0]
        raise Broken("the launcher could not set its filter")

    def _take(self, flags: int) -> tuple[list[tuple[str, int, int]], list[int]]:
        flags |= socket.MSG_CMSG_CLOEXEC
        try:
            data, ancillary, _flags, _address = self._ours.recvmsg(4096, _SPACE, flags)
        except ConnectionResetError:  # it was killed before it read our order
            data, ancillary = b"", []
        self.ended = not data
        pid, fds = 0, array.array("i")
        for _level, kind, content in ancillary:
            if kind == socket.SCM_CREDENTIALS:
                pid = _CREDENTIALS.unpack(content)[0]
            elif kind == socket.SCM_RIGHTS:
                fds.frombytes(content)
        if fds:
            data = data[:-1]  # the byte that they came with
        *lines, self._rest = (self._rest + data).split(b"\n")
        words = (line.decode("ascii").partition(" ") for line in lines)
        return [(word, int(number or 0), pid) for word, _space, number in words], list(fds)

    def order_end(self) -> None:
        """Tell the launcher to end everything."""
        self._ours.send(b"x", socket.MSG_NOSIGNAL)

    def close(self) -> None:
        """Close both ends, which is an order to end, too."""
        self.theirs.close()
        self._ours.close()
        self.fd = -1
