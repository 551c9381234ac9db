"""Checks of ipconv: addresses as text and as bytes."""

import contextlib
import ipaddress
import re
import socket

from harness import check, fail, numbers, require
from harness.diagnosis import difference, show

NOT_LOOKED = (
    "inet_pton returned 0, which says that this is no address: only 1 is success, and -1 says "
    "that the family is unknown"
)
ATON = "inet_pton takes four decimal numbers only; inet_aton and inet_addr take this, too"
ERROR = (
    "inet_addr returns -1 for an error, and those bits are the address 255.255.255.255, too; "
    "inet_pton tells the two apart"
)


def expected_line(address):
    """Return what is printed for an address; the text as inet_ntop has it."""
    return f"{address.packed.hex(' ')}  {address}\n".encode()


def digits_differ(packed, shown):
    """Name what is wrong with the way in which the bytes of an address are shown."""
    words = shown.split()
    if len(words) != len(packed) or not all(re.fullmatch(rb"[0-9a-fA-F]+", w) for w in words):
        return ""
    values = [int(word, 16) for word in words]
    if any(value == byte - 256 & 0xFFFFFFFF for value, byte in zip(values, packed, strict=True)):
        return (
            "a byte from 0x80 on was taken from a plain char, which is signed here: it became a "
            "negative int, and printf shows all of that; take unsigned char"
        )
    if bytes(value & 0xFF for value in values) == packed and any(len(word) == 1 for word in words):
        return "each byte is two digits: %x leaves out a zero in front, %02x does not"
    return ""


def prints(program, args, packed, text, refused=""):
    """Require the line for one address; ``refused`` is why it may be taken for none."""
    process = program.run(*args)
    end = process.end_status
    if (end.kind, end.number) != ("exit", 0):
        got = f"{process.how_it_ended()}, and on stderr {show(process.stderr, 100)}"
        if b"No space left" in process.stderr:
            refused = "the buffer for inet_ntop is too small: INET6_ADDRSTRLEN bytes are enough"
        elif b": not an IP" in process.stderr:
            refused = refused or f"it is an IPv{args[-2]} address: which family did inet_pton get?"
        fail(f"exit status 0 for {args[-1]}", got, process.why_it_ended() or refused)
    expected = f"{packed.hex(' ')}  {text}\n".encode()
    got = process.stdout
    program.stage.tape.add("look", "at stdout", show(got, 120))
    if got == expected:
        return
    why = difference(expected, got)
    have, _, shown = got.rstrip(b"\n").partition(b"  ")
    try:
        found = bytes.fromhex(have.decode("ascii"))
    except ValueError:
        found = b""
    digits = digits_differ(packed, have)
    if digits:
        why = digits
    elif found and len(found) != len(packed):
        why = f"an IPv{4 if len(packed) == 4 else 6} address has {len(packed)} bytes"
    elif found == packed[::-1]:
        why = (
            "the bytes are turned round: inet_pton stores them in network order already, so "
            "neither htonl() nor ntohl() belongs here"
        )
    elif found == packed and b"null" in shown:
        why = "inet_ntop returned NULL (ENOSPC: the buffer is too small), and that was printed"
    elif found == packed and not why.startswith("everything"):
        why = "the bytes are right, the text is not what inet_ntop makes of them: " + (
            why or "it is to be printed as it comes from there"
        )
    elif found and found != packed:
        why = numbers.order(packed, found) or why
    fail(f"{show(expected, 120)} on stdout", show(got, 120), why)


def refuses(program, family, text, why=NOT_LOOKED):
    """Require that a text is refused."""
    process = program.run(family, text)
    message = f"ipconv: not an IPv{family} address: {text}\n".encode()
    end = process.end_status
    known = process.why_it_ended() if end.kind == "signal" or end.number > 2 else ""
    with contextlib.suppress(OSError):
        taken = socket.inet_aton(text).hex(" ").encode("ascii")
        known = ATON if family == "4" and process.stdout.startswith(taken) else known
    if (end.kind, end.number) != ("exit", 1) or process.stdout:
        got = process.how_it_ended()
        got += f", and {show(process.stdout, 100)} on stdout" if process.stdout else ""
        fail(f"exit status 1, nothing on stdout, for {text!r}", got, known or why)
    got = process.stderr
    why = difference(message, got) or "a text that is no address has a message of its own"
    require(got == message, f"{show(message, 100)} on stderr", show(got, 100), why)


