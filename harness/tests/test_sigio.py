"""Programs that are woken by signals: how they arm, where they sleep, what handlers do."""

import os
import signal
import socket

import pytest

from harness import probes, sigio
from harness.failure import Failure
from harness.handlers import Handlers

pytestmark = pytest.mark.skipif(bool(probes.failing("notify")), reason="no notification here")


@pytest.mark.parametrize(
    ("way", "ways"),
    [
        ("F_SETOWN", ["F_SETOWN", "O_ASYNC"]),
        ("FIOSETOWN", ["FIOSETOWN", "SIOCSPGRP", "FIOASYNC"]),
    ],
)
def test_ways(world, way, ways):
    """Each way to arm a socket is told by its name, and what it does is seen."""

    def work(stage, program):
        ours, theirs = socket.socketpair()
        seen = []
        process = program("doorbell").start(
            "clean", "suspend", way, stdin=theirs, watch=sigio.ARMING
        )
        process.breakpoints.on(sigio.ARMING, lambda held: seen.append(sigio.way(held)))
        held = process.breakpoints.hold(sigio.ARMING, "arming", lambda one: sigio.arms(one, 0))
        assert sigio.owner(theirs) == process.pid
        assert sigio.catches(process.pid)
        assert not sigio.flags(theirs) & sigio.O_ASYNC
        held.let_go()
        process.wait_quiet()
        assert sigio.flags(theirs) & sigio.O_ASYNC
        assert [name for name, _value in seen if name] == ways
        assert {value for _name, value in seen} == {process.pid, 1}
        sigio.expect_asleep(process, sigio.inode_of(theirs))
        ours.send(b"x")
        process.until(lambda: process.stdout == b"rang\n", "a line")

    world(work)


@pytest.mark.parametrize(("sleep", "rings"), [("suspend", True), ("pause", False)])
def test_strike(world, sleep, rings):
    """A signal comes exactly between the look and the sleep."""

    def work(stage, program):
        process = program("doorbell").start("clean", sleep, watch=sigio.WAITS)
        waits = sigio.Waits(process)
        for again in range(3):
            waits.watch()
            if again:
                process.signal(signal.SIGIO)  # it wakes, and comes back to its wait
            waits.strike(lambda: process.signal(signal.SIGIO))
            if not rings:
                process.wait_quiet()
                assert not process.stdout
                return
            process.until(
                lambda due=2 * again + 1: process.stdout.count(b"rang") == due, "a line for each"
            )
            process.wait_quiet()

    world(work)


@pytest.mark.parametrize(
    ("what", "spoilt", "unsafe"),
    [
        ("clean", 0, ""),
        ("errno", 2, ""),
        ("printf", 0, "printf"),
        ("malloc", 0, "malloc"),
        ("fork", 0, ""),
    ],
)
def test_handlers(world, what, spoilt, unsafe):
    """What a handler does to errno, and what it calls, is found; a child's doings are not."""

    def work(stage, program):
        handlers = Handlers(stage.path("handlers"))
        process = program("doorbell", "shim").start(what, "suspend", **handlers.how())
        process.wait_quiet()
        assert handlers.found().runs == 0
        process.signal(signal.SIGIO)
        process.until(lambda: b"rang\n" in process.stdout, "a line")
        found = handlers.found()
        assert (found.runs, found.spoilt, found.unsafe) == (1, spoilt, unsafe)

    world(work)


def test_asleep_elsewhere(world):
    """A program that sleeps where no signal is waited for is told so."""

    def work(stage, program):
        ours, theirs = socket.socketpair()
        process = program("asleep").start("poll")
        with pytest.raises(Failure) as info:
            sigio.expect_asleep(process, sigio.inode_of(theirs))
        ours.close()
        return info.value.why

    world(work)


@pytest.mark.parametrize("watch", [(), ("fcntl",)])
def test_third(world, watch):
    """A program has the descriptor as its number 3, whatever number it is of ours."""

    def work(stage, program):
        read_end, write_end = os.pipe()
        process = program("doorbell").start("clean", "suspend", third=read_end, watch=watch)
        os.close(read_end)
        process.wait_quiet()
        found = process.descriptors()
        assert sorted(found) == [0, 1, 2, 3]
        assert found[3] == os.readlink(f"/proc/self/fd/{write_end}")
        os.write(write_end, b"\n")
        process.expect_exit(0)

    world(work)
