"""``make bench``: the speed budgets, each measured side by side in one run.

A figure alone says little on a machine that is busy with other things, so each
is set against the bare cost of the same work: compiling the same programs with
the same flags, starting the same programs, starting pytest.
"""

import json
import os
import shlex
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
        flags = [*build._flags(kind), f"-I{lab.folder}"]
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


def _verdict(good: bool) -> str:
    return "within budget" if good else "OVER BUDGET"


def main(argv: list[str]) -> int:
    """Print the budgets and what was measured; exit status 1 over budget."""
    jobs = len(os.sched_getaffinity(0))
    good = True
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
        whole = statistics.median(clean)
        fine = whole < RATIO * base
        good &= fine
        say(
            f"  clean check / bare compile  {whole / base:6.2f} ({whole:.2f} s / {base:.2f} s; "
            f"budget {RATIO:.0f})  {_verdict(fine)}"
        )
        above, pytest_start = whole - base, statistics.median(start)
        fine = above < pytest_start
        good &= fine
        say(
            f"  above the bare compile      {above:6.2f} s (pytest's own start: "
            f"{pytest_start:.2f} s)  {_verdict(fine)}"
        )
        say(f"  nothing to compile          {statistics.median(warm):6.2f} s for {len(own)} checks")
        say(f"  ({shlex.join(commands[0][:8])} ...)")
    return 0 if good else 1
