"""What a binary or an object defines, and what it needs: a reader of ELF symbol tables (elf(5))."""

import struct
from pathlib import Path

_SYMTAB, _DYNSYM = 2, 11
_LOCAL = 0


def undefined(path: str) -> set[str]:
    """Return the names that a binary needs from libraries.

    Read from the file itself; nothing is run, and no binutils are needed.

    Raises:
        ValueError: this is no ELF file, or it is damaged.
    """
    return symbols(Path(path).read_bytes(), path)[1]


def symbols(data: bytes, name: str) -> tuple[set[str], set[str]]:
    """Return the names that a file offers to others, and those that it needs.

    Args:
        data: what is in the file.
        name: the file's name, for people.

    Raises:
        ValueError: this is no ELF file, or it is damaged.
    """
    if data[:4] != b"\x7fELF":
        raise ValueError(f"{name} is no ELF file")
    try:
        return _symbols(data, data[4] == 2, "<" if data[5] == 1 else ">")
    except (struct.error, IndexError, OverflowError) as error:
        raise ValueError(f"{name} is damaged: {error}") from error


def _symbols(data: bytes, wide: bool, order: str) -> tuple[set[str], set[str]]:
    start = struct.unpack_from(order + ("Q" if wide else "I"), data, 40 if wide else 32)[0]
    size, count = struct.unpack_from(order + "HH", data, 58 if wide else 46)
    head = order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII")
    sections = [struct.unpack_from(head, data, start + n * size) for n in range(count)]
    offered, needed = set(), set()
    for section in sections:
        if section[1] not in (_SYMTAB, _DYNSYM):
            continue
        strings = sections[section[6]][4]
        for at in range(section[4], section[4] + section[5], section[9]):
            name = struct.unpack_from(order + "I", data, at)[0]
            info, _other, where = struct.unpack_from(order + "BBH", data, at + (4 if wide else 12))
            if name and (where == 0 or info >> 4 != _LOCAL):
                end = data.index(b"\0", strings + name)
                text = data[strings + name : end].decode("utf-8", "replace").split("@")[0]
                (needed if where == 0 else offered).add(text)
    return offered, needed
