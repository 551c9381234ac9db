"""Holding a program at a call, and cutting its pauses short."""

import errno
import os
import signal
import socket
import time

import pytest

from harness import peers, probes
from harness.failure import Failure
from harness.kernel import proc, syscalls

pytestmark = pytest.mark.skipif(bool(probes.failing("notify")), reason="no notification here")

NAPS = {"nanosleep", "clock_nanosleep", "select", "pselect6", "poll", "ppoll"}
# The program pauses for a minute; the checks don't.
SECONDS = 60


@pytest.mark.parametrize(
    ("word", "result", "ready"),
    [
        ("nanosleep", 0, True),
        ("until realtime", 0, True),
        ("until monotonic", 0, True),
        ("select", 0, False),
        ("select nothing", 0, True),
        ("poll", 0, False),
        ("poll nothing", 0, True),
        ("ppoll", 0, False),
    ],
)
@pytest.mark.parametrize("kind", ["shim", "plain"])
def test_cut(world, word, result, ready, kind):
    """A pause that is cut has lasted as long as asked, by all the program's clocks."""

    def work(stage, program):
        began = time.monotonic()
        naps = program("naps", kind)
        process = naps.start(word, str(SECONDS), watch=NAPS)
        held = process.breakpoints.hold(NAPS, "a pause")
        if "until" not in word:  # an absolute time says nothing by itself
            assert held.pause() == SECONDS
        assert held.is_pause() == (word not in ("select", "poll", "ppoll"))
        assert SECONDS - 1 < held.cut(naps.clock) <= SECONDS
        process.expect_exit(0)
        took = SECONDS if kind == "shim" else 0
        agrees = "agrees" if kind == "shim" else "differs"
        # nothing was ready: where descriptors were waited for, none is marked
        line = f"{result} after {took} and {took} s, {int(ready)} ready, time {agrees}\n"
        process.expect_stdout(line.encode())
        assert time.monotonic() - began < SECONDS

    world(work)


def test_cut_in_two(world):
    """A signal ends a pause; the call tells what is left, and the clocks agree."""

    def work(stage, program):
        naps = program("naps", "shim")
        for word, result in (("with the rest", 0), ("nanosleep", -1), ("select nothing", -1)):
            naps.clock = None
            process = naps.start(word, str(SECONDS), watch=NAPS)
            assert process.breakpoints.hold(NAPS, "a pause").cut_in_two(naps.clock) == SECONDS / 2
            if result == 0:
                held = process.breakpoints.hold(NAPS, "the rest of it")
                assert held.cut(naps.clock) == SECONDS / 2
            process.expect_exit(0)
            took = SECONDS if result == 0 else SECONDS // 2
            assert process.stdout.startswith(f"{result} after {took} and {took} s".encode())

    world(work)


def test_time_that_the_kernel_refuses(world):
    """A pause of too many nanoseconds is none: it fails, as it would without us."""

    def work(stage, program):
        process = program("naps").start("too many nanoseconds", "1", watch=NAPS)
        held = process.breakpoints.hold(NAPS, "a pause")
        assert not held.is_valid()
        assert held.cut() == 0.0
        process.expect_exit(0)
        assert process.stdout.startswith(b"-1 after 0 and 0 s")
        process = program("naps").start("nanosleep", "1", watch=NAPS)
        assert process.breakpoints.hold(NAPS, "a pause").is_valid()

    world(work)


@pytest.mark.parametrize("word", ["a bad pointer", "a bad clock", "too many to poll"])
def test_arguments_that_the_kernel_refuses(world, word):
    """What no call would do is let go, and breaks nobody but the program."""

    def work(stage, program):
        process = program("naps").start(word, "1", watch=NAPS)
        process.breakpoints.hold(NAPS, "a pause").cut()
        process.expect_exit(0)
        assert process.stdout.startswith(b"-1 after 0")

    world(work)


def test_rest_that_can_not_be_told(world):
    """A pointer of the program's that leads nowhere is the program's mistake."""

    def work(stage, program):
        process = program("naps").start("a bad rest", "2", watch=NAPS)
        assert process.breakpoints.hold(NAPS, "a pause").cut_in_two() == 1.0
        process.expect_exit(0)
        assert process.stdout.startswith(b"-1 after 0")

    world(work)


def test_note_and_interrupt(world):
    """Calls made from the start on are noted; each fails once with EINTR."""

    def work(stage, program):
        process = program("naps").start("with the rest", "0", note=NAPS)
        process.expect_exit(0)
        assert len(process.noted) == 1
        process = program("naps").start("with the rest", "0", watch=NAPS, note={"close"})
        done = process.breakpoints.interrupt_each(NAPS)
        process.expect_exit(0)
        assert len(done) == 1
        assert process.stdout.startswith(b"0 after 0")

    world(work)


