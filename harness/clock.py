"""The program's clocks, advanced by what a check cut from its waits."""

import mmap
import struct


class Clock:
    """An offset that the preloaded ``native/clock.c`` adds to every clock.

    Args:
        path: a new file, which both sides map.
    """

    VARIABLE = "SOCKLAB_CLOCK"

    def __init__(self, path: str):
        self.path = path
        with open(path, "w+b") as file:
            file.write(bytes(mmap.PAGESIZE))
            file.flush()
            self._map = mmap.mmap(file.fileno(), mmap.PAGESIZE)

    @property
    def offset(self) -> float:
        """The offset in seconds."""
        return struct.unpack_from("=q", self._map)[0] / 1e9

    def advance(self, seconds: float) -> None:
        """Let the program's clocks jump ahead by ``seconds``."""
        nanoseconds = struct.unpack_from("=q", self._map)[0] + round(seconds * 1e9)
        struct.pack_into("=q", self._map, 0, nanoseconds)
