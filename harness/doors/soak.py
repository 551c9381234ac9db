"""``make soak``: the same verdicts, again and again, beside CPU hogs.

RUNS runs of LABS on the reference, four at once, beside twice as many hogs as
there are CPUs.  Each run has another seed.  Exit status 1 when one differs.
"""

import json
import os
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
        subprocess.Popen([sys.executable, "-c", spin])
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
    )


def _verdicts(target: Path) -> dict[str, str]:
    document = json.loads(target.read_text(encoding="ascii"))
    found = {}
    for lab in document["labs"]:
        for one in lab["checks"]:
            verdict = f"{one['outcome']}: {one['got']} {one['why']}".strip(": ")
            found[f"{lab['name'][:2]} {one['program']} {one['name']}"] = verdict
    return found


def main(argv: list[str]) -> int:
    """Run labs again and again.  Arguments: how often (200), which labs (LABS, or all)."""
    count, *numbers = argv or ["200"]
    if not (count.isascii() and count.isdigit()):
        raise labs.Unknown(f"{count!r} is no number of runs. Give one, such as RUNS=200.")
    runs = int(count)
    numbers = numbers or variable("LABS").split()
    source = variable("SRC", "solutions")
    seen: dict[str, Counter] = {}
    hogs = _hogs()
    try:
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            done = 0
            while done < runs:
                batch = []
                for index in range(done, min(done + AT_ONCE, runs)):
                    target = Path(folder) / f"{index}.json"
                    batch.append((target, _start(numbers, source, target, f"soak{index}")))
                for target, process in batch:
                    process.wait()
                    for name, verdict in _verdicts(target).items():
                        seen.setdefault(name, Counter())[verdict] += 1
                done += len(batch)
                if sys.stdout.isatty():
                    print(f"\r{done} of {runs} runs ", end="", flush=True)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    differing = {name: counts for name, counts in seen.items() if len(counts) > 1}
    for name, counts in differing.items():
        say(f"{name}: {dict(counts)}")
    total = sum(sum(counts.values()) for counts in seen.values())
    passed = sum(n for counts in seen.values() for v, n in counts.items() if v == "passed")
    say(f"{runs} runs, {total} verdicts, {passed} passed, {len(differing)} checks differ")
    return 1 if differing else 0
