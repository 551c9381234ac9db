"""Checks of order: a number's bytes in memory and on the wire."""

import itertools
import re
import sys

from harness import check, fail, numbers, require
from harness.diagnosis import difference, show
from harness.process import End

LINE = re.compile(rb"host ((?:[0-9a-f]{2} ?)+) net ((?:[0-9a-f]{2} ?)+)\n")

BASES = {10: "decimal", 16: "hexadecimal", 8: "octal"}
HALF = {
    16: "a signed type of 16 bits ends at half of that: take an unsigned one",
    32: "atoi is for an int, which ends at half of that: take strtoull",
    64: "strtol is for signed numbers, and ends at half of what strtoull can do",
}


def base_of(text):
    """Return the base that a constant of C is written in."""
    if text[:2] in ("0x", "0X"):
        return 16
    return 8 if text[0] == "0" and len(text) > 1 else 10


def read_in(text, base):
    """Return what strtoull makes of a text in a base, and what it leaves of the text."""
    if base == 16 and base_of(text) == 16:
        text = text[2:]
    digits = itertools.takewhile(lambda digit: digit in "0123456789abcdef"[:base], text.lower())
    number = "".join(digits)
    return int(number or "0", base), text[len(number) :]


def misread(text, value, found):
    """Say in which base a number was read, if that is what is wrong with it."""
    right = base_of(text)
    for base, name in BASES.items():
        number = read_in(text, base)[0]
        # 0 has many reasons; but it is what any other base makes of 0x
        if base != right and found == number != value and (number or right == 16):
            return (
                f"{text} was read as {name}, but it is {BASES[right]}: with base 0 strtoull looks "
                "at how a number begins, with any other base (and so atoi) it does not"
            )
    return ""


def why_refused(bits, text, value):
    """Say why a number that is right may have been refused."""
    right = base_of(text)
    why = "this number is right, and it fits: which of the tests in to_number refuses it?"
    decimal, rest = read_in(text, 10)
    if right != 10 and (rest or decimal >> bits):
        end = f"stops before the {rest[0]}" if rest else f"reads {decimal}, which is too large"
        why += f" It is {BASES[right]}; if the base of strtoull is 10, that {end}: with base 0 it "
        return why + "looks at how a number begins"
    if value == (1 << bits) - 1:
        return f"{why} It is the largest that fits: only what is larger does not"
    return f"{why} Perhaps its type: {HALF[bits]}" if value >> (bits - 1) else why


