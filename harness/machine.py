"""How fast this machine is, so that limits of CPU time can follow it."""

import functools
import platform
import time

# CPU seconds that the loop below takes on the machine the limits were set on.
_REFERENCE = 0.0012
# CPU seconds, on that machine, that the leak checker may take for itself: on
# aarch64 that of many compilers (gcc before 13) looks at each of the 2^28 places
# where memory could be, several times over, whatever the program has allocated.
_LEAK_CHECKER = {"aarch64": 10.0}


@functools.cache
def scale() -> float:
    """Return by how much slower than the reference machine this one is.

    Measured once per run in CPU time, so other programs don't count; never
    below 1, so a fast machine gets no shorter limits.
    """
    best = 1.0
    for _ in range(3):
        began = time.process_time()
        total = 0
        for number in range(20_000):
            total += number & 7
        best = min(best, time.process_time() - began)
    return max(1.0, best / _REFERENCE)


def leak_checker() -> float:
    """Return the CPU seconds that looking for leaks may take on the reference machine."""
    return _LEAK_CHECKER.get(platform.machine(), 0.0)
