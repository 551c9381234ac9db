"""Attacks on the verdict: no check comes to more points than without them.

A wrong program is checked as it is, and again with an attack before it, at
level none and at the best level to be had here.
"""

import concurrent.futures
import tempfile
from pathlib import Path

import pytest

from harness import confine, proof, stage
from harness.tests.arena import LAB, Arena, validate
from harness.tests.test_attacks import process_namespace

PROGRAMS = Path(__file__).resolve().parent / "programs"
ATTACKS = ("hidden", "sanitizer", "again", "breaks")
LEVELS = ("none", "best")
WRONG = "inccli"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The text of a wrong program: it leaks."""
    where = tmp_path_factory.mktemp("wrong")
    lab = proof.overlay(LAB, where, LAB.solution / "mutants" / f"{WRONG}-leaks.patch")
    return (lab.source / f"{WRONG}.c").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def runs(built, source):
    """The documents of all runs, by level and attack; "" is no attack."""
    around = process_namespace()
    best = confine.best()[0]
    top = Path(tempfile.mkdtemp(prefix="sln-"))
    top.chmod(0o755)

    def run(level: str, attack: str) -> dict:
        arena = Arena(top / f"{level}-{attack}", built)
        before = (PROGRAMS / f"hostile-{attack}.c").read_text() if attack else ""
        arena.put(WRONG, before + source)
        chosen = best if level == "best" else level
        return arena.run(*around, LEVEL=chosen, CHECK=WRONG).document

    pairs = [(level, attack) for level in LEVELS for attack in ("", *ATTACKS)]
    if not around:  # it would end who runs the tests
        pairs = [one for one in pairs if one[1] != "breaks"]
    try:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return dict(zip(pairs, pool.map(lambda one: run(*one), pairs), strict=True))
    finally:
        stage.remove(str(top))


def _checks(document: dict) -> dict[str, dict]:
    (lab,) = document["labs"]
    return {one["name"]: one for one in lab["checks"] if one["program"] == WRONG}


@pytest.mark.parametrize("level", LEVELS)
def test_program_is_wrong(runs, level):
    """Without an attack some checks are passed and some are not, all of them decided."""
    outcomes = [one["outcome"] for one in _checks(runs[level, ""]).values()]
    assert {"passed", "failed"} <= set(outcomes) <= {"passed", "failed", "blocked"}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("level", LEVELS)
def test_no_more_points(runs, level, attack):
    """Nothing is passed that was not, and nothing leaves the maximum."""
    if (level, attack) not in runs:
        pytest.skip("too dangerous where there is no process namespace around it")
    validate(runs[level, attack])
    plain, attacked = _checks(runs[level, ""]), _checks(runs[level, attack])
    assert plain.keys() == attacked.keys()
    more = [name for name in plain if attacked[name]["points"] > plain[name]["points"]]
    assert more == []
    gone = [name for name, one in attacked.items() if one["outcome"] == "unavailable"]
    assert gone == []
    (before,), (after,) = runs[level, ""]["labs"], runs[level, attack]["labs"]
    assert after["max"] == before["max"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_confined_program_breaks_nothing(runs, attack):
    """At the best level the harness does not break, whatever a program does."""
    if ("best", attack) not in runs:
        pytest.skip("too dangerous where there is no process namespace around it")
    if confine.best()[0] == "none":
        pytest.skip("this machine offers no confinement at all")
    outcomes = {one["outcome"] for one in _checks(runs["best", attack]).values()}
    assert "error" not in outcomes
