"""Cgroups of programs, where one is delegated: what the kernel counts, nobody exceeds."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import labs, probes, warden
from harness.failure import Failure
from harness.kernel import cgroup
from harness.tests.test_attacks import SOURCES

FOLDER, WHY_NOT = cgroup.enter()
delegated = pytest.mark.skipif(bool(WHY_NOT), reason=f"no cgroup: {WHY_NOT}")
ENTER = "from harness.kernel import cgroup; print(*cgroup.enter(), cgroup.of('self'), sep='|')"


@pytest.fixture
def inside(level):
    """A level at which programs have cgroups; skips, and says why, where they have none."""
    why = probes.failing("cgroup", level)
    if why:
        pytest.skip(f"{level}: {why}")
    return level


def _read(folder: str, name: str) -> str:
    return Path(folder, name).read_text(encoding="ascii").strip()


def test_each_program_has_its_own(world, inside):
    """It is in there with all that it starts, under the limits, and none is left in the end."""

    def work(stage, program):
        found = []
        for _ in range(2):
            process = program("runs").start("/bin/sh", "-c", "sleep 60 & wait", stdin=True)
            process.until(lambda process=process: len(process.tree()) == 2, "a child")
            found += {os.path.basename(cgroup.of(pid)) for pid in process.tree()}
        assert len(set(found)) == 2
        assert cgroup.of(process.launcher_pid) == cgroup.of(process.pid)
        for one in (os.path.join(FOLDER, name) for name in found):
            assert _read(one, "memory.max") == str(warden.MEMORY)
            assert _read(one, "memory.oom.group") == "1"
            assert _read(one, "pids.max") == str(warden.PROCESSES)
        return found

    found = world(work, level=inside)
    assert not [one for one in found if os.path.exists(os.path.join(FOLDER, one))]


def test_memory_that_no_process_has(world, inside, native, monkeypatch):
    """Who fills sockets is killed by the kernel, and the words are those for any memory."""
    monkeypatch.setattr(warden, "MEMORY", 100 << 20)
    sockets = str(native(SOURCES / "sockets.c"))

    def work(stage, program):
        process = program("runs")
        process.path = sockets
        run = process.start("150")
        with pytest.raises(Failure):
            run.wait_end()
        assert run.peak >= 100 << 20 and run.cpu > 0
        return stage.foul().got

    assert world(work, level=inside) == "runs used more than 100 MB"


def test_killed_otherwise(world, inside):
    """Whoever is killed by somebody else has not taken too much."""

    def work(stage, program):
        process = program("runs").start("/bin/sh", "-c", "kill -9 $$")
        assert str(process.wait_end()) == "was killed by SIGKILL"
        assert stage.foul() is None

    world(work, level=inside)


def test_lacking_is_told(world, level):
    """What was not to be had is not used later: everybody is limited alike."""

    def work(stage, program):
        process = program("runs").start("/bin/sh", "-c", "read line", stdin=True)
        return cgroup.of(process.pid) == cgroup.of("self")

    assert world(work, level=level, lacks=["cgroup"])


def test_never_without(world, level, monkeypatch):
    """Where programs were to have cgroups, and have none, a check comes to no verdict."""
    monkeypatch.setattr(cgroup, "enter", lambda: ("", "it has gone"))
    monkeypatch.setattr(probes, "lacking", lambda _names, _level: {})

    def work(stage, program):
        with pytest.raises(warden.Broken, match="it has gone"):
            program("runs").start("/bin/true")

    world(work, level=level)


# -- dividing our own ----------------------------------------------------------------------------


@contextlib.contextmanager
def _elsewhere(*commands: list[str]):
    """Run commands in a new cgroup, each in a process group of its own; yield its name."""
    where = os.path.join(FOLDER, f"test-{os.getpid()}")
    os.mkdir(where)
    running = []
    try:
        for one in commands:
            enter = 'echo 0 >"$1/cgroup.procs" && echo entered && shift && exec "$@"'
            process = subprocess.Popen(
                ["/bin/sh", "-c", enter, "sh", where, *one],
                cwd=labs.ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
                text=True,
            )
            running.append(process)
            assert process.stdout.readline() == "entered\n"
        yield where, running
    finally:
        for process in running:
            process.communicate()
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(os.path.join(where, cgroup.OURS))
        os.rmdir(where)


@delegated
def test_alone():
    """Who is alone in its cgroup moves below it, so that others can have theirs there."""
    with _elsewhere([sys.executable, "-c", f"input();{ENTER};input()"]) as (where, (process,)):
        process.stdin.write("\n")
        process.stdin.flush()
        folder, why, path = process.stdout.readline().strip().split("|")
        assert (folder, why) == (where, "")
        assert path == f"{os.path.dirname(cgroup.of('self'))}/{os.path.basename(where)}/socklab"
        assert "memory" in _read(where, "cgroup.subtree_control").split()
        process.stdin.write("\n")


@delegated
def test_others_are_left_alone():
    """Who is not alone leaves everything as it is, and says why."""
    ours = [sys.executable, "-c", f"{ENTER};input()"]
    with _elsewhere(["/bin/cat"], ours) as (where, (_cat, process)):
        said = process.stdout.readline().strip()
        name = os.path.basename(where)
        assert said.startswith("|others are in our cgroup|") and said.endswith(f"/{name}")
        assert not os.path.exists(os.path.join(where, cgroup.OURS))
        process.stdin.write("\n")


@delegated
def test_who_is_left_is_killed():
    """A cgroup is removed even if somebody is in it still."""
    own = cgroup.Group(FOLDER, 100 << 20, 10)
    with open(os.devnull, "rb") as null:
        left = own.start(["/bin/sleep", "60"], [null.fileno()] * 3, [], {}, "/")
    assert os.path.basename(cgroup.of(left.pid)) == os.path.basename(own.path)
    own.close()
    assert os.waitstatus_to_exitcode(os.waitpid(left.pid, 0)[1]) == -9
    assert not os.path.exists(own.path)


@delegated
def test_start():
    """Who is born in one has the descriptors, the environment and the folder given, no others."""
    own = cgroup.Group(FOLDER, 100 << 20, 10)
    script = "echo $A; pwd; ls -l /proc/self/fd | wc -l"
    reader, writer = os.pipe()
    keep = os.open("/", os.O_RDONLY)
    with open(reader, "rb") as pipe, open(os.devnull, "rb") as null:
        command = ["/bin/sh", "-c", script]
        born = own.start(command, (null.fileno(), writer, writer), [keep], {"A": "b"}, "/usr")
        os.close(writer)
        os.close(keep)
        said = pipe.read().decode().split("\n")
        born.wait()
        # 0 to 2, the one kept, and the folder that ls reads; and a line above them
        assert said[:2] == ["b", "/usr"] and said[2] == "6", said
        assert not own.overrun()
        left = own.start(["/no/such/program"], [null.fileno()] * 3, [], {}, "/")
        assert os.waitstatus_to_exitcode(os.waitpid(left.pid, 0)[1]) == 127
    own.close()
    assert not os.path.exists(own.path)


def test_why_not(monkeypatch, tmp_path):
    """One sentence says what is missing, whatever it is."""
    monkeypatch.setattr(cgroup, "_folder", lambda: str(tmp_path))
    assert cgroup.enter.__wrapped__() == ("", "No such file or directory")
    (tmp_path / "cgroup.controllers").write_text("cpu pids\n", encoding="ascii")
    said = ("", "the kernel does not count memory for our cgroup")
    assert cgroup.enter.__wrapped__() == said


@pytest.mark.parametrize(
    "path, rows, folder",
    [
        ("/a/b", ["4 3 0:2 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"], "/sys/fs/cgroup/a/b"),
        ("/", ["4 3 0:2 / /sys/fs/cgroup rw shared:1 - cgroup2 x rw"], "/sys/fs/cgroup"),
        ("/a/b", ["4 3 0:2 /a /c rw - cgroup2 x rw"], "/c/b"),
        ("/a", ["4 3 0:2 / /v1 rw - cgroup x rw", "5 3 0:3 / /v2 rw - cgroup2 x rw"], "/v2/a"),
    ],
)
def test_where_our_cgroup_is_seen(monkeypatch, tmp_path, path, rows, folder):
    """The mount that shows it is found, with what of the hierarchy is mounted there."""
    table = tmp_path / "mountinfo"
    table.write_text("".join(f"{row}\n" for row in rows), encoding="ascii")
    monkeypatch.setattr(cgroup, "_MOUNTS", str(table))
    monkeypatch.setattr(cgroup, "of", lambda _pid: path)
    assert cgroup._folder() == folder
