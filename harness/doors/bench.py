"""``make bench``: the speed budgets, each measured side by side in one run.

A figure alone says little on a machine that is busy with other things, so each
is set against the bare cost of the same work: compiling the same programs with
the same flags, starting the same programs, starting pytest.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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


def _check(numbers: str, **variables: str) -> float:
    command = [sys.executable, "-m", "harness", "check", *numbers.split()]
    return _seconds(command, SRC="solutions", CHECK="", **variables)


def _compile_commands(lab: labs.Lab, target: Path) -> list[list[str]]:
    """Return the bare commands that compile what the checks of a lab need."""
    kinds = dict.fromkeys((c.program, c.build) for c in plugin.collect([lab])[lab.name])
    commands = []
    for program, kind in kinds:
        unit = kind.partition("+")[2]
        files = [name for name in build.sources(lab, unit or program) if name.endswith(".c")]
        paths = [str(lab.source / name) for name in files]
        if unit:
            paths.append(str(lab.folder / "drivers" / f"{unit}.c"))
        output = ["-o", str(target / f"{program}-{kind}"), "-lpthread"]
        flags = [*build.flags(kind), f"-I{lab.folder}"]
        commands.append([*build.compiler(), *flags, *paths, *output])
    return commands


def _compile_bare(commands: list[list[str]], jobs: int) -> float:
    began = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda one: subprocess.run(one, capture_output=True, check=True), commands))
    return time.monotonic() - began


def _own_scaling(commands: list[list[str]], jobs: int) -> float:
    """Return how much faster this machine compiles with all its CPUs than with one.

    CPUs that share a core, or a machine that others share, never reach their
    number: that is what a batch is held against.
    """
    allowed = os.sched_getaffinity(0)
    times = []
    for cpus in (1, jobs):
        os.sched_setaffinity(0, sorted(allowed)[:cpus])
        times.append(_compile_bare(commands * 2, cpus))
    os.sched_setaffinity(0, allowed)
    return times[0] / times[1]


def _start_bare(binaries: list[str], jobs: int) -> float:
    """Return the seconds that starting programs takes, side by side, each to its end."""
    began = time.monotonic()
    children = []
    for number in range(jobs):
        pid = os.fork()
        if pid == 0:
            null = os.open(os.devnull, os.O_RDWR)
            for fd in range(3):
                os.dup2(null, fd)
            for binary in binaries[number::jobs]:
                os.waitpid(os.posix_spawn(binary, [binary], environment()), 0)
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    return time.monotonic() - began


def _own_costs(lab: labs.Lab, folder: Path) -> tuple[list[float], list[str]]:
    """Return each check's cost beyond its spawns, the median of some rounds; and all binaries."""
    rounds = [_own_costs_once(lab, folder) for _ in range(ROUNDS)]
    costs = zip(*(own for own, _binaries in rounds), strict=True)
    return [statistics.median(one) for one in costs], rounds[0][1]


def _own_costs_once(lab: labs.Lab, folder: Path) -> tuple[list[float], list[str]]:
    """Return each check's cost beyond its spawns, and the binaries of all spawns."""
    target = folder / "result.json"
    _check(lab.number, RESULT=str(target), JOBS="1")
    checks = json.loads(target.read_text(encoding="ascii"))["labs"][0]["checks"]
    spawn: dict[tuple[str, str], tuple[str, float]] = {}
    kinds = {(c.program, c.name): c.build for c in plugin.collect([lab])[lab.name]}
    own, binaries = [], []
    for one in checks:
        key = (one["program"], kinds[one["program"], one["name"]])
        if key not in spawn:
            binary = str(build.build(lab, *key).path)
            times = [_start_bare([binary] * 10, 1) / 10 for _ in range(5)]
            spawn[key] = (binary, statistics.median(times))
        starts = sum(step["verb"] == "start" for step in one["steps"])
        binary, cost = spawn[key]
        own.append(one["seconds"] - starts * cost)
        binaries += [binary] * starts
    return own, binaries


def _grade(folder: Path, lab: labs.Lab, count: int, jobs: int) -> tuple[float, int]:
    """Grade ``count`` correct submissions of a lab; return seconds and peak kilobytes.

    As many CPUs are used as jobs: a single job would else use them all.
    The peak is of the batch process itself, which is what may not grow.
    No two submissions are equal, for equal ones are compiled once only.
    """
    from grading.more import measured

    submissions = folder / f"class-{count}-{jobs}"
    for index in range(count):
        where = submissions / f"student{index}" / lab.name
        where.mkdir(parents=True)
        for file in lab.files():
            text = (lab.solution / file).read_text(encoding="utf-8")
            (where / file).write_text(f"{text}/* student{index} */\n", encoding="utf-8")
    run = str(submissions) + "-run"
    python = [sys.executable, "-m", "grading"]
    quiet = {"cwd": labs.ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    quiet["env"] = {**os.environ, "ALLOW_WEAK": "1"}
    subprocess.run([*python, "plan", str(submissions), run, lab.number], check=True, **quiet)
    began = time.monotonic()
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:jobs])
    work = subprocess.Popen(measured.command(f"{run}/peak", "work", run, "-j", str(jobs)), **quiet)
    os.sched_setaffinity(0, allowed)
    work.wait()
    return time.monotonic() - began, measured.peak(f"{run}/peak")


