"""Proving the checks: wrong programs are caught, correct ones pass.

A wrong program is ``solutions/NN-name/mutants/<mistake>.patch``: a unified diff
against the reference, headed by ``Caught-by:`` (the check; ``program/check`` if
the patch is of a file that several programs share) and ``Says:`` (words that the
student must then read).  A correct program in another style is a
folder ``variants/<style>/`` with the files that differ; ``textbook/`` is right
for a polite client only.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import plugin, report
from .failure import Broken
from .labs import Lab


@dataclass(frozen=True)
class Mutant:
    """One wrong program."""

    lab: Lab
    path: Path
    caught_by: str
    says: str
    # of a file that is no program of its own: the program whose check that is
    owner: str = ""

    @property
    def label(self) -> str:
        """The mistake's name."""
        return self.path.stem

    @property
    def program(self) -> str:
        """The program that the patch makes wrong."""
        if self.owner:
            return self.owner
        match = re.search(r"^\+\+\+ (?:b/)?(?:.*/)?([a-z0-9_]+)\.c", self._text(), re.M)
        if match is None:
            raise Broken(f"{self.path.name}: no '+++ b/program.c' line")
        return match[1]

    def _text(self) -> str:
        return self.path.read_text(encoding="utf-8")


def mutants(lab: Lab) -> list[Mutant]:
    """Return the wrong programs of a lab.

    Raises:
        Broken: a patch lacks one of its two headers.
    """
    found = []
    for path in sorted((lab.solution / "mutants").glob("*.patch")):
        text = path.read_text(encoding="utf-8")
        heads = dict(re.findall(r"^(Caught-by|Says):\s*(.+?)\s*$", text, re.M))
        if set(heads) != {"Caught-by", "Says"}:
            raise Broken(f"{path.name}: it needs the lines 'Caught-by: test_x' and 'Says: words'")
        owner, _, name = heads["Caught-by"].rpartition("/")
        found.append(Mutant(lab, path, name, heads["Says"], owner))
    return found


def variants(lab: Lab) -> list[Path]:
    """Return the folders of correct programs in other styles."""
    return sorted(path for path in (lab.solution / "variants").glob("*") if path.is_dir())


def overlay(lab: Lab, where: Path, changes: Path | None = None) -> Lab:
    """Return the lab with its sources in ``where``: the reference, changed.

    Args:
        lab: the lab.
        where: a folder to make, outside of any git work tree.
        changes: a patch, or a folder of files that replace others.
    """
    folder = where / lab.name
    folder.mkdir(parents=True)
    for name in lab.files():
        shutil.copy(lab.solution / name, folder / name)
    if changes is not None and changes.is_dir():
        for path in changes.glob("*.c"):
            shutil.copy(path, folder / path.name)
    elif changes is not None:
        done = subprocess.run(
            ["git", "apply", str(changes)],
            cwd=folder,
            env={**os.environ, "GIT_CEILING_DIRECTORIES": str(where.parent)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Broken(f"{changes.name} does not apply: {done.stderr.strip()}")
    return Lab(lab.name, lab.folder, folder, lab.solution)


class _Silent:
    def program_done(self, entry, program, checks):
        """Say nothing."""


def run(units, jobs: int, seed: str = "proof", level: str = "none") -> dict:
    """Run the units' checks; return the result document."""
    repeat = "make check-{number} CHECK={check}"
    runner = plugin.Runner(units, seed, jobs, None, _Silent(), repeat, level)
    folders = dict.fromkeys(unit.lab.folder for unit in units)
    code = plugin.run_pytest(runner, folders)
    if runner.errors or code not in (0, 5):
        raise Broken("\n".join(runner.errors) or f"pytest ended with {code}")
    return runner.document


def mutant_units(found: list[Mutant], checks, where: Path) -> list[plugin.Unit]:
    """Return a unit for each wrong program: its check and what that stands on."""
    units = []
    for one in found:
        lab = overlay(one.lab, where / one.label, one.path)
        mine = checks[one.lab.name]
        if not any((c.program, c.name) == (one.program, one.caught_by) for c in mine):
            raise Broken(f"{one.path.name}: {one.program} has no check {one.caught_by}")
        names = plugin.with_predecessors(mine, one.program, one.caught_by)
        units.append(plugin.Unit(lab, one.label, names, one.program))
    return units


def verdict(one: Mutant, entry: dict) -> str:
    """Return what is wrong with the verdict on a wrong program, or nothing."""
    record = next(
        r for r in entry["checks"] if r["program"] == one.program and r["name"] == one.caught_by
    )
    broken = next((row for row in entry["programs"] if not row["build"]["ok"]), None)
    if broken is not None:
        return f"it does not compile: {broken['build']['text']}"
    text = report.failure(record, one.lab.number)
    if record["outcome"] != "failed":
        others = [r["name"] for r in entry["checks"] if r["outcome"] == "failed"]
        more = f"; caught instead by {', '.join(others)}" if others else ""
        return f"{one.caught_by} {record['outcome']}{more}: {record['why']}"
    if one.says not in " ".join(text.split()):
        return f"the report does not say {one.says!r}:\n{text}"
    return ""
