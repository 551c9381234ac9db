"""The names of submissions: hostile ones, and what is no folder."""

import csv
import io
import json
import os

import pytest

from grading import gradebook, intake, manifest, shapes, trees
from grading.verbs.collect import collect
from grading.verbs.plan import plan, tell
from harness import labs

FOREIGN = "\u0418\u0432\u0430\u043d"
NOTHING_LEFT = ["'", "\033[", FOREIGN, "\n"]
MADE_TO_FIT = {
    "Zo\u00eb M\u00fcller": "Zoe_Muller",
    "Zoe\u0308 M": "Zoe_M",
    "a b": "a_b",
    "=cmd()": "cmd",
    "-rf": "rf",
    "two\nlines": "two_lines",
    "\033[31mred": "31mred",
    "x" * 101: "x" * 80,
    "a;b": "a_b",
    f"{FOREIGN} 2": "2",
}


@pytest.mark.parametrize("name", NOTHING_LEFT)
def test_hostile_name_is_an_error_that_names_it(tmp_path, capsys, name):
    """A name of which nothing is left is never used, and is shown escaped."""
    (tmp_path / "class" / name).mkdir(parents=True)
    (tmp_path / "class" / "good").mkdir()
    entries = plan(tmp_path / "class", tmp_path / "run", ["03"])
    tell(entries)
    by_id = {one["id"]: one for one in entries}
    assert "error" in by_id[name] and "key" not in by_id[name]
    assert "error" not in by_id["good"]
    assert os.listdir(tmp_path / "run" / "intake") == ["good"]
    stderr = capsys.readouterr().err
    assert "\033" not in stderr and "rename it" in stderr


@pytest.mark.parametrize("name", MADE_TO_FIT)
def test_name_is_made_to_fit(tmp_path, name):
    """Only what fits is used; the gradebook lists everybody under the own spelling."""
    (tmp_path / "class" / name).mkdir(parents=True)
    (tmp_path / "class" / "good").mkdir()
    run = tmp_path / "run"
    people = {one["id"]: one["people"] for one in plan(tmp_path / "class", run, ["03"])}
    assert people == {MADE_TO_FIT[name]: [name], "good": ["good"]}
    assert sorted(os.listdir(run / "intake")) == sorted(people)
    collect(manifest.read(run))
    rows = list(csv.DictReader(io.StringIO(gradebook.path(run).read_text(encoding="utf-8"))))
    assert {row["id"]: row["person"] for row in rows} == {
        MADE_TO_FIT[name]: gradebook.harmless(name),
        "good": "good",
    }


def test_names_that_become_the_same(tmp_path, monkeypatch):
    """Each is told, nobody's is graded, also not when one is asked for; whose they are is kept."""
    for name in ("M\u00fcller", "Muller", "good"):
        (tmp_path / "class" / name).mkdir(parents=True)
    for student in ("", "M\u00fcller"):
        entries = list(plan(tmp_path / "class", tmp_path / "run", ["03"], student))
        (same,) = [one for one in entries if "error" in one]
        assert same["id"] == "Muller" and same["people"] == ["Muller", "M\u00fcller"]
        assert "'Muller' and 'M\u00fcller' have this id" in same["error"]


def test_groups_name_a_submission_by_either_spelling(tmp_path):
    """Whoever writes groups.csv looks at the folders, or at the gradebook."""
    for name in ("Team \u00c4", "Team B"):
        (tmp_path / "class" / name).mkdir(parents=True)
    text = "Team \u00c4,ada\nTeam_A,ben\nTeam_B,kim\n"
    (tmp_path / "class" / "groups.csv").write_text(text, encoding="utf-8")
    found = {one["id"]: one["people"] for one in plan(tmp_path / "class", tmp_path / "run", ["03"])}
    assert found == {"Team_A": ["ada", "ben"], "Team_B": ["kim"]}


def test_bytes_that_are_no_text_in_a_name(tmp_path):
    """A name of an old system is read as it was there, and no bytes break the gradebook."""
    for name in (b"/\xab\x80", b"/M\xfcller"):
        os.makedirs(os.fsencode(tmp_path / "class") + name)
    entries = plan(tmp_path / "class", tmp_path / "run", ["03"])
    assert {one["id"]: "error" in one for one in entries} == {"Muller": False, "\xab\x80": True}
    assert json.dumps(list(entries)).isascii()
    collect(entries)
    said = gradebook.path(tmp_path / "run").read_text(encoding="utf-8")
    assert ",M\u00fcller," in said and "\\x80" in said


@pytest.mark.parametrize("name", ["anna", "s123456", "group_7", "a.b-c", "0" * 100])
def test_sane_name(tmp_path, name):
    """Letters, digits, dot, underscore, hyphen."""
    (tmp_path / name).mkdir()
    whole = trees.of_class(tmp_path)
    (one,) = shapes.submissions(whole)
    assert intake.take(one, whole, [labs.find("03")]).files == {}


def test_link_and_file_in_place_of_a_submission(tmp_path):
    """Neither is followed nor silently left out."""
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / "linked").symlink_to(tmp_path)
    (tmp_path / "class" / "anna.zip").write_bytes(b"PK\3\4")
    zipped, linked = plan(tmp_path / "class", tmp_path / "run", ["03"])
    assert "symbolic link" in linked["error"]
    assert "damaged archive" in zipped["error"]