def _batch(folder: Path, lab: labs.Lab, jobs: int) -> bool:
    """Print how a batch of correct submissions scales; whether within budget."""
    commands = _compile_commands(lab, folder)
    _grade(folder / "warm", lab, 1, 1)
    gains, shares = [], []
    for round_number in range(3):
        where = folder / str(round_number)
        linear = _own_scaling(commands, jobs)
        alone, small = _grade(where, lab, 2 * jobs, 1)
        spread, _small = _grade(where, lab, 2 * jobs, jobs)
        gains.append(alone / spread)
        shares.append(alone / spread / linear)
    share, gain = statistics.median(shares), statistics.median(gains)
    say(
        f"  {2 * jobs} submissions, 1 -> {jobs} jobs    {gain:6.2f} times as fast "
        f"({share:.0%} of what compiling gains; budget {LINEAR:.0%})  {_verdict(share >= LINEAR)}"
    )
    _many, large = _grade(folder, lab, 8 * jobs, jobs)
    growth = large / small
    say(
        f"  memory, {2 * jobs} -> {8 * jobs} submissions {growth:6.2f} ({small} kB -> {large} kB; "
        f"budget {GROWTH})  {_verdict(growth <= GROWTH)}"
    )
    return share >= LINEAR and growth <= GROWTH


def _verdict(good: bool) -> str:
    return "within budget" if good else "OVER BUDGET"


@dataclass
class _Rounds:
    """What several rounds of checking some labs took, in seconds."""

    bare: list[float]
    clean: list[float]
    warm: list[float]
    start: list[float]

    def seconds(self) -> tuple[float, ...]:
        return tuple(map(statistics.median, (self.bare, self.clean, self.warm, self.start)))


def _rounds(numbers: str, commands, binaries: list[str], folder: Path, jobs: int) -> _Rounds:
    """Compile and start alone, check from nothing, check again, start pytest, in turns."""
    rounds = _Rounds([], [], [], [])
    for count in range(ROUNDS):
        fresh = str(folder / f"build-{numbers}-{count}")
        rounds.bare.append(_compile_bare(commands, jobs) + _start_bare(binaries, jobs))
        rounds.clean.append(_check(numbers, SOCKLAB_BUILD=fresh, JOBS=str(jobs)))
        rounds.warm.append(_check(numbers, SOCKLAB_BUILD=fresh, JOBS=str(jobs)))
        empty = [sys.executable, "-m", "pytest", "--collect-only", "-q", str(folder)]
        rounds.start.append(_seconds(empty))
    return rounds


def main(argv: list[str]) -> int:
    """Print the budgets and what was measured; exit status 1 over budget."""
    jobs = len(os.sched_getaffinity(0))
    good = True
    all_commands: list[list[str]] = []
    all_binaries: list[str] = []
    counts: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as text:
        folder = Path(text)
        names = argv or labs.all_names()
        for name in names:
            lab = labs.find(name, "solutions")
            say(f"{lab.name}, {jobs} jobs, {ROUNDS} rounds, medians")
            own, binaries = _own_costs(lab, folder)
            counts[lab.name] = own
            cost, slowest = statistics.median(own) * 1000, max(own) * 1000
            good &= cost < OWN_COST_MS
            say(
                f"  a check beyond its spawns   {cost:6.1f} ms (most {slowest:.0f} ms; "
                f"budget {OWN_COST_MS:.0f} ms)  {_verdict(cost < OWN_COST_MS)}"
            )
            commands = _compile_commands(lab, folder)
            all_commands += commands
            all_binaries += binaries
            rounds = _rounds(lab.number, commands, binaries, folder, jobs)
            base, clean, warm, start = rounds.seconds()
            budget = RATIO * base + start
            good &= clean < budget
            say(
                f"  from nothing to the score   {clean:6.2f} s (compiling and starting alone "
                f"{base:.2f} s, pytest's own start {start:.2f} s; budget {budget:.2f} s)  "
                f"{_verdict(clean < budget)}"
            )
            say(f"  nothing to compile          {warm:6.2f} s for {len(own)} checks")
        if not argv and len(names) > 1:
            rounds = _rounds("", all_commands, all_binaries, folder, jobs)
            base, clean, _warm, _start = rounds.seconds()
            ratio = clean / base
            good &= ratio < RATIO
            say(
                f"all labs / compiling and starting alone {ratio:6.2f} (budget {RATIO:.0f})  "
                f"{_verdict(ratio < RATIO)}"
            )
        if not argv:
            largest = max(map(labs.find, names), key=lambda lab: len(counts[lab.name]))
            say(f"a batch of {largest.name}, {jobs} jobs")
            good &= _batch(folder, labs.find(largest.name, "solutions"), jobs)
    return 0 if good else 1
