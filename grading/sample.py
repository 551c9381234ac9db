"""The example class, made whole from what ``grading/example`` keeps of it.

A folder ``example/ID/`` has the ``.c`` files that are the submission's own, and
a file ``base`` that says where the others come from.  Its first line is one of

    solution | skeleton | textbook | variant NAME

and a further line, such as ``seqsrv.c skeleton``, says so for one file; there
``missing`` may stand too.
"""

from pathlib import Path

from harness import labs, skeleton
from harness.labs import Lab

# The lab that the class hands in.
LAB = "03"

_FOLDER = Path(__file__).resolve().parent / "example"


def ids() -> list[str]:
    """Return the ids of the class."""
    return sorted(path.parent.name for path in _FOLDER.glob("*/base"))


def expected(name: str) -> Path:
    """Return the file with the grade that a submission must get."""
    return _FOLDER / name / "expected.json"


def _source(lab: Lab, file: str, base: str) -> str:
    """Return a file of the tree: ``base`` as in the first line of a ``base``."""
    marked = (lab.solution / file).read_text(encoding="utf-8")
    if base == "skeleton":
        return skeleton.derive_skeleton(marked)
    word, _, style = base.partition(" ")
    folder = {"textbook": lab.solution / "textbook", "variant": lab.solution / "variants" / style}
    if word in folder:
        if not folder[word].is_dir():
            raise labs.Unknown(f"{folder[word].relative_to(labs.ROOT)} is not there.")
        if (folder[word] / file).is_file():
            return (folder[word] / file).read_text(encoding="utf-8")
    elif word != "solution":
        raise labs.Unknown(f"grading/example: {base!r} is no base.")
    return skeleton.derive_solution(marked)


def files(name: str) -> dict[str, str]:
    """Return the files of one submission, by name."""
    lab = labs.find(LAB)
    first, *others = (_FOLDER / name / "base").read_text(encoding="ascii").splitlines()
    bases = dict.fromkeys(lab.files(), first) | dict(line.split(" ", 1) for line in others)
    made = {file: _source(lab, file, base) for file, base in bases.items() if base != "missing"}
    own = {path.name: path.read_text(encoding="utf-8") for path in _FOLDER.glob(f"{name}/*.c")}
    return made | own


def make(folder: Path) -> list[str]:
    """Make the class in a new or empty folder; return the ids.

    Raises:
        labs.Unknown: the folder is not empty, or can't be made.
    """
    lab = labs.find(LAB)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise labs.Unknown(f"{folder} is not empty: give a new folder.")
        for name in ids():
            where = folder / name / lab.name
            where.mkdir(parents=True)
            for file, text in files(name).items():
                (where / file).write_text(text, encoding="utf-8")
    except OSError as problem:
        raise labs.Unknown(f"{folder} can't be made: {problem.strerror}.") from None
    return ids()
