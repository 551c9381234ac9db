"""The other side of a conversation: clients and servers that record their steps.

A peer never blocks and never sleeps.  When it waits for something, the waiting
loop watches the program meanwhile and knows when nothing can come any more.
"""

import contextlib
import errno
import os
import select
import socket
import struct

from . import diagnosis, strange, waiting
from .failure import Broken, Failure

_CHUNK = 1 << 18
# Bytes after which a peer gives up waiting for the end of what it reads.
READ_LIMIT = 64 << 20


class Peer:
    """One socket of the harness, connected or not, of any family and type.

    Args:
        stage: the check's world.
        sock: the socket.
        name: how steps call it, such as "client 1".
    """

    def __init__(self, stage, sock: socket.socket, name: str):
        self.stage = stage
        self.name = name
        self.sock = sock
        self.sock.setblocking(False)
        self.received = bytearray()
        self.ended = ""
        stage.closers.append(self.sock.close)

    def _note(self, verb: str, text: str, saw: str = ""):
        return self.stage.tape.add(verb, f"{self.name}: {text}" if text else self.name, saw)

    def _until(self, ready, due: str, progress=None, told: bool = False):
        return waiting.until(self.stage, ready, due, [self.sock.fileno()], progress, told)

    # -- sending --------------------------------------------------------------

    def send(self, data: bytes, quiet: bool = False) -> None:
        """Send all of ``data``; waits while the program does not read."""
        if not quiet:
            self._note("send", diagnosis.show(data))
        rest = memoryview(data)

        def push():
            nonlocal rest
            while rest:
                try:
                    rest = rest[self.sock.send(rest, socket.MSG_NOSIGNAL) :]
                except BlockingIOError:
                    return False
                except (BrokenPipeError, ConnectionResetError) as error:
                    self._broken(errno.errorcode[error.errno])
                    return True
            return True

        self._until(push, "a program that takes what is sent", lambda: len(rest))
        if rest and not quiet:
            self.stage.tape.steps[-1].saw = f"{len(rest)} bytes refused: {self.ended}"

    def send_slowly(self, data: bytes, process, pid: int | None = None) -> None:
        """Send byte by byte, each when the program is asleep in a read.

        So each byte arrives alone: no read of the program can return more.
        """
        self._note("send", f"{diagnosis.show(data)} byte by byte")
        for index in range(len(data)):
            process.wait_reading(pid)
            self.send(data[index : index + 1], quiet=True)

    def send_oob(self, data: bytes) -> None:
        """Send urgent data."""
        self._note("send", f"{diagnosis.show(data)} as urgent data")
        self.sock.send(data, socket.MSG_OOB | socket.MSG_NOSIGNAL)

    # -- receiving ------------------------------------------------------------

    def _receive(self, most: int) -> bytes:
        try:
            return self.sock.recv(most)
        except BlockingIOError:
            if self.sock.type != socket.SOCK_STREAM or self.sock.family == socket.AF_UNIX:
                raise
        # A small answer waits in the program's kernel until the one before it is
        # acknowledged (Nagle's algorithm); acknowledge it now, and look again.
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return self.sock.recv(most)

    def _pull(self, most: int = _CHUNK) -> bool:
        """Take what is there; True when something came or the end is known."""
        if self.ended:
            return True
        try:
            data = self._receive(most)
        except BlockingIOError:
            return False
        except OSError as error:
            self.ended = errno.errorcode.get(error.errno, str(error))
            return True
        if not data:
            self.ended = "end of file"
        self.received += data
        return True

    def _broken(self, error: str) -> None:
        """Keep what came before the connection broke, and what broke it.

        To have been told of a reset is to find an end of file after it; only in
        the UNIX domain can there be a regular end that sending did not see.
        """
        before = self.ended
        while not self.ended and len(self.received) <= READ_LIMIT and self._pull():
            pass
        if self.sock.family != socket.AF_UNIX or not self.ended:
            self.ended = before or error

    def read(self, count: int) -> bytes:
        """Return the next ``count`` bytes, fewer at the end of the stream."""

        def enough():
            while len(self.received) < count and not self.ended:
                if not self._pull():
                    return False
            return True

        due = f"{count} bytes for {self.name}"
        self._until(enough, due, lambda: len(self.received), told=True)
        data = bytes(self.received[:count])
        del self.received[:count]
        return data

    def expect(self, expected: bytes, why: str = "") -> None:
        """Require that the next bytes are ``expected``."""
        step = self._note("expect", diagnosis.show(expected))
        try:
            got = self.read(len(expected))
        except Failure as failure:
            got = bytes(self.received)
            step.saw = diagnosis.show(got)
            if got and not expected.startswith(got):
                diagnosis.fail_bytes(
                    expected, got, f"for {self.name}", why, self.stage.diagnose(())
                )
            raise Failure(
                f"{diagnosis.show(expected)} for {self.name}",
                f"{diagnosis.show(got)}; {failure.got}" if got else failure.got,
                failure.why or why or (diagnosis.difference(expected, got) if got else ""),
            ) from None
        if got != expected and b"\n" in self.received[:40] and not got.endswith(b"\n"):
            got += self.received[: self.received.index(b"\n") + 1]
        step.saw = "yes" if got == expected else diagnosis.show(got)
        if got != expected:
            if self.ended and expected.startswith(got):
                more, known = self._program_ended()
                raise Failure(
                    f"{diagnosis.show(expected)} for {self.name}",
                    f"{diagnosis.show(got)}, then {self._end_words()}{more}",
                    known or why or diagnosis.difference(expected, got),
                )
            diagnosis.fail_bytes(expected, got, f"for {self.name}", why, self.stage.diagnose(()))

    def _program_ended(self) -> tuple[str, str]:
        """Say which program has ended, if one has, and explain that.

        The connection of a program that dies ends before the program itself.
        """
        for process in self.stage.processes:
            with contextlib.suppress(Failure):
                process.wait_quiet()
        ends = [p.how_it_ended() for p in self.stage.processes]
        names = [p.name for p in self.stage.processes]
        said = [f"; {name} {end}" for name, end in zip(names, ends, strict=True) if end]
        return "".join(said), self.stage.diagnose(())

    def _end_words(self) -> str:
        return {"ECONNRESET": "a reset (ECONNRESET)"}.get(self.ended, self.ended)

    def read_to_end(self, most: int = READ_LIMIT) -> bytes:
        """Return all that comes until the end, whatever the end is.

        Args:
            most: stop without an end as soon as more bytes than this have come.
        """

        def over():
            while not self.ended and len(self.received) <= most:
                if not self._pull():
                    return False
            return True

        due = f"end of file for {self.name}"
        self._until(over, due, lambda: len(self.received), told=True)
        data = bytes(self.received)
        self.received.clear()
        return data

    def expect_end(self, expected: bytes = b"", why: str = "") -> None:
        """Require ``expected``, then a clean end of file and nothing more."""
        what = "end of file" if not expected else f"{diagnosis.show(expected)}, then end of file"
        step = self._note("expect", what)
        try:
            got = self.read_to_end(len(expected))
        except Failure as failure:
            got = bytes(self.received)
            step.saw = f"{diagnosis.show(got)} and no end"
            raise Failure(
                f"{what} for {self.name}",
                f"{diagnosis.show(got)}; {failure.got}",
                failure.why or why,
            ) from None
        end = self._end_words() or "and more"
        shown = diagnosis.show(got, 20 if got == expected else 60)
        step.saw = end if not got else f"{shown}, {end}"
        if got != expected:
            diagnosis.fail_bytes(expected, got, f"for {self.name}", why, self.stage.diagnose(()))
        if self.ended != "end of file":
            more, known = self._program_ended()
            raise Failure(
                f"{what} for {self.name}",
                f"{diagnosis.show(got)}, then {self._end_words()}{more}",
                known or why or _why_reset(self.ended),
            )

    def expect_nothing(self, why: str = "") -> None:
        """Require that nothing has come up to now.

        It proves something only after the program has come to rest.
        """
        self._pull()
        if self.received or self.ended:
            got = diagnosis.show(bytes(self.received)) if self.received else self._end_words()
            raise Failure(f"nothing for {self.name} yet", got, why)

    # -- ending ---------------------------------------------------------------

    def half_close(self) -> None:
        """Send end of file, and go on reading."""
        self._note("shutdown", "no more to send")
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self._broken(errno.errorcode[error.errno])

    def reset(self) -> None:
        """End the connection with a reset instead of a regular close."""
        self._note("reset", "")
        linger = struct.pack("=ii", 1, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.sock.close()

    def close(self) -> None:
        """Close the socket."""
        self._note("close", "")
        self.sock.close()


def _why_reset(ended: str) -> str:
    if ended == "ECONNRESET":
        return (
            "a reset instead of an end of file: the socket was closed while input was unread in it"
        )
    return ""


def _new(family: int, kind: int) -> socket.socket:
    sock = socket.socket(family, kind | socket.SOCK_CLOEXEC)
    sock.setblocking(False)
    if family != socket.AF_UNIX and kind == socket.SOCK_STREAM:
        # What is sent arrives at once; a Door hands this on to its connections.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def connect(
    stage, target, name: str, kind: int = socket.SOCK_STREAM, rcvbuf: int = 0, mss: int = 0
) -> Peer:
    """Return a peer connected to the program.

    Args:
        stage: the check's world.
        target: (address, port), or the path of a UNIX socket.
        name: how steps call the peer.
        kind: SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET.
        rcvbuf: bytes of receive buffer to ask for, 0 for the default.
        mss: the largest TCP segment to take, 0 for the default.  With a small
            one and a small buffer, the program's buffer is soon full too.

    Raises:
        Failure: refused, or the queue is full and stays so.
    """
    local = isinstance(target, str)
    family = socket.AF_UNIX if local else socket.AF_INET6 if ":" in target[0] else socket.AF_INET
    peer = Peer(stage, _new(family, kind), name)
    if rcvbuf:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    if mss:
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
    where = target if local else f"{target[0]} {target[1]}"
    step = peer._note("connect", f"to {where}")
    error = peer.sock.connect_ex(target)
    if error in (errno.EINPROGRESS, errno.EAGAIN):

        def settled():
            nonlocal error
            if error == errno.EAGAIN:  # UNIX domain: the queue is full
                error = peer.sock.connect_ex(target)
                return error != errno.EAGAIN
            if not writable(peer.sock):
                return False
            error = peer.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            return True

        try:
            waiting.until(stage, settled, f"a place in the queue for {name}")
        except Failure as failure:
            step.saw = "waits"
            raise Failure(
                f"{name} connected at once",
                f"it waits: the queue of {where} is full; {failure.got}",
                failure.why or "the backlog of listen() is too small",
            ) from None
    if error:
        step.saw = os.strerror(error)
        raise Failure(f"{name} connected to {where}", os.strerror(error), stage.diagnose(()))
    step.saw = "connected"
    return peer


