"""``make bench``: the speed budgets, each measured side by side in one run.

A figure alone says little on a machine that is busy with other things, so each
is set against the bare cost of the same work: compiling the same programs with
the same flags, starting the same programs, starting pytest.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .. import build, labs, plugin
from ..program import environment
from . import say

ROUNDS = 5
OWN_COST_MS = 10.0
RATIO = 2.0
LINEAR = 0.9
GROWTH = 1.1


def _seconds(command: list[str], **variables: str) -> float:
    """Return how long a command of this tree takes; it may fail."""
    env = {**os.environ, **variables}
    began = time.monotonic()
    subprocess.run(command, cwd=labs.ROOT, env=env, stdout=subprocess.DEVNULL, check=False)
    return time.monotonic() - began


def _check(number: str, **variables: str) -> float:
    command = [sys.executable, "-m", "harness", "check", number]
    return _seconds(command, SRC="solutions", CHECK="", **variables)


def _compile_commands(lab: labs.Lab, target: Path) -> list[list[str]]:
    """Return the bare commands that compile what the checks of a lab need."""
    kinds = dict.fromkeys((c.program, c.build) for c in plugin.collect([lab])[lab.name])
    commands = []
    for program, kind in kinds:
        files = [name for name in build.sources(lab, program) if name.endswith(".c")]
        paths = [str(lab.source / name) for name in files]
        output = ["-o", str(target / f"{program}-{kind}"), "-lpthread"]
        flags = [*build.flags(kind), f"-I{lab.folder}"]
        commands.append([*build.compiler(), *flags, *paths, *output])
    return commands


def _compile_bare(commands: list[list[str]], jobs: int) -> float:
    began = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda one: subprocess.run(one, capture_output=True, check=True), commands))
    return time.monotonic() - began


def _spawn_cost(binary: str) -> float:
    """Return the median seconds from starting a program to its end."""
    times = []
    for _ in range(15):
        began = time.monotonic()
        subprocess.run(
            [binary],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        times.append(time.monotonic() - began)
    return statistics.median(times)


def _own_costs(lab: labs.Lab, folder: Path) -> tuple[list[float], float]:
    """Return each check's cost beyond its spawns, and the cost of all spawns."""
    target = folder / "result.json"
    _check(lab.number, RESULT=str(target), JOBS="1")
    checks = json.loads(target.read_text(encoding="ascii"))["labs"][0]["checks"]
    spawn: dict[tuple[str, str], float] = {}
    kinds = {c.name: c.build for c in plugin.collect([lab])[lab.name]}
    own, total = [], 0.0
    for one in checks:
        key = (one["program"], kinds[one["name"]])
        if key not in spawn:
            spawn[key] = _spawn_cost(str(build.build(lab, *key).path))
        starts = sum(step["verb"] == "start" for step in one["steps"])
        own.append(one["seconds"] - starts * spawn[key])
        total += starts * spawn[key]
    return own, total


def _grade(folder: Path, count: int, jobs: int) -> tuple[float, int]:
    """Grade ``count`` correct submissions; return seconds and peak kilobytes.

    As many CPUs are used as jobs: a single job would else use them all.
    The peak is of the batch process itself, which is what may not grow.
    """
    submissions = folder / f"class-{count}-{jobs}"
    for index in range(count):
        for name in labs.all_names():
            lab = labs.find(name, "solutions")
            where = submissions / f"student{index}" / name
            where.mkdir(parents=True)
            for file in lab.files():
                shutil.copy(lab.solution / file, where / file)
    run = str(submissions) + "-run"
    python = [sys.executable, "-m", "grading"]
    quiet = {"cwd": labs.ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*python, "plan", str(submissions), run], check=True, **quiet)
    began = time.monotonic()
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:jobs])
    work = subprocess.Popen([*python, "work", run, "-j", str(jobs)], **quiet)
    os.sched_setaffinity(0, allowed)
    _pid, _status, usage = os.wait4(work.pid, 0)
    return time.monotonic() - began, usage.ru_maxrss


def _batch(folder: Path, jobs: int) -> bool:
    """Print how a batch of correct submissions scales; whether within budget."""
    _grade(folder / "warm", 1, 1)
    alone, small = _grade(folder, jobs, 1)
    spread, _small = _grade(folder, jobs, jobs)
    _many, large = _grade(folder, 4 * jobs, jobs)
    share = alone / (spread * jobs)
    say(
        f"  {jobs} submissions, 1 -> {jobs} jobs    {alone / spread:6.2f} times as fast "
        f"({share:.0%} of linear; budget {LINEAR:.0%})  {_verdict(share >= LINEAR)}"
    )
    growth = large / small
    say(
        f"  memory, {jobs} -> {4 * jobs} submissions {growth:6.2f} ({small} kB -> {large} kB; "
        f"budget {GROWTH})  {_verdict(growth <= GROWTH)}"
    )
    return share >= LINEAR and growth <= GROWTH


def _verdict(good: bool) -> str:
    return "within budget" if good else "OVER BUDGET"


def main(argv: list[str]) -> int:
    """Print the budgets and what was measured; exit status 1 over budget."""
    jobs = len(os.sched_getaffinity(0))
    good = True
    sums = {"clean": 0.0, "base": 0.0}
    for name in argv or labs.all_names():
        lab = labs.find(name, "solutions")
        say(f"{lab.name}, {jobs} jobs, {ROUNDS} rounds, medians")
        with tempfile.TemporaryDirectory(prefix="bench-") as text:
            folder = Path(text)
            own, spawns = _own_costs(lab, folder)
            cost = statistics.median(own) * 1000
            fine = cost < OWN_COST_MS
            good &= fine
            slowest = max(own) * 1000
            say(
                f"  a check beyond its spawns   {cost:6.1f} ms (most {slowest:.0f} ms; "
                f"budget {OWN_COST_MS:.0f} ms)  {_verdict(fine)}"
            )
            commands = _compile_commands(lab, folder)
            bare, clean, warm, start = [], [], [], []
            for round_number in range(ROUNDS):
                bare.append(_compile_bare(commands, jobs))
                fresh = str(folder / f"build{round_number}")
                clean.append(_check(lab.number, SOCKLAB_BUILD=fresh, JOBS=str(jobs)))
                warm.append(_check(lab.number, SOCKLAB_BUILD=fresh, JOBS=str(jobs)))
                empty = [sys.executable, "-m", "pytest", "--collect-only", "-q", str(folder)]
                start.append(_seconds(empty))
        base = statistics.median(bare) + spawns / jobs
        whole, pytest_start = statistics.median(clean), statistics.median(start)
        sums["clean"] += whole
        sums["base"] += base
        fine = whole < RATIO * base + pytest_start
        good &= fine
        say(
            f"  from nothing to the score   {whole:6.2f} s (bare compiles and starts {base:.2f} s, "
            f"pytest's own start {pytest_start:.2f} s; "
            f"budget {RATIO * base + pytest_start:.2f} s)  {_verdict(fine)}"
        )
        say(f"  nothing to compile          {statistics.median(warm):6.2f} s for {len(own)} checks")
    ratio = sums["clean"] / sums["base"]
    good &= ratio < RATIO
    say(
        f"all of them / compiling and starting alone {ratio:6.2f} (budget {RATIO:.0f})  "
        f"{_verdict(ratio < RATIO)}"
    )
    if not argv:
        say(f"a batch, {jobs} jobs")
        with tempfile.TemporaryDirectory(prefix="bench-") as text:
            good &= _batch(Path(text), jobs)
    return 0 if good else 1
