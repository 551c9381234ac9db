"""The manifest of a run: what there is to grade, and the key of each.

One JSON object on each line, sorted by id:

    id        the submission's name
    people    whose it is, as the export calls them; often nobody is named
    submitted when, as the export writes it
    labs      the labs to grade, by folder name
    files     what was handed in and taken, as "NN-name/file.c"
    missing   what was not handed in, with the reason
    refused   what was handed in and not taken, with the reason
    ignored   whatever else lay there, untouched
    pristine  those of ``files`` that are still the skeleton
    checks    digest of the checks and of the harness
    key       digest of ``checks`` and of the files' contents
    error     why the submission can't be graded at all; then there is no key
"""

import functools
import hashlib
import json
import os
from pathlib import Path

from harness import labs, skeleton
from harness.labs import ROOT, Lab

_FILE = "manifest.jsonl"


def digest(parts: dict[str, bytes]) -> str:
    """Return one digest over names and contents."""
    sha = hashlib.sha256()
    for name, data in sorted(parts.items()):
        for part in (name.encode("utf-8", "surrogateescape"), data):
            sha.update(len(part).to_bytes(8, "big") + part)
    return sha.hexdigest()


def checks_digest(wanted: list[Lab]) -> str:
    """Return the digest of all that decides a verdict, but for the submission."""
    harness = ROOT / "harness"
    patterns = ("*.py", "kernel/*.py", "native/**/*.c")
    paths = [path for pattern in patterns for path in harness.glob(pattern)]
    for lab in wanted:
        paths += [*lab.folder.glob("test_*.py"), *lab.folder.glob("*.h")]
        paths += lab.solution.glob("test_*.py")
    return digest({path.relative_to(ROOT).as_posix(): path.read_bytes() for path in paths})


def key(checks: str, names: list[str], files: dict[str, bytes]) -> str:
    """Return the key of a submission: equal keys mean an equal grade.

    Args:
        checks: from ``checks_digest``.
        names: the labs' names.
        files: contents by ``NN-name/file.c``.
    """
    return digest({**files, "checks": checks.encode(), "labs": " ".join(names).encode()})


def entry(submission, wanted: list[Lab], checks: str, taken) -> dict:
    """Return the manifest's entry of a submission; ``taken`` is from intake."""
    names = [lab.name for lab in wanted]
    return {
        "id": submission.id,
        "people": submission.people,
        "submitted": submission.submitted,
        "labs": names,
        "files": sorted(taken.files),
        "missing": taken.missing,
        "refused": taken.refused,
        "ignored": taken.ignored,
        "pristine": [one for one in sorted(taken.files) if taken.files[one] == _skeleton(one)],
        "checks": checks,
        "key": key(checks, names, taken.files),
    }


@functools.cache
def _skeleton(name: str) -> bytes:
    """Return the skeleton of ``NN-name/file.c``, empty when it isn't known."""
    try:
        marked = (ROOT / "solutions" / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return b""
    return skeleton.derive_skeleton(marked).encode()


def refusal(name: str, why: str) -> dict:
    """Return the entry of what can't be graded at all."""
    return {"id": name, "error": why}


def write(run: Path, entries: list[dict]) -> None:
    """Write the manifest, atomically."""
    temporary = run / f".{_FILE}.{os.getpid()}"
    text = "".join(json.dumps(one) + "\n" for one in entries)
    temporary.write_text(text, encoding="ascii")
    temporary.rename(run / _FILE)


def read(run: Path) -> list[dict]:
    """Return the entries; ``labs.Unknown`` when the folder holds no run."""
    try:
        text = (run / _FILE).read_text(encoding="ascii")
        return [json.loads(line) for line in text.splitlines()]
    except (OSError, ValueError):
        raise labs.Unknown(
            f"{run} holds no planned run. First: python3 -m grading plan SUBMISSIONS {run}"
        ) from None


def gradable(entries: list[dict]) -> list[dict]:
    """Return the entries that have a key."""
    return [one for one in entries if "error" not in one]
