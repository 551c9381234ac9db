"""The gradebook: formulas, terminals, and what stands out."""

import csv

import pytest

from grading import gradebook, notes
from grading.tests.helper import small, verb
from grading.tests.made_up import ENTRY, document


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1"])
def test_formulas_are_harmless(cell):
    """No cell begins with what makes a spreadsheet calculate."""
    assert gradebook.harmless(cell)[0] not in "=+-@\t\r "


@pytest.mark.parametrize("cell", ["a;=1+1", "a; @SUM(A1)", "a;;-1", "\uff1d1+1", "a;\uff0b1"])
def test_formulas_of_other_countries_are_harmless(cell):
    """Nor does what a spreadsheet makes a cell of where the semicolon parts them."""
    for part in gradebook.harmless(cell).split(";"):
        assert not part.strip().startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20"))
    assert gradebook.harmless("two words; and three - four") == "two words; and three - four"


def test_hostile_names_in_the_csv(tmp_path):
    """Names come back as one cell each, in one row each."""
    names = ["=HYPERLINK(1)", 'a","b', "two\nlines", "\033[2J", "@x;y"]
    rows = [gradebook.row({"id": name, "error": "rename it"}, None, "") for name in names]
    gradebook.write(tmp_path, rows, gradebook.columns(rows))
    with open(gradebook.path(tmp_path), encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["state"] for row in found] == ["refused"] * 5
    assert [row["points"] for row in found] == [""] * 5
    assert found[0]["id"] == "'=HYPERLINK(1)"
    assert found[3]["id"] == "\\x1b[2J"


def test_table_is_harmless_and_narrow():
    """Neither names nor notes get control characters or long lines into the terminal."""
    rows = [gradebook.row({"id": "\033]0;x\007" + "y" * 90, "error": "z " * 90}, None, "")]
    lines = list(gradebook.table(rows, gradebook.columns(rows)))
    assert all(len(line) <= 80 and line.isprintable() for line in lines)


def test_no_grade_is_no_zero():
    """Whoever is not graded has no points, and the note says why."""
    assert gradebook.row(ENTRY, None, "")["points"] == ""
    broken = gradebook.row(ENTRY, None, "the harness ended with status 3")
    assert (broken["state"], broken["note"]) == ("error", "the harness ended with status 3")


def test_two_labs():
    """With more than one lab, columns say which; what can't be checked makes it incomplete."""
    first, second = document(), document(outcome="unavailable", why="ptrace is refused")
    second["labs"][0]["name"] = "04-datagram"
    both = {**first, "labs": first["labs"] + second["labs"]}
    row = gradebook.row(ENTRY, both, "")
    assert row["programs"] == {"03/incsrv": 0, "04/incsrv": 0}
    assert (row["max"], row["state"]) == (8, "incomplete")


