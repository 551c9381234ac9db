"""The doors as a person uses them: words, exit status, files."""

import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile

import pytest

from harness import confine, git, labs, proof, skeleton, temporary
from harness.doors import handout, soak

NUMBER = "03"
LAB = labs.find(NUMBER)


@pytest.fixture
def copy(tmp_path):
    """A copy of the whole tree, as git has it, without git."""
    root = tmp_path / "copy"
    keep = shutil.ignore_patterns(".git", ".build", "__pycache__")
    shutil.copytree(labs.ROOT, root, ignore=keep)
    for name in LAB.files():
        text = (LAB.solution / name).read_text(encoding="utf-8")
        (root / "labs" / LAB.name / name).write_text(
            skeleton.derive_skeleton(text), encoding="utf-8"
        )
    return root


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The handout, unpacked in an empty folder."""
    where = tmp_path_factory.mktemp("handout")
    with tarfile.open(fileobj=io.BytesIO(handout.pack(labs.all_names()))) as archive:
        # without one, Python 3.12 and 3.13 warn; before, there is none
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(where)
    return where / handout.FOLDER


def _solve(root):
    for name in LAB.files():
        shutil.copy(LAB.solution / name, root / "labs" / LAB.name / name)


def test_unknown_lab(door):
    """An unknown lab number is one sentence."""
    done = door("check", "77")
    assert done.returncode == 2
    assert "There is no lab 77. The labs are:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SRC": "nowhere"}, "SRC=nowhere is no folder"),
        ({"SRC": "Makefile"}, "SRC=Makefile is no folder"),
        ({"SRC": "docs"}, f"SRC=docs has no folder {LAB.name}"),
        ({"JOBS": "many"}, "JOBS=many is no number"),
        ({"JOBS": "0"}, "JOBS=0 is no number"),
        ({"SEED": "../x"}, "is not what a run printed"),
        ({"CHECK": "test_lissens"}, "Did you mean"),
        ({"RESULT": "/proc/nothing.json"}, "can't be written"),
        ({"SOCKLAB_BUILD": "/proc/nothing"}, "can't be written to"),
        ({"CC": "no-such-compiler"}, "There is no C compiler 'no-such-compiler'"),
    ],
)
def test_bad_input(door, variables, words):
    """Bad input is one clear sentence and exit status 2."""
    done = door("check", NUMBER, **variables)
    assert (done.returncode, done.stdout) == (2, ""), done.stdout
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_unknown_door(door):
    """An unknown door lists the known ones."""
    done = door("dance")
    assert done.returncode == 2
    assert done.stderr.startswith("usage:")


def test_one_check(door):
    """CHECK runs one check, and full marks in it are success."""
    done = door("check", NUMBER, SRC="solutions", CHECK="test_refused")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 checks" in done.stdout


# What preloads a library, makes UNIX sockets, and hands paths to commands.
AWKWARD = "retrycli/test_retries inccli/test_unix ruptimed/test_runs_command"


@pytest.mark.parametrize("name", ["x" * 100, "with blanks"], ids=["long", "blanks"])
def test_awkward_folders(copy, door, tmp_path, name):
    """Neither the folder of the tree nor TMPDIR decides about points."""
    root = copy.rename(tmp_path / "Übung: mit 'blanks'")
    where = tmp_path / name
    where.mkdir()
    checks = {"SRC": "solutions", "CHECK": AWKWARD, "TMPDIR": str(where)}
    done = door("check", NUMBER, cwd=root, **checks)
    assert done.returncode == 0, done.stdout + done.stderr


def test_closed_home(copy, door, tmp_path):
    """Root in a home folder that is closed to others: root's programs can't go there."""
    if os.getuid() != 0:
        pytest.skip("only root can go where it may not go without privileges")
    home = tmp_path / "home"
    home.mkdir()
    root = copy.rename(home / "socklab")
    os.chown(home, confine.FIRST_UID, confine.FIRST_UID)
    home.chmod(0o750)
    done = door("check", NUMBER, cwd=root, SRC="solutions", CHECK=AWKWARD)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_folder_for_temporary_files(monkeypatch):
    """Where no folder fits, one sentence says what would."""
    monkeypatch.setattr(temporary.os, "access", lambda *_: False)
    with pytest.raises(labs.Unknown, match="let TMPDIR name one .* at most 59 letters"):
        temporary.settle()


def test_tree_of_another_user(door, monkeypatch):
    """git is asked all the same."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    if git.run("ls-files").returncode and git.run("--version").stdout < b"git version 2.38":
        pytest.skip("this git obeys safe.directory in files only")
    assert git.run("ls-files", "Makefile", text=True).stdout == "Makefile\n"


