"""Known mistakes with the bytes of a number: reversed, halved, stretched, padded.

As in ``diagnosis``, each function looks at what came and returns a sentence
that names the mistake, or an empty string.  None of them makes a verdict.
"""

import sys

REVERSED = (
    "the bytes are in the host's order: they were not swapped at all, or swapped twice, for two "
    "conversions undo each other"
)
HALVES = "the halves are exchanged: each is right in itself, but the upper half must come first"
EACH_HALF = "the bytes of each half are swapped, but the halves themselves are not exchanged"
PAIRS = "only the bytes of each pair are swapped: that is a conversion of 16 bits, repeated"
UPPER_LOST = (
    "the upper half is lost: somewhere the number goes through a type, or a function, that is "
    "half as wide"
)
LOWER_LOST = "the lower half is lost"
MAGNITUDE = (
    "sign and magnitude: the highest bit was taken for a mere minus sign; in two's complement 32 "
    "bits with that bit set are 2^32 less than they would be without a sign"
)
SIGN = (
    "sign-extended: a byte from 0x80 on became a negative number, and its sign filled the bits "
    "above; take unsigned char, and an unsigned type for the sum"
)
UNSET = "bytes that nobody has set: what was in that memory before"
HTONL = (
    "nothing is left: htonl() on a number of 16 bits moves it to the upper half, and that is cut "
    "off; htons() is for 16 bits"
)
UNSIGNED = "a negative number is printed as if it were unsigned: take a signed type of that width"
PADDING = (
    "the struct itself was sent, and the compiler's padding with it: put each field into the "
    "bytes one by one"
)
MANGLED = "the text is mangled: a string has no byte order, its bytes go as they are"

CUT = (
    "the text is right up to its first NUL byte: strcpy, strlen and %s stop there, but here a NUL "
    "is a byte like any other; memcpy takes as many bytes as it is told"
)

# What fresh memory holds here: gcc's and clang's pattern, and a check's own.
_FILL = (0xFE, 0xAA, 0xA5, 0xBE)


def hexed(data: bytes) -> str:
    """Return bytes as two digits each, with blanks between."""
    return data.hex(" ") or "nothing"


def order(expected: bytes, got: bytes) -> str:
    """Name what happened to a number in network order.

    Args:
        expected: its bytes, the highest first.
        got: as many bytes.
    """
    size = len(expected)
    if got == expected or len(got) != size or size < 2:
        return ""
    half = size // 2
    swapped = expected[::-1]
    if got == swapped:
        return REVERSED
    if set(got) <= {0}:
        return HTONL if size == 2 else "nothing but zeros: the number never got there"
    if len(set(got)) == 1 and got[0] in _FILL:
        return UNSET
    if size > 2:
        if got == expected[half:] + expected[:half]:
            return HALVES
        if got == swapped[half:] + swapped[:half]:
            return EACH_HALF
        if got == b"".join(expected[n : n + 2][::-1] for n in range(0, size, 2)):
            return PAIRS
        low, high = expected[half:], expected[:half]
        if got in (bytes(half) + low, low[::-1] + bytes(half), low + bytes(half)) and any(high):
            return UPPER_LOST
        if got in (high + bytes(half), bytes(half) + high, bytes(half) + high[::-1]) and any(low):
            return LOWER_LOST
        if got == low + low:
            return UPPER_LOST
    stretched = any(g == 0xFF and e != 0xFF for e, g in zip(expected, got, strict=True))
    kept = all(g in (e, 0xFF, e - 1) for e, g in zip(expected, got, strict=True))
    if stretched and kept and max(expected) >= 0x80:
        return SIGN
    return ""


def value(expected: int, got: int, bits: int) -> str:
    """Name what happened to a number that was read; both as the host has it.

    Args:
        expected: the number, negative if it is.
        got: what came instead.
        bits: how wide it is.
    """
    if got == expected:
        return ""
    if expected < 0 and got in (expected + (1 << bits), expected + (1 << 64)):
        return UNSIGNED
    whole = (1 << bits) - 1
    if bits > 8 and expected < 0 and got == -(expected & whole >> 1):
        return MAGNITUDE
    if got & whole == expected & whole and got < 0 <= expected:
        return "a number that is not negative is printed as a signed one: take an unsigned type"
    if bits > 8 and abs(got) <= 1 << bits:
        size = bits // 8
        wanted, have = expected & whole, got & whole
        return order(wanted.to_bytes(size, "big"), have.to_bytes(size, "big"))
    if got < 0 <= expected and expected & 0x80:
        return SIGN
    return ""


def native(fields: list[tuple[int, int]]) -> list[bytes | None]:
    """Return numbers as a C compiler lays them out in a struct here.

    Args:
        fields: (value, size in bytes) of each.

    Returns:
        The bytes, with None for each byte of padding.
    """
    out: list[bytes | None] = []
    for number, size in fields:
        out += [None] * (-len(out) % size)
        raw = (number & (1 << 8 * size) - 1).to_bytes(size, sys.byteorder)
        out += [raw[n : n + 1] for n in range(size)]
    return out


def record(names: list[str], fields: list[tuple[int, int]], text: bytes, got: bytes) -> str:
    """Name what is wrong with a record: numbers in network order, then a text.

    Args:
        names: of the numbers, in the words of a report.
        fields: (value, size in bytes) of each number.
        text: what follows them.
        got: what came instead of all that.
    """
    if _padded(fields, got):
        return PADDING
    at = 0
    for name, (number, size) in zip(names, fields, strict=True):
        wanted = (number & (1 << 8 * size) - 1).to_bytes(size, "big")
        found = got[at : at + size]
        if found != wanted:
            told = order(wanted, found)
            if not told and at and got[at + 1 : at + 1 + size] == wanted:
                told = "there is a byte too many before it"
            if number == len(text) and found == (number + 1).to_bytes(size, "big"):
                told = "one more than the text has bytes: a NUL behind it does not count"
            shown = f"{name}, byte {at} of the record, is {hexed(found)}, not {hexed(wanted)}"
            return f"{shown}: {told}" if told else shown
        at += size
    found = got[at : at + len(text)]
    if found != text:
        if sorted(found) == sorted(text):
            return MANGLED
        if cut_at_nul(text, found):
            return CUT
        return "the numbers are right, the text after them is not"
    return ""


def cut_at_nul(text: bytes, got: bytes) -> bool:
    """Whether ``got`` is a text that is wrong from its first NUL byte on."""
    head, nul, _rest = text.partition(b"\0")
    return bool(nul) and got != text and got.startswith(head)


def _padded(fields, got: bytes) -> bool:
    """Whether numbers lie where a compiler's struct has them, and not packed."""
    layout = native(fields)
    packed = sum(size for _number, size in fields)
    if len(layout) == packed or len(got) < len(layout):
        return False
    swapped = native([(_turned(number, size), size) for number, size in fields])
    for one in (layout, swapped):
        if all(byte is None or got[n : n + 1] == byte for n, byte in enumerate(one)):
            return True
    return False


def _turned(number: int, size: int) -> int:
    """Return a number with its bytes as the network has them, read by this host."""
    raw = (number & (1 << 8 * size) - 1).to_bytes(size, "big")
    return int.from_bytes(raw, sys.byteorder)
