"""The supervisor's side of seccomp user notification, seccomp_unotify(2)."""

import errno
import fcntl
import select
import struct
from dataclasses import dataclass

from . import syscalls

# struct seccomp_notif: id, pid, flags, data {nr, arch, ip, args[6]}
_NOTIF = struct.Struct("=QIIiIQ6Q")
_RESP = struct.Struct("=QqiI")
_ADDFD = struct.Struct("=QIIII")


def _iowr(number: int, size: int) -> int:
    return 3 << 30 | size << 16 | ord("!") << 8 | number


def _iow(number: int, size: int) -> int:
    return 1 << 30 | size << 16 | ord("!") << 8 | number


_RECV = _iowr(0, _NOTIF.size)
_SEND = _iowr(1, _RESP.size)
_ID_VALID = _iow(2, 8)
_ADD = _iow(3, _ADDFD.size)

# The kernel's own: no program sees it, for a signal is waiting, and after its
# handler the kernel makes the call again.
ERESTARTNOINTR = 513

_CONTINUE = 1
_ADDFD_FLAG_SEND = 2


@dataclass(frozen=True)
class Notification:
    """A call at whose entry a thread of the program is held."""

    id: int
    tid: int
    call: str
    args: tuple[int, ...]


class Listener:
    """The listener of one filter: whoever is held is answered here."""

    def __init__(self, fd: int):
        self.fd = fd

    def pending(self) -> bool:
        """Whether a held call waits to be received."""
        poller = select.poll()
        poller.register(self.fd, select.POLLIN)
        return any(event & select.POLLIN for _fd, event in poller.poll(0))

    def receive(self) -> Notification | None:
        """Take the next held call; None when there is none after all."""
        if not self.pending():
            return None
        buffer = bytearray(_NOTIF.size)
        try:
            fcntl.ioctl(self.fd, _RECV, buffer)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR):
                return None  # the held thread was killed meanwhile
            raise
        fields = _NOTIF.unpack(buffer)
        name = syscalls.NAME.get(fields[3], f"call {fields[3]}")
        return Notification(fields[0], fields[1], name, tuple(fields[6:12]))

    def _respond(self, note: Notification, value: int, error: int, flags: int) -> bool:
        try:
            fcntl.ioctl(self.fd, _SEND, _RESP.pack(note.id, value, error, flags))
        except OSError as problem:
            if problem.errno == errno.ENOENT:
                return False  # the held thread was killed meanwhile
            raise
        return True

    def let_go(self, note: Notification) -> bool:
        """Let the kernel carry out the call; False when its thread has gone."""
        return self._respond(note, 0, 0, _CONTINUE)

    def fail(self, note: Notification, error: int) -> bool:
        """Make the call fail with an errno, without carrying it out."""
        return self._respond(note, 0, -error, 0)

    def answer(self, note: Notification, value: int) -> bool:
        """Make the call return a value, without carrying it out."""
        return self._respond(note, value, 0, 0)

    def give(self, note: Notification, fd: int, flags: int = 0) -> bool:
        """Answer the call with a new descriptor, a duplicate of our ``fd``.

        Args:
            note: the held call.
            fd: a descriptor of this process.
            flags: 0 or O_CLOEXEC, for the new descriptor.
        """
        request = _ADDFD.pack(note.id, _ADDFD_FLAG_SEND, fd, 0, flags)
        try:
            fcntl.ioctl(self.fd, _ADD, request)
        except OSError as problem:
            if problem.errno == errno.ENOENT:
                return False
            raise
        return True

    def valid(self, note: Notification) -> bool:
        """Whether the held thread still waits for its answer."""
        try:
            fcntl.ioctl(self.fd, _ID_VALID, struct.pack("=Q", note.id))
        except OSError:
            return False
        return True
