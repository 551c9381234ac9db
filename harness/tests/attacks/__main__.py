"""Make attacks at some levels, and print as JSON which of them worked.

usage: python3 -m harness.tests.attacks BINARIES FOLDER LEVEL[,LEVEL]... [NAME]...
"""

import functools
import inspect
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from harness import confine, probes, workers
from harness.kernel import prctl

from . import compilation, effects
from .scene import BARE, Scene


def names() -> list[str]:
    """Return the names of all attacks, in order."""
    return [name.replace("_", "-") for name in _functions()]


def _functions() -> dict[str, Callable]:
    return {
        name: one
        for module in (effects, compilation)
        for name, one in vars(module).items()
        if inspect.isfunction(one) and one.__module__ == module.__name__ and name[0] != "_"
    }


def about(name: str) -> str:
    """Return what an attack does, in a line."""
    return inspect.getdoc(_effect(name)).split("\n")[0]


def _effect(name: str):
    return _functions()[name.replace("-", "_")]


def _make(name: str, level: str, lacks: list[str], binaries: Path, folder: Path) -> dict:
    """Make one attack, in a process of its own."""
    if level != BARE:
        prctl.hide()  # as the harness does
    scene = Scene(level, binaries, folder, lacks)
    began = time.monotonic()
    try:
        worked = _effect(name)(scene)
        return {"worked": worked, "seconds": round(time.monotonic() - began, 2)}
    except BaseException:
        return {"broken": traceback.format_exc()}
    finally:
        scene.close()


def make(chosen: list[str], levels: dict[str, list[str]], binaries: Path, folder: Path) -> dict:
    """Make attacks side by side; return by "level name" what came of each.

    Args:
        chosen: the names of the attacks.
        levels: at which to make them, each with the limits that it lacks.
        binaries: the folder of the compiled attacks.
        folder: where scenes are made.
    """
    answers: dict[str, dict] = {}

    def done(key, answer):
        answers[key] = answer or {"broken": "the process of this attack died, or did not end"}

    tasks = [
        workers.Task(
            f"{level} {name}",
            functools.partial(_make, name, level, lacks, binaries, folder),
            functools.partial(done, f"{level} {name}"),
            limit=90.0,
        )
        for level, lacks in levels.items()
        for name in chosen
    ]
    workers.run(tasks, len(os.sched_getaffinity(0)))
    return answers


def main(binaries: str, folder: str, levels: str, *chosen: str) -> None:
    """Make attacks at those of the levels that are to be had here."""
    asked = levels.split(",")
    missing = {one: confine.why_not(one) for one in asked if one != BARE}
    missing = {one: why for one, why in missing.items() if why}
    limits = {one: [] if one == BARE else probes.limits(one) for one in asked}
    lacks = {
        one: [*probes.lacking(limits[one], one)] for one in asked if one not in missing
    }
    found = make([*(chosen or names())], lacks, Path(binaries), Path(folder))
    json.dump({"missing": missing, "lacks": lacks, "attacks": found}, sys.stdout, indent=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
