"""Sockets as the kernel lists them, asked through sock_diag(7).

An exact look-up costs some ten microseconds and disturbs nobody, which a probe
connection would.  Create a SockDiag inside the network namespace it shall see.
"""

import socket
import struct
from dataclasses import dataclass

NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_NLM_F_DUMP = 0x300
_NLMSG_ERROR = 2
_NLMSG_DONE = 3

ESTABLISHED = 1
SYN_SENT = 2
CLOSE_WAIT = 8
TIME_WAIT = 6
CLOSE = 7
LISTEN = 10
ALL_STATES = 0xFFFFFFFF
# Both directions open, or only one: ESTABLISHED, FIN_WAIT1, FIN_WAIT2,
# CLOSE_WAIT, LAST_ACK, CLOSING.
CONNECTED = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11

_UDIAG_SHOW_NAME = 1
_UDIAG_SHOW_RQLEN = 16
_UNIX_DIAG_NAME = 0
_UNIX_DIAG_RQLEN = 4
_NO_COOKIE = b"\xff" * 8


@dataclass(frozen=True)
class Socket:
    """One socket of the Internet or the UNIX domain.

    ``rqueue`` of a listening socket is the number of connections that wait for
    accept, ``wqueue`` its backlog; else they are bytes unread and unsent.
    """

    inode: int
    state: int
    address: str
    port: int
    peer: str
    peer_port: int
    rqueue: int
    wqueue: int


def _name(family: int, data: bytes) -> str:
    """Return an address as text; an IPv4 one in IPv6 (RFC 4291, 2.5.5.2) as IPv4."""
    if family == socket.AF_INET6 and data[:12] == bytes(10) + b"\xff\xff":
        return socket.inet_ntop(socket.AF_INET, data[12:])
    return socket.inet_ntop(family, data)


def _parse_inet(body: bytes) -> Socket:
    family, state, _timer, _retrans = struct.unpack_from("=BBBB", body, 0)
    sport, dport = struct.unpack_from("!HH", body, 4)
    size = 16 if family == socket.AF_INET6 else 4
    src = _name(family, body[8 : 8 + size])
    dst = _name(family, body[24 : 24 + size])
    rqueue, wqueue, _uid, inode = struct.unpack_from("=IIII", body, 56)
    return Socket(inode, state, src, sport, dst, dport, rqueue, wqueue)


def _parse_unix(body: bytes) -> Socket:
    _family, _type, state, _pad, inode = struct.unpack_from("=BBBBI", body, 0)
    name = ""
    rqueue = wqueue = 0
    offset = 16
    while offset + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, offset)
        if length < 4:
            break
        if kind == _UNIX_DIAG_NAME:
            name = body[offset + 4 : offset + length].rstrip(b"\0").decode("utf-8", "replace")
        elif kind == _UNIX_DIAG_RQLEN:
            rqueue, wqueue = struct.unpack_from("=II", body, offset + 4)
        offset += (length + 3) & ~3
    return Socket(inode, state, name, 0, "", 0, rqueue, wqueue)


class SockDiag:
    """A sock_diag conversation within one network namespace."""

    def __init__(self):
        self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
        self._sequence = 0

    def close(self) -> None:
        """Close the netlink socket."""
        self._netlink.close()

    def _ask(self, payload: bytes, flags: int) -> list[bytes]:
        self._sequence += 1
        head = struct.pack(
            "=IHHII",
            16 + len(payload),
            _SOCK_DIAG_BY_FAMILY,
            _NLM_F_REQUEST | flags,
            self._sequence,
            0,
        )
        self._netlink.send(head + payload)
        found: list[bytes] = []
        while True:
            data = self._netlink.recv(1 << 16)
            offset = 0
            while offset + 16 <= len(data):
                length, kind, _flags, sequence, _pid = struct.unpack_from("=IHHII", data, offset)
                body = data[offset + 16 : offset + length]
                offset += (length + 3) & ~3
                if sequence != self._sequence:
                    continue
                if kind == _NLMSG_DONE:
                    return found
                if kind == _NLMSG_ERROR:
                    # -ENOENT: no such socket
                    return found
                found.append(body)
                if not flags & _NLM_F_DUMP:
                    return found

    def _inet_request(self, family, protocol, states, src, sport, dst, dport) -> bytes:
        size = 16 if family == socket.AF_INET6 else 4
        source = socket.inet_pton(family, src).ljust(16, b"\0") if src else b"\0" * 16
        target = socket.inet_pton(family, dst).ljust(16, b"\0") if dst else b"\0" * 16
        assert size <= 16
        return (
            struct.pack("=BBBBI", family, protocol, 0, 0, states)
            + struct.pack("!HH", sport, dport)
            + source
            + target
            + struct.pack("=I", 0)
            + _NO_COOKIE
        )

    def tcp_listener(self, address: str, port: int) -> Socket | None:
        """Return the socket that would take a connection to address, port."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        request = self._inet_request(family, socket.IPPROTO_TCP, 1 << LISTEN, address, port, "", 0)
        for body in self._ask(request, 0):
            found = _parse_inet(body)
            if found.state == LISTEN:
                return found
        return None

    def udp_receiver(self, address: str, port: int) -> Socket | None:
        """Return the UDP socket that would receive for address, port.

        For UDP the kernel takes the look-up from the sender's side, so the
        address and port of the receiver go where the peer's stand.
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        nowhere = "::" if family == socket.AF_INET6 else "0.0.0.0"
        request = self._inet_request(
            family, socket.IPPROTO_UDP, ALL_STATES, nowhere, 0, address, port
        )
        bodies = self._ask(request, 0)
        return _parse_inet(bodies[0]) if bodies else None

    def inet(self, protocol: int, states: int = ALL_STATES) -> list[Socket]:
        """Return all sockets of a protocol (IPPROTO_TCP, IPPROTO_UDP)."""
        found = []
        for family in (socket.AF_INET, socket.AF_INET6):
            request = self._inet_request(family, protocol, states, "", 0, "", 0)
            found.extend(_parse_inet(body) for body in self._ask(request, _NLM_F_DUMP))
        return found

    def unix(self, states: int = ALL_STATES) -> list[Socket]:
        """Return the UNIX sockets; ``address`` is the path they are bound to."""
        show = _UDIAG_SHOW_NAME | _UDIAG_SHOW_RQLEN
        request = struct.pack("=BBHIII", socket.AF_UNIX, 0, 0, states, 0, show) + _NO_COOKIE
        return [_parse_unix(body) for body in self._ask(request, _NLM_F_DUMP)]
