"""``work RUN [I/N] [-j J]``: grade what has no valid result yet.

This is what a batch system calls: shard I of N, cut from the manifest, so that
workers which start at different times agree about who does what.
"""

import contextlib
import os
import re
import shutil
import socket
from pathlib import Path

from harness import labs

from .. import intake, manifest, pool, results
from . import need, run_folder, say, take_jobs


def _shard(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if match is None or int(match[1]) >= int(match[2]):
        raise labs.Unknown(f"{text!r} is no shard. Give I/N with I from 0 to N-1, such as 0/4.")
    return int(match[1]), int(match[2])


@contextlib.contextmanager
def _scratch(run: Path):
    """A folder of this process in ``RUN/results``; those of dead ones go."""
    host = re.sub(r"[^A-Za-z0-9]", "", socket.gethostname())
    folder = results.folder(run)
    for old in folder.glob(f".work-{host}-*"):
        if not os.path.exists(f"/proc/{old.name.rsplit('-', 1)[-1]}"):
            shutil.rmtree(old, ignore_errors=True)
    mine = folder / f".work-{host}-{os.getpid()}"
    try:
        mine.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise labs.Unknown(f"{mine} can't be written: {problem.strerror}.") from None
    try:
        yield mine
    finally:
        shutil.rmtree(mine, ignore_errors=True)


def _judge(run: Path, job: pool.Job, found: list[labs.Lab]) -> dict:
    """Return the result of a finished harness; ``results.Trouble`` if it is none."""
    document = results.accept(job.result, job.process.returncode, job.entry)
    copy = intake.contents(run / "intake" / job.entry["id"], found)
    now = manifest.key(job.entry["checks"], job.entry["labs"], copy)
    if now != job.entry["key"]:
        raise results.Trouble("its files in RUN/intake changed meanwhile: plan again")
    return document


def work(run: Path, entries: list[dict], jobs: int) -> int:
    """Grade those entries that have no valid result; return how many still have none."""
    entries = manifest.gradable(entries)
    todo = [one for one in entries if results.grade(run, one) is None]
    if not todo:
        return 0
    found = [labs.find(name) for name in todo[0]["labs"]]
    if manifest.checks_digest(found) != todo[0]["checks"]:
        raise labs.Unknown("The checks have changed since this run was planned: plan again.")
    lost = 0
    with (
        _scratch(run) as scratch,
        contextlib.closing(pool.run_all(run, todo, jobs, scratch)) as finished,
    ):
        for number, job in enumerate(finished, 1):
            try:
                document = _judge(run, job, found)
                results.store(run, job.entry, document, scratch)
                points, most = (sum(lab[x] for lab in document["labs"]) for x in ("points", "max"))
                text = f"{points}/{most}"
            except results.Trouble as problem:
                results.store_trouble(run, job.entry, str(problem), job.said(), scratch)
                lost += 1
                text = f"not graded: {problem}"
            say(f"{number:>{len(str(len(todo)))}}/{len(todo)}  {job.entry['id']}  {text}")
    return lost


def main(argv: list[str]) -> int:
    """Work; exit status 1 when something of the shard has no result."""
    rest, jobs = take_jobs(argv)
    need(rest, 1, 2, "work RUN [I/N] [-j J]")
    run = run_folder(rest[0])
    index, count = _shard(rest[1]) if len(rest) > 1 else (0, 1)
    mine = manifest.read(run)[index::count]
    lost = work(run, mine, jobs)
    return 1 if lost or len(manifest.gradable(mine)) < len(mine) else 0
