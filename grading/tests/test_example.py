"""Each submission of the example class gets the grade that is written beside it.

After a change to the checks, RECORD=1 writes the files anew, to be read.
"""

import csv
import json
import os
from pathlib import Path

import pytest

from grading import gradebook, manifest, results, sample
from harness import labs


def _found(made, name: str) -> tuple[dict, dict]:
    entry = next(one for one in manifest.read(made.run) if one["id"] == name)
    document = results.grade(made.run, entry)
    return gradebook.row(entry, document, ""), document


@pytest.mark.parametrize("name", sample.ids())
def test_grade(graded, name):
    """Points of each program, challenge, state and note are the expected ones."""
    row, document = _found(graded, name)
    if row["state"] == "incomplete":
        pytest.skip(f"not checked here: {'; '.join(document['machine']['lacks'].values())}")
    row = {name: row[name] for name in row if name not in ("graded", "id", "person", "submitted")}
    file = sample.expected(name)
    if os.environ.get("RECORD") == "1":
        file.write_text(json.dumps(row, indent=1) + "\n", encoding="ascii")
    assert row == json.loads(file.read_text(encoding="ascii"))


def test_all_is_graded(graded):
    """The last command says so, and exits with 0."""
    assert graded.finished.returncode == 0, graded.finished.stderr
    assert graded.finished.stderr == ""


def test_gradebook_has_a_row_for_each(graded):
    """The CSV has the class, in order, with the points as numbers."""
    with open(gradebook.path(graded.run), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == sample.ids()
    programs = [name.removesuffix(".c") for name in labs.find(sample.LAB).files()]
    assert list(rows[0]) == ["id", "points", "max", *programs, "challenge", "state", "note"]
    for row in rows:
        assert sum(int(row[name]) for name in programs) == int(row["points"])


def test_table_fits_the_terminal(graded):
    """No line of the table is longer than 80 columns, and every program has a column."""
    table = graded.finished.stdout.split("\n\n")[1].splitlines()
    assert max(map(len, table)) <= 80
    assert all(name in table[0] for name in ("bindto", "incsrv", "retrycli"))


def test_reports_say_why(graded):
    """A report names the mistake and has no colours in it."""
    text = (graded.run / "reports" / "not-flushed.txt").read_text(encoding="utf-8")
    assert "fflush(stdout)" in text
    assert "\033" not in text


def test_collect_is_a_pure_function(graded):
    """Collecting once more gives the same bytes."""
    before = gradebook.path(graded.run).read_bytes()
    entries = manifest.read(graded.run)
    rows = [gradebook.row(one, results.grade(graded.run, one), "") for one in entries]
    gradebook.write(graded.run, rows, gradebook.columns(rows))
    assert gradebook.path(graded.run).read_bytes() == before


def test_nothing_of_the_class_survives(graded):
    """No process of a submission is left, the daemon's neither."""
    left = []
    for pid in Path("/proc").glob("[0-9]*"):
        try:
            program = os.readlink(pid / "exe")
        except OSError:
            continue
        if program.startswith(str(graded.build)):
            left.append(program)
    assert not left