def test_people(tmp_path):
    """Each person of a group has a row; of two submissions the newest counts."""
    entries = [
        {**ENTRY, "id": "submission_1", "people": ["ada", "ben"], "submitted": "2026-10-01"},
        {**ENTRY, "id": "submission_2", "people": ["ada"], "submitted": "2026-10-02"},
        {**ENTRY, "id": "submission_3"},
    ]
    rows = [gradebook.row(one, document(points=n), "") for n, one in enumerate(entries)]
    people = gradebook.People(entries)
    found = [row for one, entry in zip(rows, entries) for row in people.rows(entry, one)]
    assert [(row["id"], row["person"]) for row in found] == [
        ("submission_1", "ben"),
        ("submission_2", "ada"),
        ("submission_3", ""),
    ]
    assert "not counted: submission_1" in found[1]["note"]
    assert "not counted" not in found[0]["note"] + found[2]["note"]
    gradebook.write(tmp_path, found, gradebook.columns(found))
    with open(gradebook.path(tmp_path), encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert [row["person"] for row in written] == ["ben", "ada", ""]
    assert written[1]["submitted"] == "2026-10-02"
    assert any(line.startswith("ben") for line in gradebook.table(found, gradebook.columns(found)))


def test_namesakes_keep_their_rows():
    """Two students of one name, and no times: nobody's submission stands for the other's."""
    entries = [{**ENTRY, "id": f"Anna_Fox_{n}", "people": ["Anna Fox"]} for n in (17, 18)]
    people = gradebook.People(entries)
    found = [row for one in entries for row in people.rows(one, gradebook.row(one, None, ""))]
    assert [row["id"] for row in found] == ["Anna_Fox_17", "Anna_Fox_18"]
    assert "nothing says which is newer: Anna_Fox_18" in found[0]["note"]
    assert "nothing says which is newer: Anna_Fox_17" in found[1]["note"]
    assert list(people.undecided()) == [("Anna Fox", ["Anna_Fox_17", "Anna_Fox_18"])]


def test_namesakes_need_a_person(build, tmp_path):
    """They are named at the end with what to do, and the status is 1 until that is done."""
    where, run = tmp_path / "class", tmp_path / "run"
    for number in (17, 18):
        small(where, f"Anna Fox_{number}_assignsubmission_file_")
    done = verb(build, "grade", where, run, "03", ALLOW_WEAK="1")
    assert done.returncode == 1, done.stderr
    last = done.stdout.split("These need a person:\n")[1]
    assert "Anna Fox: has 2 rows, Anna_Fox_17 and Anna_Fox_18, " in last
    (where / "groups.csv").write_text("Anna_Fox_17,Anna Fox (17)\nAnna_Fox_18,Anna Fox (18)\n")
    done = verb(build, "grade", where, run, ALLOW_WEAK="1")
    assert done.returncode == 0 and "These need a person" not in done.stdout, done.stdout
    assert verb(build, "collect", run).returncode == 0


@pytest.mark.parametrize(
    "changes, note",
    [
        ({"got": "incsrv was killed by SIGSEGV"}, "crashes: incsrv"),
        ({"got": "incsrv was stopped by the sanitizer"}, "crashes: incsrv"),
        (
            {"steps": [{"verb": "wait", "text": "", "saw": "was killed by SIGABRT"}]},
            "crashes: incsrv",
        ),
        (
            {"got": "incsrv exited with status 0; its child asleep in accept(3)"},
            "left a process behind: incsrv",
        ),
        ({"got": "a program that keeps the CPU busy (1.0 s of ...)"}, "busy loop: incsrv"),
        ({"got": "incsrv asleep in read(4)"}, "waits for ever: incsrv"),
        ({"got": "more than 32 MB on stdout"}, "prints without end: incsrv"),
        ({"outcome": "unavailable", "why": "ptrace is refused"}, "4 points not checked here: "),
    ],
)
def test_what_stands_out(changes, note):
    """The harness's words become words for the gradebook."""
    assert "; ".join(notes.notes(ENTRY, document(**changes))).startswith(note)


@pytest.mark.parametrize(
    "changes",
    [
        {"got": '"incsrv was killed by SIGSEGV"'},
        {"got": r'"a\" was stopped by the sanitizer; its child lives"'},
        {"stderr": "keeps the CPU busy"},
        {"steps": [{"verb": "look", "text": "", "saw": "was killed by SIGSEGV"}]},
        {"got": "incsrv was killed by SIGSEGV", "outcome": "passed"},
    ],
)
def test_a_program_can_not_write_its_note(changes):
    """What a program prints, quoted in a result, makes no note."""
    assert notes.notes(ENTRY, document(**changes)) == []


@pytest.mark.parametrize(
    "files, missing, pristine, note",
    [
        ([], ["a.c", "b.c"], [], "nothing handed in"),
        (["x.c"], ["a.c"], [], "a.c is missing"),
        (["x.c"], ["a.c", "b.c", "c.c"], [], "3 files missing"),
        (["x.c", "y.c"], [], ["x.c", "y.c"], "skeleton"),
        (["x.c", "y.c"], [], ["y.c"], "still skeleton: y"),
    ],
)
def test_what_was_handed_in(files, missing, pristine, note):
    """Files that are missing or untouched are named."""
    gone = {name: f"{name} is missing" for name in missing}
    entry = {**ENTRY, "files": files, "missing": gone, "pristine": pristine}
    assert notes.notes(entry, None) == [note]


def test_nothing_that_counts():
    """Who has handed in something else is told so, not that there was nothing."""
    entry = {**ENTRY, "files": [], "missing": {"a.c": "a.c is missing"}, "ignored": ["report.pdf"]}
    assert notes.notes(entry, None)[0].startswith("none of the files that were asked for")


def test_hints_about_many_missing_files():
    """A cell of the gradebook names the first few, and says how many there are."""
    gone = {f"{name}.c": f"{name}.c is missing; there is 'x/{name}.c'" for name in "abcde"}
    entry = {**ENTRY, "files": [], "missing": gone, "ignored": ["x/a.c"]}
    said = notes.notes(entry, None)
    assert said[1:] == [gone["a.c"], gone["b.c"], "and 3 more like these, in the report"]
