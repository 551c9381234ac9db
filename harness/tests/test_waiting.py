"""Waits end at once when nothing can happen any more, and never too early."""

import os
import resource
import signal
import time

import pytest

from harness import machine, probes, waiting
from harness.failure import Broken, Failure
from harness.kernel import limits, proc, syscalls

SLEEPERS = {"pause", "rt_sigsuspend", "ppoll"}
# Seconds in which a verdict that needs no time is made, however busy the machine.
AT_ONCE = 5.0


def _failure(wait) -> Failure:
    began = time.monotonic()
    with pytest.raises(Failure) as caught:
        wait()
    assert time.monotonic() - began < 60
    return caught.value


def _server(stage, program, kind="tcp"):
    """Start echo; return (process, port)."""
    port = stage.port()
    process = program("echo").start(kind, stage.address, str(port))
    process.wait_asleep(syscalls.ACCEPT, "a server")
    return process, port


# -- what fails at once ---------------------------------------------------------------


def test_asleep_elsewhere(world):
    """Asleep where nothing can wake it, it will not do what is due."""

    def work(stage, program):
        process = program("asleep").start("accept")
        began = time.monotonic()
        failure = _failure(process.wait_reading)
        assert time.monotonic() - began < AT_ONCE
        assert failure.expected == "a program asleep, waiting for input"
        assert failure.got == "asleep asleep in accept(3)"

    world(work)


@pytest.mark.parametrize("word", ["nanosleep", "poll", "select", "sigtimedwait"])
def test_a_minute_is_no_better_than_for_ever(world, word):
    """Nobody waits for a long timer."""

    def work(stage, program):
        process = program("asleep").start(word)
        began = time.monotonic()
        assert "asleep in" in _failure(process.wait_end).got
        assert time.monotonic() - began < AT_ONCE

    world(work)


def test_silent_server(world):
    """A client that waits for an answer is told where the server is."""

    def work(stage, program):
        server = program("echo").serve("unix-stream", path=stage.path("s"))
        client = server.connect()
        client.send(b"abc")
        client.expect(b"abc")
        failure = _failure(lambda: client.read(1))
        assert failure.got == "echo asleep in read(4)"

    world(work)


def test_program_that_stops_itself(world):
    """Stopped, it is said to be stopped, and by whom not."""

    def work(stage, program):
        failure = _failure(program("stops").start().wait_end)
        assert failure.got == "stops stopped"
        assert "which the checker did not send" in failure.why

    world(work)


def test_frozen_by_us(world):
    """A program that the check itself has stopped is not blamed for it."""

    def work(stage, program):
        process, _port = _server(stage, program)
        process.freeze()
        failure = _failure(process.wait_end)
        assert (failure.got, failure.why) == ("echo stopped", "")
        process.thaw()
        process.wait_asleep(syscalls.ACCEPT, "a server")

    world(work)


def test_program_that_traces_itself(world):
    """Who asks to be traced is let go, and ends as it would have."""

    def work(stage, program):
        process = program("stops").start("traced")
        process.expect_exit(3)
        process.expect_stdout(b"going on\n")

    world(work)


# -- ends --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "number", "words", "why"),
    [
        ("exit", 0, "exited with status 0", ""),
        ("exit", 2, "exited with status 2", "exit status 2 says: wrong usage"),
        ("exit", 127, "exited with status 127", ""),
        ("signal", signal.SIGSEGV, "was killed by SIGSEGV", "memory that is not its own"),
        ("signal", signal.SIGPIPE, "was killed by SIGPIPE", "ignore SIGPIPE"),
        ("signal", signal.SIGKILL, "was killed by SIGKILL", "did not send that signal"),
        ("signal", signal.SIGRTMIN, "was killed by SIGRTMIN", ""),
        ("signal", signal.SIGRTMIN + 1, f"was killed by signal {signal.SIGRTMIN + 1:d}", ""),
    ],
)
def test_end_is_named(world, how, number, words, why):
    """An end where something else was due is named, with its reason."""

    def work(stage, program):
        process = program("ends").start(how, str(int(number)))
        failure = _failure(process.wait_reading)
        assert failure.got == f"ends {words}"
        assert why in failure.why
        assert str(process.wait_end()) == words
        assert process.stderr == f"ends: {how} {int(number)}\n".encode()

    world(work)


