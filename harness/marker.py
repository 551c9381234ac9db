"""The marker that makes a test function a check."""

import inspect
from dataclasses import dataclass
from pathlib import Path

KINDS = ("contract", "robust", "clean")
HINT_LEVELS = ("concept", "call", "place")
MAX_POINTS = 8


@dataclass(frozen=True)
class Check:
    """What stands at a check: everything a rubric needs."""

    name: str
    program: str
    title: str
    points: int
    kind: str
    after: tuple[str, ...]
    hints: tuple[str, str, str]
    build: str
    needs: tuple[str, ...]
    challenge: bool


def check(
    points: int,
    kind: str,
    hints: tuple[str, str, str],
    after: str | tuple[str, ...] = (),
    build: str = "check",
    needs: str | tuple[str, ...] = (),
    challenge: bool = False,
):
    """Mark a test function as a check.  Its docstring's first line is its title.

    Args:
        points: what it is worth, 1 to 8.
        kind: "contract" (the promise itself), "robust" (kept under
            disturbance) or "clean" (nothing left behind).
        hints: three sentences: the concept, the call, the place to look at.
        after: names of checks of the same file that must have passed, because
            without them this promise can't be seen.
        build: how the program is compiled: check, plain or shim.
        needs: probes without which this check is unavailable.
        challenge: counted apart, never part of the score.
    """

    def mark(function):
        values = {
            "points": points,
            "kind": kind,
            "hints": hints,
            "after": (after,) if isinstance(after, str) else tuple(after),
            "build": build,
            "needs": (needs,) if isinstance(needs, str) else tuple(needs),
            "challenge": challenge,
        }
        # late, so that a door is there for Ctrl-C before pytest is
        import pytest

        return pytest.mark.check(**values)(function)

    return mark


def problems(found: Check) -> list[str]:
    """Return what is wrong with a check's own data, in sentences."""
    wrong = []
    if not found.title:
        wrong.append("its docstring, which is its title, is missing")
    if not 1 <= found.points <= MAX_POINTS:
        wrong.append(f"points are 1 to {MAX_POINTS}")
    if found.kind not in KINDS:
        wrong.append(f"kind is one of {', '.join(KINDS)}")
    if len(found.hints) != len(HINT_LEVELS) or not all(hint.strip() for hint in found.hints):
        wrong.append(f"hints are three sentences: {', '.join(HINT_LEVELS)}")
    return wrong


def file_of(item) -> Path:
    """Return the file of a collected test function; pytest 6 has no ``item.path``."""
    return Path(item.module.__file__)


def from_item(item) -> Check:
    """Return the Check of a collected test function.

    Raises:
        pytest.UsageError: the marker is missing or incomplete.
    """
    import pytest

    path = file_of(item)
    where = f"{path.name}::{item.name}"
    marker = item.get_closest_marker("check")
    if marker is None:
        raise pytest.UsageError(f"{where}: a check needs @check(points=..., kind=..., hints=...)")
    if list(inspect.signature(item.function).parameters) != ["program"]:
        raise pytest.UsageError(f"{where}: a check takes one argument, program")
    title = (inspect.getdoc(item.function) or "").split("\n", 1)[0].strip()
    program = path.stem.removeprefix("test_")
    found = Check(name=item.name, program=program, title=title, **marker.kwargs)
    wrong = problems(found)
    if wrong:
        raise pytest.UsageError(f"{where}: {'; '.join(wrong)}")
    return found
