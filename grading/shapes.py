"""The shapes in which a class's work arrives, and the submissions in them.

Ours is a folder for each submission.  The others are those of learning
platforms' exports, known by their names:

    Gradescope   submission_metadata.yml beside folders submission_N
    Moodle       NAME_NUMBER_assignsubmission_file_, a folder or before a file's name;
                 with onlinetext in place of file it is what was typed in there
    Canvas       NAME_[LATE_]USER_SUBMISSION_FILE, all in one folder

Whoever hands in an archive has handed in what is in it.
"""

import csv
import io
import os
import re
import unicodedata
from dataclasses import dataclass, field

from harness import intake, labs

from . import trees
from .trees import Tree

METADATA = "submission_metadata.yml"
GROUPS = "groups.csv"

_MOODLE = re.compile(
    r"(?P<who>.+)_(?P<number>\d+)_assignsubmission_(?P<kind>file|onlinetext)_?(?P<file>.*)", re.S
)
_CANVAS = re.compile(
    r"(?P<who>[^_]+)_(?P<late>LATE_)?(?P<user>\d+)_(?P<number>\d+)_(?P<file>.+)", re.S
)
# A platform adds -1 to the name of a file that is handed in again.
_AGAIN = re.compile(r"-\d+(?=\.[A-Za-z0-9]+$)")
_MAX_TABLE = 4 << 20
# It becomes a file's name, a cell in a spreadsheet and a word on a terminal.
_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


@dataclass
class Submission:
    """One submission, not yet looked into.

    Args:
        id: a name that is safe as a file's.
        files: what was handed in, by the name that the student knows, as a
            path in the tree.
        folder: where everything lies, instead of ``files``.
        people: whose it is, if the export says so.
        submitted: when, as the export writes it.
    """

    id: str
    files: dict[str, str] = field(default_factory=dict)
    folder: str = ""
    people: list[str] = field(default_factory=list)
    submitted: str = ""

    def tree(self, whole: Tree) -> Tree:
        """Return what was handed in."""
        if self.folder:
            return whole.below(self.folder)
        return Tree(
            {name: whole.problems[path] for name, path in self.files.items()},
            lambda name, limit: whole.read(self.files[name], limit),
        )


def is_export(whole: Tree) -> bool:
    """Whether the tree of a class is a learning platform's export."""
    return bool(_platform(_names(whole)))


def _names(whole: Tree) -> list[str]:
    return [name for name in whole.tops() if not trees.hidden(name) and name != GROUPS]


def _platform(names: list[str]) -> str:
    """Return whose export it is by the names at its top; nothing for our own shape."""
    if METADATA in names:
        return "Gradescope"
    if any(map(_MOODLE.fullmatch, names)):
        return "Moodle"
    return "Canvas" if sum(map(bool, map(_CANVAS.fullmatch, names))) * 2 > len(names) else ""


def submissions(whole: Tree) -> list[Submission]:
    """Return the submissions in the tree of a class, sorted by id."""
    names = _names(whole)
    platform = _platform(names)
    if platform == "Gradescope":
        found = _gradescope(whole)
    elif platform == "Moodle":
        found = _moodle(whole, names)
    elif platform == "Canvas":
        found = _canvas(names)
    else:
        found = [_own(whole, name) for name in names]
        if all([one.id] == one.people for one in found):
            for one in found:
                one.people = []
    _join_groups(whole, found)
    return sorted(found, key=lambda one: one.id)


def _own(whole: Tree, name: str) -> Submission:
    """Return a folder or an archive; who is meant is its name, as it is spelt."""
    folder = bool(whole.problems.get(name, "folder"))
    who = name if folder else re.sub(r"\.(zip|tar|tgz|tar\.\w+)$", "", name)
    who = _readable(who)
    # of which nothing is left keeps its name, and is refused for that
    made = who if is_id(who) else _fit(who) or who
    if folder:
        return Submission(made, folder=name, people=[who])
    return Submission(made, {name: name}, people=[who])


def _moodle(whole: Tree, names: list[str]) -> list[Submission]:
    found: dict[str, Submission] = {}
    for name in names:
        match = _MOODLE.fullmatch(name)
        if match is None:
            found[name] = _own(whole, name)
            continue
        person = f"{_slug(match['who'])}_{match['number']}"
        one = found.setdefault(person, Submission(person, people=[match["who"]]))
        if match["kind"] != "file":
            continue
        if match["file"]:
            one.files[match["file"]] = name
        else:
            one.folder = name
    return list(found.values())


