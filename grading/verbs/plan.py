"""``plan SUBMISSIONS RUN [LAB...]``: take the files in and write the manifest."""

import os
import sys
import tempfile
from pathlib import Path

from harness import labs, report

from .. import intake, manifest
from . import need, run_folder, say


def plan(submissions: Path, run: Path, numbers: list[str]) -> list[dict]:
    """Take in all submissions; return the manifest's entries, which are written.

    Args:
        submissions: the folder with a folder for each submission.
        run: the folder of the run, made if need be.
        numbers: the labs; empty for the one that the submissions are of.
    """
    try:
        names = intake.ids(submissions)
    except OSError as problem:
        raise labs.Unknown(f"{submissions} is no folder to read: {problem.strerror}.") from None
    if not names:
        raise labs.Unknown(f"{submissions} is empty: put a folder for each submission there.")
    if run.resolve().is_relative_to(submissions.resolve()):
        raise labs.Unknown(f"{run} lies in {submissions}, as a submission would: put it elsewhere.")
    wanted = _labs(submissions, names, numbers)
    _prepare(run)
    checks = manifest.checks_digest(wanted)
    entries = [_take(submissions, run, name, wanted, checks) for name in names]
    manifest.write(run, entries)
    return entries


def _prepare(run: Path) -> None:
    """Make the folders of a run, and try whether they can be written."""
    try:
        for folder in ("intake", "results", "build"):
            (run / folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=run):
            pass
    except OSError as problem:
        raise labs.Unknown(f"{run} can't be written: {problem.strerror}.") from None


def _labs(submissions: Path, names: list[str], numbers: list[str]) -> list[labs.Lab]:
    """Return the labs to grade: those named, or the only one there can be."""
    if numbers:
        return sorted({labs.find(number) for number in numbers}, key=lambda lab: lab.name)
    known = labs.all_names()
    found = {lab: sum(os.path.lexists(submissions / name / lab) for name in names) for lab in known}
    present = [lab for lab in known if found[lab]] or known
    if len(present) > 1:
        counts = ", ".join(f"{lab[:2]} ({found[lab]} of {len(names)})" for lab in present)
        raise labs.Unknown(f"Say which labs to grade. The submissions have: {counts}.")
    return [labs.find(present[0])]


def _take(submissions: Path, run: Path, name: str, wanted, checks: str) -> dict:
    try:
        taken = intake.take(submissions, name, wanted)
    except intake.Refused as problem:
        return manifest.refusal(name, str(problem))
    intake.copy(taken, run / "intake" / name, wanted)
    return manifest.entry(name, wanted, checks, taken)


def tell(entries: list[dict]) -> None:
    """Say what was planned, and on stderr what could not be."""
    good = manifest.gradable(entries)
    for one in entries:
        if "error" in one:
            print(f"{report.escape(one['id'])}: {one['error']}", file=sys.stderr)
    labs_of = ", ".join(good[0]["labs"]) if good else "nothing"
    say(f"{len(good)} of {len(entries)} submissions to grade: {labs_of}")


def main(argv: list[str]) -> int:
    """Plan; exit status 1 when a submission can't be graded at all."""
    need(argv, 2, None, "plan SUBMISSIONS RUN [LAB...]")
    entries = plan(run_folder(argv[0]), run_folder(argv[1]), argv[2:])
    tell(entries)
    return 0 if len(manifest.gradable(entries)) == len(entries) else 1
