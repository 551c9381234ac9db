"""What a binary calls from outside: a reader of ELF symbol tables (elf(5))."""

import struct

_SYMTAB, _DYNSYM = 2, 11


def undefined(path: str) -> set[str]:
    """Return the names that a binary needs from libraries.

    Read from the file itself; nothing is run, and no binutils are needed.

    Raises:
        ValueError: this is no ELF file, or it is damaged.
    """
    with open(path, "rb") as file:
        data = file.read()
    if data[:4] != b"\x7fELF":
        raise ValueError(f"{path} is no ELF file")
    try:
        return _undefined(data, data[4] == 2, "<" if data[5] == 1 else ">")
    except (struct.error, IndexError, OverflowError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def _undefined(data: bytes, wide: bool, order: str) -> set[str]:
    start = struct.unpack_from(order + ("Q" if wide else "I"), data, 40 if wide else 32)[0]
    size, count = struct.unpack_from(order + "HH", data, 58 if wide else 46)
    head = order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII")
    sections = [struct.unpack_from(head, data, start + n * size) for n in range(count)]
    names = set()
    for section in sections:
        if section[1] not in (_SYMTAB, _DYNSYM):
            continue
        strings = sections[section[6]][4]
        for at in range(section[4], section[4] + section[5], section[9]):
            name = struct.unpack_from(order + "I", data, at)[0]
            if struct.unpack_from(order + "H", data, at + (6 if wide else 14))[0] == 0 and name:
                end = data.index(b"\0", strings + name)
                names.add(data[strings + name : end].decode("utf-8", "replace").split("@")[0])
    return names
