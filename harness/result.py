"""The result of a run: one JSON document, true at every moment.

It is written before the first check, and a moment after each, every time whole
under another name and then renamed, so a reader finds either the old one or
the new one.  ``result.schema.json`` says what is in it.
"""

import json
import os
import platform
from pathlib import Path

from . import build
from .marker import Check
from .failure import Tape

SCHEMA = "socklab/result/1"
# Raised whenever a verdict may change; see CHANGELOG.md.
SUITE = "0.1.0"

SCHEMA_FILE = Path(__file__).resolve().parent / "result.schema.json"


def new(seed: str, level: str, lacks: dict[str, str]) -> dict:
    """Return the document of a run in which nothing is decided yet.

    Args:
        seed: of this run.
        level: how programs are confined; see ``confine``.
        lacks: what the machine refuses, by the name of the probe.
    """
    return {
        "schema": SCHEMA,
        "state": "running",
        "suite": SUITE,
        "seed": seed,
        "level": level,
        "network": "",
        "machine": {
            "system": f"{platform.system()} {platform.release()}",
            "arch": platform.machine(),
            "compiler": build.compiler_version(),
            "python": platform.python_version(),
            "lacks": dict(lacks),
        },
        "labs": [],
    }


def confinement(document: dict) -> str:
    """Return the level in words, with what limits the programs besides."""
    level = document["level"]
    bare = level == "none" or "cgroup" in document["machine"]["lacks"]
    return level if bare else f"{level}, a cgroup for each program"


def new_check(found: Check, repeat: str) -> dict:
    """Return the record of a check that has not run."""
    return {
        "name": found.name,
        "program": found.program,
        "title": found.title,
        "kind": found.kind,
        "challenge": found.challenge,
        "points": 0,
        "max": found.points,
        "outcome": "not run",
        "steps": [],
        "expected": "",
        "got": "",
        "why": "",
        "stderr": "",
        "repeat": repeat,
        "after": list(found.after),
        "seconds": 0.0,
    }


def new_lab(name: str, checks: list[dict]) -> dict:
    """Return the entry of a lab with its checks."""
    programs = [
        {"name": program, "points": 0, "max": 0, "begun": True, "build": {"ok": False, "text": ""}}
        for program in dict.fromkeys(one["program"] for one in checks)
    ]
    entry = {
        "name": name,
        "points": 0,
        "max": 0,
        "challenge": {},
        "programs": programs,
        "checks": checks,
    }
    add_up(entry)
    return entry


def steps(tape: Tape) -> list[dict]:
    """Return the steps of a tape as the document holds them."""
    return [{"verb": step.verb, "text": step.text, "saw": step.saw} for step in tape.steps]


def add_up(lab: dict) -> None:
    """Set the points of a lab and its programs from its checks.

    What is unavailable leaves both the points and the maximum; challenges are
    counted apart.
    """

    lab["points"] = lab["max"] = 0
    lab["challenge"] = {"points": 0, "max": 0}
    rows = {row["name"]: row for row in lab["programs"]}
    for row in rows.values():
        row["points"] = row["max"] = 0
    for one in lab["checks"]:
        if one["outcome"] != "unavailable":
            sums = [lab["challenge"]] if one["challenge"] else [lab, rows[one["program"]]]
            for each in sums:
                each["points"] += one["points"]
                each["max"] += one["max"]


def unavailable(lab: dict) -> list[dict]:
    """Return the checks of a lab that this machine can't check."""
    return [one for one in lab["checks"] if one["outcome"] == "unavailable"]


class Texts:
    """The JSON of the parts of one document, kept from one writing to the next.

    A document is written again and again and holds all checks, so each part is
    encoded once, and again only when it has changed.
    """

    def __init__(self):
        self._labs: dict[int, str] = {}
        self._checks: dict[tuple[int, str], str] = {}

    def changed(self, lab: dict) -> None:
        """Forget the text of a lab, but not of those of its checks whose outcome is the same."""
        self._labs.pop(id(lab), None)

    def of_lab(self, lab: dict) -> str:
        """Return a lab as JSON."""
        found = self._labs.get(id(lab))
        if found is None:
            checks = list(map(self._of_check, lab["checks"]))
            found = self._labs[id(lab)] = _join(lab, "checks", checks)
        return found

    def _of_check(self, check: dict) -> str:
        key = (id(check), check["outcome"])
        found = self._checks.get(key)
        if found is None:
            found = self._checks[key] = json.dumps(check)
        return found


def _join(holder: dict, key: str, parts: list[str]) -> str:
    """Return a dictionary as JSON, of which one entry is a list of what is JSON already."""
    rest = json.dumps({name: value for name, value in holder.items() if name != key})
    return f'{rest[:-1]}, "{key}": [{", ".join(parts)}]}}'


def write(document: dict, path: Path, texts: Texts | None = None) -> None:
    """Write the document, atomically.

    Args:
        document: what to write.
        path: where; what lies there is replaced.
        texts: what is kept from one writing to the next, while the same
            document grows.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)  # whatever lies there is not followed
    with open(temporary, "x", encoding="ascii") as file:
        labs = list(map((texts or Texts()).of_lab, document["labs"]))
        file.write(_join(document, "labs", labs) + "\n")
    temporary.rename(path)


def read(path: Path) -> dict:
    """Return a document that ``write`` wrote; OSError or ValueError if none."""
    return json.loads(path.read_text(encoding="ascii"))


def last(lab_name: str) -> Path:
    """Return where the last result of a lab is kept."""
    return build.folder() / "last" / f"{lab_name}.json"