def _canvas(names: list[str]) -> list[Submission]:
    """Group files by their users; of a file that was handed in twice, the newest counts."""
    found: dict[str, Submission] = {}
    newest: dict[tuple[str, str], int] = {}
    for name in names:
        match = _CANVAS.fullmatch(name)
        if match is None:
            found[name] = Submission(_slug(name), {name: name})
            continue
        person = f"{_slug(match['who'])}_{match['user']}"
        one = found.setdefault(person, Submission(person, people=[match["user"]]))
        file = _AGAIN.sub("", match["file"])
        if int(match["number"]) >= newest.get((person, file), 0):
            newest[person, file] = int(match["number"])
            one.files[file] = name
    return list(found.values())


def _gradescope(whole: Tree) -> list[Submission]:
    try:
        import yaml
    except ImportError:
        raise labs.Unknown(
            f"To read {METADATA}, Gradescope's list of submissions, YAML is needed: "
            "sudo apt install python3-yaml"
        ) from None
    try:
        listed = yaml.safe_load(whole.read(METADATA, _MAX_TABLE))
        return [
            Submission(
                _slug(str(folder)),
                folder=str(folder),
                people=[
                    str(one.get(":sid") or one.get(":email") or one.get(":name"))
                    for one in about.get(":submitters") or []
                ],
                submitted=str(about.get(":created_at") or ""),
            )
            for folder, about in listed.items()
        ]
    except (yaml.YAMLError, intake.Refused, AttributeError, ValueError) as error:
        said = str(error).splitlines()[0]
        raise labs.Unknown(f"{METADATA} is not what Gradescope writes ({said}).") from None


def _join_groups(whole: Tree, found: list[Submission]) -> None:
    """Give each submission the people that ``groups.csv`` names for it, by id or own spelling."""
    by_id = {one.id: one for one in found}
    listed: dict[str, list[str]] = {}
    for name, people in _groups(whole).items():
        fit = name if name in by_id else _fit(name)
        if fit not in by_id:
            raise labs.Unknown(
                f"{GROUPS} names {name}, and there is no such submission: "
                f"there are ids such as {min(by_id, default='none')}."
            )
        listed.setdefault(fit, []).extend(people)
    for name, people in listed.items():
        by_id[name].people = people


def _groups(whole: Tree) -> dict[str, list[str]]:
    """Return who else has a submission, by its id, from ``groups.csv`` if there is one.

    Each line is ``submission,person``; the first may be a heading.
    """
    if whole.problems.get(GROUPS, "none"):
        return {}
    found: dict[str, list[str]] = {}
    try:
        text = whole.read(GROUPS, _MAX_TABLE).decode("utf-8-sig")
        for number, line in enumerate(csv.reader(io.StringIO(text)), 1):
            if not line or (number == 1 and line[0].strip().lower() == "submission"):
                continue
            submission, person = (cell.strip() for cell in line)
            found.setdefault(submission, []).append(person)
    except (ValueError, csv.Error, intake.Refused):
        raise labs.Unknown(
            f"{GROUPS}: each line must be a submission, a comma, a person."
        ) from None
    return found


def _readable(name: str) -> str:
    """Return a name, read as Latin-1 where its bytes are no UTF-8, as in archives of old systems.

    Every byte is a letter, a sign or a control character in ISO 8859-1, so none is lost.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name).decode("latin-1")
    return name


def is_id(name: str) -> bool:
    """Whether a name can be a submission's id as it is."""
    return bool(_ID.fullmatch(name))


def _slug(text: str) -> str:
    """Return a name that is safe as a file's, as near as may be."""
    return _fit(text) or "nameless"


def _fit(text: str) -> str:
    """Return what of a name is safe as a file's: letters without their accents, ``_`` for blanks.

    It is empty where nothing of it is a letter a to z or a digit.
    """
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(one for one in plain if not unicodedata.combining(one))
    return re.sub(r"[^A-Za-z0-9._-]+", "_", plain).strip("._-")[:80]