def test_end_that_the_check_made(world):
    """A signal of the check's own explains nothing."""

    def work(stage, program):
        process, _port = _server(stage, program)
        process.signal(signal.SIGKILL)
        assert str(process.wait_end()) == "was killed by SIGKILL"
        assert stage.diagnose(()) == ""
        second = program("ends").start("exit", "1")
        assert _failure(second.wait_reading).why == ""

    world(work)


def test_after_the_end(world):
    """A process that has ended, or was ended, can still be asked and told."""

    def work(stage, program):
        process, _port = _server(stage, program)
        for finish in (lambda: process.signal(signal.SIGTERM), process.end):
            finish()
            if finish != process.end:
                process.wait_end()
            process.signal(signal.SIGUSR1)
            process.freeze()
            process.thaw()
            process.limit_descriptors(20)
            assert process.descriptors() == {}
            assert process.children() == process.zombies() == process.others() == []
            assert process.wait_quiet() == ()
        other = program("asleep").start("read")
        other.wait_reading()
        process.end()

    world(work)


def test_end_that_was_waited_for_is_not_told_again(world):
    """A failure speaks of who is still there; of who ended only if that is news."""

    def work(stage, program):
        process = program("asleep").start("read")
        process.wait_reading()
        process.signal(signal.SIGTERM)
        process.wait_end()
        other = program("asleep").start("read")
        failure = _failure(lambda: other.until(lambda: False, "never"))
        assert failure.got == "asleep asleep in read(4)"
        other.signal(signal.SIGTERM)
        failure = _failure(lambda: other.until(lambda: False, "never"))
        assert failure.got == "asleep was killed by SIGTERM"

    world(work)


def test_limit_above_the_program_s_own(world):
    """A program that has lowered its hard limit keeps that one."""

    def work(stage, program):
        process = program("asleep").start("read", limits={"nofile": 12})
        process.wait_reading()
        process.limit_descriptors(20)
        assert limits.prlimit(process.pid, resource.RLIMIT_NOFILE) == (12, 12)
        process.limit_descriptors(10)
        assert limits.prlimit(process.pid, resource.RLIMIT_NOFILE) == (10, 12)

    world(work)


def test_signal_never_hits_a_stranger(world):
    """Once the program is gone, its number may belong to somebody else."""

    def work(stage, program):
        process = program("ends").start("exit", "0")
        process.wait_end()
        stranger = program("asleep").start("read")
        stranger.wait_reading()
        process.pid = stranger.pid
        process.signal(signal.SIGKILL)
        stranger.wait_reading()

    world(work)


# -- busy, and timers ---------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("child",)])
def test_busy(world, arguments):
    """CPU time without progress is an endless loop, in a child, too."""

    def work(stage, program):
        failure = _failure(program("spins").start(*arguments).wait_reading)
        assert "keeps the CPU busy (1." in failure.got
        assert failure.why.startswith("busy instead of asleep")

    world(work)


@pytest.mark.parametrize("allowance", [0.0, 10.0])
def test_leak_checker(world, monkeypatch, allowance):
    """What the leak checker of an architecture takes is not the program's own doing."""
    monkeypatch.setattr(waiting, "CPU_LIMIT", 0.001)
    monkeypatch.setattr(machine, "leak_checker", lambda: allowance)

    def work(stage, program):
        process = program("works").start("300", leaks=True)
        if allowance:
            process.wait_quiet()
        else:
            failure = _failure(process.wait_quiet)
            assert "keeps the CPU busy" in failure.got

    world(work)


@pytest.mark.parametrize("pause", ["1", "10"])
def test_wakes_by_a_timer(world, pause):
    """Waking again and again for nothing is polling."""

    def work(stage, program):
        failure = _failure(program("ticks").start(pause).wait_reading)
        assert "times by a timer and did nothing" in failure.got
        assert failure.why.startswith("polling")

    world(work)


# How a program goes on for ever, which limit sees it, and what is said of it.
BIT_BY_BIT = {
    "rest": ("EVER_ASLEEP", 0.3, "0 s asleep until a timer ends"),
    "nap": ("EVER_WAKES", 200, "wake-ups by a timer"),
    "work": ("EVER_CPU", 0.3, "0 s of CPU time"),
}


