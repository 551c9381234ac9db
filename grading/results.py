"""The results of a run: one file for each submission, whole or not there.

``RUN/results/ID.json`` is the document of the harness (``socklab/result/1``)
with two more members.  ``submission`` has the id, and the key of the manifest
that it was graded for: in the same file, so that grade and key are one rename.
``regraded`` lists the checks that were made again alone; see ``merge``.
``RUN/results/ID.error`` says why the grader, not the student, failed.
"""

import contextlib
import json
import os
from pathlib import Path

from harness import result

# A document larger than this, in bytes, is no document.
_MAX_BYTES = 64 << 20

_LOST = ("failed", "blocked")


class Trouble(Exception):
    """There is no valid result, and the submission is not to blame."""


def folder(run: Path) -> Path:
    """Return where the results are."""
    return run / "results"


def _grade(run: Path, entry: dict) -> Path:
    return folder(run) / f"{entry['id']}.json"


def _error(run: Path, entry: dict) -> Path:
    return folder(run) / f"{entry['id']}.error"


def grade(run: Path, entry: dict) -> dict | None:
    """Return the valid result of an entry, or None.

    A result for other files or other checks is stale, which is as good as none.
    """
    if "error" in entry:
        return None
    document = _read(run, entry)
    return document if document and document["submission"]["key"] == entry["key"] else None


def of_same_files(run: Path, entry: dict) -> dict | None:
    """Return the result of the same files for the same labs, whatever the checks were."""
    document = _read(run, entry)
    if document is None or document["submission"].get("contents") != entry["contents"]:
        return None
    return document if [lab["name"] for lab in document["labs"]] == entry["labs"] else None


def _read(run: Path, entry: dict) -> dict | None:
    """Return the result that there is of a submission, valid or stale; None if it is none."""
    try:
        document = result.read(_grade(run, entry))
        mine = document["state"] == "complete" and document["submission"]["id"] == entry["id"]
        return document if mine and document["submission"]["key"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def trouble(run: Path, entry: dict) -> str:
    """Return why the last attempt to grade an entry failed, or nothing."""
    if "error" in entry:
        return ""
    try:
        record = json.loads(_error(run, entry).read_text(encoding="ascii"))
        return record["why"] if record["key"] == entry["key"] else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def accept(path: Path, status: int, entry: dict, ground) -> dict:
    """Return the document of a finished harness, if it is a grade.

    Args:
        path: where the harness wrote it.
        status: the harness's exit status.
        entry: the submission's entry in the manifest.
        ground: what the run stands on; see ``ground``.

    Raises:
        Trouble: it is none.
    """
    if status not in (0, 1):
        raise Trouble(f"the harness ended with status {status}")
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise Trouble("the result is too large")
        document = result.read(path)
        outcomes = {one["outcome"] for lab in document["labs"] for one in lab["checks"]}
        names = [lab["name"] for lab in document["labs"]]
        compiler = document["machine"]["compiler"]
        lacks, level = set(document["machine"]["lacks"]), document["level"]
    except (OSError, ValueError, KeyError, TypeError):
        raise Trouble("the harness left no valid result") from None
    if document.get("schema") != result.SCHEMA or document.get("state") != "complete":
        raise Trouble("the result is not complete")
    if not compiler:
        raise Trouble("there is no working compiler")
    if level != ground.level or not lacks <= set(ground.lacks):
        raise Trouble("it was not graded at the level of the others, or not wholly")
    if names != entry["labs"] or not outcomes or outcomes & {"error", "not run"}:
        raise Trouble("the result lacks checks that should have run")
    return document


def store(run: Path, entry: dict, document: dict, scratch: Path) -> None:
    """Put a grade in its place, atomically; it takes the place of an error.

    Args:
        run: the run.
        entry: the submission's entry in the manifest.
        document: from ``accept``.
        scratch: a folder of our own in ``RUN/results``.
    """
    stamp = {name: entry[name] for name in ("id", "key", "contents")}
    stamped = {**document, "submission": stamp}
    _put(stamped, scratch, _grade(run, entry))
    with contextlib.suppress(FileNotFoundError):
        _error(run, entry).unlink()


def store_trouble(run: Path, entry: dict, why: str, stderr: str, scratch: Path) -> None:
    """Record that grading failed; an older grade of other files stays, stale."""
    record = {"id": entry["id"], "key": entry["key"], "why": why, "stderr": stderr}
    _put(record, scratch, _error(run, entry))


def to_make_again(document: dict, wanted: str) -> list[str]:
    """Return the checks to make again in a result, when some are wanted.

    These are the ones wanted, and those that only wait for them: blocked ones
    that stand on nothing else that failed.  One that stands on another check
    that failed stays as it is.

    Args:
        document: a result.
        wanted: as for CHECK: a check, a program, or program/check.

    Returns:
        The checks as ``program/check``.
    """
    found: list[str] = []
    for lab in document["labs"]:
        lost = {_name(one) for one in lab["checks"] if one["outcome"] in _LOST}
        for one in lab["checks"]:
            stands_on = {f"{one['program']}/{other}" for other in one["after"]}
            waits = one["outcome"] == "blocked" and not stands_on.isdisjoint(found)
            if (_is_meant(one, wanted) or waits) and not (stands_on & lost) - set(found):
                if one["outcome"] != "unavailable":
                    found.append(_name(one))
    return found


def has(document: dict, wanted: str) -> bool:
    """Whether a result has such a check at all; ``wanted`` as for CHECK."""
    return any(_is_meant(one, wanted) for lab in document["labs"] for one in lab["checks"])


def _is_meant(check: dict, wanted: str) -> bool:
    program, _slash, name = wanted.rpartition("/")
    if not program and name == check["program"]:
        return True
    return check["name"] in (name, f"test_{name}") and program in ("", check["program"])


def merge(document: dict, fresh: dict, wanted: list[str]) -> dict:
    """Return a result with some checks made again and the others as they were.

    What stands on a check that has failed now is blocked now.

    Args:
        document: the result.
        fresh: the harness's document of these checks.
        wanted: from ``to_make_again``.

    Raises:
        Trouble: they are not all in both.
    """
    new = {(lab["name"], _name(one)): one for lab in fresh["labs"] for one in lab["checks"]}
    made = []
    for lab in document["labs"]:
        checks = [new.pop((lab["name"], _name(one)), one) for one in lab["checks"]]
        lost: dict[str, str] = {}
        for at, one in enumerate(checks):
            broken = [x for x in one["after"] if f"{one['program']}/{x}" in lost]
            if broken and one["outcome"] not in ("blocked", "unavailable"):
                why = f"it stands on {broken[0]}, which {lost[one['program'] + '/' + broken[0]]}"
                checks[at] = one = {**one, "points": 0, "outcome": "blocked", "why": why}
            if one["outcome"] in _LOST:
                lost[_name(one)] = "was blocked" if one["outcome"] == "blocked" else "failed"
        made.append({**lab, "checks": checks})
        result.add_up(made[-1])
    if new:
        raise Trouble("it lacks checks that should be made again: grade it whole, without CHECK")
    about = {name: fresh[name] for name in ("suite", "seed", "level", "machine")}
    again = [*document.get("regraded", []), {"checks": wanted, **about}]
    return {**document, "labs": made, "regraded": again}


def _name(check: dict) -> str:
    return f"{check['program']}/{check['name']}"


def _put(document: dict, scratch: Path, target: Path) -> None:
    temporary = scratch / target.name
    with open(temporary, "w", encoding="ascii") as file:
        json.dump(document, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(target)
