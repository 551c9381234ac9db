"""``plan SUBMISSIONS RUN [LAB...]``: take the files in and write the manifest."""

import contextlib
import sys
import tempfile
from pathlib import Path

from harness import labs, report

from .. import intake, manifest, shapes, trees
from . import need, run_folder, say


def plan(submissions: Path, run: Path, numbers: list[str]) -> list[dict]:
    """Take in all submissions; return the manifest's entries, which are written.

    Args:
        submissions: the folder or archive, in one of the shapes of ``shapes``.
        run: the folder of the run, made if need be.
        numbers: the labs; empty for the one that the submissions are of.
    """
    if run.resolve().is_relative_to(submissions.resolve()):
        raise labs.Unknown(f"{run} lies in {submissions}, as a submission would: put it elsewhere.")
    with tempfile.TemporaryDirectory(prefix="slx-") as spool, contextlib.ExitStack() as stack:
        whole = _open(submissions, stack, Path(spool))
        found = shapes.submissions(whole)
        if not found:
            raise labs.Unknown(f"{submissions} is empty: put a folder for each submission there.")
        wanted = _labs(submissions, whole, found, numbers)
        _prepare(run)
        checks = manifest.checks_digest(wanted)
        entries = [_take(one, whole, run, wanted, checks) for one in found]
    manifest.write(run, entries)
    return entries


def _open(submissions: Path, stack: contextlib.ExitStack, spool: Path) -> trees.Tree:
    """Return the tree of a folder or of an archive of submissions."""
    try:
        if submissions.is_dir():
            return trees.of_class(submissions)
        file = stack.enter_context(open(submissions, "rb"))
        if trees.is_archive(file.read(512)):
            file.seek(0)
            whole = trees.of_archive(file, trees.CLASS, _may_count, spool)
            return _unwrapped(whole)
    except trees.Refused as problem:
        raise labs.Unknown(f"{submissions} can't be read: {problem}.") from None
    except OSError as problem:
        raise labs.Unknown(f"{submissions} is no folder to read: {problem.strerror}.") from None
    raise labs.Unknown(f"{submissions} is neither a folder nor a zip or tar archive.")


def _may_count(path: str) -> bool:
    """Whether a file in a tar of a class is worth keeping until it is asked for."""
    name = path.rsplit("/", 1)[-1]
    return name.endswith((".c", ".zip", ".tar", ".tgz", ".gz", ".xz", ".bz2", ".yml", ".csv"))


def _unwrapped(whole: trees.Tree) -> trees.Tree:
    """Return what is in the one folder that an archive may have around everything."""
    tops = [name for name in whole.tops() if not trees.hidden(name)]
    if len(tops) == 1 and any(path.startswith(tops[0] + "/") for path in whole.problems):
        inner = whole.below(tops[0])
        if shapes.METADATA in inner.tops() or len(inner.tops()) > 1:
            return inner
    return whole


def _prepare(run: Path) -> None:
    """Make the folders of a run, and try whether they can be written."""
    try:
        for folder in ("intake", "results", "build"):
            (run / folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=run):
            pass
    except OSError as problem:
        raise labs.Unknown(f"{run} can't be written: {problem.strerror}.") from None


def _labs(where: Path, whole: trees.Tree, handed_in, numbers: list[str]) -> list[labs.Lab]:
    """Return the labs to grade: those named, or the only one there can be."""
    if numbers:
        return sorted({labs.find(number) for number in numbers}, key=lambda lab: lab.name)
    known = labs.all_names()
    names = [one.id for one in handed_in]
    found = dict.fromkeys(known, 0)
    for one in handed_in:
        with contextlib.suppress(trees.Refused):
            parts = {part for path in one.tree(whole).problems for part in path.split("/")}
            for lab in known:
                found[lab] += lab in parts or not parts.isdisjoint(labs.find(lab).files())
    present = [lab for lab in known if found[lab]] or known
    if len(present) > 1:
        counts = ", ".join(f"{lab[:2]} ({found[lab]} of {len(names)})" for lab in present)
        raise labs.Unknown(f"Say which labs to grade. The submissions have: {counts}.")
    return [labs.find(present[0])]


def _take(one: shapes.Submission, whole: trees.Tree, run: Path, wanted, checks: str) -> dict:
    try:
        taken = intake.take(one, whole, wanted)
    except intake.Refused as problem:
        return manifest.refusal(one.id, str(problem))
    intake.copy(taken, run / "intake" / one.id, wanted)
    return manifest.entry(one, wanted, checks, taken)


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
