"""The packets in which dgsend sends a file and dgrecv takes it.

A data packet is "D", its number in four bytes, how much data it has in two,
and the data; its answer is "A" and the number.  All numbers are in network
byte order.
"""

import struct

# Bytes of data that a packet has, but for the last one.
SIZE = 1024


def data(seq: int, content: bytes) -> bytes:
    """Return a data packet.

    Args:
        seq: its number, from 0.
        content: its data; empty for the end of the file.
    """
    return struct.pack("!cIH", b"D", seq, len(content)) + content


def ack(seq: int) -> bytes:
    """Return the answer to a data packet of a number."""
    return struct.pack("!cI", b"A", seq)


def of(content: bytes) -> list[bytes]:
    """Return the packets in which a file is sent, the end included."""
    parts = [content[at : at + SIZE] for at in range(0, len(content), SIZE)]
    return [data(seq, part) for seq, part in enumerate([*parts, b""])]
