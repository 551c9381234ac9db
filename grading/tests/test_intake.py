"""Taking in what strangers hand in: hostile files."""

import os
import socket

import pytest

from grading import manifest
from grading.verbs.plan import plan
from harness import labs

LAB = labs.find("03")
FILES = LAB.files()


@pytest.fixture
def submission(tmp_path):
    """The folder of a submission with all files but the first."""
    folder = tmp_path / "class" / "mallory" / LAB.name
    folder.mkdir(parents=True)
    for name in FILES[1:]:
        (folder / name).write_text("int main(void) { return 0; }\n")
    return folder


def _plan(submission, tmp_path) -> dict:
    (entry,) = plan(submission.parent.parent, tmp_path / "run", ["03"])
    assert list(manifest.read(tmp_path / "run")) == [entry]
    return entry


def _taken(tmp_path) -> list[str]:
    copy = tmp_path / "run" / "intake" / "mallory"
    return sorted(path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file())


def _link(path, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("the instructor's\n")
    path.symlink_to(secret)


def _fifo(path, tmp_path):
    os.mkfifo(path)


def _directory(path, tmp_path):
    path.mkdir()


def _large(path, tmp_path):
    with open(path, "wb") as file:
        file.truncate(100 << 20)


def _socket(path, tmp_path):
    here = os.getcwd()
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path.name)
    os.chdir(here)


@pytest.mark.parametrize(
    "make, words",
    [
        (_link, "is a symbolic link"),
        (_fifo, "is a FIFO"),
        (_directory, "is a directory"),
        (_large, "has 104857600 bytes"),
        (_socket, "can't be opened"),
    ],
)
def test_strange_source_is_refused(submission, tmp_path, make, words):
    """What is no file of sane size is left out, with the reason; the others are taken."""
    make(submission / FILES[0], tmp_path)
    entry = _plan(submission, tmp_path)
    assert words in entry["refused"][f"{LAB.name}/{FILES[0]}"]
    assert entry["files"] == [f"{LAB.name}/{name}" for name in FILES[1:]] == _taken(tmp_path)


def test_missing_file_has_a_reason(submission, tmp_path):
    """A file that is not there is named, and so is the one that may be meant."""
    (submission / FILES[0].upper()).write_text("")
    entry = _plan(submission, tmp_path)
    assert f"rename it to {FILES[0]}" in entry["missing"][f"{LAB.name}/{FILES[0]}"]


def test_other_files_are_ignored(submission, tmp_path):
    """A Makefile, a header, a check, a link: named in the manifest, never touched."""
    (submission / "Makefile").write_text("all:\n\tfalse\n")
    (submission / "test_incsrv.py").write_text("")
    (submission / "stdio.h").write_text("")
    (submission / "everything").symlink_to("/")
    os.mkfifo(submission.parent / "wait")
    entry = _plan(submission, tmp_path)
    inside = [f"{LAB.name}/{name}" for name in ("Makefile", "everything", "stdio.h")]
    assert entry["ignored"] == [*inside, f"{LAB.name}/test_incsrv.py", "wait"]
    assert _taken(tmp_path) == entry["files"]


def test_files_too_deep_are_named(submission, tmp_path):
    """Who hands in a folder in a folder is told where the files are, and where they belong."""
    for path in submission.iterdir():
        path.unlink()
    deep = submission.parent / "home" / "src"
    deep.mkdir(parents=True)
    (deep / FILES[0]).write_text("")
    said = _plan(submission, tmp_path)["missing"][f"{LAB.name}/{FILES[0]}"]
    assert f"there is 'home/src/{FILES[0]}': put it at the top, or in a folder {LAB.name}" in said


@pytest.mark.parametrize(
    "name, data, words",
    [
        ("work.rar", b"Rar!\x1a\x07\x00", "is neither a zip nor a tar, and is not unpacked"),
        ("work.zip", b"PK\3\4", "can't be read: it is a damaged archive"),
    ],
)
def test_archive_that_is_not_unpacked(submission, tmp_path, name, data, words):
    """Beside other files, too, it is said why nothing came out of it."""
    for path in submission.iterdir():
        path.unlink()
    (submission.parent / name).write_bytes(data)
    (submission.parent / "readme").touch()
    entry = _plan(submission, tmp_path)
    assert entry["refused"][name].startswith(f"{name} {words}")


def test_many_files_are_counted(submission, tmp_path):
    """A flood of files makes no flood in the manifest."""
    for number in range(300):
        (submission / f"{number:03}").touch()
    entry = _plan(submission, tmp_path)
    assert len(entry["ignored"]) == 101
    assert entry["ignored"][-1] == "and 200 more"


def test_link_in_place_of_the_lab_is_not_followed(submission, tmp_path):
    """A lab's folder that is a link gives nothing."""
    elsewhere = tmp_path / "elsewhere"
    submission.rename(elsewhere)
    submission.symlink_to(elsewhere)
    entry = _plan(submission, tmp_path)
    assert "symbolic link" in entry["refused"][LAB.name]
    assert entry["files"] == _taken(tmp_path) == []


def test_flat_submission(submission, tmp_path):
    """With one lab, the files may lie in the submission's folder itself."""
    for path in submission.iterdir():
        path.rename(submission.parent / path.name)
    submission.rmdir()
    assert _plan(submission, tmp_path)["files"] == [f"{LAB.name}/{name}" for name in FILES[1:]]


def test_later_plan_leaves_no_old_copy(submission, tmp_path):
    """What was taken back is not graded, nor is what somebody put beside the copies."""
    _plan(submission, tmp_path)
    (submission / FILES[-1]).unlink()
    (tmp_path / "run" / "intake" / "mallory" / LAB.name / "extra.c").write_text("")
    entry = _plan(submission, tmp_path)
    assert _taken(tmp_path) == entry["files"] == [f"{LAB.name}/{name}" for name in FILES[1:-1]]
