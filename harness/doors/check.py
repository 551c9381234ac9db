"""``make check-NN`` and ``make check``: build, check, score.

Exit status 0 for full marks, 1 when points are missing, 2 for bad input, 3
when the harness itself broke.
"""

import difflib
import os
import secrets
import shutil
import sys
from pathlib import Path

from .. import ahead, build, labs, report, result
from . import asked_level, reset, say, variable

FULL, MISSING, BAD_INPUT, ERROR = 0, 1, 2, 3


class _Terminal:
    """Prints each program's lines as soon as it is decided."""

    def program_done(self, entry, program, checks):
        """Print what became of a program."""
        say(report.program(entry, program, checks))


def _jobs() -> int:
    text = variable("JOBS", str(len(os.sched_getaffinity(0))))
    if not text.isdigit() or int(text) < 1:
        raise labs.Unknown(f"JOBS={text} is no number of jobs. Give a number such as JOBS=4.")
    return int(text)


def _seed() -> str:
    text = variable("SEED", secrets.token_hex(4))
    if not text.isalnum():
        raise labs.Unknown(f"SEED={text!r} is not what a run printed as its seed.")
    return text


def run(numbers: list[str], listener) -> tuple[int, dict]:
    """Check some labs; return the exit status and the result document."""
    source = variable("SRC", "labs")
    found = [labs.find(number, source) for number in numbers]
    for lab in found:
        if not lab.source.is_dir():
            raise labs.Unknown(f"SRC={source} has no folder {lab.name}: put the sources there.")
    if shutil.which(build.compiler()[0]) is None:
        raise labs.Unknown(
            f"There is no C compiler {build.compiler()[0]!r}: install gcc, or set CC."
        )
    level = asked_level()
    seed, jobs, only = _seed(), _jobs(), variable("CHECK")
    target = _target(seed, level)
    # of a single check, it is not known here which program it is
    with ahead.compiling([] if only else found, jobs, level):
        return _run(found, (seed, jobs, only, level), target, listener)


def _run(found: list[labs.Lab], asked: tuple[str, int, str, str], target: Path, listener):
    """Import pytest, which takes as long as compiling does, and run the checks."""
    import pytest

    from .. import plugin

    seed, jobs, only, level = asked
    source = variable("SRC", "labs")
    units = [plugin.Unit(lab, lab.name, *_chosen(lab, only), _pristine(lab)) for lab in found]
    repeat = "make check-{number} CHECK={check} SEED=" + seed
    if source != "labs" and not variable("RESULT"):
        repeat += f" SRC={source}"
    if level != "none":
        repeat += f" LEVEL='{level}'" if " " in level else f" LEVEL={level}"
    runner = plugin.Runner(units, seed, jobs, target, listener, repeat, level)
    code = plugin.run_pytest(runner, [lab.folder for lab in found])
    if code == pytest.ExitCode.INTERRUPTED and not runner.errors:
        raise KeyboardInterrupt
    if isinstance(runner.raised, BrokenPipeError):
        raise runner.raised
    if runner.errors or code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        print(
            "The checker broke; this is not your mistake.",
            *runner.errors,
            file=sys.stderr,
            sep="\n",
        )
        return ERROR, {}
    if only and not any(unit.records for unit in units):
        raise labs.Unknown(_no_such_check(only, runner))
    if source == "labs":  # somebody else's sources are not what a student did last
        for entry in runner.document["labs"]:
            _remember(runner, entry)
    return _status(runner.document), runner.document


def _remember(runner, entry: dict) -> None:
    """Keep what is known of a lab: the checks just made, and the others as they were."""
    target = result.last(entry["name"])
    try:
        before = result.read(target)["labs"][0]
    except (OSError, ValueError):
        before = {"checks": [], "programs": []}
    records = {(one["program"], one["name"]): one for one in before["checks"] + entry["checks"]}
    rows = {one["name"]: one for one in before["programs"] + entry["programs"]}
    checks = []
    for found, _item in runner.checks[entry["name"]]:
        name = f"{found.program}/{found.name}"
        repeat = runner.repeat.format(number=entry["name"][:2], check=name)
        fresh = result.new_check(found, repeat)
        checks.append(records.get((found.program, found.name), fresh))
    whole = result.new_lab(entry["name"], checks)
    for row in whole["programs"]:
        known = rows.get(row["name"], row)
        row["build"], row["begun"] = known["build"], known["begun"]
    decided = all(one["outcome"] != "not run" for one in checks)
    state = "complete" if decided else "running"
    result.write({**runner.document, "state": state, "labs": [whole]}, target)


def _pristine(lab: labs.Lab) -> dict[str, str]:
    try:
        return reset.pristine(lab)
    except labs.Unknown:
        return {}


def _chosen(lab: labs.Lab, only: str) -> tuple[set[str] | None, str | None]:
    """Return the names of the checks to run and their program; None for all.

    Args:
        lab: the lab.
        only: nothing, a program, the name of a check, or program/check, of
            which there may be several with blanks between.
    """
    if len(only.split()) > 1:
        return set(only.split()), None
    program, _slash, name = only.rpartition("/")
    if not program and f"{name}.c" in lab.files():
        program, name = name, ""
    return {name, f"test_{name}"} if name else None, program or None


def _target(seed: str, level: str) -> Path:
    """Return where the result document goes; it is written once to be sure."""
    target = Path(variable("RESULT") or result.last("run")).resolve()
    try:
        result.write(result.new(seed, level, {}), target)
    except OSError as problem:
        reason = problem.strerror
        raise labs.Unknown(f"The result can't be written to {target}: {reason}.") from None
    return target


def _no_such_check(name: str, runner) -> str:
    known = {found.name for pairs in runner.checks.values() for found, _item in pairs}
    known |= {found.program for pairs in runner.checks.values() for found, _item in pairs}
    last = name.rpartition("/")[2]
    near = difflib.get_close_matches(last, known, 2)
    near = near or difflib.get_close_matches(f"test_{last.removeprefix('test_')}", known, 2)
    hint = f"Did you mean {' or '.join(near)}?" if near else "make rubric lists them all."
    return f"There is no check {name} here. {hint}"


def _status(document: dict) -> int:
    checks = [one for lab in document["labs"] for one in lab["checks"]]
    if any(one["outcome"] in ("error", "not run") for one in checks):
        return ERROR
    points = sum(lab["points"] for lab in document["labs"])
    most = sum(lab["max"] for lab in document["labs"])
    if variable("CHECK"):  # challenges count too
        return FULL if all(one["outcome"] == "passed" for one in checks) else MISSING
    if most == 0:
        return ERROR
    return FULL if points == most else MISSING


def main(argv: list[str]) -> int:
    """Check the labs named, or all of them."""
    numbers = argv or variable("LABS").split() or labs.all_names()
    status, document = run(numbers, _Terminal())
    if not document:
        return status
    say()
    for lab in document["labs"]:
        if len(document["labs"]) > 1:
            say(f"{lab['name']:<24} {report.score(lab)}")
        else:
            say(report.score(lab))
    if len(document["labs"]) > 1:
        points = sum(lab["points"] for lab in document["labs"])
        say(f"total {points}/{sum(lab['max'] for lab in document['labs'])}")
    if document["level"] != "none":
        say(f"level {result.confinement(document)}")
    if not any(row["begun"] for lab in document["labs"] for row in lab["programs"]):
        say(f"Begin with labs/{document['labs'][0]['name']}/README.md")
    elif status != FULL:
        say(f"seed {document['seed']}")
    return status
