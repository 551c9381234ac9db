"""Datagrams that no honest socket sends: by a raw socket, in a network of our own.

It needs CAP_NET_RAW, which whoever makes the namespace has in it; so a check
that uses this ``needs="netns"``.
"""

import socket
import struct

from .failure import Broken

# Linux checks what is shorter than this before it queues it, and the reader is
# never told; a longer one is checked when it is read: select(2), BUGS.
SPURIOUS = 200


def spoilt_datagram(stage, source: tuple[str, int], target: tuple[str, int], data: bytes) -> None:
    """Send a UDP datagram whose checksum is wrong.

    With SPURIOUS bytes or more it makes a non-blocking socket readable, and is
    found bad and thrown away when somebody reads: that fails with EAGAIN.

    Args:
        stage: the check's world.
        source: the address and port that it says it is from; the address must
            be one of this machine.
        target: the address and port that it is for.
        data: what it carries.

    Raises:
        Broken: the kernel refuses raw sockets.
    """
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    except PermissionError as error:
        raise Broken(f"a raw socket in a network of our own: {error}") from error
    with raw:
        raw.bind((source[0], 0))
        length = 8 + len(data)
        checksum = udp_checksum(source, target, data) ^ 0x0101
        header = struct.pack("!HHHH", source[1], target[1], length, checksum or 0x0101)
        raw.sendto(header + data, (target[0], 0))
    stage.tape.add("inject", f"a datagram of {len(data)} bytes with a wrong checksum")


def udp_checksum(source: tuple[str, int], target: tuple[str, int], data: bytes) -> int:
    """Return the checksum of a UDP datagram, its pseudo header included: RFC 768."""
    length = 8 + len(data)
    text = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    text += struct.pack("!BBHHHHH", 0, socket.IPPROTO_UDP, length, source[1], target[1], length, 0)
    text += data + b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(text) // 2}H", text))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF or 0xFFFF
