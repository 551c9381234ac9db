"""Bad submissions, through the whole command: a sentence for each, and the others are graded."""

import csv
import os
import tarfile
import zipfile

import pytest

from grading import gradebook, trees
from grading.__main__ import main
from grading.tests.helper import small, verb
from grading.tests.test_archives import tarred, zipped

SOURCE = b"int main(void) { return 0; }\n"
# A zip whose names are in some old encoding, and a tar whose names are in none.
LATIN = "M\xfcller".encode("latin-1")


def _refused(capsys, *argv) -> str:
    assert main([str(one) for one in argv]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "Traceback" not in err
    return err


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "is neither a folder nor a zip or tar archive"),
        (b"what is this?", "is neither a folder nor a zip or tar archive"),
        (zipped({}), "is empty: put a folder for each submission there"),
        (tarred({}), "is empty: put a folder for each submission there"),
        (zipped({"anna/a.c": SOURCE})[:40], "can't be read: it is a damaged archive"),
        (tarred({"anna/a.c": SOURCE})[:40], "can't be read: it is a damaged archive"),
    ],
    ids=["no bytes", "text", "empty zip", "empty tar", "damaged zip", "damaged tar"],
)
def test_archive_of_a_class_that_is_none(tmp_path, capsys, data, words):
    """It is named, and said what is wrong with it."""
    (tmp_path / "class.zip").write_bytes(data)
    said = _refused(capsys, "plan", tmp_path / "class.zip", tmp_path / "run", "03")
    assert words in said and "class.zip" in said


def test_archive_of_a_class_that_unpacks_to_too_much(tmp_path, capsys, monkeypatch):
    """The budget of a whole class holds, too."""
    monkeypatch.setattr(trees, "CLASS", trees.Budget(10, 1 << 20))
    (tmp_path / "a.tgz").write_bytes(tarred({"anna/a.c": bytes(2 << 20)}))
    said = _refused(capsys, "plan", tmp_path / "a.tgz", tmp_path / "run", "03")
    assert "it unpacks to more than is allowed" in said
    (tmp_path / "a.zip").write_bytes(zipped({f"anna/{number}": b"" for number in range(11)}))
    said = _refused(capsys, "plan", tmp_path / "a.zip", tmp_path / "run", "03")
    assert "it has more than 10 files" in said


def _old_zip(path) -> None:
    """Make a zip with a name that is no UTF-8, though it says so."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("12345/bindto.c", SOURCE)
        archive.writestr("bindto.c", SOURCE)
    path.write_bytes(path.read_bytes().replace(b"12345", b"12\xfc45"))


def _old_tar(path) -> None:
    with tarfile.open(path, "w", encoding="latin-1") as archive:
        info = tarfile.TarInfo("M\xfcller/notes")
        archive.addfile(info)
        archive.addfile(tarfile.TarInfo("bindto.c"))


@pytest.fixture(scope="module")
def graded(build, tmp_path_factory):
    """A class of odd submissions, graded: the process, the gradebook's rows by id, the run."""
    top = tmp_path_factory.mktemp("odd")
    where = top / "class"
    small(where, "anna")
    (where / "anna.zip").write_bytes(zipped({"bindto.c": SOURCE}))
    (where / "empty").mkdir()
    (where / "nothing.zip").write_bytes(zipped({}))
    (where / "torn.zip").write_bytes(zipped({"bindto.c": SOURCE})[:50])
    (where / "box.zip").write_bytes(zipped({"inner.zip": zipped({"bindto.c": SOURCE})}))
    (where / "flood").mkdir()
    for number in range(trees.MAX_ENTRIES + 1):
        (where / "flood" / str(number)).touch()
    os.mkdir(os.fsencode(where) + b"/" + LATIN)
    small(where, "odd-name")
    (where / "odd-name" / os.fsdecode(LATIN)).touch()
    _old_zip(where / "old.zip")
    _old_tar(where / "tape.tar")
    small(where, "zoe")
    for folder in ("first", "second"):
        (where / "twins" / folder).mkdir(parents=True)
        (where / "twins" / folder / "bindto.c").write_bytes(SOURCE)
    done = verb(build, "grade", where, top / "run", "03", ALLOW_WEAK="1")
    with open(gradebook.path(top / "run"), encoding="utf-8", newline="") as file:
        return done, {row["id"]: row for row in csv.DictReader(file)}, top / "run"


@pytest.mark.parametrize(
    "name, state, words",
    [
        ("anna", "refused", "'anna' and 'anna.zip' have this id: keep one, or rename them"),
        ("box", "graded", "box.zip: inner.zip is an archive in an archive, which is not unpacked"),
        ("empty", "graded", "nothing handed in"),
        ("nothing", "graded", "nothing handed in"),
        ("torn", "refused", "it is a damaged archive"),
        ("flood", "refused", "it has more than 10000 files"),
        ("Muller", "graded", "nothing handed in"),
        ("odd-name", "graded", "6 files missing"),
        ("old", "graded", "6 files missing"),
        ("tape", "graded", "6 files missing"),
        ("zoe", "graded", "6 files missing"),
    ],
)
def test_row(graded, name, state, words):
    """Each has its row, with a sentence that says what to do; nobody else is in its way."""
    row = graded[1][name]
    assert (row["state"], words in row["note"]) == (state, True), row
    assert (row["points"] == "") == (state == "refused")


def test_report_of_a_file_that_came_twice(graded):
    """It says so where the program's points stand, and nowhere that the file is missing."""
    report = (graded[2] / "reports" / "twins.txt").read_text(encoding="utf-8")
    assert report.count("bindto.c is there twice, as first/bindto.c and second/bindto.c") == 2
    assert "bindto.c is missing" not in report


def test_the_rest_is_graded(graded):
    """The command says who has no grade, exits with 1, and has no traceback."""
    done, rows, _run = graded
    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    person = done.stdout.split("These need a person:\n")[1]
    named = [line.split(":")[0].strip() for line in person.splitlines()]
    assert named == [name for name, row in sorted(rows.items()) if row["state"] == "refused"]
    assert rows["zoe"]["points"] == rows["odd-name"]["points"] == "8"
