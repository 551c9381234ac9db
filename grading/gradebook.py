"""The gradebook: a row for each submission, as CSV and as a table.

A submission without a grade has no points: an empty cell, never a zero.  Where
the export says whose it is, each person has a row, and of several submissions
of one person the newest counts.
"""

import csv
import os
import textwrap
from pathlib import Path

from harness import report

from .notes import notes

_WIDTH = 80
_ID_WIDTH = 16
_INDENT = " " * 4


def path(run: Path) -> Path:
    """Return where the gradebook of a run is."""
    return run / "gradebook.csv"


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


def by_person(rows: list[dict], entries: list[dict]) -> list[dict]:
    """Return the rows, each person's own: of several, the newest, which names the others.

    Args:
        rows: one for each entry, in order.
        entries: from the manifest.
    """
    newest: dict[str, dict] = {}
    others: dict[str, list[str]] = {}
    made = []
    for one, entry in sorted(
        zip(rows, entries), key=lambda pair: (pair[0]["submitted"], pair[0]["id"]), reverse=True
    ):
        people = entry.get("people", [])
        if not people:
            made.append(one)
        for person in people:
            if person in newest:
                others.setdefault(person, []).append(one["id"])
            else:
                newest[person] = {**one, "person": person}
                made.append(newest[person])
    for person, ids in others.items():
        said = f"handed in before, not counted: {', '.join(sorted(ids))}"
        newest[person]["note"] = "; ".join(filter(None, [newest[person]["note"], said]))
    return sorted(made, key=lambda one: (one["id"], one["person"]))


def _programs(rows: list[dict]) -> list[str]:
    return list(dict.fromkeys(name for one in rows for name in one["programs"]))


def harmless(cell) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    text = report.escape(str(cell)).replace("\n", " ").replace("\t", " ")
    return f"'{text}" if text.startswith(("=", "+", "-", "@", " ", "'")) else text


def write(run: Path, rows: list[dict]) -> None:
    """Write the gradebook, atomically."""
    programs = _programs(rows)
    temporary = path(run).with_name(f".gradebook.{os.getpid()}")
    with open(temporary, "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        known = [name for name in ("person", "submitted") if any(one[name] for one in rows)]
        out.writerow(["id", *known, "points", "max", *programs, "challenge", "state", "note"])
        for one in rows:
            points = [one["programs"].get(name, "") for name in programs]
            cells = [one["id"], *(one[name] for name in known), one["points"], one["max"], *points]
            cells += [one["challenge"], one["state"], one["note"]]
            out.writerow([harmless(cell) for cell in cells])
    temporary.rename(path(run))


def table(rows: list[dict]) -> list[str]:
    """Return the gradebook as lines of at most 80 columns.

    Columns that don't fit are left out; they are in the CSV.  A note stands
    below its row.
    """
    first = min(_ID_WIDTH, max([2, *(len(_id(one)) for one in rows)]))
    programs = _programs(rows)
    extra = ["challenge"] if any(one["challenge"] for one in rows) else []
    room = _WIDTH - first - 9
    choices = ([*programs, *extra], programs, extra, [])
    columns = next(one for one in choices if sum(len(name) + 1 for name in one) <= room)
    lines = [f"{'id':<{first}}  {'points':>7}" + "".join(f" {name}" for name in columns)]
    for one in rows:
        score = f"{one['points']}/{one['max']}" if one["graded"] else one["state"]
        cells = {**one["programs"], "challenge": one["challenge"]}
        points = "".join(f" {cells.get(name, ''):>{len(name)}}" for name in columns)
        lines.append(f"{_id(one):<{first}}  {score:>7}{points}".rstrip())
        note = report.escape(one["note"]).replace("\n", " ")
        lines += textwrap.wrap(note, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)
    return lines


def _id(one: dict) -> str:
    return _cut(report.escape(one["person"] or one["id"]).replace("\n", " "), _ID_WIDTH)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."
