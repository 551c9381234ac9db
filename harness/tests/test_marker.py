"""Collection refuses a check whose own data are incomplete, and says what is missing."""

import pytest

from harness import labs, plugin
from harness.failure import Broken

GOOD = '''"""Checks of one."""

from harness import check


@check(points=1, kind="contract", hints=("a concept", "a call", "a place"))
def test_one(program):
    """does one thing"""
'''


def _collect(folder, text: str) -> dict:
    (folder / "test_one.py").write_text(text, encoding="utf-8")
    return plugin.collect([labs.Lab(folder.name, folder, folder, folder)])


def test_complete(tmp_path):
    """A check with all that it needs is collected."""
    (found,) = _collect(tmp_path, GOOD)[tmp_path.name]
    assert (found.program, found.name, found.title) == ("one", "test_one", "does one thing")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("@check(", "# @check(", "a check needs @check(points=..., kind=..., hints=...)"),
        ('    """does one thing"""', "    pass", "its docstring, which is its title, is missing"),
        ("points=1", "points=9", f"points are 1 to {plugin.marker.MAX_POINTS}"),
        ('"contract"', '"style"', "kind is one of contract"),
        ('"a call", ', "", "hints are three sentences"),
        ("points=1", 'points=1, after="test_two"', "after='test_two' is no check above it"),
        ("(program)", "(program, tmp_path)", "a check takes one argument, program"),
        ("(program)", "()", "a check takes one argument, program"),
    ],
)
def test_incomplete(tmp_path, capfd, old, new, words):
    """Each thing that is missing is named, with the file and the check."""
    assert GOOD.count(old) == 1
    with pytest.raises(Broken):
        _collect(tmp_path, GOOD.replace(old, new))
    said = capfd.readouterr().err
    assert "test_one.py::test_one: " in said
    assert words in said


def test_labs_are_complete():
    """Those of this tree are collected, all of them."""
    assert all(plugin.collect(list(map(labs.find, labs.all_names()))).values())