@pytest.mark.parametrize("word", BIT_BY_BIT)
def test_goes_on_bit_by_bit(world, monkeypatch, word):
    """Who prints a little now and then comes to no end, and is told so."""
    name, most, said = BIT_BY_BIT[word]
    monkeypatch.setattr(waiting, name, most)

    def work(stage, program):
        process = program("drips").start(word)
        failure = _failure(process.wait_end)
        assert process.stdout.startswith(b"...")
        assert "goes on bit by bit" in failure.got
        assert said in failure.got

    world(work)


@pytest.mark.skipif(bool(probes.failing("notify")), reason="no notification here")
def test_calls_without_end(world, monkeypatch):
    """Threads that come to a watched call again and again keep nobody from looking."""
    monkeypatch.setattr(waiting, "CALL_LIMIT", 2000)

    def work(stage, program):
        process = program("drips").start("calls", watch=("clock_nanosleep", "nanosleep"))
        failure = _failure(process.wait_end)
        assert "makes calls without end" in failure.got

    world(work)


def test_slow_polling(world, monkeypatch):
    """Slow polling is found after a few wake-ups, not after a hundred."""
    monkeypatch.setattr(waiting, "POLLING_SECONDS", 0.5)

    def work(stage, program):
        began = time.monotonic()
        failure = _failure(program("ticks").start("300").wait_reading)
        assert failure.got.startswith("a program that woke 4 times")
        assert time.monotonic() - began > 1.0

    world(work)


def test_events_are_no_polling(world):
    """Who wakes because something happened does not poll, whatever its time limit."""

    def work(stage, program):
        meter = waiting._Meter([])
        call = waiting.Blocked("poll", (), timeout=1.0)
        for count in range(0, 300, 3):
            meter.note((waiting.Task(1, 1, "S", count, call),))
        assert meter.wakes > waiting.WAKE_LIMIT
        assert not meter.polls()
        meter.began -= 10
        assert meter.polls()

    world(work)


HIDDEN = ["timerfd", "timer_create", "setitimer", "signalfd"]
if not probes.failing("pidfd_getfd"):
    HIDDEN.append("rcvtimeo")


@pytest.mark.parametrize("word", HIDDEN)
def test_hidden_timer(world, word):
    """A timer that stands not in the call is waited for all the same."""

    def work(stage, program):
        process = program("hidden").start(word, "100")
        process.expect_exit(0)
        process.expect_stdout(b"woke\n")

    world(work)


@pytest.mark.parametrize("word", ["timerfd", "rcvtimeo"])
def test_long_hidden_timer(world, word):
    """A hidden timer that is too long ends the wait as a visible one does."""

    def work(stage, program):
        began = time.monotonic()
        assert "asleep in" in _failure(program("hidden").start(word, "60000").wait_end).got
        assert time.monotonic() - began < AT_ONCE

    if word in HIDDEN:
        world(work)


@pytest.mark.parametrize("word", ["timer_create", "setitimer"])
def test_long_unseen_timer(world, monkeypatch, word):
    """A timer of which only the existence is known is waited for as long as others."""
    monkeypatch.setattr(waiting, "UNSEEN_TIMER", 0.5)

    def work(stage, program):
        failure = _failure(program("hidden").start(word, "60000").wait_end)
        assert failure.got.startswith("hidden asleep in ")

    world(work)


def test_deadline(world, monkeypatch):
    """What no other limit sees ends at the deadline, and blames nobody."""
    monkeypatch.setattr(waiting, "DEADLINE", 0.3)
    monkeypatch.setattr(waiting, "CPU_LIMIT", 1e6)

    def work(stage, program):
        with pytest.raises(Broken, match="nothing decided after"):
            program("spins").start().wait_reading()

    world(work)


# -- what must be waited for ------------------------------------------------------------------


def test_child_that_still_runs(world):
    """While a child works, its sleeping parent decides nothing."""

    def work(stage, program):
        process = program("works").start("300")
        process.until(lambda: process.stdout == b"done\n", "the child's line")
        process.wait_asleep(SLEEPERS, "the parent asleep again")

    world(work)


def test_vfork(world, monkeypatch):
    """A parent in vfork sleeps; its child, asleep for ever, is the program's fault."""
    monkeypatch.setattr(waiting, "DEADLINE", 0.5)

    def work(stage, program):
        failure = _failure(program("vforks").start().wait_end)
        assert "vforks asleep in " in failure.got
        assert "its child asleep in " in failure.got

    world(work)


