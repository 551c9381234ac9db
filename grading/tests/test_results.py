"""What is a grade, and what is trouble of our own."""

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


def test_what_is_a_grade(tmp_path):
    """A complete result is accepted as it is."""
    file = tmp_path / "anna.result"
    results.result.write(document(), file)
    assert results.accept(file, 1, ENTRY, GROUND) == document()
    file.write_text("[]")
    with pytest.raises(results.Trouble):
        results.accept(file, 1, ENTRY, GROUND)
