"""What a check raises, and the tape of steps that led there."""

import contextlib
from dataclasses import dataclass, field


@dataclass
class Step:
    """One thing that a check did, and what it then saw."""

    verb: str
    text: str
    saw: str = ""


@dataclass
class Tape:
    """The numbered steps of one check, in order."""

    steps: list[Step] = field(default_factory=list)

    def add(self, verb: str, text: str, saw: str = "") -> Step:
        """Record a step; its ``saw`` may be filled in later."""
        step = Step(verb, text, saw)
        self.steps.append(step)
        return step

    def fold(self, since: int, verb: str, text: str, saw: str = "") -> Step:
        """Put one step in the place of all from ``steps[since]`` on.

        For what went well and is long: a failure then shows what matters.
        """
        del self.steps[since:]
        return self.add(verb, text, saw)

    @contextlib.contextmanager
    def one_step(self, verb: str, text: str):
        """Record a block that goes well as one step; one that fails step by step."""
        before = len(self.steps)
        yield
        self.fold(before, verb, text)


class Failure(Exception):
    """The program broke the promise of a check.

    Args:
        expected: what the contract says should have happened.
        got: what happened.
        why: the diagnosis, where a known mistake fits.
    """

    def __init__(self, expected: str, got: str, why: str = ""):
        super().__init__(f"expected {expected}, got {got}")
        self.expected = expected
        self.got = got
        self.why = why


class Broken(Exception):
    """The harness could not do its own work; never the student's fault."""


def fail(expected: str, got: str, why: str = "") -> None:
    """Fail the check: ``expected`` against ``got``, with a diagnosis."""
    raise Failure(expected, got, why)


def require(condition: object, expected: str, got: str, why: str = "") -> None:
    """Fail the check unless ``condition`` holds."""
    if not condition:
        raise Failure(expected, got, why)
