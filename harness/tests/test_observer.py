"""Looking at a program through its launcher, where we may not look ourselves."""

import ctypes
import os
import resource
import select
import signal
import socket
import struct
import threading
from pathlib import Path

import pytest

from harness import build, confine, plugin, warden
from harness.failure import Failure
from harness.kernel import limits, observer, pidfd, proc
from harness.tests.arena import Arena, reference, validate

# CAP_SYS_PTRACE and CAP_SYS_RESOURCE; without CAP_SYS_ADMIN, a check could not
# remove the mounts of level namespaces.
_CAPABILITIES = (19, 24)

# The level at which everybody's programs have an observer.
LEVEL = "same uid"
needs_level = pytest.mark.skipif(bool(confine.why_not(LEVEL)), reason=confine.why_not(LEVEL))
needs_user = pytest.mark.skipif(
    bool(confine.why_not("other uid")), reason=confine.why_not("other uid")
)


def _give_up_capabilities() -> None:
    """Become what root is in a container, for good: capget(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    head = struct.pack("=Ii", 0x20080522, 0)
    sets = ctypes.create_string_buffer(24)
    assert libc.capget(head, sets) == 0
    words = list(struct.unpack("=6I", sets.raw))
    for number in _CAPABILITIES:
        for index in range(3):
            words[index] &= ~(1 << number)
    assert libc.capset(head, struct.pack("=6I", *words)) == 0


def _steady(text: bytes) -> list[bytes]:
    """Return what two looks in a row agree on: pages are counted roughly, proc(5)."""
    if b"\n" in text[:-1]:
        return [row for row in text.splitlines() if not row.startswith((b"Vm", b"Rss"))]
    return text.split()[:22]


def _await(process, done) -> None:
    """Wait for something that the launcher says."""
    while not done():
        assert select.select(process.fds_to_watch(), [], [], 20)[0], "nothing is said"
        process.service()


# -- the same answers --------------------------------------------------------------------


@needs_level
def test_answers_are_what_the_kernel_says(world):
    """What an observer tells is what can be seen directly."""

    def work(stage, program):
        process = program("asleep").start("epoll")
        process.wait_quiet()
        pid = process.pid
        for name in ("syscall", "status", "stat", "cmdline"):
            for where in (f"/proc/{pid}/{name}", f"/proc/{pid}/task/{pid}/{name}"):
                if os.path.exists(where):
                    found = observer.file(where)
                    assert found
                    assert _steady(found) == _steady(proc._read_directly(where)), where
        assert observer.links(pid) == proc.descriptors(pid)
        epoll = next(fd for fd, what in observer.links(pid).items() if "eventpoll" in what)
        where = f"/proc/{pid}/fdinfo/{epoll}"
        assert observer.file(where) == proc._read_directly(where)
        assert b"tfd:" in observer.file(where)
        found = limits.prlimit(pid, resource.RLIMIT_NOFILE)
        assert observer.limit(pid, resource.RLIMIT_NOFILE, None) == found

    world(work, level=LEVEL)


@needs_level
def test_memory(world):
    """Memory is read and written, whatever its size; what is not there is not read."""

    def work(stage, program):
        process = program("asleep").start("read")
        process.wait_quiet()
        pid = process.pid
        with open(f"/proc/{pid}/maps", encoding="ascii") as file:
            row = next(line for line in file if "[stack]" in line)
        start, end = (int(word, 16) for word in row.split()[0].split("-"))
        assert observer.peek(pid, start, end - start) == proc.peek(pid, start, end - start)
        observer.poke(pid, start, b"x" * 70000)
        assert proc.peek(pid, start, 70001)[:70000] == b"x" * 70000
        with pytest.raises(OSError):
            observer.peek(pid, 8, 8)
        with pytest.raises(OSError):
            observer.poke(pid, 8, b"x")

    world(work, level=LEVEL)


@needs_level
def test_descriptors(world):
    """A descriptor comes over, and leads to the same socket."""

    def work(stage, program):
        process = program("asleep").start("read")
        process.wait_quiet()
        fd, inode = next(iter(proc.socket_inodes(process.pid).items()))
        try:
            copy = observer.borrow(process.pid, fd)
        except PermissionError:
            return not stage.can("pidfd_getfd") or str(pidfd.borrow(process.pid, fd))
        assert os.fstat(copy).st_ino == inode
        os.close(copy)
        with pytest.raises(OSError, match="Bad file"):
            observer.borrow(process.pid, 999)
        return True

    lacks = ["pidfd_getfd"] if plugin.probes.failing("pidfd_getfd", LEVEL) else []
    assert world(work, level=LEVEL, lacks=lacks) is True


@needs_level
def test_limits_are_set(world):
    """A limit is set for a program, and for nobody else."""

    def work(stage, program):
        process = program("asleep").start("read")
        hard = observer.limit(process.pid, resource.RLIMIT_NOFILE, None)[1]
        observer.limit(process.pid, resource.RLIMIT_NOFILE, (17, hard))
        assert limits.prlimit(process.pid, resource.RLIMIT_NOFILE) == (17, hard)
        core = observer.limit(process.pid, resource.RLIMIT_STACK, None)
        assert core == limits.prlimit(process.pid, resource.RLIMIT_STACK)
        for pid in (process.launcher_pid, os.getpid(), 1):
            with pytest.raises(PermissionError):
                observer.limit(pid, resource.RLIMIT_NOFILE, (17, 17))

    world(work, level=LEVEL)


# -- whom, and how much ------------------------------------------------------------------


@needs_level
def test_nobody_but_descendants(world):
    """Questions about anybody else are not answered."""

    def work(stage, program):
        first = program("asleep").start("read")
        other = program("asleep").start("read")
        first.wait_quiet()
        for pid in (os.getpid(), os.getppid(), 1, 0, -1, first.launcher_pid, other.pid):
            for what in range(1, 8):
                with pytest.raises(ProcessLookupError):
                    first.observer.ask(what, pid, 0, 0)
        assert first.observer.ask(2, first.pid)[0]
        assert observer.links(first.pid) != {}
        assert observer.links(other.pid) != {}

    world(work, level=LEVEL)


@needs_level
def test_answers_are_bounded(world):
    """Too long a question gets a short answer, and an odd one an error."""

    def work(stage, program):
        process = program("hoards").start("own", "1", "8")
        process.until(lambda: process.stdout, "its word")
        with open(f"/proc/{process.pid}/maps", encoding="ascii") as file:
            rows = [line.split()[0].split("-") for line in file]
        start = next(int(a, 16) for a, b in rows if int(b, 16) - int(a, 16) >= 8 << 20)
        assert len(process.observer.ask(3, process.pid, 0, 0, start, 1 << 60)[0]) == 1 << 20
        assert len(observer.peek(process.pid, start, 8 << 20)) == 8 << 20
        for question in [(0,), (99,), (1, 0, -1), (1, 0, 7), (1, 0, 1 << 30)]:
            what, *rest = question
            with pytest.raises(OSError, match="Invalid argument"):
                process.observer.ask(what, process.pid, *rest)

    world(work, level=LEVEL)


@needs_level
def test_broken_question(world):
    """Who asks nonsense is not listened to any more; the program goes on."""

    def work(stage, program):
        process = program("asleep").start("read")
        process.wait_quiet()
        process.observer._ours.send(b"?")
        with pytest.raises(ProcessLookupError):
            process.observer.ask(2, process.pid)
        process.wait_quiet()
        process.end()
        assert process.foul() is None

    world(work, level=LEVEL)


# -- where it is needed --------------------------------------------------------------------


@needs_user
@pytest.mark.parametrize("level", ["other uid", "namespaces"])
def test_another_user_without_privilege(world, level):
    """Everything that checks ask can be asked where the kernel refuses it to us."""
    if confine.why_not(level):
        pytest.skip(confine.why_not(level))

    def work(stage, program):
        _give_up_capabilities()
        process = program("asleep").start("epoll")
        with pytest.raises(PermissionError):
            os.readlink(f"/proc/{process.pid}/fd/0")
        with pytest.raises(PermissionError):
            open(f"/proc/{process.pid}/mem", "rb")
        with pytest.raises(PermissionError):
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        blocked = process.wait_quiet()[0].blocked
        assert blocked.call.startswith("epoll")
        assert blocked.reads == {3, 4}
        assert len(proc.socket_inodes(process.pid)) == 3
        process.limit_descriptors(20)
        assert limits.prlimit(process.pid, resource.RLIMIT_NOFILE)[0] == 20
        if stage.can("pidfd_getfd"):
            with process.borrow(4) as sock:
                assert sock.family == socket.AF_UNIX
        other = program("asleep").start("select")
        assert other.wait_quiet()[-1].blocked.reads
        process.end()
        assert proc.descriptors(process.pid) == {}

    lacks = ["pidfd_getfd"] if plugin.probes.failing("pidfd_getfd", LEVEL) else []
    world(work, level=level, lacks=lacks)


@needs_user
def test_hidden_from_its_observer(world):
    """A program that hides is said to, as on every other level."""

    def work(stage, program):
        _give_up_capabilities()
        process = program("hides").start()
        with pytest.raises(Failure, match="unobservable"):
            process.wait_quiet()

    world(work, level="other uid")


# -- its end ---------------------------------------------------------------------------------


@needs_level
def test_killed_observer(world):
    """Whatever a check has seen, it fails when the observer was killed."""

    def work(stage, program):
        process = program("asleep").start("read")
        process.wait_quiet()
        os.kill(process.launcher_pid, signal.SIGKILL)
        said = []
        for wait in (process.wait_end, process.wait_quiet, process.wait_reading):
            with pytest.raises(Failure) as raised:
                wait()
            said.append(raised.value.got)
        assert said == ["asleep killed its observer"] * 3
        process.end()
        assert proc.stat(process.pid) is None
        verdict = plugin._outcome(stage.foul())
        assert verdict["outcome"] == "failed"
        return verdict["got"]

    assert world(work, level=LEVEL) == "asleep killed its observer"


@needs_level
def test_observer_killed_after_the_last_look(world):
    """A check that passed until its end fails, too."""

    def work(stage, program):
        process = program("asleep").start("read")
        process.wait_quiet()
        assert stage.foul() is None
        os.kill(process.launcher_pid, signal.SIGKILL)
        process.end()
        return stage.foul().got

    assert world(work, level=LEVEL) == "asleep killed its observer"


@needs_level
def test_stopped_observer(world, monkeypatch):
    """An observer that does not answer any more counts as killed."""
    monkeypatch.setattr(observer, "_SILENCE", 0.5)

    def work(stage, program):
        process = program("asleep").start("read")
        process.wait_quiet()
        os.kill(process.launcher_pid, signal.SIGSTOP)
        with pytest.raises(PermissionError):
            observer.links(process.pid)
        return process.foul().got

    assert world(work, level=LEVEL) == "asleep killed its observer"


@needs_level
def test_orderly_end_is_no_foul(world):
    """A program that ends, or is ended, has killed nobody."""

    def work(stage, program):
        ended = program("ends").start("exit", "0")
        ended.wait_end()
        asleep = program("asleep").start("read")
        asleep.wait_quiet()
        ended.end()
        asleep.end()
        assert stage.foul() is None

    world(work, level=LEVEL)


# Keeps the program busy until it is killed, or long enough to fail a check.
BUSY = """
#include <unistd.h>
__attribute__((constructor)) static void
misbehave(void)
{
	alarm(20);
	for (;;)
		;
}
"""


def _kill_observers(folder: Path, over: threading.Event) -> None:
    """Kill the launcher of every run of incsrv below a folder, as soon as it is seen."""
    while not over.wait(0.002):
        for path in Path("/proc").glob("[0-9]*"):
            try:
                program = Path(os.readlink(path / "exe"))
                parent = proc.stat(int(path.name)).ppid
                launcher = Path(os.readlink(f"/proc/{parent}/exe"))
                if program.name == "incsrv" and folder in program.parents:
                    if launcher.name.startswith("launch-"):
                        os.kill(parent, signal.SIGKILL)
            except (OSError, AttributeError):
                continue  # it has ended meanwhile


@needs_level
def test_no_check_survives_its_observer(tmp_path):
    """Each check of a program that lost its observer fails; none passes or is an error."""
    arena = Arena(tmp_path / "arena", build.folder())
    arena.put("incsrv", BUSY + reference("incsrv"))
    over = threading.Event()
    killer = threading.Thread(target=_kill_observers, args=(arena.files, over))
    killer.start()
    try:
        run = arena.run(LEVEL=LEVEL, JOBS="2")
    finally:
        over.set()
        killer.join()
    validate(run.document)
    assert set(run.outcomes("incsrv")) <= {"failed", "blocked"}, run.output
    assert set(run.outcomes("bindto")) == {"passed"}, run.output
    assert "incsrv killed its observer" in run.output
    assert run.left == []


# -- memory and usage --------------------------------------------------------------------------


@needs_level
@pytest.mark.parametrize("count, size", [(1, 200), (4, 50)])
def test_too_much_memory(world, monkeypatch, count, size):
    """Who takes too much memory, alone or together, is ended, and told why."""
    monkeypatch.setattr(warden, "MEMORY", 100 << 20)

    def work(stage, program):
        process = program("hoards").start("own", str(count), str(size))
        _await(process, lambda: process.gone)
        with pytest.raises(Failure) as raised:
            process.wait_end()
        assert process.peak >= 100 << 20
        process.end()
        assert not proc.children(os.getpid())
        assert stage.foul().got == raised.value.got
        return raised.value.got

    assert world(work, level=LEVEL) == "hoards used more than 100 MB"


@needs_level
def test_shared_memory_counts_once(world, monkeypatch):
    """Four processes with the same 40 MB take 40 MB."""
    monkeypatch.setattr(warden, "MEMORY", 100 << 20)

    def work(stage, program):
        process = program("hoards").start("shared", "4", "40")
        process.until(lambda: process.stdout, "its word")
        assert len(process.tree()) == 4

        def looks():
            return int(proc.status(process.launcher_pid)["voluntary_ctxt_switches"])

        before = looks()
        while looks() < before + 3:  # only its timer wakes it
            select.select(process.fds_to_watch(), [], [], 0.01)
        process.end()
        assert process.foul() is None
        assert 40 << 20 <= process.peak < 100 << 20

    world(work, level=LEVEL)


@needs_level
def test_usage(world):
    """What a program used is told when all of it has ended."""

    def work(stage, program):
        process = program("hoards").start("own", "1", "30")
        process.until(lambda: process.stdout, "its word")
        assert process.peak == 0
        process.end()
        assert 30 << 20 <= process.peak < 60 << 20
        assert 0 < process.cpu < 20

    world(work, level=LEVEL)
