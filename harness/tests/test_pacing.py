"""A program led from wait to wait: whatever limits a wait, no time goes by."""

import time

import pytest

from harness import pacing, peers, probes
from harness.failure import Failure

pytestmark = pytest.mark.skipif(bool(probes.failing("notify")), reason="no notification here")

SECONDS = 40
CALLS = ["poll", "ppoll", "select", "pselect", "epoll"]
SIGNALS = ["alarm", "setitimer", "timer", "timer until"]
KINDS = {
    **dict.fromkeys(CALLS, "call"),
    **dict.fromkeys(SIGNALS, "signal"),
    "option": "option",
    "timerfd": "timerfd",
    "nanosleep": "pause",
    "until": "pause",
}
SAYS = {"option": "over, EAGAIN", **dict.fromkeys(SIGNALS, "over, EINTR, rang")}


def _start(stage, program, style):
    port = stage.port()
    pace = pacing.start(program("waits", "shim"), style, str(SECONDS), str(port))
    wait = pace.wait()
    return pace, wait, port


@pytest.mark.parametrize("style", KINDS)
def test_expire(world, style):
    """A wait that expires has lasted as long as it was to, by the program's clock."""

    def work(stage, program):
        began = time.monotonic()
        pace, wait, _port = _start(stage, program, style)
        assert wait.kind == KINDS[style]
        assert wait.seconds == pytest.approx(SECONDS, abs=pacing.SLACK)
        pace.expire()
        pace.process.expect_exit(0)
        pace.process.expect_stdout(f"{SAYS.get(style, 'over')}, after {SECONDS}.0 s\n".encode())
        assert time.monotonic() - began < SECONDS

    world(work)


@pytest.mark.parametrize("style", [one for one in KINDS if KINDS[one] != "pause"])
def test_elapse(world, style):
    """Time that elapses in a wait shortens it, and a datagram ends it."""

    def work(stage, program):
        pace, wait, port = _start(stage, program, style)
        pace.elapse(15)
        assert wait.seconds == pytest.approx(SECONDS - 15, abs=pacing.SLACK)
        peers.Datagrams(stage).send(b"x", ("127.0.0.1", port))
        pace.go()
        pace.process.expect_exit(0)
        pace.process.expect_stdout(b"got, after 15.0 s\n")

    world(work)


@pytest.mark.parametrize("style", [*SIGNALS, "timerfd"])
def test_elapse_to_the_end(world, style):
    """A timer that falls due meanwhile ends the wait when the program goes on."""

    def work(stage, program):
        pace, _wait, _port = _start(stage, program, style)
        pace.elapse(SECONDS + 1)
        pace.go()
        pace.process.expect_exit(0)
        assert pace.process.stdout.startswith(SAYS.get(style, "over").encode())

    world(work)


@pytest.mark.parametrize("style", KINDS)
def test_interrupt(world, style):
    """A wait that is interrupted ends by EINTR after half of its time."""

    def work(stage, program):
        pace, _wait, _port = _start(stage, program, style)
        assert pace.interrupt() == pytest.approx(SECONDS / 2, abs=pacing.SLACK)
        pace.process.expect_exit(0)
        assert f", after {SECONDS / 2} s\n".encode() in pace.process.stdout
        if KINDS[style] not in ("pause", "timerfd"):  # for these the program prints no error
            assert b"EINTR" in pace.process.stdout

    world(work)


def test_for_ever(world):
    """A wait without a limit has none, and can't expire."""

    def work(stage, program):
        pace, wait, _port = _start(stage, program, "for ever")
        assert (wait.kind, wait.seconds) == ("none", None)
        with pytest.raises(Failure, match="for ever"):
            pace.expire()

    world(work)


def test_lost_alarm(world):
    """An alarm that comes an instant before the call does not end it."""

    def work(stage, program):
        pace, _wait, _port = _start(stage, program, "alarm")
        pace.expire(lost=True)
        assert pace.wait().kind == "none"

    world(work)


def test_clock_stands_still(world):
    """Without anybody who advances it, the program's clock does not run."""

    def work(stage, program):
        pace, _wait, port = _start(stage, program, "poll")
        until = time.monotonic() + 0.06
        while time.monotonic() < until:
            pass
        peers.Datagrams(stage).send(b"x", ("127.0.0.1", port))
        pace.go()
        pace.process.expect_exit(0)
        pace.process.expect_stdout(b"got, after 0.0 s\n")

    world(work)
