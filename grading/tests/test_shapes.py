"""The exports of learning platforms become one row for each submission."""

import pytest

from grading import gradebook, shapes, trees
from grading.verbs.plan import plan
from harness import labs

LAB = labs.find("03")
FILES = LAB.files()
SOURCE = "int main(void) { return 0; }\n"
# What systems put beside one's files.
LEFT = {".git/x", ".DS_Store", "__MACOSX/._anna", "Thumbs.db", "desktop.ini"}


def _class(tmp_path, files: dict[str, str]):
    for name, text in files.items():
        path = tmp_path / "class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "class"


def _entries(tmp_path, files: dict[str, str]) -> dict[str, dict]:
    planned = plan(_class(tmp_path, files), tmp_path / "run", ["03"])
    return {one["id"]: one for one in planned}


def test_canvas(tmp_path):
    """Files of all in one folder, with names and numbers before theirs."""
    files = {f"smithbob_3409_2084{n}_{name}": SOURCE for n, name in enumerate(FILES)}
    files["wellslane_LATE_3342_39480_incsrv.c"] = "old"
    files["wellslane_LATE_3342_39481_incsrv-1.c"] = "new"
    found = _entries(tmp_path, files)
    assert sorted(found) == ["smithbob_3409", "wellslane_3342"]
    assert found["smithbob_3409"]["files"] == [f"{LAB.name}/{name}" for name in FILES]
    assert found["wellslane_3342"]["people"] == ["3342"]
    copy = tmp_path / "run" / "intake" / "wellslane_3342" / LAB.name / "incsrv.c"
    assert copy.read_text() == "new"


@pytest.mark.parametrize("between", ["/", ""])
def test_moodle(tmp_path, between):
    """A folder for each participant, or one folder with long names."""
    start = f"Ren\u00e9 d'Arc_817_assignsubmission_file_{between}"
    found = _entries(tmp_path, {start + name: SOURCE for name in FILES})
    (entry,) = found.values()
    assert entry["id"] == "Rene_d_Arc_817"
    assert entry["people"] == ["Ren\u00e9 d'Arc"]
    assert entry["files"] == [f"{LAB.name}/{name}" for name in FILES]


def test_export_in_a_folder(tmp_path):
    """Unpacking puts a folder around the export: it is no submission."""
    files = {f"Course-Lab 3/{who}_assignsubmission_file/incsrv.c": SOURCE for who in ("A_1", "B_2")}
    assert sorted(_entries(tmp_path, files)) == ["A_1", "B_2"]


def test_one_submission_is_no_export(tmp_path):
    """A folder alone is a submission, whatever lies in it."""
    files = {f"anna/{name}": SOURCE for name in FILES}
    assert _entries(tmp_path, files)["anna"]["files"] == [f"{LAB.name}/{name}" for name in FILES]


@pytest.mark.parametrize("between", ["/", ""])
def test_text_typed_in_at_moodle(tmp_path, between):
    """It is no submission of its own; who has typed and nothing else has handed in no file."""
    files = {f"Ada_1_assignsubmission_file_{between}incsrv.c": SOURCE}
    files[f"Ada_1_assignsubmission_onlinetext_{between}onlinetext.html"] = "<p>"
    files[f"Ben_2_assignsubmission_onlinetext_{between}onlinetext.html"] = "<p>"
    found = _entries(tmp_path, files)
    assert {name: one["files"] for name, one in found.items()} == {
        "Ada_1": [f"{LAB.name}/incsrv.c"],
        "Ben_2": [],
    }
    assert not any("error" in one for one in found.values())


METADATA = """---
submission_12:
  :submitters:
  - :name: Ada
    :sid: '0017'
    :email: ada@example.org
  - :name: Ben
    :sid:
    :email: ben@example.org
  :created_at: 2026-10-02 09:12:13.000000000 Z
submission_13:
  :submitters: []
"""


def test_gradescope(tmp_path):
    """The list beside the folders says whose each is, and when it came."""
    pytest.importorskip("yaml", reason="python3-yaml is not installed")
    files = {f"submission_12/{name}": SOURCE for name in FILES}
    files |= {"submission_13/readme": "", shapes.METADATA: METADATA}
    found = _entries(tmp_path, files)
    assert found["submission_12"]["people"] == ["0017", "ben@example.org"]
    assert found["submission_12"]["submitted"].startswith("2026-10-02 09:12:13")
    assert found["submission_12"]["files"] == [f"{LAB.name}/{name}" for name in FILES]
    assert found["submission_13"]["files"] == []


def test_refused_submission_says_whose_it_is(tmp_path):
    """A damaged archive needs a person, who needs a name."""
    pytest.importorskip("yaml", reason="python3-yaml is not installed")
    files = {"submission_12/mine.zip": "PK\3\4", shapes.METADATA: METADATA}
    entry = _entries(tmp_path, files)["submission_12"]
    assert "damaged archive" in entry["error"]
    people = gradebook.People([entry])
    rows = people.rows(entry, gradebook.row(entry, None, ""))
    assert [(row["person"], row["state"]) for row in rows] == [
        ("0017", "refused"),
        ("ben@example.org", "refused"),
    ]
    assert rows[0]["submitted"].startswith("2026-10-02")


@pytest.mark.parametrize("text", ["{", "- 1", "a: b", "\0", "!!python/object/apply:os.abort []"])
def test_bad_list_of_gradescope(tmp_path, text):
    """A broken or hostile list is one sentence."""
    pytest.importorskip("yaml", reason="python3-yaml is not installed")
    with pytest.raises(labs.Unknown, match="is not what Gradescope writes"):
        _entries(tmp_path, {shapes.METADATA: text})


def test_groups(tmp_path):
    """groups.csv says who is in a group; the first line may be a heading."""
    files = {f"red/{name}": SOURCE for name in FILES}
    files |= {"blue/incsrv.c": SOURCE, "groups.csv": "submission,person\nred,ada\nred,ben\n"}
    found = _entries(tmp_path, files)
    assert found["red"]["people"] == ["ada", "ben"]
    assert found["blue"]["people"] == []


@pytest.mark.parametrize(
    "text, words",
    [
        ("green,ada\n", "names green, .* ids such as red"),
        ("red\n", "each line"),
        ("a,b,c\n", "each line"),
    ],
)
def test_bad_groups(tmp_path, text, words):
    """A line that is no pair, or a name that nobody has."""
    with pytest.raises(labs.Unknown, match=words):
        _entries(tmp_path, {"red/incsrv.c": SOURCE, "groups.csv": text})


def test_own_shape_is_left_alone(tmp_path):
    """A folder for each submission, under its own name; what systems leave there is none."""
    whole = trees.of_class(_class(tmp_path, dict.fromkeys(LEFT | {"anna/incsrv.c"}, "")))
    assert [one.id for one in shapes.submissions(whole)] == ["anna"]
