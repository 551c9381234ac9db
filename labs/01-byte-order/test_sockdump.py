"""Checks of sockdump: what is in the address that bind and connect want."""

import ipaddress
import socket
import struct
import sys

from harness import check, fail, numbers, require
from harness.diagnosis import difference, show

FAMILY = b"\xff\xff"
# name and length of each part of the two structures on Linux, ip(7) and ipv6(7)
INET = (("family", 2), ("port", 2), ("address", 4), ("sin_zero", 8))
INET6 = (("family", 2), ("port", 2), ("flow info", 4), ("address", 16), ("scope id", 4))
SILENT = ("sin_zero", "flow info", "scope id")


def layout(addr, port):
    """Return the bytes of the structure, and its parts."""
    address = ipaddress.ip_address(addr)
    if address.version == 4:
        return FAMILY + struct.pack(">H", port) + address.packed + bytes(8), INET
    return FAMILY + struct.pack(">HI", port, 0) + address.packed + bytes(4), INET6


def family_differs(have, size):
    """Name what is wrong with a family that is shown, because it is not the right one."""
    right, member = ("AF_INET", "sin_family") if size == 16 else ("AF_INET6", "sin6_family")
    found = int.from_bytes(have, sys.byteorder)
    due = f"{member} is to be {right}, as it is"
    if found == int.from_bytes(have[::-1], sys.byteorder) or found == 0:
        return f"{due}; it was never set, for it holds {found:#x}"
    if have == getattr(socket, right).to_bytes(2, sys.byteorder)[::-1]:
        return f"{due}; it went through htons(), but it is the host's own affair, and stays there"
    return f"{due}; it holds {found}, which says another family, or none"


def part_differs(expected, got, parts, whole):
    """Name the first part of the structure that is wrong, and the mistake.

    ``whole`` is all that came; in ``got`` some parts are as they should be.
    """
    if len(got) != len(expected):
        return (
            f"{len(got)} bytes instead of {len(expected)}: IPv4 has a struct sockaddr_in of 16 "
            "bytes, IPv6 a struct sockaddr_in6 of 28; return the size of the one that was filled in"
        )
    at = 0
    for name, size in parts:
        wanted, have = expected[at : at + size], got[at : at + size]
        if wanted != have:
            told = numbers.order(wanted, have)
            if name == "family":
                told = family_differs(have, len(expected))
            elif name == "port" and have == wanted[::-1]:
                told = "its bytes are swapped: htons() is missing, or there is one too many"
            elif name == "address" and have == wanted[::-1]:
                told = "inet_pton has stored it in network order already: no htonl() here"
            elif name in SILENT:
                told = numbers.UNSET + "; make the whole structure 0 before you fill it in"
            if name == "address" and not told:
                place = whole.find(wanted)
                told = f"it is at byte {place} instead" if place > 0 else "it is nowhere"
            return f"{name}, from byte {at} on: {told or 'another value'}"
        at += size
    return ""


def run(program, addr, port):
    """Run the program, which must succeed; return its two lines."""
    process = program.run(addr, str(port))
    end = process.end_status
    if (end.kind, end.number) != ("exit", 0):
        got = f"{process.how_it_ended()}, and on stderr {show(process.stderr, 100)}"
        why = process.why_it_ended()
        if b"No space left" in process.stderr:
            why = "the buffer for inet_ntop is too small: INET6_ADDRSTRLEN bytes are enough"
        if b"family not supported" in process.stderr:
            member = "sin6_family" if ":" in addr else "sin_family"
            why = f"there is no such family in the structure: {member} is not set, or went through "
            why += "htons(), which is for the port; the family is the host's own affair"
        fail("exit status 0", got, why)
    lines = process.stdout.split(b"\n")
    good = len(lines) == 3 and not lines[2]
    require(good, "two lines on stdout", show(process.stdout, 200))
    program.stage.tape.add("look", "at stdout", show(process.stdout, 160))
    return lines[0], lines[1]


def expect_bytes(program, addr, port, got, only=None):
    """Require the first line; ``only`` are the names of the parts that count."""
    expected, parts = layout(addr, port)
    try:
        found = bytes.fromhex(got.decode("ascii"))
    except ValueError:
        found = b""
    whole = found
    why = part_differs(expected, found, parts, whole)
    if len(found) == len(expected):
        at = 0
        for name, size in parts:
            if (name in SILENT) != (only == SILENT):
                found = found[:at] + expected[at : at + size] + found[at + size :]
            at += size
        why = part_differs(expected, found, parts, whole)
    if why:
        fail(f"{expected.hex(' ')} for {addr} port {port}", show(got, 120), why)


