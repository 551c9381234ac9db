"""Checks of wire, and of bo.c, which it stands on."""

import sys
from dataclasses import dataclass

from harness import Failure, check, diagnosis, elf, fail, numbers, units
from harness.made_up import letters
from harness.process import End

FIELDS = ("type", "id", "count", "when", "len")
SIZES = (1, 2, 4, 8, 2)
FORBIDDEN = ("htonl", "htons", "ntohl", "ntohs")
AREA, FILL = 24, 0xA5
ENDED = End("exit", 1)
VALUES = {
    16: (0x0102, 0x1234, 0x8000, 0x00FF, 0xFF00, 8080, 0xFFFE),
    32: (0x01020304, 0x80000000, 0xDEADBEEF, 0x00FF8001, 0x0000FF00, 0xFFFEFDFC),
    64: (0x0102030405060708, 0x8000000000000001, 0xFFFEFDFCFBFAF9F8, 0x00000000DEADBEEF),
}


@dataclass(frozen=True)
class Record:
    """One record, with what both of its forms look like."""

    type: int
    id: int
    count: int
    when: int
    name: bytes

    def numbers(self):
        """Return (value, size) of each number."""
        found = (self.type, self.id, self.count, self.when, len(self.name))
        return list(zip(found, SIZES, strict=True))

    def binary(self):
        """Return the record as bytes."""
        mask = [(value & (1 << 8 * size) - 1, size) for value, size in self.numbers()]
        return b"".join(value.to_bytes(size, "big") for value, size in mask) + self.name

    def line(self):
        """Return the record as a line."""
        return b"%d %d %d %d %s\n" % (self.type, self.id, self.count, self.when, self.name)


FIRST = Record(7, 0x1234, 0x01020304, 0x0102030405060708, b"abcd")
SECOND = Record(200, 0x8001, 0xDEADBEEF, -2, b"Grace Hopper")
EDGES = (
    Record(0, 0, 0, 0, b""),
    Record(255, 65535, 0xFFFFFFFF, -(1 << 63), b" two  blanks "),
    Record(128, 0x00FF, 0x80000000, (1 << 63) - 1, "Zo\u00eb".encode()),
    Record(1, 0xFF00, 0x00FF8001, -0x0102030405060708, b"-1 0 %d %s"),
)


def some(program, count):
    """Return records with random values, all of them such that mistakes show."""
    pick = program.stage.random

    def number(size):
        return int.from_bytes(bytes(pick.sample(range(1, 256), size)), "big")

    letters = b"abcdefghijklmnopqrstuvwxyz0123456789"
    return [
        Record(
            number(1),
            number(2),
            number(4),
            number(8) - (1 << 63),
            bytes(pick.sample(letters, pick.randrange(2, 30))),
        )
        for _ in range(count)
    ]


def feed(program, direction, data, why="", first=0, **how):
    """Start the program, give it all of its input, and wait for its end.

    ``first`` bytes are a piece of their own: the rest comes when they are read.
    """
    process = program.start(direction, stdin=True, **how)
    try:
        if first:
            process.write(data[:first])
            process.wait_reading()
        process.write(data[first:])
        process.close_stdin()
        process.wait_end()
    except Failure as failure:
        raise Failure(failure.expected, failure.got, failure.why or why) from None
    program.stage.tape.add("wait", "for the end of wire", process.how_it_ended())
    return process


def succeed(process, why=""):
    """Require exit status 0."""
    end = process.end_status
    if (end.kind, end.number) != ("exit", 0):
        got = f"{process.how_it_ended()}, and on stderr {diagnosis.show(process.stderr, 100)}"
        if process.stderr.startswith(b"wire: truncated"):
            why = "an end of file right after a record, or before the first, is the end: nothing "
            why += "is truncated"
        fail("exit status 0", got, process.why_it_ended() or why)


