"""A server without descriptors: who pauses endures it, who goes round is told."""

import pytest

from harness import probes, shortage
from harness.failure import Failure

pytestmark = pytest.mark.skipif(bool(probes.failing("notify")), reason="no notification here")


@pytest.mark.parametrize(
    ("pause", "words"),
    [
        ("1", ""),
        ("0", "one after the other"),
        ("60", "one of 60 s"),
    ],
)
def test_endure(world, pause, words):
    """A pause of a second is right; none, and a long one, are told apart."""

    def work(stage, program):
        server = program("starved").serve(pause, watch=shortage.WATCH)
        clients = []
        try:
            shortage.endure(server, lambda: clients.extend((server.connect(), server.connect())))
        except Failure as failure:
            return failure.got
        for client in clients:
            client.expect_end(b"x")
        return ""

    got = world(work)
    assert words in got
    assert bool(words) == bool(got)
