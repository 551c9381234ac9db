"""Interrupted, killed, repeated, changed: what is graded stays."""

import json
import shutil

from grading import manifest, results, sample
from grading.tests.helper import inodes, verb


def test_kill_in_the_middle_keeps_what_was_graded(graded):
    """After kill -9, results are whole, and later commands don't touch them."""
    assert graded.kept
    assert len(graded.kept) < len(sample.ids())
    now = inodes(graded.run)
    assert {name: now[name] for name in graded.kept} == graded.kept


def test_kill_ends_the_harnesses_too(graded):
    """A killed work leaves no harness behind that goes on."""
    assert graded.ended


def test_stop_says_how_to_go_on(graded):
    """A stopped work ends with 130, one sentence and no traceback."""
    status, stderr = graded.stopped
    assert status == 130
    assert "the same command does the rest" in stderr
    assert "Traceback" not in stderr


def test_shards_are_cut_from_the_manifest(graded):
    """After shard 1/2, only submissions of shard 0/2 may be missing."""
    assert graded.shard.returncode == 0
    assert set(graded.missing) <= set(sample.ids()[0::2])


def test_nothing_temporary_is_left(graded):
    """RUN/results has one file for each submission, and nothing else."""
    names = sorted(path.name for path in (graded.run / "results").iterdir())
    assert names == [f"{name}.json" for name in sample.ids()]


def test_finished_run_does_nothing(graded, build):
    """status and missing say that all is done; work has nothing to do."""
    before = inodes(graded.run)
    status = verb(build, "status", graded.run)
    assert status.stdout.startswith("9 of 9 graded, 0 to do, 0 can't be graded\nseed ")
    missing = verb(build, "missing", graded.run)
    assert (missing.returncode, missing.stdout) == (0, "")
    work = verb(build, "work", graded.run)
    assert (work.returncode, work.stdout) == (0, "")
    assert inodes(graded.run) == before


def test_changed_submission_is_graded_again_alone(graded, build, tmp_path):
    """Who hands in again is graded again, and nobody else."""
    submissions, run = tmp_path / "submissions", tmp_path / "run"
    shutil.copytree(graded.submissions, submissions)
    shutil.copytree(graded.run, run)
    file = next((submissions / "skeleton").rglob("bindto.c"))
    file.write_text(file.read_text(encoding="utf-8") + "/* mine */\n", encoding="utf-8")
    before = inodes(run)
    done = verb(build, "grade", submissions, run, sample.LAB)
    after = inodes(run)
    assert done.returncode == 0
    assert [name for name in after if after[name] != before[name]] == ["skeleton"]
    assert "1/1  skeleton  0/100  (" in done.stdout


def test_harness_trouble_is_no_grade(build, tmp_path):
    """Where the harness breaks twice there is an .error, and the next work tries again."""
    (tmp_path / "class" / "anna").mkdir(parents=True)
    run = tmp_path / "run"
    (tmp_path / "class" / "anna" / "bindto.c").write_text("int main(void) { return 0; }\n")
    compiler = tmp_path / "cc"
    compiler.write_text('#!/bin/sh\ncase "$*" in *bindto.c*) kill -9 $$ ;; esac\nexec cc "$@"\n')
    compiler.chmod(0o755)
    broken = verb(build, "grade", tmp_path / "class", run, CC=str(compiler))
    assert broken.returncode == 1
    why = "the harness ended with status 3"
    assert f"anna  tried again later: {why}\n1/1  anna  not graded: {why}" in broken.stdout
    person = f"anna: {why}; see {run}/results/anna.error"
    assert f"These need a person:\n    {person}" in broken.stdout
    names = [path.name for path in (run / "results").iterdir()]
    assert names == ["anna.error"]
    record = json.loads((run / "results" / "anna.error").read_text(encoding="ascii"))
    assert record["why"] == why
    assert f"anna,,,,error,{why}" in (run / "grades.csv").read_text()
    again = verb(build, "work", run)
    assert again.returncode == 0
    assert "1/1  anna  0/100  (" in again.stdout
    assert [path.name for path in (run / "results").iterdir()] == ["anna.json"]


def test_changed_checks_need_a_new_plan(graded, build, tmp_path):
    """A run that was planned with other checks is refused, and not half graded."""
    run = tmp_path / "run"
    (run / "results").mkdir(parents=True)
    with manifest.writer(run, "seed") as add:
        for one in manifest.read(graded.run):
            add({**one, "checks": "0" * 64})
    done = verb(build, "work", run)
    assert done.returncode == 2
    assert done.stderr == "The checks have changed since this run was planned: plan again.\n"


def test_stale_result_is_none(graded):
    """A result whose key is not the manifest's is as good as none."""
    entry = next(iter(manifest.read(graded.run)))
    assert results.grade(graded.run, entry) is not None
    assert results.grade(graded.run, {**entry, "key": "0" * 64}) is None