def expect_binary(process, records, why_stopped=""):
    """Require that enc has written these records; name what is wrong with the first bad one.

    ``why_stopped`` goes behind what a sanitizer that stopped the program says.
    """
    expected = b"".join(one.binary() for one in records)
    got = process.stdout
    if got == expected:
        succeed(process)
        return
    at = 0
    for number, one in enumerate(records, 1):
        wanted = one.binary()
        # what follows may tell of padding
        found = got[at : at + len(wanted) + 16]
        if found[: len(wanted)] != wanted:
            why = process.why_it_ended()
            if why and why_stopped:
                why += f"; {why_stopped}"
            if found:
                why = why or numbers.record(list(FIELDS), one.numbers(), one.name, found)
            left, right = wanted[:24].hex(" "), found[:24].hex(" ") or "nothing"
            head = f"record {number}: " if len(records) > 1 else ""
            fail(f"{head}{left} from {diagnosis.show(one.line())}", right, why or "it is missing")
        at += len(wanted)
    why = "the right bytes came, and then more: a record has 17 bytes and its name, no more"
    fail(f"{len(expected)} bytes", f"{len(got)} bytes", why)


def lines_differ(one, found):
    """Name what is wrong with one line."""
    parts = found.rstrip(b"\n").split(b" ", 4)
    wanted = (one.type, one.id, one.count, one.when)
    for name, size, value, part in zip(FIELDS, SIZES, wanted, parts, strict=False):
        if part != b"%d" % value:
            if not part.lstrip(b"-").isdigit():
                return f"{name} is {diagnosis.show(part)}, not {value}"
            told = numbers.value(value, int(part), 8 * size)
            return f"{name} is {int(part)}, not {value}" + (f": {told}" if told else "")
    if len(parts) == 5 and sorted(parts[4]) == sorted(one.name):
        return numbers.MANGLED
    if len(parts) == 5 and numbers.cut_at_nul(one.name, parts[4]):
        return numbers.CUT
    if len(parts) == 5 and parts[4].startswith(one.name):
        return "after the name comes what was in that memory before: the name is no string"
    if len(parts) == 5 and one.name.startswith(parts[4]):
        return "the name is cut off: it has as many bytes as the record says, whatever they are"
    return ""


def expect_lines(process, records, why="", ended=True, certain=False):
    """Require that dec has printed these records, and how it ended if it did well.

    ``why`` is certain if no other look at the lines can tell more.
    """
    expected = b"".join(one.line() for one in records)
    got = process.stdout
    if got != expected:
        at = 0
        known = process.why_it_ended() if process.end_status.number != 1 else ""
        for number, one in enumerate(records, 1):
            found = got[at:].split(b"\n", 1)[0] + b"\n" if got[at:] else b""
            if found != one.line():
                told = (lines_differ(one, found) if found and not certain else "") or why
                told = told or diagnosis.difference(one.line(), found)
                wanted = f"line {number}: {diagnosis.show(one.line())} on stdout"
                fail(wanted, diagnosis.show(found), known or told)
            at += len(found)
        fail(
            f"{len(records)} lines on stdout",
            f"after them {diagnosis.show(got[at:])}",
            known or why or "more lines than there were whole records",
        )
    if ended:
        succeed(process, why)


def expect_truncated(process, whole, start, why):
    """Require the complete records, then the message about the one cut off."""
    if len(process.stdout) < sum(len(one.line()) for one in whole):
        why = "the records before the one that is cut off are whole: their lines are due, flushed, "
        why += "before the message"
    expect_lines(process, whole, why, ended=False)
    message = b"wire: truncated record at byte %d\n" % start
    end, got = process.end_status, process.stderr
    if (end.kind, end.number) != ("exit", 1):
        known = process.why_it_ended()
        if end.number == 0:
            known = "the end of file came within a record, and nobody noticed: that is no success"
        fail("exit status 1 at the end of a truncated record", process.how_it_ended(), known)
    if got != message:
        told = "N is where the record begins that is cut off, counted from 0"
        wanted = f"{diagnosis.show(message)} on stderr"
        fail(wanted, diagnosis.show(got, 100), diagnosis.difference(message, got) or told)


