"""How far a run is: a bar on a terminal, else a line for each submission."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Count:
    """What was done since it began, and what that says about the rest.

    Args:
        total: how many there are to do.
        clock: seconds, which never go back: time.monotonic.
    """

    total: int
    done: int = 0
    errors: int = 0
    clock: object = time.monotonic
    began: float = field(init=False)

    def __post_init__(self):
        self.began = self.clock()

    def add(self, error: bool) -> None:
        """Count one that is done."""
        self.done += 1
        self.errors += error

    def rate(self) -> float:
        """Return how many are done in a minute, 0 while nobody knows."""
        passed = self.clock() - self.began
        return self.done * 60 / passed if self.done and passed > 0 else 0.0

    def left(self) -> str:
        """Return how long the rest takes, in words."""
        rate = self.rate()
        return duration((self.total - self.done) * 60 / rate) + " left" if rate else ""

    def words(self) -> str:
        """Return all that in words."""
        errors = f"{self.errors} error{'' if self.errors == 1 else 's'}"
        return ", ".join(filter(None, [f"{self.rate():.0f} a minute", self.left(), errors]))


def duration(seconds: float) -> str:
    """Return a time as people say it, such as ``1 h 5 min`` or ``40 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@dataclass
class Lines:
    """A line for each submission."""

    count: Count

    def one(self, name: str, text: str, error: bool = False) -> None:
        """Say what became of a submission."""
        self.count.add(error)
        number = f"{self.count.done:>{len(str(self.count.total))}}/{self.count.total}"
        print(f"{number}  {name}  {text}  ({self.count.words()})", flush=True)

    def note(self, name: str, text: str) -> None:
        """Say what is no end yet."""
        print(f"{' ' * len(str(self.count.total))}   {name}  {text}", flush=True)

    def tick(self) -> None:
        """Say nothing new."""


@dataclass
class Bar:
    """A bar made by the library rich; only errors have lines of their own above it."""

    count: Count
    bar: object
    task: int

    def one(self, name: str, text: str, error: bool = False) -> None:
        """Go on by one submission."""
        self.count.add(error)
        if error:
            self.note(name, text)
        self.bar.update(self.task, completed=self.count.done)
        self.tick()

    def note(self, name: str, text: str) -> None:
        """Say what is no end yet."""
        self.bar.console.print(f"{name}  {text}", markup=False, highlight=False)

    def tick(self) -> None:
        """Show what time changes."""
        self.bar.update(self.task, words=self.count.words(), refresh=True)


@contextlib.contextmanager
def shown(total: int) -> Iterator[Lines | Bar]:
    """Show how far some work is, until it ends.

    Args:
        total: how many submissions there are to grade.
    """
    count = Count(total)
    rich = _rich() if sys.stdout.isatty() and os.environ.get("TERM") != "dumb" else None
    if rich is None:
        yield Lines(count)
        return
    columns = ("{task.completed}/{task.total}", rich.BarColumn(20), "{task.fields[words]}")
    # no thread of its own: a fork beside threads is not safe, and harnesses are forked
    with rich.Progress(*columns, auto_refresh=False) as bar:
        yield Bar(count, bar, bar.add_task("", total=total, words=""))


def _rich():
    """Return the module with the bar, if this machine has the library."""
    try:
        import rich.progress
    except ImportError:
        return None
    return rich.progress
