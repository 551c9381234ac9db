"""Checks at each level of confinement: what a check can rely on, whatever the level."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness import confine, labs, probes
from harness.kernel import proc

SHELL = "/bin/sh"


def _shell(program, *words: str, **how):
    """Start a shell where the program would be."""
    return program("runs").start(SHELL, "-c", *words, **how)


def _said(program, *words: str) -> str:
    process = _shell(program, *words)
    process.wait_end()
    return process.stdout.decode()


def test_full_marks(door, level, tmp_path):
    """The reference gets all points, and the result says at which level."""
    target = tmp_path / "result.json"
    done = door("check", "03", SRC="solutions", RESULT=str(target), LEVEL=level)
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(target.read_text(encoding="ascii"))
    assert document["level"] == level
    has_cgroup = "cgroup" not in document["machine"]["lacks"]
    assert has_cgroup == (not probes.failing("cgroup", level))
    words = f"{level}, a cgroup for each program" if has_cgroup else level
    assert f"\nscore 100/100  challenge 10/10\nlevel {words}\n" in done.stdout


def test_environment_is_the_same(world, level):
    """A program finds the same variables as without confinement."""

    def work(stage, program):
        process = program("runs").start("/usr/bin/env")
        process.wait_end()
        return sorted(process.stdout.decode().splitlines())

    found = world(work, level=level)
    assert found
    assert found == world(work)


def test_descriptors_are_the_same(world, level):
    """A program has 0, 1 and 2, and nobody besides has the other ends of them."""

    def work(stage, program):
        process = program("runs").start("/bin/ls", "/proc/self/fd")
        process.wait_end()
        assert process.stdout == b"0\n1\n2\n3\n"  # 3 is the folder that ls reads
        process = _shell(program, "exec >&- 2>&-; read line", stdin=True)
        outputs = (process._stdout, process._stderr)
        process.until(lambda: all(one.ended for one in outputs), "both pipes to end")

    world(work, level=level)


def test_numbers(world, level):
    """The harness knows the program by its number here, and by the program's own."""

    def work(stage, program):
        process = _shell(program, "echo $$; read line", stdin=True)
        process.until(lambda: process.stdout, "its number")
        assert int(process.stdout) == process.inner_pid
        assert (process.inner_pid == process.pid) == (level != "namespaces")
        assert proc.children(process.launcher_pid) == [process.pid]
        owner = os.stat(f"/proc/{process.pid}").st_uid
        assert owner == (os.geteuid() if stage.uid is None else stage.uid)

    world(work, level=level)


@pytest.mark.parametrize("killed", [False, True])
def test_the_end_is_the_end_of_all(world, level, killed):
    """When a run was ended nobody is left, not even if its launcher was killed."""

    def work(stage, program):
        process = _shell(program, "setsid sleep 60 & setsid sh -c 'sleep 60; :' & wait")
        process.until(lambda: len(process.tree()) == 4, "a family")
        family = process.tree()
        if killed:
            os.kill(process.launcher_pid, signal.SIGKILL)
        process.end()
        return [pid for pid in family if (found := proc.stat(pid)) and not found.is_zombie]

    assert world(work, level=level) == []


def test_files_come_and_go(world, level):
    """Both sides see each other's files in the check's folder, and may change them."""

    def work(stage, program):
        with open(stage.path("ours"), "w", encoding="ascii") as file:
            file.write("from here\n")
        text = "cat ours; echo more >>ours; echo from there >theirs; chmod 600 theirs"
        assert _said(program, text) == "from here\n"
        assert Path(stage.path("ours")).read_text(encoding="ascii") == "from here\nmore\n"
        assert Path(stage.path("theirs")).read_text(encoding="ascii") == "from there\n"
        return stage.folder

    folder = world(work, level=level)
    assert not os.path.exists(folder)


def test_folder_at_level_namespaces(world):
    """No link in it leads the harness astray, and it holds so much and no more."""
    why = confine.why_not("namespaces")
    if why:
        pytest.skip(f"namespaces: {why}")

    def work(stage, program):
        said = _said(program, "ln -s /etc/hostname link; echo here >file; ln -s file own; cat own")
        assert said == "here\n"
        with pytest.raises(OSError) as caught:
            open(stage.path("link"), "rb")
        assert caught.value.errno == errno.ELOOP
        fill = "head -c 50000000 /dev/zero >one; head -c 50000000 /dev/zero >two; echo $?"
        assert _said(program, fill) == "1\n"

    world(work, level="namespaces")


def test_only_its_own_processes(world):
    """At level namespaces a program sees the launcher, itself and its children."""
    why = confine.why_not("namespaces")
    if why:
        pytest.skip(f"namespaces: {why}")

    def work(stage, program):
        return _said(program, "echo /proc/[0-9]*").split()

    assert world(work, level="namespaces") == ["/proc/1", "/proc/2"]


@pytest.mark.parametrize(
    "what, level", [("unshare,clone", "namespaces"), ("cap_setuid", "other uid")]
)
def test_a_level_is_never_lowered(native, what, level):
    """What can't be had is refused in one sentence, before anything runs."""
    refuse = str(native(Path(__file__).parent / "refuse.c"))
    done = subprocess.run(
        [refuse, what, sys.executable, "-m", "harness", "check", "03"],
        cwd=labs.ROOT,
        env={**os.environ, "SRC": "solutions", "LEVEL": level},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"LEVEL={level} can't be had on this machine: ")
    assert done.stderr.endswith("(make doctor says more), or leave LEVEL out.\n")
    assert "[Errno" not in done.stderr and done.stderr.count("\n") == 1


def test_an_unknown_level(door):
    """A level that there is not is refused, and those that there are are told."""
    done = door("check", "03", SRC="solutions", LEVEL="best")
    assert (done.returncode, done.stdout) == (2, "")
    levels = "namespaces, other uid, same uid, none"
    assert done.stderr == f"There is no level 'best': say one of {levels}.\n"
