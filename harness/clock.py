"""The program's clocks, advanced by what a check cut from its waits."""

import struct
import time

from . import strange


class Clock:
    """An offset that the preloaded ``native/clock.c`` adds to every clock.

    Args:
        path: a new file, which both sides map.
    """

    VARIABLE = "SOCKLAB_CLOCK"

    def __init__(self, path: str):
        self.path = path
        self._map = strange.shared(path)

    @property
    def offset(self) -> float:
        """The offset in seconds."""
        return struct.unpack_from("=q", self._map)[0] / 1e9

    def advance(self, seconds: float) -> None:
        """Let the program's clocks jump ahead by ``seconds``."""
        nanoseconds = struct.unpack_from("=q", self._map)[0] + round(seconds * 1e9)
        struct.pack_into("=q", self._map, 0, nanoseconds)

    def stop(self) -> None:
        """Let the program's clocks stand still, but for what ``advance`` does.

        So nothing that a program computes depends on how busy the machine is.
        """
        words = (1, time.clock_gettime_ns(time.CLOCK_REALTIME), time.monotonic_ns())
        struct.pack_into("=qqq", self._map, 8, *words)

    def now(self) -> float:
        """Return the program's monotonic time, in seconds."""
        offset, stopped, _day, base = struct.unpack_from("=qqqq", self._map)
        return ((base if stopped else time.monotonic_ns()) + offset) / 1e9

    def time_of_day(self) -> float:
        """Return the program's time of day, in seconds."""
        offset, stopped, base = struct.unpack_from("=qqq", self._map)
        now = base if stopped else time.clock_gettime_ns(time.CLOCK_REALTIME)
        return (now + offset) / 1e9
