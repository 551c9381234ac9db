"""A made-up class of any size, from a seed: right, wrong and unfinished work, and attackers.

Wrong programs are those of ``mutants/``, right ones the reference and those of
``variants/``; attackers are those of the example class, and the reference with
one of ``harness/tests/programs/hostile-*.c`` before it.  All are of one lab.
"""

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from harness import labs, proof, skeleton
from harness.labs import ROOT, Lab

from . import sample

# Of the example class, those that attack: what they do is bounded.
_ATTACK = ("hangs", "leaves-daemon")
# It forks 50,000 times in each check: that is for a test of its own.
_SLOW = ("hostile-hops",)
# What they do depends on who comes first, a child's end or the next accept; so
# a verdict of theirs is not always the same, whoever their neighbours are.
_RACES = ("incsrv-forks", "ruptimed-no-eintr")
# How many of ten are what.
_SHARES = {"wrong": 4, "attacker": 2, "variant": 1, "unfinished": 1, "skeleton": 1, "textbook": 1}


def _right(lab: Lab, name: str, folder: Path | None = None) -> str:
    """Return a right program, of a variant if it has it."""
    path = folder / name if folder else lab.solution / name
    if not path.is_file():
        path = lab.solution / name
    return skeleton.derive_solution(path.read_text(encoding="utf-8"))


def _hole(lab: Lab, name: str) -> str:
    return skeleton.derive_skeleton((lab.solution / name).read_text(encoding="utf-8"))


def _wrong(lab: Lab, pick: random.Random) -> tuple[str, dict[str, str]]:
    one = pick.choice([one for one in proof.mutants(lab) if one.label not in _RACES])
    with tempfile.TemporaryDirectory(prefix="slc-") as where:
        changed = proof.overlay(lab, Path(where), one.path)
        files = {name: _right(lab, name, changed.source) for name in lab.files()}
    return one.label, files


def _attacker(lab: Lab, pick: random.Random) -> tuple[str, dict[str, str]]:
    hostile = sorted((ROOT / "harness/tests/programs").glob("hostile-*.c"))
    stems = [path.stem for path in hostile if path.stem not in _SLOW]
    name = pick.choice([*_ATTACK, *stems])
    if name in _ATTACK:
        return name, sample.files(name)
    victim = pick.choice(["incsrv.c", "seqsrv.c", "ruptimed.c"])
    before = (ROOT / "harness/tests/programs" / f"{name}.c").read_text(encoding="utf-8")
    files = {file: _right(lab, file) for file in lab.files()}
    return name, {**files, victim: before + files[victim]}


def _variant(lab: Lab, pick: random.Random) -> tuple[str, dict[str, str]]:
    folder = pick.choice([None, *proof.variants(lab)])
    name = folder.name if folder else "reference"
    return name, {file: _right(lab, file, folder) for file in lab.files()}


def _unfinished(lab: Lab, pick: random.Random) -> tuple[str, dict[str, str]]:
    left = pick.sample(lab.files(), pick.randrange(1, len(lab.files())))
    how = pick.choice([{}, {file: _hole(lab, file) for file in left}])
    files = {file: _right(lab, file) for file in lab.files() if file not in left}
    return f"without {len(left)} programs", files | how


def _skeleton(lab: Lab, pick: random.Random) -> tuple[str, dict[str, str]]:
    return "as handed out", {file: _hole(lab, file) for file in lab.files()}


def _textbook(lab: Lab, pick: random.Random) -> tuple[str, dict[str, str]]:
    return "polite", {file: _right(lab, file, lab.solution / "textbook") for file in lab.files()}


_MAKERS: dict[str, Callable[[Lab, random.Random], tuple[str, dict[str, str]]]] = {
    "wrong": _wrong,
    "attacker": _attacker,
    "variant": _variant,
    "unfinished": _unfinished,
    "skeleton": _skeleton,
    "textbook": _textbook,
}


def make(folder: Path, count: int, seed: str) -> dict[str, str]:
    """Make a class in a new folder.

    Args:
        folder: where; a submission is a folder in it.
        count: how many.
        seed: the same class for the same seed and count.

    Returns:
        By id what each one is, such as ``wrong: incsrv-no-htons``; attackers
        are called ``attacker: ...``.
    """
    lab = labs.find(sample.LAB)
    pick = random.Random(f"{seed}/{count}")
    kinds = [kind for kind, share in _SHARES.items() for _ in range(share)]
    # at least the shares of each, whatever the seed
    order = (kinds * (count // len(kinds) + 1))[:count]
    pick.shuffle(order)
    made = {}
    for number, kind in enumerate(order):
        name = f"s{number:05}"
        what, files = _MAKERS[kind](lab, pick)
        where = folder / name / lab.name
        where.mkdir(parents=True)
        for file, text in files.items():
            (where / file).write_text(text, encoding="utf-8")
        made[name] = f"{kind}: {what}"
    return made
