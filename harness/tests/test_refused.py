"""The same verdicts where a machine refuses things, and for whoever asks.

A filter around the door answers EPERM for real, one thing at a time and all
together.  A check then comes to the same verdict in another way, or is
unavailable with the reason; it never passes or costs points for that.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import labs, proof

REFUSABLE = ["unshare", "clone", "ptrace", "pidfd_getfd"]
MOST_WITHOUT_NAMESPACES = 10
NOBODY = 65534


@pytest.fixture(scope="module")
def textbook(tmp_path_factory):
    """A folder of sources with both passing and failing checks."""
    where = tmp_path_factory.mktemp("textbook")
    where.chmod(0o755)
    for name in labs.all_names():
        lab = labs.find(name)
        proof.overlay(lab, where, lab.solution / "textbook")
    return where


def _check(prefix: list[str], source: Path, target: Path, root: Path = labs.ROOT) -> dict:
    """Check all labs behind a command; return the verdicts and the document."""
    env = {"PATH": os.environ["PATH"], "SRC": str(source), "RESULT": str(target), "SEED": "same"}
    if root != labs.ROOT:
        env["SOCKLAB_BUILD"] = str(target.parent / "build")
    command = [*prefix, sys.executable, "-m", "harness", "check"]
    done = subprocess.run(
        command, cwd=root, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return json.loads(target.read_text(encoding="ascii"))


def _verdicts(document: dict) -> dict[str, str]:
    return {
        f"{lab['name']} {one['program']} {one['name']}": one["outcome"]
        for lab in document["labs"]
        for one in lab["checks"]
    }


@pytest.fixture(scope="module")
def free(textbook, tmp_path_factory):
    """The verdicts of a run in which nothing is refused."""
    target = tmp_path_factory.mktemp("free") / "result.json"
    return {
        "solutions": _verdicts(_check([], labs.ROOT / "solutions", target)),
        "textbook": _verdicts(_check([], textbook, target)),
    }


@pytest.fixture(scope="module")
def refuse(native):
    """The tool that refuses."""
    return native(Path(__file__).parent / "refuse.c")


@pytest.mark.parametrize("what", [*REFUSABLE, ",".join(REFUSABLE)])
@pytest.mark.parametrize("source", ["solutions", "textbook"])
def test_same_verdicts_when_refused(what, source, free, textbook, refuse, tmp_path):
    """The verdicts are the same, or unavailable with a reason."""
    folder = textbook if source == "textbook" else labs.ROOT / "solutions"
    document = _check([str(refuse), what], folder, tmp_path / "result.json")
    for name, outcome in _verdicts(document).items():
        assert outcome in (free[source][name], "unavailable"), name
    for lab in document["labs"]:
        missing = [one for one in lab["checks"] if one["outcome"] == "unavailable"]
        assert all(one["why"] for one in missing)
        if what == "unshare":
            points = sum(one["max"] for one in missing if not one["challenge"])
            assert points <= MOST_WITHOUT_NAMESPACES


@pytest.mark.skipif(os.getuid() != 0, reason="who is not root is the ordinary user already")
@pytest.mark.parametrize("source", ["solutions", "textbook"])
def test_same_verdicts_as_an_ordinary_user(source, free, textbook, tmp_path_factory):
    """Root and an ordinary user come to the same verdicts."""
    where = tmp_path_factory.mktemp("nobody", numbered=True)
    _open_up(where)
    tree = where / "tree"
    ignore = shutil.ignore_patterns(".build", ".git", "__pycache__", "tests")
    shutil.copytree(labs.ROOT, tree, ignore=ignore)
    shutil.copytree(textbook, where / "textbook")
    subprocess.run(["chmod", "-R", "a+rX", str(where)], check=True)
    out = where / "out"
    out.mkdir(mode=0o777)
    out.chmod(0o777)
    folder = where / "textbook" if source == "textbook" else tree / "solutions"
    prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    document = _check(prefix, folder, out / "result.json", tree)
    assert _verdicts(document) == free[source]


def _open_up(folder: Path) -> None:
    """Let everybody reach a folder below pytest's private one."""
    for one in [folder, *folder.parents]:
        if one.stat().st_uid == os.getuid() and str(one).startswith("/tmp/"):
            one.chmod(one.stat().st_mode | 0o055)