@check(
    points=3,
    kind="contract",
    hints=(
        "An IPv4 address is four bytes, and the first number of the text is the first of them.",
        "inet_pton(3) with AF_INET stores 4 bytes in network order; inet_ntop(3) is the way back.",
        "In ipconv.c: to_bytes and print_address.",
    ),
)
def test_v4(program):
    """prints the four bytes of an IPv4 address, and its text"""
    some = ".".join(map(str, program.stage.random.sample(range(1, 255), 4)))
    for text in ("127.0.0.1", "10.1.2.3", "0.0.0.0", "255.128.1.0", some):
        prints(program, ("4", text), ipaddress.IPv4Address(text).packed, text)
    broadcast = "255.255.255.255"
    prints(program, ("4", broadcast), b"\xff\xff\xff\xff", broadcast, ERROR)


V6 = (
    ("::1", "::1"),
    ("0:0::1", "::1"),
    ("2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a"),
    ("::", "::"),
    ("fe80:0:0:0:1:2:3:4", "fe80::1:2:3:4"),
)


@check(
    points=3,
    kind="contract",
    hints=(
        "An IPv6 address is 16 bytes; a text has many forms, and inet_ntop prints the shortest.",
        "inet_pton(3) and inet_ntop(3) with AF_INET6, and room for 16 bytes.",
        "In ipconv.c: to_bytes and print_address, where the family is used, and len.",
    ),
)
def test_v6(program):
    """prints the sixteen bytes of an IPv6 address, and its canonical text"""
    for text, canonical in V6:
        prints(program, ("6", text), ipaddress.IPv6Address(text).packed, canonical)


@check(
    points=3,
    kind="contract",
    after=("test_v4", "test_v6"),
    hints=(
        "The bytes are given, and the same line is due.",
        "inet_ntop(3) wants the bytes in network order: as they were given.",
        "In ipconv.c: print_address, which must use nothing but its arguments.",
    ),
)
def test_back(program):
    """-n: makes the same line from the bytes"""
    four = bytes(program.stage.random.sample(range(1, 255), 4))
    prints(program, ("-n", "4", four.hex()), four, str(ipaddress.IPv4Address(four)))
    for text, canonical in V6[1:4]:
        packed = ipaddress.IPv6Address(text).packed
        prints(program, ("-n", "6", packed.hex().upper()), packed, canonical)


@check(
    points=3,
    kind="robust",
    after="test_v4",
    hints=(
        "inet_pton tells three things apart: an address, no address, and no such family.",
        "inet_pton(3) returns 1, 0 or -1; errno is set for -1 only.",
        "In ipconv.c: to_bytes, what it does when inet_pton returns 0.",
    ),
)
def test_refuses_v4(program):
    """says what is no IPv4 address: three numbers, 256, a blank at the end, nothing"""
    for text in ("1.2.3", "256.1.1.1", "1.2.3.4 ", "", "1.2.3.4.5", "::1"):
        refuses(program, "4", text)
    for text in ("127.1", "0x7f.0.0.1", "2130706433"):
        refuses(program, "4", text, ATON)


@check(
    points=2,
    kind="robust",
    after="test_v6",
    hints=(
        "An IPv6 address may leave out one run of zeros, not two.",
        "inet_pton(3) knows all that; it returns 0 for what is no address.",
        "In ipconv.c: to_bytes, and which family no_address is told.",
    ),
)
def test_refuses_v6(program):
    """says what is no IPv6 address"""
    for text in ("1::2::3", ":::", "12345::", "10.1.2.3", "::ffff:1.2.3.256", "1:2:3:4:5:6:7"):
        refuses(program, "6", text)


@check(
    points=2,
    kind="robust",
    after="test_v6",
    hints=(
        "The text of an IPv6 address is three times as long as that of an IPv4 address.",
        "INET6_ADDRSTRLEN is 46: room for any address, and its NUL.",
        "In ipconv.c: print_address, the size of the buffer, and what inet_ntop returns.",
    ),
)
def test_longest(program):
    """has room for the longest texts"""
    groups = program.stage.random.sample(range(0x1000, 0x10000), 8)
    text = ":".join(f"{group:x}" for group in groups)
    packed = ipaddress.IPv6Address(text).packed
    prints(program, ("6", text), packed, text)
    mapped = "0000:0000:0000:0000:0000:ffff:254.253.252.251"
    packed = bytes(10) + b"\xff\xff\xfe\xfd\xfc\xfb"
    prints(program, ("6", mapped), packed, "::ffff:254.253.252.251")
