"""Taking in one submission: which of its files count, and a copy of those.

Only what a lab asks for is read, and only if it is a regular file of sane
size.  Everything else is named and left alone.
"""

import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness import intake
from harness.labs import Lab, all_names

from . import trees
from .shapes import Submission, is_id
from .trees import Tree

_PACKED = (".zip", ".tar", ".tgz", ".gz", ".xz", ".bz2", ".7z", ".rar")
# Characters of a path that is worth showing in a sentence.
_SHORT = 200
# Names of files to ignore that are kept; of the others there is only a number.
_NAMES = 100


class Refused(Exception):
    """A submission as a whole can't be taken; the message says why."""


@dataclass
class Taken:
    """What a submission consists of.

    ``files`` are the contents by ``NN-name/file.c``; ``missing`` and
    ``refused`` say by the same names why a file is not there.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Candidate:
    """A path in a submission, or in an archive of it, which ``shown`` names."""

    path: str
    shown: str
    problem: str
    read: Callable[[str, int], bytes]

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    def is_of(self, lab: Lab) -> bool:
        """Whether it lies where a file of this lab may lie.

        That is in a folder of the lab's name; or, where no lab is named, at the
        top or in one folder.
        """
        above = self.path.split("/")[:-1]
        named = [part for part in above if part in _known_labs()]
        return above[-1:] == [lab.name] if named else len(above) <= 1

    def is_too_deep(self) -> bool:
        """Whether it lies in several folders, none of which is a lab's or a hidden one."""
        above = self.path.split("/")[:-1]
        named = not set(above).isdisjoint(_known_labs())
        return len(above) > 1 and not named and not trees.hidden(self.path)


def _known_labs() -> list[str]:
    return all_names()


def take(submission: Submission, whole: Tree, labs: list[Lab]) -> Taken:
    """Return what a submission has for some labs.

    Raises:
        Refused: the id is no sane name, or it can't be read at all.
    """
    if not is_id(submission.id):
        raise Refused("its name has no letter a to z and no digit: rename it")
    try:
        candidates = _candidates(submission.tree(whole))
    except trees.Refused as problem:
        raise Refused(str(problem)) from None
    wanted = {name for lab in labs for name in lab.files()}
    if [one.path for one in candidates] == list(submission.files) and len(candidates) == 1:
        if candidates[0].name not in wanted:
            raise Refused("it is neither a folder nor a zip or tar archive")
    taken, used = Taken(), set()
    for lab in labs:
        for one in candidates:
            if one.path == lab.name and one.problem not in ("", trees.FOLDER):
                taken.refused[lab.name] = f"{lab.name} {one.problem}"
                used.add(one.shown)
        for name in lab.files():
            used |= _take_file(lab, name, candidates, taken)
    if not taken.files:
        for one in candidates:
            if one.path.endswith(_PACKED) and one.problem != trees.FOLDER:
                taken.refused[one.path] = f"{one.shown} {_not_unpacked(one)}"
    others = [one for one in candidates if one.shown not in used and one.problem != trees.FOLDER]
    taken.ignored = sorted(one.shown for one in others)
    if len(taken.ignored) > _NAMES:
        taken.ignored[_NAMES:] = [f"and {len(taken.ignored) - _NAMES} more"]
    return taken


def _not_unpacked(one: _Candidate) -> str:
    """Return why nothing came out of an archive."""
    if one.shown != one.path:
        why = "is an archive in an archive, which is not unpacked"
    else:
        why = "is neither a zip nor a tar, and is not unpacked"
    return one.problem or f"{why}: hand in the files themselves"


def _candidates(tree: Tree) -> list[_Candidate]:
    """Return all that is there, with what is in archives instead of these."""
    found = []
    for path, problem in tree.problems.items():
        try:
            inside = None if problem or "/" in path else _archive(tree, path)
        except trees.Refused as refused:
            if len(tree.problems) == 1:
                raise
            inside, problem = None, f"can't be read: {refused}"
        if inside is None:
            found.append(_Candidate(path, path, problem, tree.read))
            continue
        for inner, why in inside.problems.items():
            found.append(_Candidate(inner, f"{path}: {inner}", why, inside.read))
    return found


def _archive(tree: Tree, path: str) -> Tree | None:
    """Return what is in an archive; None if it is none."""
    if path.endswith((".c", ".h", ".py", ".md")):
        return None
    try:
        data = tree.read(path, trees.MAX_BYTES)
    except intake.Refused:
        return None
    return trees.of_archive(io.BytesIO(data)) if trees.is_archive(data) else None


def _take_file(lab: Lab, name: str, candidates: list[_Candidate], taken: Taken) -> set[str]:
    """Add one file of a lab to ``taken``; return what was looked at for it."""
    key = f"{lab.name}/{name}"
    mine = [one for one in candidates if one.name == name and one.is_of(lab)]
    mine = [one for one in mine if not trees.hidden(one.path)]
    if not mine:
        taken.missing[key] = f"{name} is missing{_similar(lab, name, candidates)}"
    elif len(mine) > 1:
        both = " and ".join(one.shown for one in mine[:2])
        taken.refused[key] = f"{name} is there twice, as {both}: hand in one"
    elif mine[0].problem:
        taken.refused[key] = f"{name} {mine[0].problem}"
    else:
        try:
            taken.files[key] = mine[0].read(mine[0].path, intake.MAX_BYTES)
        except intake.Refused as problem:
            taken.refused[key] = str(problem)
    return {one.shown for one in mine}


def _similar(lab: Lab, name: str, candidates: list[_Candidate]) -> str:
    """Say which file may be meant, if one looks like it."""
    for one in candidates:
        if one.is_of(lab) and one.name.lower().replace("_", "").replace("-", "") == name:
            return f"; there is {one.name!r}: rename it to {name}"
    for one in candidates:
        if one.name == name and one.is_too_deep() and len(one.shown) <= _SHORT:
            return f"; there is {one.shown!r}: put it at the top, or in a folder {lab.name}"
    return ""


def copy(taken: Taken, folder: Path, labs: list[Lab]) -> None:
    """Make ``folder`` hold exactly the files taken, below a folder for each lab."""
    if contents(folder, labs) == taken.files and not _strangers(folder, taken, labs):
        return
    shutil.rmtree(folder, ignore_errors=True)
    for lab in labs:
        (folder / lab.name).mkdir(parents=True, exist_ok=True)
    for name, data in taken.files.items():
        (folder / name).write_bytes(data)


def _strangers(folder: Path, taken: Taken, labs: list[Lab]) -> bool:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    return found != set(taken.files) | {lab.name for lab in labs}


def contents(folder: Path, labs: list[Lab]) -> dict[str, bytes]:
    """Return the files in a copy that ``copy`` made, by ``NN-name/file.c``."""
    found = {}
    for lab in labs:
        for name in lab.files():
            try:
                found[f"{lab.name}/{name}"] = intake.take(folder / lab.name, name)
            except intake.Refused:
                continue
    return found
