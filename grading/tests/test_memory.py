"""The memory of plan, work, status and collect does not grow with the class."""

import json
import subprocess

from grading import manifest
from grading.more import measured
from grading.tests.helper import environment
from harness import labs

# What names and numbers of one submission may take, in kilobytes; its result has 50 and more.
_EACH = 2


def _peak(build, top, *args) -> int:
    """Return the peak of a verb in kilobytes."""
    done = subprocess.run(
        measured.command(top / "peak", *args),
        cwd=labs.ROOT,
        env=environment(build, ALLOW_WEAK="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return measured.peak(top / "peak")


def _class(build, top, count: int, document: dict) -> dict[str, int]:
    """Make a class whose results are there already; return the peak of each verb."""
    for number in range(count):
        (top / "class" / f"s{number:04}").mkdir(parents=True)
    run = top / "run"
    peaks = {"plan": _peak(build, top, "plan", top / "class", run, "03")}
    for entry in manifest.read(run):
        stamp = {name: entry[name] for name in ("id", "key", "contents")}
        text = json.dumps({**document, "submission": stamp})
        (run / "results" / f"{entry['id']}.json").write_text(text, encoding="ascii")
    return peaks | {verb: _peak(build, top, verb, run) for verb in ("work", "status", "collect")}


def test_memory_does_not_grow(graded, build, tmp_path):
    """Ten times as many submissions take hardly more."""
    path = graded.run / "results" / "skeleton.json"
    document = json.loads(path.read_text(encoding="ascii"))
    assert len(path.read_bytes()) > 10 * _EACH * 1024
    small = _class(build, tmp_path / "small", 30, document)
    large = _class(build, tmp_path / "large", 300, document)
    grown = {verb: large[verb] - small[verb] for verb in small}
    assert max(grown.values()) < 270 * _EACH, grown
