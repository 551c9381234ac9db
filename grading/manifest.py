"""The manifest of a run: what there is to grade, and the key of each.

One JSON object on each line.  The first is of the run:

    format    the version of all that is in RUN
    suite     the version of the checks
    seed      what the made-up values of all submissions come from

The others are of a submission each, sorted by id:

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
    contents  digest of the files' contents
    key       digest of ``checks``, of the labs' names and of the files' contents
    error     why the submission can't be graded at all; then there is nothing but this,
              id, people and submitted
"""

import contextlib
import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import labs, result, skeleton
from harness.labs import ROOT, Lab

from . import files

FORMAT = "socklab/run/1"

_FILE = "manifest.jsonl"


@dataclass(frozen=True)
class Manifest:
    """The entries of a run: read from the disk, one by one, each time they are gone through.

    Args:
        run: the run.
        seed: from the manifest's first line.
    """

    run: Path
    seed: str

    def __iter__(self) -> Iterator[dict]:
        with open(self.run / _FILE, encoding="ascii") as file:
            file.readline()
            for line in file:
                yield json.loads(line)


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
    patterns = ("*.py", "kernel/*.py", "doors/check.py", "native/**/*.c")
    paths = [path for pattern in patterns for path in harness.glob(pattern)]
    for lab in wanted:
        for pattern in ("test_*.py", "*.h", "drivers/*.c"):
            paths += lab.folder.glob(pattern)
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


def seed_of(run_seed: str, entry: dict) -> str:
    """Return the seed of a submission's made-up values.

    It is the same whenever the same is graded in a run of the same seed, and
    another one for who hands in again, knowing the values from a report.
    """
    return digest({"seed": run_seed.encode(), "key": entry["key"].encode()})[:8]


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
        "contents": digest(taken.files),
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


def refusal(submission, why: str) -> dict:
    """Return the entry of a submission that can't be graded at all."""
    about = {"id": submission.id, "people": submission.people, "submitted": submission.submitted}
    return {**about, "error": why}


@contextlib.contextmanager
def writer(run: Path, seed: str) -> Iterator[Callable[[dict], None]]:
    """Write a new manifest; what is yielded adds an entry.

    The old one stays until all is written.
    """
    with files.whole(run / _FILE, "ascii") as file:
        file.write(json.dumps({"format": FORMAT, "suite": result.SUITE, "seed": seed}) + "\n")
        yield lambda one: file.write(json.dumps(one) + "\n")


def find(run: Path) -> Manifest | None:
    """Return the manifest of a run; None where nothing is planned.

    Raises:
        labs.Unknown: it is another version's, or damaged.
    """
    try:
        with open(run / _FILE, encoding="ascii") as file:
            head = json.loads(file.readline())
            version = head.get("format", "an older one")
            seed = head.get("seed", "")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, AttributeError):
        raise labs.Unknown(f"{run / _FILE} is damaged: delete that file, and plan again.") from None
    if version != FORMAT:
        raise labs.Unknown(
            f"{run} was made by another version of socklab ({version}; this one makes {FORMAT}): "
            "finish it with that version, or grade into a new folder."
        )
    return Manifest(run, seed)


def read(run: Path) -> Manifest:
    """Return the manifest of a run; ``labs.Unknown`` when the folder holds none."""
    found = find(run)
    if found is None:
        raise labs.Unknown(
            f"{run} holds no planned run. First: python3 -m grading plan SUBMISSIONS {run}"
        )
    return found


def gradable(entries: Iterable[dict]) -> Iterator[dict]:
    """Go through the entries that have a key."""
    return (one for one in entries if "error" not in one)