@pytest.mark.parametrize(("word", "calls"), [("recv", {"recvfrom"}), ("poll", syscalls.POLL)])
def test_may_sleep_on(world, word, calls):
    """A call sleeps on a descriptor that it waits for, unless that is non-blocking."""

    def work(stage, program):
        process = program("asleep").start(word, watch=syscalls.READ | syscalls.MULTIPLEX)
        held = process.breakpoints.hold(calls, "a call that waits")
        assert held.may_sleep_on({4, 7})
        assert not held.may_sleep_on({5})
        if stage.can("pidfd_getfd"):
            with process.borrow(4) as sock:
                sock.setblocking(False)
            assert held.may_sleep_on({4}) is (word == "poll")

    world(work)


def test_clock_advances_for_each(world):
    """Two pauses add up; another program's clock is its own."""

    def work(stage, program):
        naps = program("naps", "shim")
        for number in (1, 2):
            process = naps.start("nanosleep", "30", watch=NAPS)
            assert process.breakpoints.hold(NAPS, "a pause").cut(naps.clock) == 30
            process.expect_exit(0)
            assert naps.clock.offset == 30 * number
            assert process.stdout.startswith(b"0 after 30 and 30 s")

    world(work)


def test_cut_of_no_limit(world):
    """A call without a limit can't be cut; it goes on."""

    def work(stage, program):
        process = program("naps").start("select for ever", "1", watch=NAPS)
        assert process.breakpoints.hold(NAPS, "a pause").cut() == 0.0
        process.wait_asleep(syscalls.SELECT, "asleep for ever")

    world(work)


@pytest.mark.parametrize(
    ("word", "calls", "words"),
    [
        ("epoll", syscalls.EPOLL, "exited with status 0"),
        ("sigtimedwait", {"rt_sigtimedwait"}, "exited with status 0"),
        ("read", {"read"}, None),
    ],
)
def test_cut_of_other_calls(world, word, calls, words):
    """epoll_wait and sigtimedwait come back when cut; a read is let go."""

    def work(stage, program):
        process = program("asleep").start(word, watch=calls)
        blocked = {"sigtimedwait": 60.5, "epoll": 60.0, "read": 0.0}
        where = (lambda held: held.args[0] == 4) if word == "read" else (lambda held: True)
        held = process.breakpoints.hold(calls, "a pause", where)
        assert held.cut() == blocked[word]
        if words:
            assert str(process.wait_end()) == words
        else:
            process.wait_reading()

    world(work)


def test_held_is_not_asleep(world):
    """Who is held at the entry of a call is not asleep in it."""

    def work(stage, program):
        process = program("asleep").start("read", watch=("read",))
        held = process.breakpoints.hold({"read"}, "a read", lambda one: one.args[0] == 4)
        assert process.asleep_in(syscalls.READ) is None
        with pytest.raises(Failure) as caught:
            process.wait_reading()
        assert caught.value.got == "asleep held at read(4)"
        held.let_go()
        process.wait_reading()

    world(work)


def test_held_and_killed(world):
    """A held thread that was killed is dead, not held."""

    def work(stage, program):
        process = program("runs").start(str(program("calls").path), "fork", watch=syscalls.FORK)
        held = process.breakpoints.hold(syscalls.FORK, "a fork")
        process.signal(signal.SIGKILL)
        assert str(process.wait_end()) == "was killed by SIGKILL"
        assert process.wait_quiet() == ()
        held.let_go()

    world(work)


def test_hold_picks_the_right_one(world):
    """Others that come to the same call are let go."""

    def work(stage, program):
        server = program("echo").serve("tcp", watch=("read",))
        client = server.connect()
        client.send(b"x")
        client.expect(b"x")
        client.send(b"y")  # it is inside of a read; this takes it to the next one
        held = server.breakpoints.hold({"read"}, "a read of 4", lambda one: one.args[0] == 4)
        assert (held.call, held.args[0], held.tid) == ("read", 4, server.pid)
        held.let_go()
        server.wait_reading()

    world(work)


def test_nobody_comes(world):
    """Waiting at a call that is never made is a failure with words."""

    def work(stage, program):
        process = program("asleep").start("read", watch=("accept",))
        with pytest.raises(Failure) as caught:
            process.breakpoints.hold({"accept"}, "a call of accept")
        assert caught.value.expected == "a call of accept"
        assert caught.value.got == "asleep asleep in read(4)"

    world(work)