def put_case(bits, offset, value):
    """Return command, call and right answer of one put."""
    raw = value.to_bytes(bits // 8, "big")
    area = bytes([FILL]) * offset + raw
    area += bytes([FILL]) * (AREA - len(area))
    call = f"put_be{bits}(p + {offset}, {value:#0{2 + bits // 4}x})"
    return f"put {bits} {offset} {value:x}", call, area.hex()


def get_case(bits, offset, value, raw=None):
    """Return command, call and right answer of one get; 33 bits are the signed one."""
    raw = value.to_bytes(bits // 8, "big") if raw is None else raw
    name = "get_be32s" if bits == 33 else f"get_be{bits}"
    return f"get {bits} {offset} {raw.hex()}", f"{name}(p + {offset}), {raw.hex(' ')}", str(value)


def call_all(program, cases, explain):
    """Call bo.c for each case; explain the first wrong answer."""
    commands, calls, wanted = zip(*cases, strict=True)
    answers = units.ask(program, "bo.c", list(commands), list(calls))
    for command, call, right, answer in zip(commands, calls, wanted, answers, strict=True):
        if answer != right:
            program.stage.tape.add("call", call)
            explain(command.split(), call, right, answer)


def explain_put(command, call, right, answer):
    """Fail because of the bytes around an address."""
    bits, offset = int(command[1]), int(command[2])
    size = bits // 8
    try:
        wanted, got = bytes.fromhex(right), bytes.fromhex(answer)
    except ValueError:
        fail(f"the bytes of {call}", answer, "bo.c prints something itself")
    inside = slice(offset, offset + size)
    if wanted[inside] == got[inside]:
        fail(
            f"{size} bytes written by {call}",
            numbers.hexed(got),
            "bytes before or after the number's own are changed (a5 is what was there)",
        )
    why = numbers.order(wanted[inside], got[inside])
    if got[inside] == bytes([FILL]) * size:
        why = "nothing is written at that address at all"
    fail(f"{numbers.hexed(wanted[inside])} from {call}", numbers.hexed(got[inside]), why)


def explain_get(command, call, right, answer):
    """Fail because of a number that was read."""
    bits = min(int(command[1]), 32) if command[1] == "33" else int(command[1])
    try:
        told = numbers.value(int(right), int(answer), bits)
    except ValueError:
        told = "bo.c prints something itself"
    if not told and len(command) > 3 and any(byte > 127 for byte in bytes.fromhex(command[3])):
        told = numbers.SIGN
    shown = answer
    if answer.isdigit():
        shown = f"{answer} ({int(answer):#x})"
    fail(f"{right} ({int(right):#x}) from {call}", shown, told)


@check(
    points=4,
    kind="contract",
    build="signed+bo",
    hints=(
        "A number in a variable has no byte order; v >> 8 is the same on every machine.",
        "p[0] gets the highest byte: shift it down, and let the conversion to unsigned char cut "
        "off the rest.",
        "In bo.c: put_be16, put_be32, put_be64; write single bytes, never through a pointer to "
        "something wider.",
    ),
)
def test_bo_put(program):
    """bo.c: puts numbers at any address, the highest byte first, and nothing around them"""
    cases = [
        put_case(bits, offset, value)
        for bits, values in VALUES.items()
        for value in values
        for offset in range(9)
    ]
    call_all(program, cases, explain_put)


@check(
    points=4,
    kind="contract",
    build="signed+bo",
    hints=(
        "Shift each byte to its place, and put them together.",
        "A byte becomes an int before it is shifted, and 0x80 << 24 does not fit into one: "
        "convert it to uint32_t, or uint64_t, first.",
        "In bo.c: get_be16, get_be32, get_be64; what has which type at which moment.",
    ),
)
def test_bo_get(program):
    """bo.c: gets numbers from any address, with the highest bit set or not"""
    cases = [
        get_case(bits, offset, value)
        for bits, values in VALUES.items()
        for value in values
        for offset in range(9)
    ]
    call_all(program, cases, explain_get)


def signed_cases():
    """Return the cases of get_be32s."""
    values = (1, -1, -2, 0x01020304, -0x01020304, 0x7FFFFFFF, -(1 << 31), 0x00FF8001, -0x8000)
    return [
        get_case(33, offset, value, (value & 0xFFFFFFFF).to_bytes(4, "big"))
        for value in values
        for offset in (0, 1, 3)
    ]


@check(
    points=2,
    kind="contract",
    build="signed+bo",
    after="test_bo_get",
    hints=(
        "The bytes of -2 are ff ff ff fe: 2^32 less than what they are as an unsigned number.",
        "get_be32, and then a conversion to int32_t.",
        "In bo.c: get_be32s, for numbers from 0x80000000 on.",
    ),
)
def test_bo_signed(program):
    """bo.c: gets a number that may be negative"""
    call_all(program, signed_cases(), explain_get)


@check(
    points=2,
    kind="contract",
    build="signed+bo",
    after=("test_bo_put", "test_bo_get"),
    hints=(
        "htonl returns a number whose bytes in this machine's memory are in network order.",
        "put_be32 makes those bytes; memcpy(3) makes a number of them. ntohl is the way back.",
        "In bo.c: my_htons, my_htonl, my_ntohs, my_ntohl.",
    ),
)
def test_bo_my(program):
    """bo.c: its own htons, htonl, ntohs, ntohl return what the system's do"""
    cases = []
    for name, bits in (("htons", 16), ("htonl", 32), ("ntohs", 16), ("ntohl", 32)):
        for value in VALUES[bits]:
            right = int.from_bytes(value.to_bytes(bits // 8, "big"), sys.byteorder)
            cases.append((f"my {name} {value:x}", f"my_{name}({value:#x})", str(right)))

    def explain(command, call, right, answer):
        why = ""
        if answer.isdigit():
            why = f"the system's {command[1]} returns something else: on this machine it exchanges"
            why += " the bytes"
            if int(answer) == int(command[2], 16):
                why = "this returns the number as it was: " + numbers.REVERSED
        fail(f"{int(right):#x} from {call}", answer, why)

    call_all(program, cases, explain)


CHAR = "it was right where char is signed: a plain char is in use, and its sign counts"


@check(
    points=2,
    kind="robust",
    build="unsigned+bo",
    after=("test_bo_get", "test_bo_signed"),
    hints=(
        "Whether a plain char is signed differs from machine to machine: on ARM it is not.",
        "Say unsigned char, or int8_t, where it matters; gcc has -funsigned-char to try it.",
        "In bo.c: get_be32s, any variable or cast of type char.",
    ),
)
def test_bo_char(program):
    """bo.c: does the same where a plain char is unsigned"""
    cases = [put_case(bits, 1, value) for bits, values in VALUES.items() for value in values]
    gets = [get_case(bits, 1, value) for bits, values in VALUES.items() for value in values]
    call_all(program, cases, explain_put)

    def explain(command, call, right, answer):
        fail(f"{right} from {call}", answer, CHAR)

    try:
        call_all(program, gets + signed_cases(), explain)
    except Failure as failure:
        if not failure.why.startswith(CHAR):
            failure.why = f"{CHAR}; {failure.why}"
        raise


@check(
    points=3,
    kind="clean",
    build="calls+bo",
    after=("test_bo_put", "test_bo_get", "test_bo_my"),
    hints=(
        "This file is to show that one can do without the system's functions.",
        "Shifts, masks and memcpy(3) are enough for all eleven.",
        "In bo.c: any call of htonl, htons, ntohl or ntohs.",
    ),
)
def test_bo_alone(program):
    """bo.c: calls none of htonl, htons, ntohl, ntohs"""
    needed = elf.undefined(program.path)
    program.stage.tape.add("look", "at the functions that bo.c needs from the library")
    used = [name for name in FORBIDDEN if name in needed]
    if used:
        why = "shift and mask instead: what these functions do is what is to be written here"
        fail("a bo.c that calls none of " + ", ".join(FORBIDDEN), ", ".join(used), why)


@check(
    points=4,
    kind="contract",
    hints=(
        "The bytes of a record are agreed upon between programs; a struct is the compiler's own.",
        "put_be16, put_be32, put_be64 each to its place, memcpy(3) for the name.",
        "In wire.c: encode, the offsets 0, 1, 3, 7, 15, 17.",
    ),
)
def test_enc(program):
    """enc: turns lines into records, packed, in network order"""
    for records in ([FIRST], [SECOND], [*EDGES, *some(program, 3)]):
        process = feed(program, "enc", b"".join(one.line() for one in records))
        expect_binary(process, records)


@check(
    points=4,
    kind="contract",
    hints=(
        "Read 17 bytes, then as many as the last two of them say.",
        "read(2), as often as it takes; get_be16, get_be32, get_be64; when is a signed number.",
        "In wire.c: decode and read_fully.",
    ),
)
def test_dec(program):
    """dec: turns records into lines, until end of file"""
    for records in ([FIRST], [SECOND], [*EDGES, *some(program, 3)], []):
        process = feed(program, "dec", b"".join(one.binary() for one in records))
        expect_lines(process, records)


@check(
    points=3,
    kind="contract",
    after=("test_enc", "test_dec"),
    hints=(
        "What has been encoded is decoded to the same, many records after each other.",
        "A buffer that is used again still holds the last record: only len bytes of it count.",
        "In wire.c: encode and decode, what is left over from the record before.",
    ),
)
def test_round_trip(program):
    """dec after enc: many records come out as they went in"""
    records = some(program, 100) * 6
    text = b"".join(one.line() for one in records)
    binary = feed(program, "enc", text)
    expect_binary(binary, records)
    why = (
        "a long input comes in pieces that end anywhere: what a read brought of a record that is "
        "not complete, or of the next one, is wanted still"
    )
    # whether a piece ends within a record must not be left to chance
    first = len(b"".join(one.binary() for one in records[:300])) + 9
    expect_lines(feed(program, "dec", binary.stdout, why, first), records, why)


PIECES = (
    "one read is taken for a whole record: read returns what is there, 1 byte if that is all; "
    "read again for the rest"
)
BEHIND = (
    "all pieces were read, but they are not put together as they came: each read goes behind what "
    "is there already (buf + have, and at most want - have bytes), not over it"
)


@check(
    points=4,
    kind="robust",
    after="test_dec",
    hints=(
        "A pipe has no records: a read gives what is there, and that may be one byte.",
        "read(2) returns how many bytes came; call it again for the rest, until it returns 0.",
        "In wire.c: read_fully, a loop that goes on until want bytes are there.",
    ),
)
def test_pieces(program):
    """dec: takes its input byte by byte, as a slow pipe delivers it"""
    records = [Record(9, 0x0102, 0x80000001, -3, b"xy"), Record(8, 1, 2, 3, b"")]
    process = program.start("dec", stdin=True)
    tape = program.stage.tape
    since = len(tape.steps)
    data = b"".join(one.binary() for one in records)
    for index in range(len(data)):
        try:
            process.wait_reading()
            process.write(data[index : index + 1])
        except Failure as failure:
            tape.fold(since, "write", f"{index} bytes to stdin, each when the one before is read")
            known = process.why_it_ended() if process.end_status != ENDED else ""
            got = process.how_it_ended() or failure.got
            if process.stderr:
                got += f", and on stderr {diagnosis.show(process.stderr)}"
            raise Failure("a program that reads on", got, known or PIECES) from None
    tape.fold(since, "write", f"{len(data)} bytes to stdin, each when the one before is read")
    process.close_stdin()
    process.wait_end()
    # who takes a piece for a whole record has its first byte right, if nothing else
    first = process.stdout.startswith(b"%d " % records[0].type)
    expect_lines(process, records, PIECES if first else BEHIND, certain=True)


@check(
    points=4,
    kind="robust",
    after="test_dec",
    build="plain",
    hints=(
        "An end of file is right between two records, and nowhere else.",
        "read(2) returns 0 at end of file; how many bytes of the record have come by then?",
        "In wire.c: decode, the three cases: nothing came, less than 17 came, the name is cut.",
    ),
)
def test_truncated(program):
    """dec: input cut at any byte gives the whole records, then a message and status 1"""
    first, second = Record(1, 2, 3, 4, b"ab"), Record(5, 0x0607, 8, -9, b"xy")
    size = len(first.binary())
    inputs = [([], second, cut) for cut in (1, 16, 18)]
    inputs += [([first], second, cut) for cut in range(1, size)]
    tape = program.stage.tape
    for whole, broken, cut in inputs:
        since = len(tape.steps)
        data = b"".join(one.binary() for one in whole)
        process = feed(program, "dec", data + broken.binary()[:cut])
        why = (
            f"the input ends after byte {cut} of a record of {size}, so nothing of it is printed: "
            "compare how many bytes came with how many were wanted"
        )
        expect_truncated(process, whole, len(data), why)
        del tape.steps[since:]
    tape.add("repeat", f"input that is cut at each of the {size} bytes of a record")


@check(
    points=2,
    kind="robust",
    after=("test_enc", "test_dec"),
    hints=(
        "A name is no string: it has as many bytes as its length says, up to 65535, and no NUL "
        "marks its end; and that length comes from a stranger, so it may be a lie.",
        "memcpy(3) with the length, and not strcpy(3); a uint16_t, which has no sign; then count "
        "what came.",
        "In wire.c: encode, how the name is copied; decode, the type of the length, and what "
        "follows when less than that came.",
    ),
)
def test_lengths(program):
    """takes the longest name, and one with a NUL in it, and is not fooled by a false length"""
    tape = program.stage.tape
    for length in (32768, 65535):
        since = len(tape.steps)
        long = Record(3, 4, 5, 6, letters(program.stage, length))
        why = (
            "a length of 16 bits goes up to 65535, unsigned; and so long a name takes many reads, "
            "each of which goes on behind the one before (buf + have)"
        )
        process = feed(program, "dec", long.binary() + FIRST.binary(), why)
        if b"Bad address" in process.stderr:
            why = "read was to fill more memory than there is: the buffer is too small for a name"
        expect_lines(process, [long, FIRST], why)
        process = feed(program, "enc", long.line() + FIRST.line())
        end = f"a name of {length} bytes has no NUL behind it, and no room for one (strcpy adds it)"
        expect_binary(process, [long, FIRST], end)
        tape.fold(since, "repeat", f"dec and enc, with a name of {length} bytes", "right")
    nul = Record(9, 8, 7, 6, b"one\0two\0")
    expect_binary(feed(program, "enc", FIRST.line() + nul.line()), [FIRST, nul])
    expect_lines(feed(program, "dec", FIRST.binary() + nul.binary()), [FIRST, nul])
    for claim in (0x8001, 0xFFFF):
        lie = FIRST.binary()[:15] + claim.to_bytes(2, "big") + b"ten bytes."
        process = feed(program, "dec", SECOND.binary() + lie)
        why = f"the record says that {claim} bytes of name follow, and 10 do: it is truncated"
        expect_truncated(process, [SECOND], len(SECOND.binary()), why)


@check(
    points=2,
    kind="clean",
    needs="leaks",
    after=("test_enc", "test_dec"),
    hints=(
        "What is taken from malloc for each record is given back for each record.",
        "free(3), or a buffer on the stack or static, as the skeleton has it.",
        "In wire.c: encode and decode, whatever they allocate, also when a record is cut off.",
    ),
)
def test_no_leak(program):
    """leaks no memory, neither by enc nor by dec"""
    records = [FIRST, SECOND]
    process = feed(program, "enc", b"".join(one.line() for one in records), leaks=True)
    expect_binary(process, records)
    process = feed(program, "dec", b"".join(one.binary() for one in records), leaks=True)
    expect_lines(process, records)
