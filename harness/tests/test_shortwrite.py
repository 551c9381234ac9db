"""A write that takes less than it was given: whoever writes, in whichever way, is told."""

import socket

import pytest

from harness import probes, shortwrite
from harness.kernel.syscalls import WRITE

pytestmark = pytest.mark.skipif(bool(probes.failing("notify")), reason="no notification here")


@pytest.mark.parametrize(
    ("how", "returned", "taken"),
    [
        ("write", "1 5", "a"),
        ("send", "1 5", "a"),
        ("writev", "1 5", "a"),
        ("sendmsg", "1 5", "a"),
        ("one by one", "1 1 1 1 1 1", ""),
    ],
)
def test_cut_next(world, how, returned, taken):
    """One call returns 1; its byte is known, and all others come."""

    def work(stage, program):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process = program("writes").start(how, stdin=theirs, watch=WRITE)
            cut = shortwrite.cut_next(process, lambda held: held.args[0] == 0)
            process.wait_end()
            return [
                process.stderr.decode("ascii").strip(),
                cut.taken.decode("ascii"),
                ours.recv(16).decode("ascii"),
                stage.tape.steps[-1].saw,
            ]

    got = world(work)
    assert got[:3] == [returned, taken, "abcdef".removeprefix(taken)]
    assert got[3] == (f'{got[3].split()[0]} of 6 bytes returned 1, for "a"' if taken else "")
