"""Whether a program meddles with the sanitizers that it is compiled with.

The checks of memory rest on them, and their interface can switch them off: by
functions to call, and by others that they call if the program has them.  See
sanitizer/{asan,lsan,ubsan,common}_interface*.h.
"""

import re

from . import elf

_OURS = r"__(?:asan|lsan|ubsan|sanitizer|interceptor)_\w+"
# What compilers themselves define for them, and call of the same families.
_DEFINED = re.compile(rf"(?!__asan_globals_registered$|__asan_gen_){_OURS}")
_CALLED = re.compile(
    r"__(?:lsan|interceptor)_\w+"
    r"|__sanitizer_(?!cov_|ptr_)\w+"
    r"|__asan_(?:default|on|set_error|set_death|update|get|describe)_\w+"
    r"|__asan_(?:un)?poison_memory_\w+"
    r"|__ubsan_(?:default|on|get)_\w+"
)


def found(data: bytes, name: str) -> str:
    """Return a name by which an object meddles with a sanitizer; empty if it does not.

    Args:
        data: the object, compiled with the sanitizers.
        name: its file's name, for people.

    Raises:
        ValueError: it is no object that can be read.
    """
    offered, needed = elf.symbols(data, name)
    names = [one for one in offered if _DEFINED.fullmatch(one)]
    names += [one for one in needed if _CALLED.fullmatch(one)]
    return min(names, default="")