def expect_decoded(addr, port, got):
    """Require the second line."""
    address = ipaddress.ip_address(addr)
    family = "inet" if address.version == 4 else "inet6"
    expected = f"family {family} port {port} addr {address}".encode()
    if got == expected:
        return
    why = difference(expected, got)
    words = got.split()
    if len(words) == 6 and words[5].decode("ascii", "replace") != str(address):
        why = "this address is not what the bytes of the structure say: " + (
            "it is the text of the command line" if words[5] == addr.encode() else why
        )
    fail(f"{show(expected)} on the second line", show(got, 100), why)


def port_of(program):
    """Return a port whose bytes differ."""
    high, low = program.stage.random.sample(range(1, 256), 2)
    return high << 8 | low


@check(
    points=4,
    kind="contract",
    hints=(
        "Port and address of a sockaddr_in are in network order; the family is not.",
        "inet_pton(3) for the address, which comes in network order, and htons(3) for the port.",
        "In sockdump.c: make_address, sin_family, sin_port and sin_addr, and what it returns.",
    ),
)
def test_inet(program):
    """fills in a sockaddr_in: family, port and address"""
    for addr, port in (("127.0.0.1", 8080), ("10.1.2.3", port_of(program)), ("192.0.2.7", 1)):
        dump, decoded = run(program, addr, port)
        expect_bytes(program, addr, port, dump)
        expect_decoded(addr, port, decoded)


@check(
    points=4,
    kind="contract",
    hints=(
        "An IPv6 address needs a structure of its own, which is larger: a sockaddr_in6.",
        "inet_pton(3) with AF_INET6; sin6_port is in network order like sin_port.",
        "In sockdump.c: make_address, the second family that is tried, and its length.",
    ),
)
def test_inet6(program):
    """fills in a sockaddr_in6 if the address is one of IPv6"""
    for addr, port in (("2001:db8::17", 8080), ("fe80::102:304", port_of(program))):
        dump, decoded = run(program, addr, port)
        expect_bytes(program, addr, port, dump)
        expect_decoded(addr, port, decoded)


@check(
    points=2,
    kind="contract",
    after=("test_inet", "test_inet6"),
    hints=(
        "The structure has forgotten in which words the address was given.",
        "inet_ntop(3) of the bytes in the structure, into INET6_ADDRSTRLEN bytes; ntohs(3) of the "
        "port there.",
        "In sockdump.c: decode_address, which has no other argument than the structure.",
    ),
)
def test_decoded(program):
    """says what the structure says, not what the command line said"""
    groups = program.stage.random.sample(range(0x1000, 0x10000), 8)
    for addr, port in (
        ("0:0::1", "08080"),
        ("2001:DB8:0:0:0:0:0:A", "0443"),
        ("::", "65535"),
        (":".join(f"{group:x}" for group in groups), "1"),  # the longest text
    ):
        _dump, decoded = run(program, addr, port)
        expect_decoded(addr, int(port), decoded)


@check(
    points=2,
    kind="robust",
    after=("test_inet", "test_inet6"),
    hints=(
        "Not every text is an address, and inet_pton says so.",
        "inet_pton(3) returns 1 for an address; anything else is not one of that family.",
        "In sockdump.c: make_address, what follows when neither family fits.",
    ),
)
def test_no_address(program):
    """refuses what is no address, by a message and status 1"""
    for addr in ("1.2.3", "256.1.1.1", "localhost", "1::2::3", "fe80::1%lo", "127.0.0.1 "):
        process = program.run(addr, "80")
        end = process.end_status
        why = "inet_pton returned 0, and nobody looked at that"
        good = (end.kind, end.number) == ("exit", 1) and not process.stdout
        got = process.how_it_ended()
        got += f", and {show(process.stdout, 100)} on stdout" if process.stdout else ""
        known = process.why_it_ended() if end.kind == "signal" or end.number > 2 else ""
        require(good, f"exit status 1, nothing on stdout, for {addr!r}", got, known or why)
        message = f"sockdump: not an address: {addr}\n".encode()
        got = process.stderr
        why = difference(message, got)
        require(got == message, f"{show(message)} on stderr", show(got, 100), why)


@check(
    points=2,
    kind="clean",
    after=("test_inet", "test_inet6"),
    hints=(
        "A local variable holds what was in that memory before, until each byte of it is set.",
        "memset(3), or an initializer such as = {0}, before the members are filled in.",
        "In sockdump.c: make_address, sin_zero, sin6_flowinfo and sin6_scope_id.",
    ),
)
def test_zero(program):
    """leaves no byte of the structure to chance"""
    for addr in ("10.20.30.40", "2001:db8::1:2"):
        port = port_of(program)
        dump, _decoded = run(program, addr, port)
        expect_bytes(program, addr, port, dump, SILENT)
