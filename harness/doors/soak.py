"""``make soak``: the same verdicts, again and again, beside CPU hogs.

RUNS runs of LABS on the reference, four at once, beside twice as many hogs as
there are CPUs.  Each run has another seed.  Exit status 1 when one differs.
Ctrl-C ends it, with a report of the runs that are done.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from .. import labs
from . import say, variable

AT_ONCE = 4


def _hogs() -> list[subprocess.Popen]:
    spin = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n sum(range(10**5))"
    return [
        subprocess.Popen([sys.executable, "-c", spin], start_new_session=True)
        for _ in range(2 * len(os.sched_getaffinity(0)))
    ]


def _start(numbers: list[str], source: str, target: Path, seed: str) -> subprocess.Popen:
    env = {**os.environ, "SRC": source, "RESULT": str(target), "SEED": seed, "CHECK": ""}
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "check", *numbers],
        cwd=labs.ROOT,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is ours alone, and handed on once
    )


def _stop(running: list[subprocess.Popen]) -> None:
    """Interrupt the runs that are not at their end, and wait until they are."""
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    for process in running:
        process.wait()


def _verdicts(target: Path) -> dict[str, str]:
    document = json.loads(target.read_text(encoding="ascii"))
    found = {}
    for lab in document["labs"]:
        for one in lab["checks"]:
            verdict = f"{one['outcome']}: {one['got']} {one['why']}".strip(": ")
            found[f"{lab['name'][:2]} {one['program']} {one['name']}"] = verdict
    return found


def _run_all(results: list[dict], runs: int, numbers: list[str], source: str) -> None:
    """Do the runs, a few at once; add the verdicts of each that has come to its end."""
    running: list[subprocess.Popen] = []
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        try:
            while len(results) < runs:
                running.clear()
                targets = []
                for index in range(len(results), runs)[:AT_ONCE]:
                    targets.append(Path(folder) / f"{index}.json")
                    running.append(_start(numbers, source, targets[-1], f"soak{index}"))
                for target, process in zip(targets, running, strict=True):
                    process.wait()
                    results.append(_verdicts(target))
                if sys.stdout.isatty():
                    print(f"\r{len(results)} of {runs} runs ", end="", flush=True)
        finally:
            _stop(running)


def main(argv: list[str]) -> int:
    """Run labs again and again.  Arguments: how often (200), which labs (LABS, or all)."""
    count, *numbers = argv or ["200"]
    if not (count.isascii() and count.isdigit()):
        raise labs.Unknown(f"{count!r} is no number of runs. Give one, such as RUNS=200.")
    numbers = numbers or variable("LABS").split()
    results: list[dict] = []
    hogs = _hogs()
    try:
        _run_all(results, int(count), numbers, variable("SRC", "solutions"))
    except KeyboardInterrupt:
        say(f"\nInterrupted after {len(results)} of {count} runs.")
        _report(results)
        raise
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    return 1 if _report(results) else 0


def _report(results: list[dict]) -> int:
    """Say what came of the runs; return how many checks differ."""
    seen: dict[str, Counter] = {}
    for result in results:
        for name, verdict in result.items():
            seen.setdefault(name, Counter())[verdict] += 1
    differing = {name: counts for name, counts in seen.items() if len(counts) > 1}
    for name, counts in differing.items():
        say(f"{name}: {dict(counts)}")
    total = sum(sum(counts.values()) for counts in seen.values())
    passed = sum(n for counts in seen.values() for v, n in counts.items() if v == "passed")
    say(f"{len(results)} runs, {total} verdicts, {passed} passed, {len(differing)} checks differ")
    return len(differing)
