"""``plan SUBMISSIONS RUN [LAB...]``: take the files in and write the manifest."""

import contextlib
import dataclasses
import itertools
import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from harness import labs, report

from .. import files, intake, manifest, shapes, trees
from . import need, run_folder, say

# Of the names that become the same id, how many are told.
_SHOWN = 3


def plan(submissions: Path, run: Path, numbers: list[str], student: str = "") -> manifest.Manifest:
    """Take in all submissions; return the manifest, which is written.

    Args:
        submissions: the folder or archive, in one of the shapes of ``shapes``.
        run: the folder of the run, made if need be.
        numbers: the labs; empty for those of the run, and in a new one for the
            lab that the submissions are of.
        student: take in only what this id or person has handed in, and leave
            the other entries as they are.
    """
    if run.resolve().is_relative_to(submissions.resolve()):
        raise labs.Unknown(f"{run} lies in {submissions}, as a submission would: put it elsewhere.")
    before = manifest.find(run)
    seed = _seed(before)
    with contextlib.ExitStack() as stack:
        whole = _open(submissions, run, stack)
        found = shapes.submissions(whole)
        if not found:
            raise labs.Unknown(f"{submissions} is empty: put a folder for each submission there.")
        wanted = _labs_of(before) if before and not numbers else []
        wanted = wanted or _labs(submissions, whole, found, numbers)
        _same_labs(before, wanted)
        checks = manifest.checks_digest(wanted)
        if student:
            found = _of(student, found, submissions)
            _same_checks(before or (), checks)
        _prepare(run)
        new = _entries(found, whole, run, wanted, checks)
        with manifest.writer(run, seed) as add:
            for entry in _merged(before, new) if student and before else new:
                add(entry)
    return manifest.read(run)


def _seed(before: manifest.Manifest | None) -> str:
    """Return the seed of the run: that it has, or SEED, or a new one."""
    wanted = os.environ.get("SEED", "").strip()
    if wanted and not (wanted.isascii() and wanted.isalnum()):
        raise labs.Unknown(f"SEED={wanted!r} is not what a run printed as its seed.")
    if before is None:
        return wanted or secrets.token_hex(4)
    if wanted and wanted != before.seed:
        raise labs.Unknown(
            f"{before.run} was begun with SEED={before.seed}: leave SEED out, or give a new RUN."
        )
    return before.seed


def _labs_of(before: manifest.Manifest) -> list[labs.Lab]:
    """Return the labs of a run that was planned; none where nothing could be graded."""
    first = next(manifest.gradable(before), None)
    return [labs.find(name) for name in first["labs"]] if first else []


def _same_labs(before: manifest.Manifest | None, wanted: list[labs.Lab]) -> None:
    """Refuse to grade other labs into a run: its grades would be gone."""
    begun = _labs_of(before) if before else []
    if begun and begun != wanted:
        raise labs.Unknown(
            f"{before.run} was begun with LABS=\"{' '.join(lab.name[:2] for lab in begun)}\": "
            "leave LABS out to go on with that, or grade into a new RUN."
        )


def _of(student: str, found: list[shapes.Submission], where: Path) -> list[shapes.Submission]:
    ids = {one.id for one in found if student == one.id or student in one.people}
    if not ids:
        raise labs.Unknown(f"STUDENT={student}: nothing in {where} has this id or this person.")
    return [one for one in found if one.id in ids]


def _same_checks(before, checks: str) -> None:
    """Refuse to grade one student otherwise than the others were."""
    for one in manifest.gradable(before):
        if one["checks"] != checks:
            raise labs.Unknown(
                "The checks have changed since the others were planned: leave STUDENT "
                "out, so that everybody is graded alike."
            )


def _entries(found: list[shapes.Submission], whole: trees.Tree, run: Path, wanted, checks: str):
    """Yield the entry of each submission."""
    for name, several in itertools.groupby(found, key=lambda one: one.id):
        first, *others = same = list(several)
        if others:
            yield manifest.refusal(_together(same), _twice(same))
        else:
            yield _take(first, whole, run, wanted, checks)


