"""Checks of endian: the warm-up."""

import sys

from harness import check, fail, units
from harness.diagnosis import difference, show

NAMES = {0: "0, which is UNKNOWN", 1: "1, LITTLE", 2: "2, BIG", 3: "3, OTHER"}
EXCHANGED = (
    "little and big are exchanged: a machine is little-endian if the lowest byte, the little end, "
    "comes first in memory"
)


def classify(program, cases, why):
    """Require what classify_order returns for (value, bytes, order) of each case."""
    calls = [f"classify_order({v:#010x}, {rep.hex(' ')})" for v, rep, _order in cases]
    commands = [f"{v:x} {rep.hex(' ')}" for v, rep, _order in cases]
    answers = units.ask(program, "endian.c", commands, calls)
    pairs = {(case[2], answer) for case, answer in zip(cases, answers, strict=True)}
    exchanged = {(1, "2"), (2, "1")} <= pairs
    for call, answer, (_value, _rep, order) in zip(calls, answers, cases, strict=True):
        if answer != str(order):
            program.stage.tape.add("call", call, f"returned {answer}")
            told = EXCHANGED if exchanged else why(order, answer)
            got = NAMES.get(int(answer) if answer.isdigit() else -1, answer)
            fail(f"{NAMES[order]}, from {call}", got, told)


def four(program):
    """Return a number whose four bytes all differ, and those, the highest first."""
    high = bytes(program.stage.random.sample(range(1, 256), 4))
    return int.from_bytes(high, "big"), high


@check(
    points=3,
    kind="contract",
    hints=(
        "The four bytes of 0x01020304 lie in memory as 04 03 02 01 on a little-endian machine: "
        "the lowest byte has the lowest address.",
        "rep[0] is the byte at the lowest address; v & 0xff is the lowest byte of v, v >> 24 the "
        "highest.",
        "In endian.c: classify_order, the if, and what is returned when it is true.",
    ),
)
def test_host(program):
    """prints how this machine keeps its integers"""
    process = program.start()
    process.expect_exit(0)
    got, expected = process.stdout, f"{sys.byteorder}\n".encode()
    program.stage.tape.add("look", "at stdout", show(got))
    if got != expected:
        known = EXCHANGED if got in (b"little\n", b"big\n") else difference(expected, got)
        fail(f"{show(expected)} on stdout", show(got), known)


@check(
    points=3,
    kind="contract",
    build="check+endian",
    hints=(
        "The function looks at any machine's bytes, not at those of the machine it runs on.",
        "Compare rep[0] to rep[3] with the four bytes of v, from the lowest up and from the "
        "highest down.",
        "In endian.c: classify_order, which must use nothing but v and rep.",
    ),
)
def test_either_order(program):
    """tells a little-endian from a big-endian machine, whichever it runs on"""
    cases = []
    for value, high in ((0x01020304, bytes([1, 2, 3, 4])), four(program), four(program)):
        cases += [(value, high[::-1], 1), (value, high, 2)]

    def why(_order, answer):
        if answer == "0":
            return "all four bytes differ, so these bytes do tell"
        return "only v and rep count: this machine's own order has nothing to do with it"

    classify(program, cases, why)


@check(
    points=2,
    kind="contract",
    build="check+endian",
    after="test_either_order",
    hints=(
        "There were machines that had the halves of a number in one order and the bytes of each "
        "half in the other.",
        "One byte that fits proves nothing: all four must.",
        "In endian.c: classify_order, how many elements of rep it looks at.",
    ),
)
def test_other(program):
    """knows that there are other orders than those two"""
    cases = []
    for value, (a, b, c, d) in ((0x01020304, (1, 2, 3, 4)), four(program)):
        others = ((c, d, a, b), (b, a, d, c), (a, c, b, d), (d, b, c, a), (a, b, d, c))
        cases += [(value, bytes(rep), 3) for rep in others]
    classify(
        program,
        cases,
        lambda _order, _answer: (
            "some of the bytes fit, but not all four of them: neither little nor big"
        ),
    )


@check(
    points=2,
    kind="contract",
    build="check+endian",
    after="test_either_order",
    hints=(
        "A number that reads the same from both ends looks the same on every machine.",
        "Find out both whether the bytes are those of a little-endian machine and whether they "
        "are those of a big-endian one; then both may be true.",
        "In endian.c: classify_order, the case that comes before LITTLE and BIG.",
    ),
)
def test_unknown(program):
    """says so when a number can't tell"""
    byte = program.stage.random.randrange(1, 256)
    cases = []
    for rep in (b"\1\1\1\1", b"\0\0\0\0", bytes([1, byte, byte, 1]), b"\xff\x7f\x7f\xff"):
        cases.append((int.from_bytes(rep, "big"), rep, 0))
    why = "this number reads the same from both ends, so its bytes fit both orders: return UNKNOWN"
    classify(program, cases, lambda _order, _answer: why)
