"""``demo``: grades the example class and shows what an instructor sees."""

import os
import shutil
import tempfile
from pathlib import Path

from harness import build

from .. import gradebook, reports, sample
from . import need, say
from .grade import main as grade


def main(argv: list[str]) -> int:
    """Make the class, grade it from the beginning, and say where to look."""
    need(argv, 0, 0, "demo")
    run = build.folder() / "demo"
    # no strangers here: it goes on at the level there is, and says which
    os.environ["ALLOW_WEAK"] = "1"
    shutil.rmtree(run, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="socklab-") as where:
        submissions = Path(where) / "class"
        made = sample.make(submissions)
        say(f"An example class of {len(made)} hands in lab {sample.LAB}.")
        status = grade([str(submissions), str(run), sample.LAB])
    say()
    say("This is what an instructor sees: the points of each program and, in words, what")
    say("stands out. Why each point is missing, step by step, is in the reports, such as")
    say(f"{_short(reports.folder(run) / 'half-done.txt')}; a spreadsheet opens")
    say(f"{_short(gradebook.path(run))}. For a class of your own:")
    say("    make grade SUBMISSIONS=folder RUN=folder")
    return status


def _short(path: Path) -> str:
    """Return a path as seen from here, where that is shorter."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
