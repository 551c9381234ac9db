"""The gradebook: a row for each submission, as CSV and as a table.

A submission without a grade has no points: an empty cell, never a zero.  Where
the export says whose it is, each person has a row, and of several submissions
of one person the newest counts, where the export has their times.
"""

import csv
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness import report

from . import files
from .notes import notes

_WIDTH = 80
_ID_WIDTH = 16
_INDENT = " " * 4
# Where a formula begins; the wide signs count in some languages.
_FORMULA = re.compile(r"^(?=[ '])|(?:^|(?<=;))(?=\s*[=+\-@\uff0b\uff0d\uff1d\uff20])")


def path(run: Path) -> Path:
    """Return where the gradebook of a run is."""
    return run / "grades.csv"


def row(entry: dict, document: dict | None, trouble: str) -> dict:
    """Return one row.

    Args:
        entry: the submission's entry in the manifest.
        document: its result, or None.
        trouble: why grading failed the last time, if it did.

    Returns:
        The columns; programs are those of the result, by name, with the lab's
        number before it where there is more than one lab.  State is ``graded``,
        ``incomplete`` (this machine could not check everything), ``error`` (the
        grader broke), ``missing`` (not graded yet) or ``refused``.
    """
    made = {"id": entry["id"], "person": "", "submitted": entry.get("submitted", "")}
    made |= {"points": "", "max": "", "programs": {}, "challenge": ""}
    if document is None:
        refused = entry.get("error", "")
        made["state"] = "refused" if refused else "error" if trouble else "missing"
        said = [refused or trouble or "not graded yet"]
        made["graded"] = False
    else:
        found = document["labs"]
        outcomes = {one["outcome"] for lab in found for one in lab["checks"]}
        made["points"] = sum(lab["points"] for lab in found)
        made["max"] = sum(lab["max"] for lab in found)
        made["programs"] = {
            (f"{lab['name'][:2]}/" if len(found) > 1 else "") + program["name"]: program["points"]
            for lab in found
            for program in lab["programs"]
        }
        made["challenge"] = sum(lab["challenge"].get("points", 0) for lab in found)
        made["state"] = "incomplete" if "unavailable" in outcomes else "graded"
        made["graded"] = True
        said = notes(entry, document)
    made["note"] = "; ".join(said)
    return made


class People:
    """Whose row each submission is, when one person may have several of them.

    Args:
        entries: all of the manifest.
    """

    def __init__(self, entries: Iterable[dict]):
        self._of: dict[str, list[tuple[str, str]]] = {}
        for entry in entries:
            for person in set(entry.get("people", [])):
                mine = self._of.setdefault(person, [])
                mine.append((entry.get("submitted", ""), entry["id"]))

    def undecided(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each person of whose submissions nobody knows which counts, with their ids."""
        for person, mine in sorted(self._of.items()):
            if len(mine) > 1 and not _timed(mine):
                yield person, sorted(name for _time, name in mine)

    def rows(self, entry: dict, one: dict) -> list[dict]:
        """Return the rows that a submission's row makes: one for each person that it counts for.

        Args:
            entry: the submission's entry in the manifest.
            one: from ``row``.
        """
        people = entry.get("people", [])
        if not people:
            return [one]
        made = []
        for person in sorted(set(people)):
            counts, about = self._counts(person, entry["id"])
            if counts:
                note = "; ".join(filter(None, [one["note"], about]))
                made.append({**one, "person": person, "note": note})
        return made

    def _counts(self, person: str, name: str) -> tuple[bool, str]:
        """Return whether a submission counts for a person, and what to say of the others.

        Without times nobody knows which is the newest, nor that two of one name
        (all that Moodle tells) are one person: each keeps its row.
        """
        mine = self._of[person]
        others = ", ".join(sorted(other for _time, other in mine if other != name))
        if not others:
            return True, ""
        if not _timed(mine):
            return True, f"also of {person}, and nothing says which is newer: {others}"
        return max(mine)[1] == name, f"handed in before, not counted: {others}"


def _timed(mine: list[tuple[str, str]]) -> bool:
    return all(time for time, _name in mine)


@dataclass
class Columns:
    """Which columns there are, found out by going through all rows once."""

    programs: dict[str, None] = field(default_factory=dict)
    known: dict[str, None] = field(default_factory=dict)
    challenge: bool = False
    width: int = 2

    def add(self, one: dict) -> None:
        """Take note of a row."""
        self.programs |= dict.fromkeys(one["programs"])
        self.known |= dict.fromkeys(name for name in ("person", "submitted") if one[name])
        self.challenge |= bool(one["challenge"])
        self.width = min(_ID_WIDTH, max(self.width, len(_id(one))))


def columns(rows: Iterable[dict]) -> Columns:
    """Return the columns of some rows."""
    found = Columns()
    for one in rows:
        found.add(one)
    return found


def harmless(cell) -> str:
    """Return a cell that no spreadsheet takes for a formula, nor a part of it for one.

    In many countries a spreadsheet begins another cell at each semicolon.
    """
    return _FORMULA.sub("'", report.escape(str(cell)).replace("\n", " ").replace("\t", " "))


def write(run: Path, rows: Iterable[dict], about: Columns) -> None:
    """Write the gradebook, atomically."""
    with files.whole(path(run)) as file:
        out = csv.writer(file)
        known = [name for name in ("person", "submitted") if name in about.known]
        out.writerow(["id", *known, "points", "max", *about.programs, "challenge", "state", "note"])
        for one in rows:
            points = [one["programs"].get(name, "") for name in about.programs]
            cells = [one["id"], *(one[name] for name in known), one["points"], one["max"], *points]
            cells += [one["challenge"], one["state"], one["note"]]
            out.writerow([harmless(cell) for cell in cells])


def table(rows: Iterable[dict], about: Columns) -> Iterator[str]:
    """Yield the gradebook as lines of at most 80 columns.

    Columns that don't fit are left out; they are in the CSV.  A note stands
    below its row.
    """
    first, programs = about.width, list(about.programs)
    extra = ["challenge"] if about.challenge else []
    room = _WIDTH - first - 9
    choices = ([*programs, *extra], programs, extra, [])
    names = next(one for one in choices if sum(len(name) + 1 for name in one) <= room)
    yield f"{'who':<{first}}  {'points':>7}" + "".join(f" {name}" for name in names)
    for one in rows:
        score = f"{one['points']}/{one['max']}" if one["graded"] else one["state"]
        cells = {**one["programs"], "challenge": one["challenge"]}
        points = "".join(f" {cells.get(name, ''):>{len(name)}}" for name in names)
        yield f"{_id(one):<{first}}  {score:>7}{points}".rstrip()
        note = report.escape(one["note"]).replace("\n", " ")
        yield from textwrap.wrap(note, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)


def _id(one: dict) -> str:
    return _cut(report.escape(one["person"] or one["id"]).replace("\n", " "), _ID_WIDTH)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
