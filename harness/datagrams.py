"""A program that is a server of datagrams: bound to a port, with no connections.

Readiness is an exact look-up of a bound UDP socket of the program's own in the
kernel's list; nothing is sent.
"""

import socket

from . import announced, diagnosis
from .failure import Failure
from .kernel import proc
from .kernel.syscalls import READ


# What a mistake makes sendto fail with, by the reason that the program prints.
_NOT_SENT = {
    "Message too long": "sendto was told more bytes than a datagram can have: the length of a "
    "reply is what recvfrom has returned, and not the size of the buffer",
    "Destination address required": "sendto needs the address, and its length, that recvfrom has "
    "stored for this datagram",
    "Invalid argument": "the length of the address is wrong: set it to the size of the address "
    "before each recvfrom, which says by it how much it has stored; and hand sendto just that",
    "Address family not supported by protocol": "nothing has stored the sender's address: "
    "recvfrom was given none, or the length was 0 when it was called; set it to the size of the "
    "address before each call",
    "Transport endpoint is not connected": "a datagram socket has many clients: recvfrom with an "
    "address tells which of them it was, and sendto with that address answers it",
    "Bad address": "recvfrom and sendto take pointers to the address and, the first, to its length",
}


class DatagramServer:
    """A running server of datagrams.

    ``process`` is the run itself; what is not found here is looked up there.

    Args:
        program: the program.
        process: its run.
        target: (address, port) that it was told to be bound to.
        args: what it was started with.
    """

    def __init__(self, program, process, target: tuple[str, int], args=()):
        self.program = program
        self.process = process
        self.stage = program.stage
        self.target = target
        self.args = args
        self.fd = -1

    def __getattr__(self, name):
        """Hand everything else to the process."""
        return getattr(self.process, name)

    def _bound(self) -> list[tuple[int, str, int]]:
        """Return (descriptor, address, port) of the program's UDP sockets."""
        found = {s.inode: s for s in self.stage.sockdiag.inet(socket.IPPROTO_UDP)}
        return [
            (fd, found[inode].address, found[inode].port)
            for pid in self.process.tree()
            for fd, inode in proc.socket_inodes(pid).items()
            if inode in found
        ]

    def ready(self) -> bool:
        """Whether a UDP socket of the program is bound to the target."""
        address, port = self.target
        for fd, found_address, found_port in self._bound():
            if found_address == address and port in (0, found_port) and found_port:
                self.fd = fd
                self.target = (address, found_port)
                return True
        return False

    def wait_ready(self) -> None:
        """Wait until the program is bound and sleeps, waiting for a datagram."""
        step = self.stage.tape.steps[-1]
        where = f"{self.target[0]} port {self.target[1]}"
        try:
            self.process.until(self.ready, f"{self.program.name} bound to {where}")
            blocked = self.wait_waiting()
        except Failure as failure:
            step.saw = failure.got
            failure.why = failure.why or self._elsewhere()
            raise
        step.saw = f"bound, asleep in {blocked}"

    def _elsewhere(self) -> str:
        """Explain why no socket is bound where one should be."""
        address, port = self.target
        for _fd, found_address, found_port in self._bound():
            if found_address in ("0.0.0.0", "::") and found_port == port:
                return f"bound to every address ({found_address}) instead of {address}"
            if found_port == port and found_address != address:
                return f"bound to {found_address} instead of {address}"
            if found_port == diagnosis.swapped(port):
                return (
                    f"bound to port {found_port}: that is {port} with its bytes swapped; "
                    "htons() is missing"
                )
        if not self._bound() and not self.process.how_it_ended():
            return "it has no UDP socket with a name: bind() gives it one"
        said = self.process.stderr.decode("utf-8", "replace").strip()
        if "listen: " in said:
            return f'the program says "{said[:100]}": a datagram socket is bound, and never listens'
        return f'the program says "{said[:100]}"' if said and len(said) < 200 else ""

    def wait_waiting(self):
        """Wait until the program sleeps, waiting for the next datagram."""
        return self.process.wait_asleep(
            READ, "a server asleep, waiting for the next datagram", fd=self.fd
        )

    def expect_listening_line(self) -> None:
        """Require that stdout holds the LISTENING line, and nothing else."""
        line = f"LISTENING {self.target[0]} {self.target[1]}\n".encode()
        announced.expect(self, line, self._ready_again)

    def _ready_again(self, process) -> None:
        port = int(self.args[self.args.index(self.target[0]) + 1])
        DatagramServer(self.program, process, (self.target[0], port)).wait_ready()


def serve(
    program, *options: str, address: str | None = None, port: int | None = None, after=(), **how
) -> DatagramServer:
    """Start a program as a server of datagrams and wait until it is ready.

    Args:
        program: the program.
        options: arguments before the address.
        address: where it shall be bound; by default the check's address.
        port: the port; by default one of the check's; 0 lets the kernel choose.
        after: arguments after the port.
        how: passed on to ``start``.
    """
    address = address or program.stage.address
    port = program.stage.port() if port is None else port
    args = [*options, address, str(port), *after]
    server = DatagramServer(program, program.start(*args, **how), (address, port), args)
    server.wait_ready()
    return server


def why_not_sent(said: bytes) -> str:
    """Explain why a server's sendto fails, by the reason in its last line on stderr.

    Args:
        said: all that it has written there.
    """
    last = said.decode("utf-8", "replace").rstrip("\n").rpartition("\n")[2]
    return _NOT_SENT.get(last.rpartition(": ")[2], "")