def prints(program, bits, text, value):
    """Require the line for one number."""
    process = program.start(str(bits), text)
    if process.wait_end() == End("exit", 2):
        got = f"{process.how_it_ended()}, and on stderr {show(process.stderr)}"
        fail("exit status 0", got, why_refused(bits, text, value))
    process.expect_exit(0)
    host, net = value.to_bytes(bits // 8, sys.byteorder), value.to_bytes(bits // 8, "big")
    expected = f"host {host.hex(' ')} net {net.hex(' ')}\n".encode()
    got = process.stdout
    program.stage.tape.add("look", "at stdout", show(got))
    if got != expected:
        raise_line(expected, got, host, net, text)


def raise_line(expected, got, host, net, text):
    """Fail because of a line for ``text``; say which of its halves is wrong, and how."""
    why = difference(expected, got)
    found = LINE.fullmatch(got)
    if found:
        have_host = bytes.fromhex(found[1].decode("ascii"))
        have_net = bytes.fromhex(found[2].decode("ascii"))
        read = int.from_bytes(have_host, sys.byteorder)
        known = misread(text, int.from_bytes(net, "big"), read) if have_net != net else ""
        if known:
            why = known
        elif (have_host, have_net) == (net, host):
            why = "host and net are exchanged"
        elif have_host != host:
            told = numbers.order(host, have_host)
            if have_host == net:
                told = "those are in network order: copy the number itself, not what htonl gave"
            why = f"host: {told or 'these are not the bytes of that number in memory'}"
        else:
            told = numbers.order(net, have_net)
            why = f"net: {told or 'these are not the bytes of that number, the highest first'}"
    fail(f"{show(expected, 100)} on stdout", show(got, 100), why)


def refuses(program, bits, text, why):
    """Require that a number is refused as a usage error."""
    process = program.run(str(bits), text)
    end = process.end_status
    known = process.why_it_ended() if end.kind == "signal" or end.number > 2 else ""
    got = f"{end}" + (f", and {show(process.stdout)} on stdout" if process.stdout else "")
    good = (end.kind, end.number) == ("exit", 2) and not process.stdout
    require(good, "a usage error: exit status 2, nothing on stdout", got, known or why)
    require(process.stderr, "a message on stderr", "nothing", "a usage error calls usage()")


def sample(program, count):
    """Return a number of ``count`` bytes, all of them different."""
    return int.from_bytes(bytes(program.stage.random.sample(range(16, 256), count)), "big")


@check(
    points=3,
    kind="contract",
    hints=(
        "A number of 16 bits is two bytes in memory, whichever comes first; on the wire the high "
        "one does.",
        "htons(3) returns a number whose bytes in memory are in network order: memcpy(3) those, "
        "and those of the number itself.",
        "In order.c: to_bytes, with variables of exactly 16 bits: uint16_t.",
    ),
)
def test_16(program):
    """prints the two bytes of a 16-bit number"""
    prints(program, 16, "8080", 8080)
    for value in (0x1234, 0x8000, 0x00FF, sample(program, 2)):
        prints(program, 16, str(value), value)


@check(
    points=3,
    kind="contract",
    hints=(
        "Four bytes have more than two orders; only one is that of the network.",
        "htonl(3) is for 32 bits; htons(3) would cut the number.",
        "In order.c: to_bytes, with variables of exactly 32 bits: uint32_t.",
    ),
)
def test_32(program):
    """prints the four bytes of a 32-bit number"""
    for value in (0x01020304, 0x80000000, 0xDEADBEEF, sample(program, 4)):
        prints(program, 32, str(value), value)


@check(
    points=4,
    kind="contract",
    hints=(
        "Sixty-four bits are two times thirty-two: the upper half goes first, on every machine.",
        "There is no htonll in POSIX.1-2008: shift by 32 and take htonl(3) twice, or shift out "
        "the eight bytes one by one.",
        "In order.c: to_bytes, the case of 64 bits, and which half goes to net and which to "
        "net + 4.",
    ),
)
def test_64(program):
    """prints the eight bytes of a 64-bit number"""
    for value in (0x0102030405060708, 0x8000000000000001, sample(program, 8)):
        prints(program, 64, str(value), value)


@check(
    points=2,
    kind="contract",
    after="test_16",
    hints=(
        "In C a number may be decimal, hexadecimal or octal; its first digits tell.",
        "strtoull(3) knows all three if its base is 0.",
        "In order.c: to_number, the last argument of strtoull.",
    ),
)
def test_syntax(program):
    """takes decimal, hexadecimal and octal numbers"""
    value = sample(program, 2)
    for text in (hex(value), f"0X{value:X}"):
        prints(program, 16, text, value)
    prints(program, 16, "017620", 8080)
    for text in (f"0{value:o}", f"{value}"):
        prints(program, 16, text, value)
    prints(program, 16, "0", 0)


@check(
    points=4,
    kind="robust",
    after="test_16",
    hints=(
        "strtoull takes more than you want: blanks, signs, and anything after the number.",
        "strtoull(3) returns 0 for no number, negates after a minus, and stores in its second "
        "argument where it stopped: look there, and at the first character yourself.",
        "In order.c: to_number, before strtoull (is it a digit?) and after it (is this the end?).",
    ),
)
def test_refuses(program):
    """refuses what is no number: signs, blanks, junk, nothing"""
    minus = "strtoull takes a minus and negates, without an error: the first must be a digit"
    junk = "what follows the number was not looked at: strtoull says in *end where it stopped"
    for text in ("80x", "0x12g", "12 "):
        refuses(program, 16, text, junk)
    refuses(program, 16, "089", "8 is no octal digit: strtoull stops there, and says so in *end")
    refuses(program, 64, "-1", minus)
    refuses(program, 16, "-65535", minus)
    refuses(program, 16, "", "no digit at all: strtoull returns 0 for that, which is no error")
    refuses(program, 16, "port", "no digit at all: strtoull returns 0 for that, which is no error")
    for text in ("+7", " 7"):
        refuses(program, 16, text, "strtoull skips blanks and takes a plus: look at the first char")


@check(
    points=4,
    kind="robust",
    after=("test_16", "test_32", "test_64"),
    hints=(
        "A number that does not fit is an error, and not another number.",
        "strtoull(3) sets errno to ERANGE beyond 64 bits (set it to 0 before); below that you "
        "compare with the largest value.",
        "In order.c: to_number, n against the largest number of that many bits.",
    ),
)
def test_too_large(program):
    """refuses a number that does not fit, and takes the largest that does"""
    for bits in (16, 32, 64):
        most = (1 << bits) - 1
        prints(program, bits, str(most), most)
        why = f"the number was cut to {bits} bits without a word: the largest is {most}"
        if bits == 64:
            why = "strtoull returns the largest number there is, and ERANGE in errno: look there"
        refuses(program, bits, str(most + 1), why)
    refuses(program, 16, "70000", "the number was cut to 16 bits without a word")
    why = "beyond 64 bits strtoull returns its largest number and ERANGE in errno"
    refuses(program, 64, "99999999999999999999", why)