def writable(sock: socket.socket) -> bool:
    """Whether a socket is writable at this moment, or has failed."""
    return bool(select.select([], [sock], [], 0)[1])


class Door:
    """A listening socket of the harness, for programs that are clients.

    Args:
        stage: the check's world.
        target: (address, port), or the path of a UNIX socket.
        kind: SOCK_STREAM or SOCK_SEQPACKET.
        listen: False binds only, so that a connect is refused until ``listen``.
        decoy: listen on the port with its bytes swapped too, where that can be
            done; who connects there is told about htons.
    """

    def __init__(
        self,
        stage,
        target,
        kind: int = socket.SOCK_STREAM,
        listen: bool = True,
        decoy: bool = False,
    ):
        local = isinstance(target, str)
        self.stage = stage
        self.target = target
        self.sock = _new(socket.AF_UNIX if local else socket.AF_INET, kind)
        if not local:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if local:
            strange.bind(self.sock, target)
        else:
            try:
                self.sock.bind(target)
            except OSError as error:
                raise Broken(f"can't bind {target}: {error}") from error
        stage.closers.append(self.sock.close)
        where = target if local else f"{target[0]} {target[1]}"
        stage.tape.add("bind" if not listen else "listen", f"the checker's server, on {where}")
        self._count = 0
        self._decoy: Door | None = None
        if decoy:
            with contextlib.suppress(Broken, OSError):
                self._decoy = Door(stage, (target[0], diagnosis.swapped(target[1])))
                del stage.tape.steps[-1]
        if listen:
            self.sock.listen(16)

    def listen(self) -> None:
        """Begin to listen; until then a connect to the port is refused."""
        self.stage.tape.add("listen", "the checker's server")
        self.sock.listen(16)

    def accept(self) -> Peer:
        """Return the next connection of the program."""
        taken: list[socket.socket] = []

        def take():
            try:
                taken.append(self.sock.accept()[0])
            except BlockingIOError:
                return False
            return True

        due = "a connection to the checker's server"
        try:
            waiting.until(self.stage, take, due, [self.sock.fileno()], told=True)
        except Failure as failure:
            if self._decoy and select.select([self._decoy.sock], [], [], 0)[0]:
                failure.expected = f"a connection to port {self.target[1]}"
                failure.got = f"one to port {self._decoy.target[1]}"
                failure.why = (
                    f"{self._decoy.target[1]} is {self.target[1]} with its bytes swapped: "
                    "htons() is missing"
                )
            raise
        self._count += 1
        name = "server" if self._count == 1 else f"server, connection {self._count}"
        self.stage.tape.add("accept", name)
        return Peer(self.stage, taken[0], name)

    def close(self) -> None:
        """Close the listening socket."""
        self.sock.close()


