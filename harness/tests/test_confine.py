"""Confinement: what a program can do at each level, and what it can't."""

import os
import socket
import subprocess
import sys

import pytest

from harness import confine, peers, probes, stage, strange
from harness.failure import Broken


@pytest.fixture
def user(level):
    """The number of another user, where the level brings one; else None."""
    if level == "same uid" or os.geteuid() != 0:
        yield None
        return
    taken = confine.Uid()
    yield taken.number
    taken.release()


@pytest.fixture
def run(level, user):
    """Run a Python program at the level, in a folder of its own; return the finished process.

    Its words below {0} are the folder, {1} one beside it with a file ``secret``.
    """
    with stage.scratch("sl-") as parent:
        os.chmod(parent, 0o711)
        mine, other = os.path.join(parent, "mine"), os.path.join(parent, "other")
        for where in (mine, other):
            os.mkdir(where, 0o755)
        with open(os.path.join(other, "secret"), "w", encoding="ascii") as file:
            file.write("secret")
        if user is not None:
            os.chown(mine, user, user)
        inner = os.path.join(parent, "confine")
        with open(confine.native(), "rb") as source, open(inner, "wb") as copy:
            copy.write(source.read())
        os.chmod(inner, 0o755)

        def start(text: str, **how) -> subprocess.CompletedProcess:
            argv = [os.path.realpath(sys.executable), "-S", "-c", text.format(mine, other)]
            how = {"writable": [mine], "uid": user, "inner": inner, **how}
            return subprocess.run(
                confine.command(level, argv, **how),
                cwd=mine,
                env={"PATH": "/usr/bin:/bin"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )

        yield start


def test_none_changes_nothing():
    """At level none, the command is what it was."""
    assert confine.command("none", ["/bin/true", "x"], uid=5) == ["/bin/true", "x"]


def test_mounts_nothing_on_a_link():
    """What lies in /usr is there already; newer versions of bubblewrap refuse a link as a place."""
    words = confine.command("namespaces", ["/bin/sh"], uid=5, inner="/usr/bin/true")
    around = words[: words.index("--")]
    places = [place for word, place in zip(around, around[2:], strict=False) if "bind" in word]
    assert [place for place in places if place.startswith(("/usr", "/bin"))] == ["/usr"]


def test_old_bubblewrap(tmp_path, monkeypatch):
    """One that can't limit the size of /tmp is named with its version."""
    old = tmp_path / "bwrap"
    old.write_text("#!/bin/sh\necho bubblewrap 0.6.1\n")
    old.chmod(0o755)
    monkeypatch.setattr(confine, "bubblewrap", lambda: str(old))
    assert confine.probe("namespaces") == "bubblewrap 0.6.1 is too old: 0.7 or newer is needed"


def test_the_program_runs(run, user):
    """It runs in its folder, as the right user, with its status and its output."""
    done = run("import os, sys; open('made', 'w'); print(os.getcwd(), os.getuid()); sys.exit(7)")
    assert done.returncode == 7, done.stderr
    folder, uid = done.stdout.split()
    assert os.path.basename(folder) == "mine"
    assert int(uid) == (os.geteuid() if user is None else user)


@pytest.mark.parametrize(
    "what",
    [
        "open('{1}/secret')",
        "open('{1}/new', 'w')",
        "os.listdir('{1}')",
        "os.unlink('{1}/secret')",
        "open('/etc/shadow')",
        "open('/etc/passwd')",
        "open('/usr/lib/new', 'w')",
        "os.setuid(0) if os.getuid() else 1 / 0",
        "socket.socket(40, socket.SOCK_STREAM)",
        "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "call('unshare', 0x10000000)",
        "call('mount', b'none', b'/tmp', b'tmpfs', 0, 0)",
        "call('shmget', 1, 4096, 0o1600)",
        "os.kill(-1, 0)",
    ],
)
def test_is_refused(run, what):
    """What leads out of the confinement fails, and nothing else does."""
    done = run(
        "import ctypes, os, socket\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def call(name, *args):\n"
        "    if getattr(libc, name)(*args) == -1:\n"
        "        raise OSError(ctypes.get_errno(), name)\n"
        "try:\n    " + what + "\n"
        "except (OSError, ZeroDivisionError) as error:\n    print('refused', error)\n"
        "else:\n    print('done')\n"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused"), done.stdout


def test_limits(run):
    """Limits are set, and are none of bubblewrap's."""
    done = run(
        "import resource; print(resource.getrlimit(resource.RLIMIT_NPROC))",
        limits=[("nproc", 77), ("core", 0)],
    )
    assert done.stdout == "(77, 77)\n", done.stderr


def test_descriptors_take_their_places(run, level):
    """Descriptors that were passed on are 0, 1 and 2; bubblewrap does not keep them."""
    read_end, write_end = os.pipe()
    with open(os.devnull, "rb") as null:
        stdio = (null.fileno(), write_end, write_end)
        # run() has no pass_fds: who starts a program with stdio says so itself
        for fd in stdio:
            os.set_inheritable(fd, True)
        argv = confine.command(level, ["/bin/echo", "hello"], stdio=stdio)
        process = subprocess.Popen(argv, close_fds=False)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as pipe:
            assert pipe.read() == b"hello\n"
        process.wait()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has other users")
def test_a_user_is_nobody_elses():
    """Two never get the same user; one that was let go can be had again."""
    first, second = confine.Uid(), confine.Uid()
    assert first.number != second.number
    first.release()
    third = confine.Uid()
    assert third.number != second.number
    second.release()
    third.release()


def test_best_is_the_first_to_be_had():
    """Whatever is better than the best has a reason why not."""
    level, missed = confine.best()
    assert [*missed, level] == list(confine.LEVELS[: len(missed) + 1])
    assert all(missed.values())


def test_the_environment_asks(monkeypatch):
    """No wish is none; a wrong one is refused."""
    monkeypatch.delenv(confine.VARIABLE, raising=False)
    assert confine.asked() == "none"
    monkeypatch.setenv(confine.VARIABLE, "best")
    with pytest.raises(confine.Unavailable, match="no level 'best'"):
        confine.asked()


@pytest.mark.parametrize("watch", [(), ("listen",)])
def test_no_room_for_another_run(world, level, watch):
    """A program that has used up its user's processes is to blame that no other can start."""
    if level == "same uid":
        pytest.skip("there is no limit of processes at this level")

    def work(here, program):
        assert here.to_blame(Broken()) is None
        crowd = program("crowd")
        with pytest.raises(Broken) as found:
            for _ in range(4):
                crowd.start("120", watch=watch).wait_quiet()
        return here.to_blame(found.value).got

    assert world(work, level=level).endswith("so that no more can be started")


def test_no_room_in_the_folder(world):
    """Nor can files be made where a program has filled its folder."""
    if confine.why_not("namespaces"):
        pytest.skip(confine.why_not("namespaces"))

    def work(here, program):
        process = program("crowd").start("0", "5000")
        process.wait_quiet()
        with pytest.raises(OSError, match="No space") as found:
            os.mkfifo(here.path("fifo"))
        return here.to_blame(found.value).got

    assert world(work, level="namespaces").endswith("no more fit in")


def test_in_the_way(world):
    """Nor does a file in the place of one of the checker's, or one that is gone."""

    def work(here, program):
        program("crowd").start("0", "1").wait_quiet()
        calls = [
            lambda path: strange.bind(socket.socket(socket.AF_UNIX), path),
            strange.fifo,
            os.mkdir,
            lambda path: os.unlink(f"{path}.gone"),
        ]
        said = []
        for call in calls:
            with pytest.raises(OSError) as found:
                call(here.path("f0"))
            said.append(here.to_blame(found.value).got.partition(":")[0])
        assert here.to_blame(OSError(2, "no such file", "/tmp/other")) is None
        return said

    taken = ["Address already in use", "File exists", "File exists"]
    assert world(work) == [*taken, "No such file or directory"]


def test_a_port_in_the_way(world):
    """Nor a port that the program has taken, where nobody else is."""
    if probes.failing("netns"):
        pytest.skip("network namespaces are refused")

    def work(here, _program):
        port = here.port()
        with socket.socket() as taken:
            taken.bind(("0.0.0.0", port))
            with pytest.raises(Broken) as found:
                peers.Door(here, (here.address, port))
        return here.to_blame(found.value).got

    assert "already in use" in world(work)
