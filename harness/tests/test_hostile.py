"""Programs that do harm: each gets its points, a clear sentence, and nothing else.

Every one is the reference of incsrv with a constructor before it, so that it
misbehaves first and would serve afterwards.  The checks are the real ones.
"""

import concurrent.futures
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import labs, stage
from harness.kernel import proc
from harness.tests.arena import LAB, LIMIT, OTHER, Arena, reference, validate

PROGRAMS = Path(__file__).resolve().parent / "programs"
SECRET = "a-word-that-only-the-harness-knows"

# What is done, and the sentence that says so.
NAMED = {
    "stdout": "it prints on stdout for ever",
    "stderr": "it prints on stderr for ever",
    "forks": "fork without end",
    "hops": "fork without end: each ends when it has started the next",
    "deaf": "incsrv asleep in",
    "closed": "its stdout, descriptor 1, leads to /dev/null: the program did that itself",
    "daemon": "incsrv ended and left a process behind that goes on",
    "stops": "it was stopped by a signal such as SIGSTOP, which the checker did not send",
    "splices": "a pipe that the program keeps locked while it sleeps",
    "sends": "a pipe that the program keeps locked while it sleeps",
    "group": "the program killed itself or its whole process group",
    "traced": "incsrv was killed by SIGTRAP",
    "disk": "it wrote a file larger than it may",
    "replaces": "the program replaced or removed the file that it was started from",
    "escapes": "incsrv exited with status 1",
    "folders": "",  # what it leaves behind may fail a check that looks for it
    "curious": "PATH=/usr/local/bin:/usr/bin:/bin",
}
# What comes to nothing: the program serves, and gets all its points.
HARMLESS = ["descriptors", "parent", "results"]
AS_USER = {
    "hidden": "has made itself unobservable",
    "hops": NAMED["hops"],
    "curious": NAMED["curious"],
    "folders": "",
    "reference": None,
}
# The user without a name, and a command that becomes that user.
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def _source(name: str) -> str:
    if name == "reference":
        return reference("incsrv")
    return (PROGRAMS / f"hostile-{name}.c").read_text(encoding="utf-8") + reference("incsrv")


def _is_there(command: str) -> bool:
    return shutil.which(command) is not None


@pytest.fixture(scope="module")
def world_readable():
    """A folder that every user may enter, with a copy of the tree in it."""
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    folder.chmod(0o755)
    keep = shutil.ignore_patterns(".git", ".build", "__pycache__")
    shutil.copytree(labs.ROOT, folder / "tree", ignore=keep)
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
    yield folder
    stage.remove(str(folder))


@pytest.fixture(scope="module")
def runs(built, tmp_path_factory, world_readable):
    """All runs, as many side by side as there are CPUs."""
    folder = tmp_path_factory.mktemp("hostile")

    def mine(name):
        arena = Arena(folder / name, built)
        arena.put("incsrv", _source(name))
        return arena.run(SECRET=SECRET, JOBS="4")

    def theirs(name):
        arena = Arena(world_readable / name, built, world_readable / "tree")
        arena.put("incsrv", _source(name))
        for path in (arena.folder, arena.build, arena.files):
            path.chmod(0o777)
        return arena.run(*NOBODY, SECRET=SECRET, JOBS="4")

    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = {name: pool.submit(mine, name) for name in [*NAMED, *HARMLESS]}
        if os.getuid() == 0 and _is_there("setpriv"):
            found |= {f"{name} as user": pool.submit(theirs, name) for name in AS_USER}
        elif os.getuid() != 0:
            found["hidden as user"] = pool.submit(mine, "hidden")
        return {name: one.result() for name, one in found.items()}


def _orderly(run, sentence: str | None) -> None:
    """Require what every run must be, whatever the program does."""
    validate(run.document)
    assert run.document["state"] == "complete"
    assert run.status == 1, run.output + run.errors
    assert set(run.outcomes(OTHER)) == {"passed"}
    assert "error" not in run.outcomes("incsrv"), run.output
    assert "Traceback" not in run.output + run.errors
    assert run.left == []
    assert run.files == []
    assert run.seconds < LIMIT
    assert SECRET not in run.output
    assert "\033" not in run.output
    said = " ".join(run.output.split())
    assert sentence is None or sentence in said, run.output
    if sentence is None:
        assert set(run.outcomes("incsrv")) == {"passed"}, run.output
    elif sentence:
        assert "failed" in run.outcomes("incsrv")


@pytest.mark.parametrize("name", NAMED)
def test_named(runs, name):
    """What a program does to the checker is said, and costs it its points."""
    _orderly(runs[name], NAMED[name])


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless(runs, name):
    """What comes to nothing costs nothing."""
    _orderly(runs[name], None)


@pytest.mark.parametrize("name", AS_USER)
def test_as_user(runs, name):
    """The same where the checker itself is an ordinary user."""
    if f"{name} as user" not in runs:
        pytest.skip("only root can become somebody else")
    _orderly(runs[f"{name} as user"], AS_USER[name])


def test_escapes_are_shown(runs):
    """Escapes, and orders to who runs a workflow, are shown and not sent."""
    text = runs["escapes"].output
    assert "\\x1b[2J\\x1b]0;title\\x07\\x0d\\x08" in text
    assert "\\x202e" in text
    for line in text.split("\n"):
        assert not line.strip().startswith(("::", "##["))
    assert "\\::error::injected" in text


def test_secret_is_kept(runs):
    """A program can't read the checker's environment, nor does it get it."""
    run = runs["curious"]
    assert SECRET not in str(run.document)
    assert "SOCKLAB" not in str(run.document)
    assert "PYTEST" not in str(run.document)


@pytest.mark.skipif(not _is_there("unshare"), reason="there is no unshare")
def test_everybody(built, tmp_path):
    """kill(-1) ends the program itself; in its own process namespace, to be sure."""
    prefix = ["unshare", "--pid", "--fork", "--mount-proc"]
    if os.getuid() != 0:
        prefix[1:1] = ["--user", "--map-root-user"]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode != 0:
        pytest.skip("namespaces are refused here")
    arena = Arena(tmp_path / "arena", built)
    arena.put("incsrv", _source("everybody"))
    _orderly(arena.run(*prefix, SECRET=SECRET), "kill() got -1")


def test_deep_and_closed_folders(tmp_path):
    """A folder of any depth is removed, and nothing that a link in it leads to."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    folder = tmp_path / "folder"
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    try:
        for _ in range(1100):
            os.mkdir("x", dir_fd=here)
            below = os.open("x", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.symlink(outside, "link", dir_fd=here)
        os.mkfifo("fifo", dir_fd=here)
        os.fchmod(here, 0)
    finally:
        os.close(here)
    (folder / "closed").mkdir(0)
    folder.chmod(0)
    stage.remove(str(folder))
    assert os.listdir(tmp_path) == ["outside"]
    assert (outside / "file").exists()


def test_nobody_is_left_of_these_tests(runs):
    """Nothing that these tests started is still there."""
    assert runs
    mine = proc.children(os.getpid())
    assert [pid for pid in mine if not proc.is_zombie(pid)] == []
    assert LAB.name