class Datagrams:
    """A datagram socket of the harness.

    Args:
        stage: the check's world.
        target: (address, port) or path to bind; None leaves it unbound.
    """

    def __init__(self, stage, target=None, family: int = socket.AF_INET, name: str = "peer"):
        self.stage = stage
        self.name = name
        self.sock = _new(socket.AF_UNIX if isinstance(target, str) else family, socket.SOCK_DGRAM)
        if target is not None:
            self.sock.bind(target)
        stage.closers.append(self.sock.close)

    def send(self, data: bytes, target) -> None:
        """Send one datagram; waits while the receiver's queue is full.

        Raises:
            Failure: nobody receives there.
        """
        step = self.stage.tape.add("send", f"{self.name}: {diagnosis.show(data)}")

        def push():
            try:
                self.sock.sendto(data, target)
            except BlockingIOError:
                return False
            return True

        try:
            waiting.until(self.stage, push, "a program that takes datagrams")
        except OSError as error:
            step.saw = error.strerror
            raise Failure(
                f"somebody who receives at {target}", error.strerror, self.stage.diagnose(())
            ) from None

    def receive(self) -> tuple[bytes, object]:
        """Return the next datagram, whole, and its sender's address."""
        found: list = []

        def take():
            try:
                found.append(self.sock.recvfrom(1 << 16))
            except (BlockingIOError, ConnectionRefusedError):  # the latter tells of the past
                return False
            return True

        due = f"a datagram for {self.name}"
        waiting.until(self.stage, take, due, [self.sock.fileno()], told=True)
        return found[0]

    def expect(self, expected: bytes):
        """Require that the next datagram is ``expected``; return its sender."""
        step = self.stage.tape.add("expect", f"{self.name}: {diagnosis.show(expected)}")
        got, sender = self.receive()
        step.saw = "yes" if got == expected else diagnosis.show(got)
        if got != expected:
            diagnosis.fail_bytes(expected, got, f"for {self.name}")
        return sender

    def expect_nothing(self) -> None:
        """Require that no datagram has come up to now."""
        try:
            got = self.sock.recv(1 << 16)
        except BlockingIOError:
            return
        raise Failure(f"nothing for {self.name} yet", diagnosis.show(got))


def steal(listener: socket.socket) -> socket.socket | None:
    """Take a waiting connection from the program's listening socket.

    This is what a sibling process that shares the socket would do.

    Args:
        listener: a duplicate of the program's socket, from ``borrow``.
    """
    if not select.select([listener], [], [], 0)[0]:
        return None
    return listener.accept()[0]
