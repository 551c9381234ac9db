"""``work RUN [I/N] [-j J]``: grade what has no valid result yet.

This is what a batch system calls: shard I of N, cut from the manifest, so that
workers which start at different times agree about who does what.
"""

import contextlib
import dataclasses
import importlib.util
import itertools
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import build, labs
from harness.stage import remove

from .. import files, ground, intake, manifest, pool, progress, results
from . import need, run_folder, take_jobs

# Bytes that must be free where programs are compiled and run, lest a full disk
# be taken for a mistake of theirs: as much as a compiler may write.
_FREE = 64 << 20


@dataclass(frozen=True)
class Again:
    """What is graded though it has a valid result.

    Args:
        student: an id or a person; empty for everybody.
        check: as for CHECK, to make only that again; empty for all.
    """

    student: str = ""
    check: str = ""

    def means(self, entry: dict) -> bool:
        """Whether a submission is meant."""
        return self.student in ("", entry["id"], *entry["people"])


def _shard(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if match is None or int(match[1]) >= int(match[2]):
        raise labs.Unknown(f"{text!r} is no shard. Give I/N with I from 0 to N-1, such as 0/4.")
    return int(match[1]), int(match[2])


@contextlib.contextmanager
def _scratch(run: Path) -> Iterator[tuple[Path, Path]]:
    """Two folders of this process: in ``RUN/results``, and a short one for temporary files.

    Those of dead processes go; the first one names the other.
    """
    folder = results.folder(run)
    for old in folder.glob(".work-*"):
        if files.is_dead(old.name.removeprefix(".work-")):
            for link in old.glob("temporary"):
                remove(os.readlink(link))
            shutil.rmtree(old, ignore_errors=True)
    mine = folder / f".work-{files.me()}"
    try:
        mine.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise labs.Unknown(f"{mine} can't be written: {problem.strerror}.") from None
    temporary = Path(tempfile.gettempdir(), f"slg-{secrets.token_hex(4)}")
    try:
        # first, so that whoever sweeps finds it, whenever this process is killed
        (mine / "temporary").symlink_to(temporary)
        temporary.mkdir(mode=0o711)
        yield mine, temporary
    finally:
        remove(str(temporary))
        shutil.rmtree(mine, ignore_errors=True)


def _room(*folders: Path) -> None:
    """Refuse to go on where a disk is nearly full."""
    for folder in folders:
        found = os.statvfs(folder)
        # a file system without a number of files to reach says 0
        if found.f_bavail * found.f_frsize < _FREE or 0 < found.f_files and found.f_favail < 1000:
            raise labs.Unknown(
                f"There is too little space left in {folder}: free {_FREE >> 20} MB and a thousand "
                "files. What was graded stays; the same command does the rest."
            )


def _tasks(entries: manifest.Manifest, shard: tuple[int, int], again: Again | None):
    """Yield what is to do, and results that need no harness to be brought up to date.

    Yields:
        A task, or a pair of an entry and its result.
    """
    run = entries.run
    index, count = shard
    for entry in manifest.gradable(itertools.islice(entries, index, None, count)):
        seed = manifest.seed_of(entries.seed, entry)
        if again is None:
            if results.grade(run, entry) is None:
                yield pool.Task(entry, seed)
        elif not again.means(entry):
            continue
        elif not again.check:
            yield pool.Task(entry, seed)
        elif (document := results.of_same_files(run, entry)) is not None:
            checks = tuple(results.to_make_again(document, again.check))
            if checks:
                yield pool.Task(entry, document["seed"], checks)
            elif document["submission"]["key"] != entry["key"]:
                yield entry, document


def _same_checks(entry: dict, found: list[labs.Lab]) -> None:
    """Refuse to go on when the checks are not those of the manifest, also in the middle."""
    if manifest.checks_digest(found) != entry["checks"]:
        raise labs.Unknown("The checks have changed since this run was planned: plan again.")


def _judge(run: Path, job: pool.Job, found: list[labs.Lab], here: ground.Ground) -> dict:
    """Return the result of a finished harness; ``results.Trouble`` if it is none."""
    entry = job.task.entry
    _same_checks(entry, found)
    document = results.accept(job.result, job.process.returncode, entry, here)
    copy = intake.contents(run / "intake" / entry["id"], found)
    now = manifest.key(entry["checks"], entry["labs"], copy)
    if now != entry["key"]:
        raise results.Trouble("its files in RUN/intake changed meanwhile: plan again")
    if job.task.checks:
        whole = results.of_same_files(run, entry)
        if whole is None:
            raise results.Trouble("its whole result is gone")
        return results.merge(whole, document, list(job.task.checks))
    return document


def _score(document: dict) -> str:
    points, most = (sum(lab[name] for lab in document["labs"]) for name in ("points", "max"))
    return f"{points}/{most}"


def _need_pytest() -> None:
    """Refuse to grade with a Python in which no check can run."""
    if importlib.util.find_spec("pytest") is None:
        raise labs.Unknown(
            f"{sys.executable} has no pytest: sudo apt-get install python3-pytest, and say "
            "/usr/bin/python3 -m grading; make grade finds the right one by itself."
        )


def _known(entries: manifest.Manifest, again: Again) -> None:
    """Refuse a student or a check that the run does not have."""
    run = entries.run
    meant = [one for one in manifest.gradable(entries) if again.means(one)] if again.student else ()
    if again.student and not meant:
        theirs = [one for one in entries if again.student in (one["id"], *one.get("people", ()))]
        why = "; ".join(f"{one['id']}: {one['error']}" for one in theirs)
        raise labs.Unknown(
            f"STUDENT={again.student}: {run} has nothing of theirs to grade{why and f' ({why})'}."
        )
    if again.check:
        whole = (results.of_same_files(run, one) for one in meant or manifest.gradable(entries))
        if not any(document and results.has(document, again.check) for document in whole):
            raise labs.Unknown(
                f"CHECK={again.check}: no result in {run} has such a check; make rubric lists "
                "them. Without CHECK, what has no result yet is graded."
            )


def work(
    entries: manifest.Manifest,
    jobs: int,
    shard: tuple[int, int] = (0, 1),
    again: Again | None = None,
) -> int:
    """Grade what has no valid result, or is to be graded again; return what has none then.

    Args:
        entries: the manifest.
        jobs: how many at a time.
        shard: I and N: only every Nth entry, from the Ith.
        again: what to grade again, instead of what has no valid result.
    """
    run = entries.run
    if again is not None:
        _known(entries, again)
    total = sum(isinstance(one, pool.Task) for one in _tasks(entries, shard, again))
    first = next(manifest.gradable(entries), None)
    if first is None:
        return 0
    found = [labs.find(name) for name in first["labs"]]
    _same_checks(first, found)
    _need_pytest()
    with _scratch(run) as (scratch, temporary):
        here = ground.settle(run) if total else None
        for line in here.words() if here else ():
            print(line, flush=True)
        lost = 0
        second: list[pool.Task] = []
        coming = _tasks(entries, shard, again)

        def next_task() -> pool.Task | None:
            for one in coming:
                if isinstance(one, pool.Task):
                    _room(run, build.folder(), temporary)
                    return one
                results.store(run, *one, scratch)
            return second.pop(0) if second else None

        place = pool.Place(run, here, scratch, temporary, 1 if min(jobs, total) > 1 else 0)
        with (
            progress.shown(total) as shown,
            contextlib.closing(pool.run_all(place, next_task, jobs, lambda: shown.tick())) as done,
        ):
            for job in done:
                entry = job.task.entry
                _room(run, build.folder(), temporary)
                try:
                    document = _judge(run, job, found, here)
                    before = again and results.of_same_files(run, entry)
                    results.store(run, entry, document, scratch)
                    if before and (again.student or _score(before) != _score(document)):
                        shown.note(entry["id"], f"had {_score(before)}, now {_score(document)}")
                    shown.one(entry["id"], _score(document))
                except results.Trouble as problem:
                    results.store_trouble(run, entry, str(problem), job.said(), scratch)
                    if job.task.second:
                        lost += 1
                        shown.one(entry["id"], f"not graded: {problem}", error=True)
                    else:
                        shown.note(entry["id"], f"tried again later: {problem}")
                        second.append(dataclasses.replace(job.task, second=True))
    return lost


def main(argv: list[str]) -> int:
    """Work; exit status 1 when something of the shard has no result."""
    rest, jobs = take_jobs(argv)
    need(rest, 1, 2, "work RUN [I/N] [-j J]")
    index, count = shard = _shard(rest[1]) if len(rest) > 1 else (0, 1)
    entries = manifest.read(run_folder(rest[0]))
    work(entries, jobs, shard)
    mine = itertools.islice(entries, index, None, count)
    return 1 if any(results.grade(entries.run, one) is None for one in mine) else 0