def test_fork_fails(world):
    """A fork that is refused gives the program the errno."""

    def work(stage, program):
        process = program("calls").start("fork", watch=syscalls.FORK)
        process.breakpoints.on(syscalls.FORK, lambda held: held.fail(errno.EAGAIN))
        process.expect_exit(0)
        process.expect_stdout(b"-1: Resource temporarily unavailable\n")
        assert process.others() == []

    world(work)


def test_handlers_in_turn(world):
    """A handler that answers nothing leaves the call to the next one."""

    def work(stage, program):
        seen = []
        process = program("calls").start("listen", watch=("listen",))
        process.breakpoints.on({"listen"}, lambda held: seen.append("first"))
        last = process.breakpoints.on

        def second(held):
            seen.append("second")
            held.fail(errno.EPERM)

        last({"listen"}, second)
        last({"listen"}, lambda held: seen.append("third"))
        process.expect_exit(0)
        process.expect_stdout(b"-1: Operation not permitted\n")
        assert seen == ["first", "second"]

    world(work)


def test_watching_exec(world):
    """The launcher's own exec is let go; the program's is held."""

    def work(stage, program):
        target = str(program("calls").path)
        process = program("runs").start(target, "listen", watch=("execve", "listen"))
        held = process.breakpoints.hold({"execve"}, "an exec")
        assert proc.command_line(process.pid)[1:] == [target, "listen"]
        held.let_go()
        process.breakpoints.hold({"listen"}, "a listen").answer(5)
        process.expect_exit(0)
        process.expect_stdout(b"5: Success\n")

    world(work)


def test_early_calls_are_kept(world):
    """A call made before the check looks is not missed."""

    def work(stage, program):
        process = program("calls").start("listen", watch=("listen", "execve"))
        while not process.has_news():
            assert process.end_status is None
        held = process.breakpoints.hold({"listen"}, "a listen")
        held.answer(1)
        process.expect_exit(0)

    world(work)


def test_share_sockets(world):
    """Without pidfd_getfd, a socket of the program's is ours too when we make it."""

    def work(stage, program):
        server = program("echo").serve("tcp", watch=("socket",))
        inode = proc.socket_inodes(server.pid)[server.listener_fd]
        with server.borrow(server.listener_fd) as shared:
            assert os.fstat(shared.fileno()).st_ino == inode
            assert shared.getsockname() == server.target
            assert server.breakpoints.shared_socket(server.pid, server.listener_fd) is not None
        client = server.connect()
        client.send(b"abc")
        client.expect(b"abc")

    world(work, lacks=("pidfd_getfd",))


def test_borrowing_a_shared_socket_changes_no_flag(world):
    """Python sets O_NONBLOCK anew when it duplicates; the program has the same open file."""

    def work(stage, program):
        server = program("echo").serve("tcp", watch=("socket",))
        with server.borrow(server.listener_fd) as shared:
            shared.setblocking(False)
        with server.borrow(server.listener_fd):
            assert proc.flags(server.pid, server.listener_fd) & proc.O_NONBLOCK

    world(work, lacks=("pidfd_getfd",))


def test_shared_socket_keeps_its_flags(world):
    """A socket that we made for the program is what it asked for."""

    def work(stage, program):
        process = program("calls").start("socket", watch=("socket",))
        process.expect_exit(0)
        assert process.stdout.startswith(b"family 2, cloexec 1, ")

    world(work, lacks=("pidfd_getfd",))


needs_getfd = pytest.mark.skipif(bool(probes.failing("pidfd_getfd")), reason="refused here")


@needs_getfd
def test_steal(world):
    """A connection that is taken away while the server is held is not there."""

    def work(stage, program):
        server = program("echo").serve("tcp", watch=syscalls.ACCEPT)
        first = server.connect()
        first.send(b"x")
        first.expect(b"x")
        first.close()
        held = server.breakpoints.hold(syscalls.ACCEPT, "the next accept")
        assert peers.steal(server.borrow(server.listener_fd)) is None
        second = server.connect()
        with server.borrow(server.listener_fd) as listener:
            stolen = peers.steal(listener)
        held.let_go()
        server.wait_accepting()
        assert server.queue()[0] == 0
        stolen.close()
        second.expect_end()
        third = server.connect()
        third.send(b"z")
        third.expect(b"z")

    world(work)


def test_other_calls_run_as_ever(world):
    """What is not watched is not slowed down, held or changed."""

    def work(stage, program):
        server = program("echo").serve("tcp", watch=("sendmsg", "listen"))
        client = server.connect()
        client.send(b"abc")
        client.expect(b"abc")
        assert server.breakpoints.held == {}
        client.sock.shutdown(socket.SHUT_WR)
        client.expect_end()

    world(work)
