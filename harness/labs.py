"""Where the labs are: folders found by name, never a list.

A lab is ``labs/NN-name`` (what a student sees) and, where the tree is whole,
``solutions/NN-name``.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_LAB = re.compile(r"^\d\d-[a-z0-9-]+$")


class Unknown(Exception):
    """Bad input from the command line; the message says what to do."""


@dataclass(frozen=True)
class Lab:
    """One lab.

    ``folder`` holds handout, headers and checks; ``source`` the student's
    sources; ``solution`` the references, if this copy of the tree has them.
    """

    name: str
    folder: Path
    source: Path
    solution: Path

    @property
    def number(self) -> str:
        """The two digits."""
        return self.name[:2]

    @property
    def title(self) -> str:
        """The first line of the handout."""
        first = (self.folder / "README.md").read_text(encoding="utf-8").splitlines()[0]
        return first.lstrip("# ").strip()

    def files(self) -> list[str]:
        """Return the names of the sources to hand in.

        They are those of the reference, or of the pristine skeletons in a
        copy of the tree that has no references.
        """
        for folder in (self.solution, skeleton_folder(self.name)):
            names = sorted(path.name for path in folder.glob("*.c"))
            if names:
                return names
        return sorted(path.name for path in self.folder.glob("*.c"))


def skeleton_folder(name: str) -> Path:
    """Return where a handout keeps the pristine skeletons of a lab."""
    return ROOT / "labs" / ".skeleton" / name


def all_names() -> list[str]:
    """Return the names of all labs, in their order."""
    return sorted(
        path.name for path in (ROOT / "labs").iterdir() if path.is_dir() and _LAB.match(path.name)
    )


def source_folder(source: str) -> Path:
    """Return the folder that SRC names; ``Unknown`` when there is none."""
    folder = Path(source)
    if not folder.is_absolute():
        folder = ROOT / folder
    if not folder.is_dir():
        raise Unknown(
            f"SRC={source} is no folder. Give a folder with the labs in it, such as SRC=labs."
        )
    return folder


def find(number: str, source: str = "labs") -> Lab:
    """Return the lab with a number or name.

    Args:
        number: "03", "3" or "03-stream-server".
        source: the folder that holds the student's ``NN-name`` folders.

    Raises:
        Unknown: no such lab, or no such folder.
    """
    names = all_names()
    wanted = number.zfill(2)
    matches = [name for name in names if name == number or name[:2] == wanted]
    if not matches:
        known = " ".join(name[:2] for name in names)
        raise Unknown(f"There is no lab {number}. The labs are: {known}.")
    name = matches[0]
    folder = source_folder(source) / name
    return Lab(name, ROOT / "labs" / name, folder, ROOT / "solutions" / name)
