"""Bad input is one sentence on stderr and exit status 2, never a traceback."""

import importlib.util
import json
import os

import pytest

from grading import manifest
from grading.__main__ import main
from grading.tests.helper import verb
from grading.verbs import take_jobs


@pytest.fixture
def handed_in(tmp_path):
    """A folder of submissions with one in it."""
    (tmp_path / "class" / "anna").mkdir(parents=True)
    return tmp_path / "class"


def _sentence(capsys, *argv) -> str:
    """Run a verb that must refuse its input; return what it says."""
    assert main([str(one) for one in argv]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "Traceback" not in err
    return err


@pytest.mark.parametrize(
    "argv, words",
    [
        (
            ["regrade"],
            "usage: python3 -m grading {collect|demo|example|grade|missing|plan|status|work}",
        ),
        (["plan"], "plan SUBMISSIONS RUN"),
        (["grade", "", ""], "make grade SUBMISSIONS=folder RUN=folder"),
        (["work"], "work RUN [I/N] [-j J]"),
        (["work", "/nowhere"], "/nowhere holds no planned run"),
        (["work", "/nowhere", "-j", "many"], "'many' is no number of jobs"),
        (["work", "/nowhere", "-j"], "'' is no number of jobs"),
        (["work", "/nowhere", "2/2"], "'2/2' is no shard"),
        (["work", "/nowhere", "one/two"], "'one/two' is no shard"),
        (["status", "/nowhere"], "holds no planned run"),
        (["missing", "/nowhere"], "holds no planned run"),
        (["collect", "/nowhere"], "holds no planned run"),
        (["demo", "now"], "Usage: python3 -m grading demo"),
        (["plan", "/nowhere", "/tmp/run"], "/nowhere is no folder to read: No such file"),
    ],
)
def test_arguments(capsys, argv, words):
    """What is wrong with the command line is said."""
    assert words in _sentence(capsys, *argv)


def test_verbs_are_listed(capsys):
    """Without a verb each is listed, with its arguments; --help says the same of one."""
    assert main([]) == main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 16 and all(": " in line for line in lines), lines
    assert main(["work", "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("python3 -m grading work RUN [I/N] [-j J]: ") and said.count("\n") == 1


def test_student_whose_submission_is_refused(handed_in, tmp_path, capsys, monkeypatch):
    """Who asks for that student again is told why there is nothing to grade."""
    (handed_in / "kim.zip").write_bytes(b"PK\3\4")
    monkeypatch.setenv("STUDENT", "kim")
    monkeypatch.delenv("CHECK", raising=False)
    assert main(["grade", str(handed_in), str(tmp_path / "run"), "03"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert "nothing of theirs to grade (kim: it is a damaged archive" in last


def test_other_labs_than_the_run_has(handed_in, tmp_path, capsys):
    """A slip of LABS does not throw a run's grades away; without LABS the run's are meant."""
    run = tmp_path / "run"
    assert main(["plan", str(handed_in), str(run), "03", "1"]) == 0
    before = (run / "manifest.jsonl").read_bytes()
    capsys.readouterr()
    said = _sentence(capsys, "grade", handed_in, run, "04")
    assert 'was begun with LABS="01 03": leave LABS out' in said
    assert main(["plan", str(handed_in), str(run)]) == 0
    assert (run / "manifest.jsonl").read_bytes() == before


def test_python_without_pytest(handed_in, tmp_path, capsys, monkeypatch):
    """Said at once, and nobody's grading is tried."""
    run = tmp_path / "run"
    assert main(["plan", str(handed_in), str(run), "03"]) == 0
    capsys.readouterr()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert "has no pytest: sudo apt-get install" in _sentence(capsys, "work", run)
    assert list((run / "results").iterdir()) == []


def test_empty_folder(tmp_path, capsys):
    """A folder without submissions."""
    (tmp_path / "class").mkdir()
    assert "is empty" in _sentence(capsys, "grade", tmp_path / "class", tmp_path / "run")


def test_unknown_lab(handed_in, tmp_path, capsys):
    """A lab that there is not."""
    assert "There is no lab 77." in _sentence(capsys, "grade", handed_in, tmp_path / "run", "77")


def test_more_jobs_than_cpus(monkeypatch, capsys):
    """There are never more jobs than CPUs, and that is said."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    assert take_jobs(["run", "-j", "64"]) == (["run"], 2)
    assert capsys.readouterr().out == "64 jobs are more than the CPUs here: 2 at a time.\n"
    monkeypatch.delenv("JOBS", raising=False)
    assert take_jobs(["run"]) == (["run"], 2)
    monkeypatch.setenv("JOBS", "1")
    assert take_jobs(["run"]) == (["run"], 1)


def test_run_that_can_not_be_written(handed_in, tmp_path, capsys):
    """RUN is a file, or lies where nobody can write."""
    (tmp_path / "run").write_text("")
    assert "can't be written" in _sentence(capsys, "plan", handed_in, tmp_path / "run", "03")
    assert "can't be written" in _sentence(capsys, "plan", handed_in, "/proc/run", "03")


def test_run_among_the_submissions(handed_in, capsys):
    """RUN would be graded as a submission."""
    assert "put it elsewhere" in _sentence(capsys, "plan", handed_in, handed_in / "run", "03")


def test_example_in_a_folder_that_is_in_use(handed_in, capsys):
    """The example class overwrites nothing."""
    assert "is not empty" in _sentence(capsys, "example", handed_in)


def test_broken_manifest(tmp_path, capsys):
    """A manifest that is none."""
    for text in ("{", "[]", "", "7"):
        (tmp_path / "manifest.jsonl").write_text(text)
        assert "is damaged: delete that file" in _sentence(capsys, "status", tmp_path)


def test_run_of_another_version(handed_in, tmp_path, capsys):
    """A RUN that another version has made is left alone."""
    run = tmp_path / "run"
    run.mkdir()
    for head in ({"format": "socklab/run/99", "seed": "1"}, {"id": "anna", "key": "k"}):
        (run / "manifest.jsonl").write_text(json.dumps(head) + "\n")
        for argv in (["grade", handed_in, run, "03"], ["work", run], ["collect", run]):
            assert "was made by another version of socklab" in _sentence(capsys, *argv)
    assert [path.name for path in run.iterdir()] == ["manifest.jsonl"]


def test_only_bad_submissions(tmp_path, build):
    """Nothing can be graded: said, listed, no grade, exit status 1."""
    (tmp_path / "class" / "+++").mkdir(parents=True)
    done = verb(build, "grade", tmp_path / "class", tmp_path / "run", "03")
    assert done.returncode == 1
    assert "+++: its name has no letter a to z" in done.stderr
    assert list(manifest.gradable(manifest.read(tmp_path / "run"))) == []
