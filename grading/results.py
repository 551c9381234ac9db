"""The results of a run: one file for each submission, whole or not there.

``RUN/results/ID.json`` is the document of the harness (``socklab/result/1``)
with one more member, ``submission``: the id, and the key of the manifest that
it was graded for.  It is in the same file, so that grade and key are one rename.
``RUN/results/ID.error`` says why the grader, not the student, failed.
"""

import contextlib
import json
import os
from pathlib import Path

from harness import result

# A document larger than this, in bytes, is no document.
_MAX_BYTES = 64 << 20


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
    try:
        document = result.read(_grade(run, entry))
    except (OSError, ValueError):
        return None
    mine = {"id": entry["id"], "key": entry["key"]}
    return document if document.get("submission") == mine else None


def trouble(run: Path, entry: dict) -> str:
    """Return why the last attempt to grade an entry failed, or nothing."""
    if "error" in entry:
        return ""
    try:
        record = json.loads(_error(run, entry).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return ""
    return record["why"] if record.get("key") == entry["key"] else ""


def accept(path: Path, status: int, entry: dict) -> dict:
    """Return the document of a finished harness, if it is a grade.

    Args:
        path: where the harness wrote it.
        status: the harness's exit status.
        entry: the submission's entry in the manifest.

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
    except (OSError, ValueError, KeyError, TypeError):
        raise Trouble("the harness left no valid result") from None
    if document.get("schema") != result.SCHEMA or document.get("state") != "complete":
        raise Trouble("the result is not complete")
    if not compiler:
        raise Trouble("there is no working compiler")
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
    stamped = {**document, "submission": {"id": entry["id"], "key": entry["key"]}}
    _put(stamped, scratch, _grade(run, entry))
    with contextlib.suppress(FileNotFoundError):
        _error(run, entry).unlink()


def store_trouble(run: Path, entry: dict, why: str, stderr: str, scratch: Path) -> None:
    """Record that grading failed; an older grade of other files stays, stale."""
    record = {"id": entry["id"], "key": entry["key"], "why": why, "stderr": stderr}
    _put(record, scratch, _error(run, entry))


def _put(document: dict, scratch: Path, target: Path) -> None:
    temporary = scratch / target.name
    with open(temporary, "w", encoding="ascii") as file:
        json.dump(document, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(target)