def _together(same: list[shapes.Submission]) -> shapes.Submission:
    """Return submissions of the same id as one, which is everybody's."""
    people = dict.fromkeys(person for one in same for person in one.people)
    return dataclasses.replace(same[0], people=list(people))


def _twice(same: list[shapes.Submission]) -> str:
    """Say that several submissions would have the same id."""
    names = [repr(one.folder or next(iter(one.files))) for one in same]
    if len(names) > _SHOWN:
        names[_SHOWN:] = [f"{len(names) - _SHOWN} more"]
    return f"{' and '.join(names)} have this id: keep one, or rename them to differ in it"


def _merged(before: manifest.Manifest, new):
    """Yield the entries that there are, with new ones in place of those of the same id."""
    fresh = {one["id"]: one for one in new}
    for one in before:
        while fresh and (first := min(fresh)) < one["id"]:
            yield fresh.pop(first)
        yield fresh.pop(one["id"], one)
    for name in sorted(fresh):
        yield fresh[name]


def _open(submissions: Path, run: Path, stack: contextlib.ExitStack) -> trees.Tree:
    """Return the tree of a folder or of an archive of submissions, which may be unpacked in RUN."""
    try:
        if submissions.is_dir():
            return _export_inside(submissions) or trees.of_class(submissions)
        file = stack.enter_context(open(submissions, "rb"))
        if trees.is_archive(file.read(512)):
            file.seek(0)
            _prepare(run)
            spool = run / f".unpacked.{files.me()}.part"
            spool.mkdir()
            stack.callback(shutil.rmtree, spool, ignore_errors=True)
            whole = trees.of_archive(file, trees.CLASS, _may_count, spool)
            return _unwrapped(whole)
    except trees.Refused as problem:
        raise labs.Unknown(f"{submissions} can't be read: {problem}.") from None
    except OSError as problem:
        if problem.errno in files.FULL:
            raise
        raise labs.Unknown(f"{submissions} is no folder to read: {problem.strerror}.") from None
    raise labs.Unknown(f"{submissions} is neither a folder nor a zip or tar archive.")


def _export_inside(submissions: Path) -> trees.Tree | None:
    """Return the export in a folder that holds nothing else, as it is after unpacking."""
    tops = [path for path in submissions.iterdir() if not trees.hidden(path.name)]
    if len(tops) != 1 or tops[0].is_symlink() or not tops[0].is_dir():
        return None
    inner = trees.of_class(tops[0])
    return inner if shapes.is_export(inner) else None


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
        if not run.exists():
            run.mkdir(parents=True)
            run.chmod(0o711)  # other uids run programs below RUN/build, and read nothing else
        for folder in ("intake", "results", "reports"):
            files.private(run / folder)
        (run / "build").mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=run):
            pass
        files.sweep(run)
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
        return manifest.refusal(one, str(problem))
    intake.copy(taken, run / "intake" / one.id, wanted)
    return manifest.entry(one, wanted, checks, taken)


def tell(entries: manifest.Manifest) -> int:
    """Say what was planned, and on stderr what could not be; return how many can be graded."""
    good = bad = 0
    names: list[str] = []
    for one in entries:
        if "error" in one:
            print(f"{report.escape(one['id'])}: {report.escape(one['error'])}", file=sys.stderr)
            bad += 1
        else:
            names = one["labs"]
            good += 1
    say(f"{good} of {good + bad} submissions can be graded: {', '.join(names) or 'nothing'}")
    say(f"seed {entries.seed}")
    return good


def main(argv: list[str]) -> int:
    """Plan; exit status 1 when a submission can't be graded at all."""
    need(argv, 2, None, "plan SUBMISSIONS RUN [LAB...]")
    entries = plan(run_folder(argv[0]), run_folder(argv[1]), argv[2:])
    return 0 if tell(entries) == sum(1 for _ in entries) else 1
