"""Grading again: one student, one check; and the seed that repeats a run."""

import json
import re
import shutil

import pytest

from grading import gradebook, manifest, results
from grading.tests.helper import inodes, small, verb
from grading.tests.made_up import ENTRY, document
from harness.tests.arena import validate

MENDED = "bindto/test_errors"


@pytest.fixture(scope="module")
def base(build, tmp_path_factory):
    """A graded run of two submissions."""
    top = tmp_path_factory.mktemp("again")
    small(top / "class", "anna", "bindto", "retrycli")
    small(top / "class", "ben")
    done = verb(build, "grade", top / "class", top / "run", "03", SEED="abc")
    assert done.returncode == 0, done.stderr
    return top


@pytest.fixture
def copied(base, tmp_path):
    """A copy of it, to change."""
    shutil.copytree(base / "class", tmp_path / "class")
    shutil.copytree(base / "run", tmp_path / "run")
    return tmp_path


def _grade(build, top, **variables):
    return verb(build, "grade", top / "class", top / "run", "03", **variables)


def _document(top, name: str) -> dict:
    return json.loads((top / "run" / "results" / f"{name}.json").read_text(encoding="ascii"))


def _spoil(top, name: str, **changes) -> None:
    """Change what a result says of a check, as a wrong check would have it; mark all others."""
    found = _document(top, name)
    for one in found["labs"][0]["checks"]:
        one["got"] = "kept"
        if f"{one['program']}/{one['name']}" == MENDED:
            found["labs"][0]["points"] -= one["points"]
            one |= {"outcome": "failed", "points": 0, "got": "wrong"}
    found["submission"] |= changes
    path = top / "run" / "results" / f"{name}.json"
    path.write_text(json.dumps(found), encoding="ascii")


def _checks(top, name: str) -> dict[str, dict]:
    found = _document(top, name)["labs"][0]["checks"]
    return {f"{one['program']}/{one['name']}": one for one in found}


def test_versions_and_seed_are_in_the_result(base):
    """Whatever is needed to repeat a run stands in each result and each report."""
    found = _document(base, "anna")
    assert found["suite"] and found["seed"] and found["level"]
    assert found["machine"]["compiler"] and found["machine"]["system"].startswith("Linux ")
    report = (base / "run" / "reports" / "anna.txt").read_text(encoding="utf-8")
    for words in (found["suite"], found["seed"], found["level"], found["machine"]["compiler"]):
        assert words in report


def test_seed_repeats_a_run(base, build, tmp_path):
    """The same SEED gives the same results, another one others; RUN keeps its own."""
    small(tmp_path / "class", "anna", "bindto", "retrycli")
    assert _grade(build, tmp_path, SEED="abc").returncode == 0
    first, second = _checks(base, "anna"), _checks(tmp_path, "anna")
    assert _document(base, "anna")["seed"] == _document(tmp_path, "anna")["seed"]
    for name, one in first.items():
        assert one["outcome"] == second[name]["outcome"]
        assert _values(one) == _values(second[name])
    refused = _grade(build, tmp_path, SEED="other")
    assert refused.returncode == 2
    assert "was begun with SEED=abc: leave SEED out" in refused.stderr
    assert _grade(build, tmp_path, SEED="no/seed").returncode == 2


def _values(check: dict) -> list[str]:
    """Return the command lines of a check, which have the made-up values, without folders."""
    texts = [step["text"] for step in check["steps"] if step["verb"] == "start"]
    return [re.sub(r"/\S*/sl\S*/", "", text) for text in texts]


def test_who_hands_in_again_gets_other_values():
    """The values of a report don't help with the next attempt."""
    seeds = {manifest.seed_of("abc", {**ENTRY, "key": key}) for key in "kl"}
    assert len(seeds) == 2
    assert manifest.seed_of("abc", ENTRY) in seeds


def test_one_student_again(copied, build):
    """STUDENT makes one result anew, equal to the old one; the gradebook is made again."""
    before = inodes(copied / "run")
    gradebook.path(copied / "run").unlink()
    done = _grade(build, copied, STUDENT="anna")
    assert re.search(r"  anna  had (\d+/100), now \1\n", done.stdout), done.stdout
    assert done.returncode == 0, done.stderr
    after = inodes(copied / "run")
    assert after["ben"] == before["ben"] and after["anna"] != before["anna"]
    assert "1/1  anna  17/100" in done.stdout
    assert gradebook.path(copied / "run").read_text().count("\n") == 3


def test_student_by_name(copied, build):
    """STUDENT may be a person whom groups.csv names."""
    (copied / "class" / "groups.csv").write_text("ben,Ben B.\n")
    before = inodes(copied / "run")
    done = _grade(build, copied, STUDENT="Ben B.")
    assert done.returncode == 0, done.stderr
    assert inodes(copied / "run")["anna"] == before["anna"]
    assert "1/1  ben  8/100" in done.stdout
    assert [one["people"] for one in manifest.read(copied / "run")] == [[], ["Ben B."]]


def test_student_who_is_not_there(copied, build):
    """Nothing is done for a name that nobody has."""
    done = _grade(build, copied, STUDENT="anne")
    assert done.returncode == 2
    assert "STUDENT=anne: nothing in" in done.stderr


def test_one_student_is_not_graded_otherwise(copied, build):
    """With other checks than the others were graded with, STUDENT is refused."""
    with manifest.writer(copied / "run", "abc") as add:
        for one in manifest.read(copied / "run"):
            add({**one, "checks": "0" * 64})
    done = _grade(build, copied, STUDENT="anna")
    assert done.returncode == 2
    assert "leave STUDENT out, so that everybody is graded alike" in done.stderr


