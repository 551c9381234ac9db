"""Calls of ours that a program can hold up: a thread looks after them.

A program that sleeps in splice(2) or sendfile(2) towards a pipe holds the pipe's
lock meanwhile, and whoever reads or writes that pipe waits for the lock, whether
it asked to wait or not, and whatever signal it gets.  Only the end of the program
helps, and who is held up can't see to that.
"""

import contextlib
import os
import threading

from .failure import Failure
from .kernel import proc

# Seconds between looks, and how many of them, one after the other, must find the
# same call waiting for a lock: a pipe's is held for microseconds otherwise.
_STEP = 0.25
_LOOKS = 12


class Guard:
    """A thread that ends a program when it holds us up.

    It starts with the first call, and ends with ``close``: a thread keeps the
    namespaces alive that it was started in.
    """

    def __init__(self):
        self._over = threading.Lock()
        self._thread: threading.Thread | None = None
        # what ends the program that the present call depends on, if there is one
        self._end = None
        self._call = 0
        self._late = 0

    @contextlib.contextmanager
    def over(self, end):
        """Look after a call that may be held up.

        Args:
            end: ends the program; called in another thread.

        Raises:
            Failure: it was held up.
        """
        if self._thread is None:
            self._over.acquire()
            main = threading.get_native_id()
            self._thread = threading.Thread(target=self._look, args=(main,), daemon=True)
            self._thread.start()
        self._call += 1
        self._end = end
        try:
            yield
        finally:
            self._end = None
            if self._late == self._call:
                raise Failure(
                    "output that can be read as soon as it was written",
                    "a pipe that the program keeps locked while it sleeps",
                    "it waits for input in splice() or sendfile(), with stdin, stdout or stderr "
                    "as the target, which nobody can read until then: use read() and write()",
                )

    def _look(self, main: int) -> None:
        last = seen = 0
        while not self._over.acquire(timeout=_STEP):  # poll: the kernel tells nobody of a lock
            call, end = self._call, self._end
            found = proc.stat(os.getpid(), main)
            waits = end is not None and found is not None and found.state == "D"
            seen = seen + 1 if waits and call == last else 0
            last = call
            if seen == _LOOKS:
                self._late = call
                with contextlib.suppress(OSError):
                    end()

    def close(self) -> None:
        """End the thread, if there is one."""
        if self._thread is not None:
            self._over.release()
            self._thread.join()
            self._thread = None