def test_first_thread_has_ended(world):
    """A process whose first thread has ended is no zombie; the others count."""

    def work(stage, program):
        process = program("threads").start(stdin=True)
        process.wait_reading()
        process.wait_quiet()
        assert process.zombies() == []
        process.write(b"x")
        process.until(lambda: process.stdout == b"x", "an echo")
        process.wait_reading()
        process.close_stdin()
        process.expect_exit(7)

    world(work)


def test_ten_children_of_each_byte(world):
    """Zombies are counted exactly, over and over: none or all."""

    def work(stage, program):
        for word, expected in (("reap", 0), ("leave", 10)):
            process = program("kids").start(word, stdin=True)
            for number in range(1, 21):
                process.write(b"x")
                process.wait_quiet()
                assert len(process.zombies()) == number * expected
                assert process.others() == []
                if expected and number * expected >= 150:
                    break
            process.end()

    world(work, limit=120)


def test_zombies_beside_hogs(world, hogs):
    """The same where the machine has much else to do."""

    def work(stage, program):
        process = program("kids").start("reap", stdin=True)
        for _ in range(20):
            process.write(b"x")
            process.wait_quiet()
            assert process.zombies() == []

    world(work, limit=120)


def test_answers_beside_hogs(world, hogs):
    """A right program stays right, and lockstep exact, however busy the machine."""

    def work(stage, program):
        server = program("echo").serve("tcp")
        for _ in range(5):
            client = server.connect()
            client.send_slowly(b"abcdef", server)
            client.expect(b"abcdef")
            client.half_close()
            client.expect_end()
            server.wait_accepting()
        assert server.stderr == b"1\n" * 30

    world(work, limit=120)


def test_verdict_beside_hogs(world, hogs):
    """A wrong program gets the same words beside hogs."""

    def work(stage, program):
        for _ in range(5):
            server = program("echo").serve("tcp")
            client = server.connect()
            client.send(b"x")
            assert _failure(lambda: client.read(2)).got == "echo asleep in read(4)"
            client.close()
            server.end()

    world(work, limit=120)


def test_small_writes_arrive(world):
    """What waits for an acknowledgement is still on its way."""

    def work(stage, program):
        client = program("pieces").serve().connect()
        for _ in range(3):
            client.send(b"a")
            client.expect(b"a\n")
        client.send(b"b")
        assert client.read(1) == b"b"
        assert client.read(1) == b"\n"

    world(work)


# -- the launcher ---------------------------------------------------------------------------------


def test_launcher_is_killed(world):
    """Without its launcher a run is broken, not failed; nobody is left behind."""

    def work(stage, program):
        process = program("works").start("1")
        process.wait_asleep(SLEEPERS, "asleep")
        pid = process.pid
        os.kill(process.launcher_pid, signal.SIGKILL)
        with pytest.raises(Broken, match="launcher"):
            process.wait_reading()
        assert proc.stat(pid).ppid == os.getpid()
        process.end()
        assert proc.stat(pid) is None

    world(work)


def test_launcher_is_stopped(world):
    """A launcher that somebody stopped ends the program all the same."""

    def work(stage, program):
        process, _port = _server(stage, program)
        os.kill(process.launcher_pid, signal.SIGSTOP)
        process.end()
        assert proc.stat(process.pid) is None

    world(work)


def test_life_hangs_on_the_harness(world, small):
    """When the harness is killed, the program goes, too."""

    def work(stage, program):
        process, _port = _server(stage, program)
        return [process.pid, process.launcher_pid, os.getpid()]

    began = time.monotonic()

    def die(stage, program):
        process, _port = _server(stage, program)
        found.write_text(str(process.pid))
        os.kill(os.getpid(), signal.SIGKILL)

    found = small("echo").parent / f"test-pid-{os.getpid()}"
    try:
        with pytest.raises(pytest.fail.Exception, match="the process died"):
            world(die)
        pid = int(found.read_text())
        while proc.state(pid) not in ("", "Z", "X"):
            assert time.monotonic() - began < 30
        assert world(work)
    finally:
        found.unlink(missing_ok=True)
