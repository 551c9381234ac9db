"""Taking in one submission: which of its files count, and a copy of those.

Only what a lab asks for is opened, and only if it is a regular file of sane
size.  Everything else is named and left alone: not opened, not followed, not
copied.
"""

import errno
import os
import re
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path

from harness import intake
from harness.labs import Lab

# It becomes a file's name, a cell in a spreadsheet and a word on a terminal.
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
# Names of files to ignore that are kept; of the others there is only a number.
_NAMES = 100

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


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


def ids(submissions: Path) -> list[str]:
    """Return the names in a folder of submissions, sane or not, hidden ones left out."""
    return sorted(name for name in os.listdir(submissions) if not name.startswith("."))


def take(submissions: Path, name: str, labs: list[Lab]) -> Taken:
    """Return what a submission has for some labs.

    Args:
        submissions: the folder of submissions.
        name: the submission's id.
        labs: for one lab alone, the files may lie in ``<id>/`` itself.

    Raises:
        Refused: the id is no sane name, or it is no folder.
    """
    if not _ID.fullmatch(name):
        raise Refused("an id has letters, digits, . _ - and up to 100 of them: rename it")
    top = _open_folder(submissions / name)
    taken = Taken()
    try:
        inside = set(os.listdir(top))
        flat = len(labs) == 1 and labs[0].name not in inside
        for lab in labs:
            _take_lab(top, lab, flat, taken)
        used = set(labs[0].files()) if flat else {lab.name for lab in labs}
        taken.ignored[:0] = sorted(inside - used)
        if len(taken.ignored) > _NAMES:
            more = len(taken.ignored) - _NAMES
            taken.ignored[_NAMES:] = [f"and {more} more"]
    finally:
        os.close(top)
    return taken


def _open_folder(path, **where) -> int:
    """Return a descriptor of a folder; FileNotFoundError when there is nothing."""
    try:
        return os.open(path, _FOLDER, **where)
    except FileNotFoundError:
        raise
    except OSError as error:
        # ENOTDIR is what Linux says of a link, too, when both flags are given.
        if error.errno != errno.ENOTDIR:
            raise Refused(f"it can't be opened: {error.strerror}") from None
    if stat.S_ISLNK(os.stat(path, follow_symlinks=False, **where).st_mode):
        raise Refused("it is a symbolic link; hand in the folder itself")
    raise Refused("it is no folder: unpack it into a folder of that name")


def _take_lab(top: int, lab: Lab, flat: bool, taken: Taken) -> None:
    """Add what is there of one lab to ``taken``."""
    wanted = lab.files()
    try:
        folder = _open_folder("." if flat else lab.name, dir_fd=top)
    except (Refused, FileNotFoundError) as problem:
        if isinstance(problem, Refused):
            taken.refused[lab.name] = f"{lab.name} can't be taken: {problem}"
        for name in wanted:
            taken.missing[f"{lab.name}/{name}"] = f"{name} is missing"
        return
    try:
        # A path through the open folder: nobody can put a link in its place.
        here = Path(f"/proc/self/fd/{folder}")
        for name in wanted:
            try:
                taken.files[f"{lab.name}/{name}"] = intake.take(here, name)
            except intake.Refused as problem:
                there = os.path.lexists(here / name)
                (taken.refused if there else taken.missing)[f"{lab.name}/{name}"] = str(problem)
        if not flat:
            others = sorted(set(os.listdir(folder)) - set(wanted))
            taken.ignored += [f"{lab.name}/{name}" for name in others]
    finally:
        os.close(folder)


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
