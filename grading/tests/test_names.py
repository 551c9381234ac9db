"""The names of submissions: hostile ones, and what is no folder."""

import json
import os

import pytest

from grading import intake, shapes, trees
from grading.verbs.plan import plan, tell
from harness import labs

HOSTILE = ["=cmd()", "-rf", "a b", "two\nlines", "\033[31mred", "x" * 101, "caf\u00e9", "a;b", "'"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_name_is_an_error_that_names_it(tmp_path, capsys, name):
    """A name that is no sane id is never used as one, and is shown escaped."""
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


def test_bytes_that_are_no_text_in_a_name(tmp_path):
    """A name in no encoding at all does not break the manifest."""
    os.makedirs(os.fsencode(tmp_path / "class") + b"/\xff\xfe")
    (entry,) = plan(tmp_path / "class", tmp_path / "run", ["03"])
    assert "error" in entry
    assert json.dumps(entry).isascii()


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
