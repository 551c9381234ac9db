"""A tiny name server, so that what a resolver says of one is real: RFC 1035.

It answers whenever a waiting loop of the check comes by, so it needs neither a
thread nor a moment of its own; see ``NameServer.wait_end``.
"""

import errno
import socket
import struct

from .failure import Broken

A, CNAME, PTR, TXT, AAAA = 1, 5, 12, 16, 28
NAME = {A: "A", CNAME: "CNAME", PTR: "PTR", TXT: "TXT", AAAA: "AAAA"}

# Answers that are an error, RFC 1035, section 4.1.1.
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
# No answer at all.
SILENCE = -1

_HEADER = struct.Struct(">HHHHHH")
_RESPONSE, _AUTHORITATIVE, _RECURSION = 0x8000, 0x0400, 0x0080


class NameServer:
    """The name server of one check, over UDP.

    Args:
        stage: the check's world.
        zone: what is known: a number of ``NOERROR`` and so on, or a list of
            (type, value), by name in small letters without a dot at the end.
            Values are text: an address, or a name.  Names that are not in it do
            not exist.
        port: where it is; by default where resolvers ask, or, in a network that
            is shared with others, where there is room.

    ``asked`` lists the (name, type) of all questions that came.
    """

    def __init__(self, stage, zone, port: int | None = None):
        self.stage = stage
        self.zone = zone
        self.asked: list[tuple[str, str]] = []
        self.port = port or (53 if stage.private else stage.port())
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.sock.setblocking(False)
        try:
            self.sock.bind((stage.address, self.port))
        except OSError as error:
            raise Broken(f"no name server at port {self.port}: {error}") from error
        stage.closers.append(self.sock.close)

    def resolv_conf(self, attempts: int = 5) -> str:
        """Return the resolv.conf of a program that shall ask this server.

        Args:
            attempts: how often it asks, if there is no answer within 5 seconds.
                A waiting loop takes that for a timer, and answers long before;
                only a machine that stands still makes a second attempt.
        """
        return f"nameserver {self.stage.address}\noptions timeout:5 attempts:{attempts}\n"

    def wait_end(self, process):
        """Answer a program's questions until it ends; return how it ended."""

        def ended():
            self.service()
            return process.end_status

        process.until(ended, f"{process.name} comes to its end", [self.sock.fileno()], told=True)
        return process.wait_end()

    def service(self) -> None:
        """Answer every question that has come."""
        while True:
            try:
                question, client = self.sock.recvfrom(4096)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.ECONNREFUSED:  # tells of an earlier answer
                    continue
                raise
            answer = self._answer(question)
            if answer is not None:
                self.sock.sendto(answer, client)

    def _answer(self, question: bytes) -> bytes | None:
        """Return the answer to a question; None for silence, or no question."""
        try:
            number, flags, count = _HEADER.unpack_from(question)[:3]
            name, end = _name(question, _HEADER.size)
            kind, group = struct.unpack_from(">HH", question, end)
        except (struct.error, IndexError, UnicodeDecodeError):
            return None
        if flags & _RESPONSE or count != 1:
            return None
        self.asked.append((name, NAME.get(kind, str(kind))))
        found = self.zone.get(name, NXDOMAIN)
        if found == SILENCE:
            return None
        code = found if isinstance(found, int) else NOERROR
        records = self._records(name, kind) if code == NOERROR else []
        flags = flags & 0x7900 | _RESPONSE | _AUTHORITATIVE | _RECURSION | code
        head = _HEADER.pack(number, flags, 1, len(records), 0, 0)
        asked = question[_HEADER.size : end + 4]
        return head + asked + b"".join(_record(*record, group) for record in records)

    def _records(self, name: str, kind: int) -> list[tuple[str, int, str]]:
        """Return what answers a question, along a chain of CNAMEs."""
        records, seen = [], set()
        while name not in seen and isinstance(self.zone.get(name), (list, tuple)):
            seen.add(name)
            here = self.zone[name]
            records += [(name, one, value) for one, value in here if one in (kind, CNAME)]
            name = next((value for one, value in here if one == CNAME and kind != CNAME), name)
        return records


def reverse(address: str) -> str:
    """Return the name under which an address's own name is found."""
    if ":" in address:
        digits = socket.inet_pton(socket.AF_INET6, address).hex()
        return ".".join(reversed(digits)) + ".ip6.arpa"
    return ".".join(reversed(address.split("."))) + ".in-addr.arpa"


def _name(data: bytes, at: int) -> tuple[str, int]:
    """Return the name at an offset, and where it ends."""
    labels = []
    while data[at]:
        labels.append(data[at + 1 : at + 1 + data[at]].decode("ascii").lower())
        at += 1 + data[at]
    return ".".join(labels), at + 1


def _wire(name: str) -> bytes:
    return b"".join(bytes([len(one)]) + one.encode("ascii") for one in name.split(".")) + b"\0"


def _record(name: str, kind: int, value: str, group: int) -> bytes:
    if kind in (A, AAAA):
        data = socket.inet_pton(socket.AF_INET if kind == A else socket.AF_INET6, value)
    elif kind == TXT:
        data = bytes([len(value)]) + value.encode("ascii")
    else:
        data = _wire(value)
    return _wire(name) + struct.pack(">HHIH", kind, group, 60, len(data)) + data
