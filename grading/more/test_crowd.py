"""A made-up class, with attackers in it: how fast, how large, and whether they do harm.

The sizes are those of N, such as N="50 500"; what is measured is printed.
"""

import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from grading import crowd, gradebook, manifest, results, sample
from grading.more import measured
from grading.tests.helper import environment, verb
from harness import labs

SIZES = [int(text) for text in os.environ.get("N", "").split()] or [50]
# How often a submission is graded alone until it has shown the verdict in question.
AGAIN = 20
SEED = os.environ.get("SEED", "").strip() or "crowd"


@dataclass
class Graded:
    """A graded class, what each submission is, and what grading it took."""

    run: Path
    kinds: dict[str, str]
    seconds: float
    kilobytes: int
    printed: str


_graded: dict[int, Graded] = {}


@pytest.fixture(scope="module", params=SIZES)
def graded(request, build, tmp_path_factory) -> Graded:
    """The class of each size, graded with as many jobs as there are CPUs."""
    size = request.param
    if size not in _graded:
        top = tmp_path_factory.mktemp(f"crowd-{size}")
        kinds = crowd.make(top / "class", size, SEED)
        args = ["grade", top / "class", top / "run", sample.LAB]
        began = time.monotonic()
        done = subprocess.run(
            measured.command(top / "peak", *args),
            cwd=labs.ROOT,
            env=environment(build, SEED=SEED),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        seconds = time.monotonic() - began
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr
        peak = measured.peak(top / "peak")
        _graded[size] = Graded(top / "run", kinds, seconds, peak, done.stdout)
    return _graded[size]


def _verdicts(run: Path, entry: dict) -> list[tuple]:
    document = results.grade(run, entry)
    assert document is not None, entry["id"]
    found = [one for lab in document["labs"] for one in lab["checks"]]
    return [(one["program"], one["name"], one["outcome"], one["points"]) for one in found]


def test_speed_and_memory(graded, capsys):
    """All are graded; how many in a minute, and the grader's own peak, are printed."""
    entries = list(manifest.read(graded.run))
    assert len(entries) == len(graded.kinds)
    level = re.search(r"^level: (.*)$", graded.printed, re.M)[1]
    rate = len(entries) * 60 / graded.seconds
    jobs = len(os.sched_getaffinity(0))
    with capsys.disabled():
        print(
            f"\n{len(entries)} submissions, {jobs} jobs, level {level}: {rate:.1f} a minute, "
            f"peak of the grader {graded.kilobytes} kB"
        )


def test_no_neighbour_differs(graded, build, tmp_path_factory, capsys):
    """Who is no attacker has the verdicts that the same files get without attackers, one by one.

    A wrong program whose processes race has several verdicts even alone: where
    one differs, it is graded alone again until the other verdict is seen there,
    too, and named.
    """
    top = tmp_path_factory.mktemp("alone")
    honest: dict[str, str] = {}
    for entry in manifest.read(graded.run):
        if not graded.kinds[entry["id"]].startswith("attacker"):
            honest.setdefault(entry["key"], entry["id"])
    (top / "class").mkdir()
    where = graded.run.parent / "class"
    for name in honest.values():
        (where / name).rename(top / "class" / name)
    args = ["grade", top / "class", top / "run", sample.LAB, "-j", "1"]
    done = verb(build, *args, limit=None, SEED=SEED)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    alone = {one["key"]: one for one in manifest.read(top / "run")}
    differing, racing = [], []
    for entry in manifest.read(graded.run):
        if entry["key"] in alone:
            here = _verdicts(graded.run, entry)
            there = _verdicts(top / "run", alone[entry["key"]])
            pairs = [pair for pair in zip(here, there) if pair[0] != pair[1]]
            said = (entry["id"], graded.kinds[entry["id"]], pairs)
            name = alone[entry["key"]]["id"]
            for _ in range(AGAIN if pairs else 0):
                verb(build, *args, limit=None, SEED=SEED, STUDENT=name)
                if _verdicts(top / "run", alone[entry["key"]]) == here:
                    racing.append(said)
                    break
            else:
                differing += [said] if pairs else []
    for said in racing:
        with capsys.disabled():
            print(f"\nnot always the same alone, either: {said}")
    assert not differing


def test_memory_does_not_grow(build):
    """The largest class takes no more memory than the smallest, but for names."""
    if len(_graded) < 2:
        pytest.skip('one size only: say N="50 500"')
    small, large = min(_graded), max(_graded)
    assert _graded[large].kilobytes < 1.15 * _graded[small].kilobytes


def test_gradebook_has_everybody(graded):
    """A row for each, none of them empty."""
    lines = gradebook.path(graded.run).read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(graded.kinds) + 1
    assert all(",graded," in line for line in lines[1:])
