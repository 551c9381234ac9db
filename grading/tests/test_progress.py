"""How far a run is: numbers, lines, and the bar on a terminal."""

import importlib.util
import os
import pty
import subprocess

import pytest

from grading import progress
from grading.tests.helper import command, environment, small
from harness import labs


def _count(total: int, seconds: float) -> progress.Count:
    times = iter([100.0, *[100.0 + seconds] * 10])
    return progress.Count(total, clock=lambda: next(times))


def test_rate_and_time_left():
    """Two of ten in a minute: two a minute, and four minutes for the others."""
    count = _count(10, 60)
    assert count.words() == "0 a minute, 0 errors"
    count.add(False)
    count.add(True)
    assert count.words() == "2 a minute, 4 min 0 s left, 1 error"


@pytest.mark.parametrize(
    "seconds, words", [(0, "0 s"), (59.6, "1 min 0 s"), (61, "1 min 1 s"), (7260, "2 h 1 min")]
)
def test_duration(seconds, words):
    """As people say it."""
    assert progress.duration(seconds) == words


def test_lines(capsys):
    """Where stdout is no terminal, each submission has a line."""
    with progress.shown(12) as shown:
        shown.tick()
        shown.note("anna", "tried again later: x")
        shown.one("anna", "8/100")
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "     anna  tried again later: x"
    assert out[1].startswith(" 1/12  anna  8/100  (") and out[1].endswith(" 0 errors)")


def _on_a_terminal(tmp_path, build, **variables: str) -> str:
    """Grade two submissions on a terminal; return what it shows."""
    for name in ("anna", "ben"):
        small(tmp_path / "class", name)
    master, slave = pty.openpty()
    env = environment(build, **{"ALLOW_WEAK": "1", "TERM": "xterm", "COLUMNS": "100"} | variables)
    args = command("grade", tmp_path / "class", tmp_path / "run", "03", "-j", "1")
    grade = subprocess.Popen(args, cwd=labs.ROOT, env=env, stdout=slave, stderr=slave)
    os.close(slave)
    shown = b""
    try:
        while data := os.read(master, 4096):
            shown += data
    except OSError:  # a terminal that nobody has open any more
        pass
    os.close(master)
    assert grade.wait() == 0, shown
    return shown.decode()


def test_bar_on_a_terminal(build, tmp_path):
    """With the library rich there is one line that goes on; errors would have their own."""
    if importlib.util.find_spec("rich") is None:
        pytest.skip("python3-rich is not installed")
    shown = _on_a_terminal(tmp_path, build)
    assert "2/2" in shown and "a minute" in shown and "0 errors" in shown
    assert "1/2  anna  8/100" not in shown


def test_dumb_terminal(build, tmp_path):
    """A terminal that can't go back in a line gets plain lines."""
    shown = _on_a_terminal(tmp_path, build, TERM="dumb")
    assert "1/2  anna  8/100  (" in shown and "2/2  ben  8/100  (" in shown
    assert "\033" not in shown
