"""kill -9 of the grader at ten random moments: nothing lives on, nothing is lost.

The moments come from SEED, which is printed, and so do the made-up values;
whichever they are, the outcome must be the same.
"""

import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from grading import crowd, gradebook, manifest, results, sample
from grading.tests.helper import command, environment, verb
from harness import confine, labs

SEED = os.environ.get("SEED", "").strip() or secrets.token_hex(4)
SIZE = 12
KILLS = 10
# Seconds after which whatever still lives has survived: less than the CPU time
# that a compiler may use, and the time that a check may take.
LIMIT = 10


@dataclass
class Killed:
    """What was left of a run that was killed again and again, and what became of it."""

    run: Path
    undisturbed: Path
    survivors: list[str]
    broken: list[str]
    lost: list[str]
    kills: int
    graded: list[int]
    finished: subprocess.CompletedProcess
    temporary: list[str]


def _whole(run: Path) -> tuple[dict[str, int], list[str]]:
    """Return the inodes of the valid results by id, and the names of files that are none."""
    valid, broken = {}, []
    names = {path.name for path in (run / "results").glob("*.json")}
    try:
        entries = list(manifest.read(run))
    except labs.Unknown:  # killed before there was a manifest
        return {}, sorted(names)
    for entry in entries:
        name = f"{entry['id']}.json"
        if name in names:
            names.discard(name)
            if results.grade(run, entry) is None:
                broken.append(name)
            else:
                valid[entry["id"]] = (run / "results" / name).stat().st_ino
    return valid, [*broken, *sorted(names)]


@pytest.fixture(scope="module", params=confine.LEVELS[:2])
def killed(request, build, tmp_path_factory) -> Killed:
    """A class with attackers in it, graded undisturbed, and graded with ten kills."""
    level = request.param
    if confine.why_not(level):
        pytest.skip(f"level {level}: {confine.why_not(level)}")
    top = tmp_path_factory.mktemp("killed")
    crowd.make(top / "class", SIZE, "killed")
    began = time.monotonic()
    args = ["grade", top / "class", top / "calm", sample.LAB]
    done = verb(build, *args, limit=None, SEED=SEED, LEVEL=level)
    seconds = time.monotonic() - began
    assert done.returncode == 0, f"SEED={SEED}" + done.stdout + done.stderr
    run = top / "run"
    args = command("grade", top / "class", run, sample.LAB)
    found = Killed(run, top / "calm", [], [], [], 0, [], done, [])
    pick = random.Random(SEED)
    kept: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="slk-") as temporary:
        os.chmod(temporary, 0o711)
        # a folder of its own, so that nothing that was graded undisturbed is there already
        env = environment(top / "build", SEED=SEED, LEVEL=level, TMPDIR=temporary)
        for _ in range(KILLS):
            moment = pick.uniform(0.05, seconds / 3)
            killer = [sys.executable, "-m", "grading.more.killer", str(moment), str(LIMIT), *args]
            one = subprocess.run(
                killer, cwd=labs.ROOT, env=env, capture_output=True, text=True, check=False
            )
            assert one.returncode in (0, 1, 3), one.stderr
            found.kills += one.returncode != 3
            found.survivors += one.stdout.splitlines()
            now, broken = _whole(run)
            found.broken += broken
            found.lost += [name for name in kept if now.get(name) != kept[name]]
            found.graded.append(len(now))
            kept = now
        found.finished = subprocess.run(
            args, cwd=labs.ROOT, env=env, capture_output=True, text=True, check=False
        )
        found.temporary = os.listdir(temporary)
    return found


def test_nothing_survives(killed, capsys):
    """After each kill, every process that grading had started ends by itself."""
    with capsys.disabled():
        print(f"\nSEED={SEED}: {killed.kills} kills, graded after each: {killed.graded}")
    assert killed.survivors == []
    assert killed.kills > KILLS // 2


def test_every_result_is_valid(killed):
    """After each kill, each file is a whole result, and what was graded was not graded again."""
    assert killed.broken == []
    assert killed.lost == []


def test_the_finished_run_is_the_same(killed):
    """The gradebook is that of the undisturbed run, to the byte."""
    assert killed.finished.returncode == 0, killed.finished.stdout + killed.finished.stderr
    books = [gradebook.path(run).read_bytes() for run in (killed.run, killed.undisturbed)]
    assert books[0] == books[1]


def test_nothing_is_left_behind(killed):
    """No temporary file of a killed grader outlives the next command."""
    names = {path.name for path in (killed.run / "results").iterdir()}
    assert names == {f"{entry['id']}.json" for entry in manifest.read(killed.run)}
    assert {path.name for path in killed.run.iterdir()} == {
        "build",
        "grades.csv",
        "intake",
        "machine.json",
        "manifest.jsonl",
        "reports",
        "results",
    }
    assert killed.temporary == []


def test_results_carry_the_seed(killed):
    """Both runs used the same values."""
    for entry in manifest.read(killed.run):
        path = Path("results") / f"{entry['id']}.json"
        pair = [json.loads((run / path).read_text()) for run in (killed.run, killed.undisturbed)]
        assert pair[0]["seed"] == pair[1]["seed"]
