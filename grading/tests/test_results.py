"""What is a grade, and what is trouble of our own."""

import json

import pytest

from grading import ground, results
from grading.tests.made_up import ENTRY, document

GROUND = ground.Ground("namespaces", {}, {"leaks": "no leak checker"})


@pytest.mark.parametrize(
    "status, changes",
    [
        (3, {}),
        (2, {}),
        (-9, {}),
        (1, {"state": "running"}),
        (1, {"schema": "another"}),
        (0, {"labs": []}),
        (1, {"machine": {"compiler": "", "lacks": {}}}),
        (1, {"machine": {"compiler": "cc 1", "lacks": {"netns": "no namespaces"}}}),
        (1, {"level": "same uid"}),
        (1, document(outcome="error")),
        (1, document(outcome="not run")),
    ],
)
def test_what_is_no_grade(tmp_path, status, changes):
    """An unfinished, broken or foreign result is trouble, never a grade."""
    file = tmp_path / "anna.result"
    results.result.write({**document(), **changes}, file)
    with pytest.raises(results.Trouble):
        results.accept(file, status, ENTRY, GROUND)


@pytest.mark.parametrize("cut", [0, 1, 200, -2])
def test_result_that_is_half_there(tmp_path, cut):
    """A file that is cut off, whoever did that, is no result, and no error either."""
    (tmp_path / "results").mkdir()
    results.store(tmp_path, ENTRY, document(), tmp_path)
    path = tmp_path / "results" / "anna.json"
    assert results.grade(tmp_path, ENTRY)
    path.write_bytes(path.read_bytes()[:cut])
    path.with_suffix(".error").write_bytes(path.read_bytes())
    assert results.grade(tmp_path, ENTRY) is None
    assert results.of_same_files(tmp_path, ENTRY) is None
    assert results.trouble(tmp_path, ENTRY) == ""


@pytest.mark.parametrize(
    "changes", [{"state": "running"}, {"submission": []}, {"submission": {"id": "ben"}}]
)
def test_result_of_something_else(tmp_path, changes):
    """What is no finished grade of this submission is none."""
    (tmp_path / "results").mkdir()
    stamp = {"id": "anna", "key": "k", "contents": "f"}
    path = tmp_path / "results" / "anna.json"
    path.write_text(json.dumps({**document(), "submission": stamp, **changes}), encoding="ascii")
    assert results.grade(tmp_path, ENTRY) is None
    path.write_text("[]", encoding="ascii")
    assert results.grade(tmp_path, ENTRY) is None


def test_what_is_a_grade(tmp_path):
    """A complete result is accepted as it is."""
    file = tmp_path / "anna.result"
    results.result.write(document(), file)
    assert results.accept(file, 1, ENTRY, GROUND) == document()
    file.write_text("[]")
    with pytest.raises(results.Trouble):
        results.accept(file, 1, ENTRY, GROUND)