def test_one_check_again_for_everybody(copied, build):
    """A mended check is made again in every result, and nothing else is."""
    for name in ("anna", "ben"):
        _spoil(copied, name, key="0" * 64)
    done = _grade(build, copied, CHECK=MENDED)
    assert done.returncode == 0, done.stdout + done.stderr
    for name, points in (("anna", 17), ("ben", 8)):
        assert re.search(rf"  {name}  had \d+/100, now {points}/100\n", done.stdout)
        checks = _checks(copied, name)
        assert checks.pop(MENDED)["outcome"] == "passed"
        assert {one["got"] for one in checks.values()} == {"kept"}
        found = _document(copied, name)
        assert found["labs"][0]["points"] == points
        assert [one["checks"] for one in found["regraded"]] == [[MENDED]]
        assert found["regraded"][0]["seed"] == found["seed"]
        validate(found)
    entries = manifest.read(copied / "run")
    assert all(results.grade(copied / "run", one) for one in entries)
    report = (copied / "run" / "reports" / "anna.txt").read_text(encoding="utf-8")
    assert f"made again: {MENDED}, seed " in report


def test_one_check_again_for_one_student(copied, build):
    """STUDENT and CHECK together."""
    for name in ("anna", "ben"):
        _spoil(copied, name)
    done = _grade(build, copied, CHECK=MENDED, STUDENT="ben")
    assert done.returncode == 0, done.stderr
    assert _checks(copied, "ben")[MENDED]["outcome"] == "passed"
    assert _checks(copied, "anna")[MENDED]["outcome"] == "failed"


def test_check_for_whom_there_is_no_result(copied, build):
    """One check is no grade: who has none yet is missing, and graded by the next command."""
    small(copied / "class", "carl")
    done = _grade(build, copied, CHECK=MENDED)
    assert done.returncode == 1
    last = gradebook.path(copied / "run").read_text().splitlines()[-1]
    assert last.startswith("carl,,,") and last.endswith(",missing,not graded yet")
    again = _grade(build, copied)
    assert again.returncode == 0
    assert "1/1  carl  8/100" in again.stdout


def test_broken_harness_leaves_the_grade_from_before(copied, build):
    """Who can't be graded again keeps the grade, is named, and the command exits with 1."""
    compiler = copied / "cc"
    compiler.write_text('#!/bin/sh\ncase "$*" in *bindto.c*) kill -9 $$ ;; esac\nexec cc "$@"\n')
    compiler.chmod(0o755)
    before = inodes(copied / "run")
    args = ["grade", copied / "class", copied / "run", "03"]
    done = verb(copied / "build", *args, STUDENT="ben", CC=str(compiler))
    assert done.returncode == 1
    said = "anna" not in done.stdout.split("These need a person:\n")[1]
    assert said and "ben: the harness ended with status 3, when it was graded again" in done.stdout
    assert inodes(copied / "run") == before
    assert _grade(build, copied, STUDENT="ben").returncode == 0
    assert "need a person" not in verb(build, "collect", copied / "run").stdout


def test_check_that_is_not_there(copied, build):
    """Nothing is done for a name that no check has."""
    done = _grade(build, copied, CHECK="test_nothing")
    assert done.returncode == 2
    assert "CHECK=test_nothing: no result in" in done.stderr


def _result(**outcomes: str) -> dict:
    """Return a result with checks a, b, c: b stands on a, c on b and on x."""
    made = document()
    after = {"a": [], "x": [], "b": ["test_a"], "c": ["test_b", "test_x"]}
    made["labs"][0]["checks"] = [
        {
            **made["labs"][0]["checks"][0],
            "name": f"test_{name}",
            "outcome": outcomes.get(name, "passed"),
            "points": 4 if name not in outcomes else 0,
            "after": after[name],
        }
        for name in after
    ]
    return {**made, "seed": "s", "suite": "1"}


def test_what_waited_for_a_check_is_made_again_too():
    """Blocked checks that stand on nothing else that failed are; others stay blocked."""
    found = _result(a="failed", b="blocked", c="blocked")
    again = ["incsrv/test_a", "incsrv/test_b", "incsrv/test_c"]
    assert results.to_make_again(found, "test_a") == again
    assert results.to_make_again(found, "a") == again
    found = _result(a="failed", b="blocked", c="blocked", x="failed")
    assert results.to_make_again(found, "incsrv/test_a") == again[:2]
    assert results.to_make_again(found, "test_b") == []
    assert results.to_make_again(found, "other/test_a") == []
    assert results.to_make_again(found, "incsrv") == ["incsrv/test_a", "incsrv/test_x", *again[1:]]


def test_what_stands_on_a_failed_check_is_blocked():
    """A check that fails now takes with it what stands on it, as it would have at once."""
    merged = results.merge(_result(), _only(_result(a="failed"), "test_a"), ["incsrv/test_a"])
    found = {one["name"]: one["outcome"] for one in merged["labs"][0]["checks"]}
    assert found == {
        "test_a": "failed",
        "test_x": "passed",
        "test_b": "blocked",
        "test_c": "blocked",
    }
    assert merged["labs"][0]["points"] == 4
    assert merged["labs"][0]["checks"][-1]["why"] == "it stands on test_b, which was blocked"


def test_check_that_the_result_does_not_have():
    """A new check can't be put into an old result."""
    fresh = _only(_result(), "test_a")
    fresh["labs"][0]["checks"][0]["name"] = "test_new"
    with pytest.raises(results.Trouble, match="grade it whole, without CHECK"):
        results.merge(_result(), fresh, ["incsrv/test_new"])


def _only(found: dict, name: str) -> dict:
    found["labs"][0]["checks"] = [one for one in found["labs"][0]["checks"] if one["name"] == name]
    return found
