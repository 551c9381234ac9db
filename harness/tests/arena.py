"""A place of its own for a run of the real checks on made-up sources."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import weakref
from dataclasses import dataclass
from pathlib import Path

import jsonschema

from harness import labs, result, skeleton, stage

LAB = labs.find("03")
# A second program, right and quick to check: whatever the first one does, its
# own checks go on.
OTHER = "bindto"
# Seconds; a run takes a few.
LIMIT = 120
_SHARED = ("flags-", "launch-", "confine-", "leak-", "clock-", "handler-", f"{OTHER}-")
_SCHEMA = json.loads(result.SCHEMA_FILE.read_text(encoding="utf-8"))


def validate(document: dict) -> None:
    """Require that a document is what the schema says, and adds up."""
    jsonschema.Draft7Validator(_SCHEMA).validate(document)
    for lab in document["labs"]:
        again = json.loads(json.dumps(lab))
        result.add_up(again)
        assert again == lab
        for one in lab["checks"]:
            assert one["points"] == (one["max"] if one["outcome"] == "passed" else 0)


def reference(program: str) -> str:
    """Return a program's reference, as a student might have written it."""
    marked = (LAB.solution / f"{program}.c").read_text(encoding="utf-8")
    return skeleton.derive_solution(marked)


def processes_of(folder: Path) -> list[str]:
    """Return who runs a binary of a folder, or works in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        for link in ("exe", "cwd"):
            try:
                target = os.readlink(path / link)
            except OSError:
                continue
            if target.startswith(f"{folder}/"):
                found.append(f"{path.name} {target}")
    return found


@dataclass
class Run:
    """What came of one run."""

    status: int
    output: str
    errors: str
    document: dict
    seconds: float
    left: list[str]
    files: list[str]

    def outcomes(self, program: str) -> list[str]:
        """Return the outcomes of a program's checks."""
        checks = [one for lab in self.document["labs"] for one in lab["checks"]]
        return [one["outcome"] for one in checks if one["program"] == program]


class Arena:
    """Sources, a build folder and a result in one folder; temporary files in a short one.

    Args:
        folder: an empty folder.
        built: a build folder to take what is always the same from.
        root: the tree whose harness is used.
    """

    def __init__(self, folder: Path, built: Path | None = None, root: Path = labs.ROOT):
        self.folder = folder
        self.root = root
        self.source = folder / "source"
        self.build = folder / "build"
        # what lies deeper is no place for them; see harness/temporary.py
        self.files = Path(tempfile.mkdtemp(prefix="sla-"))
        weakref.finalize(self, stage.remove, str(self.files))
        self.result = folder / "result.json"
        for path in (self.source / LAB.name, self.build):
            path.mkdir(parents=True)
        for path in built.iterdir() if built else ():
            if path.name.startswith(_SHARED):
                shutil.copy2(path, self.build / path.name)
        self.put(OTHER, reference(OTHER))

    def put(self, program: str, text: str) -> None:
        """Hand in a program."""
        (self.source / LAB.name / f"{program}.c").write_text(text, encoding="utf-8")

    def start(self, *prefix: str, **variables: str) -> subprocess.Popen:
        """Start a run; return the harness's process."""
        env = {
            "PATH": os.environ["PATH"],
            "SRC": str(self.source),
            "RESULT": str(self.result),
            "SEED": "same",
            "SOCKLAB_BUILD": str(self.build),
            "TMPDIR": str(self.files),
            "PYTHONDONTWRITEBYTECODE": "1",
            **{name: os.environ[name] for name in ("CC",) if name in os.environ},
            **variables,
        }
        with open(self.folder / "out", "wb") as out, open(self.folder / "err", "wb") as err:
            return subprocess.Popen(
                [*prefix, sys.executable, "-m", "harness", "check", LAB.number],
                cwd=self.root,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def run(self, *prefix: str, **variables: str) -> Run:
        """Run the checks to their end."""
        began = time.monotonic()
        process = self.start(*prefix, **variables)
        try:
            status = process.wait(LIMIT)
        finally:
            process.kill()
            process.wait()
        return Run(
            status,
            (self.folder / "out").read_text(encoding="utf-8"),
            (self.folder / "err").read_text(encoding="utf-8"),
            json.loads(self.result.read_text(encoding="ascii")),
            time.monotonic() - began,
            self.processes(),
            self.leftovers(),
        )

    def processes(self) -> list[str]:
        """Return who runs a binary of a run's, or works in its folders."""
        return processes_of(self.folder) + processes_of(self.files)

    def leftovers(self) -> list[str]:
        """Return the temporary files that are still there."""
        return sorted(
            path.name
            for path in [*self.files.iterdir(), *self.build.iterdir()]
            if path.parent == self.files or path.name.startswith(("run-", "build-"))
        )