def test_seed_repeats_values(door, tmp_path):
    """The same seed makes the same values."""
    texts = []
    for name in ("a", "b"):
        target = tmp_path / name
        door(
            "check", NUMBER, SRC="solutions", CHECK="test_all_bytes", SEED="abc", RESULT=str(target)
        )
        steps = target.read_text(encoding="ascii").split('"steps"')[1].split('"seconds"')[0]
        texts.append(steps)
    assert texts[0] == texts[1]


def test_no_colour_in_a_pipe(door):
    """Nothing is coloured when nobody looks at a terminal."""
    done = door("check", NUMBER, SRC="solutions", CHECK="test_all_bytes")
    assert "\033" not in done.stdout


def test_skeleton_fails_at_once(copy, door):
    """On the skeletons: no points, exit status 1."""
    done = door("check", NUMBER, cwd=copy)
    assert done.returncode == 1, done.stderr
    assert "\nscore 0/100" in done.stdout


def test_hints_come_one_by_one(copy, door):
    """Three hints, one more at each call."""
    assert "make check-03" in door("hint", NUMBER, cwd=copy).stderr
    door("check", NUMBER, cwd=copy)
    texts = [door("hint", NUMBER, cwd=copy).stdout for _ in range(4)]
    assert [text.count(":  ") + text.count(": ") > 0 for text in texts] == [True] * 4
    assert "concept:" in texts[0] and "call:" not in texts[0]
    assert "call:" in texts[1] and "place:" not in texts[1]
    assert "place:" in texts[2]
    assert texts[2] == texts[3]


def test_hint_follows_what_was_checked_last(copy, door):
    """After a part was checked there is a hint for it, and none for what was mended."""
    door("check", NUMBER, cwd=copy, CHECK="bindto/test_binds")
    hint = door("hint", NUMBER, cwd=copy)
    assert hint.returncode == 0, hint.stderr
    assert hint.stdout.startswith("bindto: ")
    shutil.copy(LAB.solution / "bindto.c", copy / "labs" / LAB.name)
    door("check", NUMBER, cwd=copy, CHECK="bindto")
    assert "No check of lab 03 failed" in door("hint", NUMBER, cwd=copy).stdout
    door("check", NUMBER, cwd=copy, CHECK="ruptime")
    assert door("hint", NUMBER, cwd=copy).stdout.startswith("ruptime: ")


