"""The program's clocks, advanced by what a check cut from its waits."""

import struct
import time

from . import strange

_WORDS = struct.Struct("=qqqq")


class Clock:
    """An offset that the preloaded ``native/clock.c`` adds to every clock.

    What we say of the clocks is kept here: the program can change the file, or
    cut it short, and then deceives only itself.

    Args:
        path: a new file, which the program maps.
    """

    VARIABLE = "SOCKLAB_CLOCK"

    def __init__(self, path: str):
        self.path = path
        self._file = strange.Shared(path, _WORDS.size)
        # In nanoseconds: the offset; whether clocks stand still, and where, for
        # the time of day and for all others.
        self._offset = 0
        self._stopped = (0, 0, 0)

    def _tell(self) -> None:
        self._file.write(_WORDS.pack(self._offset, *self._stopped))

    @property
    def offset(self) -> float:
        """The offset in seconds."""
        return self._offset / 1e9

    def advance(self, seconds: float) -> None:
        """Let the program's clocks jump ahead by ``seconds``."""
        self._offset += round(seconds * 1e9)
        self._tell()

    def stop(self) -> None:
        """Let the program's clocks stand still, but for what ``advance`` does.

        So nothing that a program computes depends on how busy the machine is.
        """
        self._stopped = (1, time.clock_gettime_ns(time.CLOCK_REALTIME), time.monotonic_ns())
        self._tell()

    def now(self) -> float:
        """Return the program's monotonic time, in seconds."""
        stopped, _day, base = self._stopped
        return ((base if stopped else time.monotonic_ns()) + self._offset) / 1e9

    def time_of_day(self) -> float:
        """Return the program's time of day, in seconds."""
        stopped, base, _other = self._stopped
        now = base if stopped else time.clock_gettime_ns(time.CLOCK_REALTIME)
        return (now + self._offset) / 1e9