def test_nobody_reads_on(copy):
    """Whoever has seen enough of the output breaks nothing."""
    command = f"{sys.executable} -m harness check {NUMBER} | head -n 1"
    done = subprocess.run(
        ["sh", "-c", command], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""


def test_reset_asks_and_keeps(copy, door):
    """Reset changes nothing unasked, and keeps what it replaces."""
    name = LAB.files()[0]
    path = copy / "labs" / LAB.name / name
    pristine = path.read_text(encoding="utf-8")
    path.write_text("mine", encoding="utf-8")
    done = door("reset", NUMBER, cwd=copy)
    assert done.returncode == 1 and "YES=1" in done.stdout
    assert path.read_text(encoding="utf-8") == "mine"
    done = door("reset", NUMBER, cwd=copy, YES="1")
    assert done.returncode == 0
    assert path.read_text(encoding="utf-8") == pristine
    assert path.with_name(f"{name}.before-reset").read_text(encoding="utf-8") == "mine"


def test_solution_asks_while_not_green(copy, door):
    """The reference is shown after full marks, or when asked twice."""
    done = door("solution", NUMBER, cwd=copy)
    assert done.returncode == 1 and "has not reached full marks" in done.stdout
    assert "SKELETON" not in door("solution", NUMBER, cwd=copy, YES="1").stdout


def test_submit_packs_exactly_the_files(copy, door):
    """The archive holds the files to hand in, and the bytes are repeatable."""
    (copy / "labs" / LAB.name / "diary.txt").write_text("secret", encoding="utf-8")
    done = door("submit", NUMBER, cwd=copy)
    assert done.returncode == 0, done.stdout + done.stderr
    target = copy / f"{LAB.name}.tar.gz"
    first = target.read_bytes()
    with tarfile.open(target) as archive:
        assert archive.getnames() == [f"{LAB.name}/{name}" for name in LAB.files()]
    door("submit", NUMBER, cwd=copy)
    assert target.read_bytes() == first


def test_submit_names_a_missing_file(copy, door):
    """Nothing is packed when a file is missing."""
    name = LAB.files()[0]
    (copy / "labs" / LAB.name / name).unlink()
    done = door("submit", NUMBER, cwd=copy)
    assert done.returncode == 2
    assert f"Nothing packed: {name} is missing" in done.stderr


def test_rubric_adds_up(door):
    """The rubric names every check and the total."""
    done = door("rubric")
    assert done.returncode == 0
    assert "total 100 (" in done.stdout


def test_handout_leaves_out_what_is_not_for_students(unpacked):
    """No reference, no grading, no wrong program is in the tarball."""
    paths = [str(path.relative_to(unpacked)) for path in unpacked.rglob("*")]
    for word in ("solutions", "grading", "mutants", "tests", "CONTRIBUTING", ".github"):
        assert not [path for path in paths if word in path.split("/")], word
    skeletons = sorted(path.name for path in (unpacked / "labs/.skeleton" / LAB.name).iterdir())
    assert skeletons == LAB.files()


def test_handout_works_alone(unpacked, door, tmp_path):
    """Unpacked without git: check, hint, reset, submit, doctor work."""
    root = tmp_path / "alone"
    shutil.copytree(unpacked, root)
    done = door("check", NUMBER, cwd=root)
    assert done.returncode == 1 and "score 0/100" in done.stdout, done.stderr
    assert "concept:" in door("hint", NUMBER, cwd=root).stdout
    done = door("solution", NUMBER, cwd=root, YES="1")
    assert done.returncode == 2
    assert done.stderr.startswith("This copy of the labs has no solutions")
    assert door("doctor", cwd=root).returncode in (0, 1)
    _solve(root)
    done = door("check", NUMBER, cwd=root)
    assert done.returncode == 0 and "score 100/100" in done.stdout, done.stdout
    assert door("submit", NUMBER, cwd=root).returncode == 0
    assert door("reset", NUMBER, cwd=root, YES="1").returncode == 0
    assert "score 0/100" in door("check", NUMBER, cwd=root).stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed here")
def test_make_is_the_door(unpacked, tmp_path):
    """make lists the doors, and an instructor's door is refused in words."""
    root = tmp_path / "alone"
    shutil.copytree(unpacked, root)
    env = {"PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"}
    listing = subprocess.run(
        ["make", "-C", str(root)], env=env, capture_output=True, text=True, check=False
    )
    assert "make check-NN" in listing.stdout
    assert "make demo" not in listing.stdout and "make lint" not in listing.stdout
    refused = subprocess.run(
        ["make", "-C", str(root), "demo"], env=env, capture_output=True, text=True, check=False
    )
    assert "This copy of socklab has no grading" in refused.stderr


def test_overlay_refuses_a_patch_that_does_not_apply(tmp_path):
    """A wrong program that no longer fits the reference is an error."""
    patch = tmp_path / "x.patch"
    patch.write_text("--- a/incsrv.c\n+++ b/incsrv.c\n@@ -1 +1 @@\n-nothing\n+other\n")
    with pytest.raises(proof.Broken, match="does not apply"):
        proof.overlay(LAB, tmp_path / "where", patch)


def test_make_without_a_number():
    """Who forgets the lab's number is told what to say."""
    done = subprocess.run(
        ["make", "-C", str(labs.ROOT), "hint-"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert f"make hint-{labs.all_names()[0][:2]}" in done.stderr


def test_prove_unknown_name(door):
    """The name of no wrong program is one sentence, with names that are near."""
    near = proof.mutants(LAB)[0].label
    for name, words in ((f"{near}x", f"Did you mean {near}"), ("qq", "They are in solutions/")):
        done = door("prove", NUMBER, proof.mutants(LAB)[1].label, name)
        assert done.returncode == 2
        assert f"There is no wrong program {name} in lab {NUMBER}. {words}" in done.stderr
        assert done.stdout == ""
    assert door("prove").returncode == 2


class _Run:
    """A run of the checks, as soak sees it; one is still going on when Ctrl-C is pressed."""

    def __init__(self, verdict):
        self.verdict = verdict
        self.signals = []

    def wait(self):
        """Come to the end, or be interrupted while that is waited for."""
        if self.verdict is None and not self.signals:
            raise KeyboardInterrupt

    def poll(self):
        """Say whether it has ended."""
        return None if self.verdict is None else 0

    def send_signal(self, number):
        """Be told to end."""
        self.signals.append(number)


def test_soak_interrupted(monkeypatch, capsys):
    """Ctrl-C ends what goes on, and tells what is done so far."""
    runs = [_Run(verdict) for verdict in ("passed", "failed: x", "passed", None)]
    started = iter(runs)
    monkeypatch.setattr(soak, "_hogs", list)
    monkeypatch.setattr(soak, "_start", lambda *_args: next(started))
    monkeypatch.setattr(soak, "_verdicts", lambda target: {"one": runs[int(target.stem)].verdict})
    with pytest.raises(KeyboardInterrupt):
        soak.main(["9", "01"])
    told = capsys.readouterr().out
    assert "Interrupted after 3 of 9 runs." in told
    assert "one: {'passed': 2, 'failed: x': 1}" in told
    assert "3 runs, 3 verdicts, 2 passed, 1 checks differ" in told
    assert [run.signals for run in runs] == [[], [], [], [signal.SIGINT]]
