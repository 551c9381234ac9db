"""What the kernel counts for TCP."""

import socket

import pytest

from harness.kernel import tcp


def test_attempts(world):
    """Each connect that sends a SYN counts, also one that is refused."""

    def work(stage, program):
        before = tcp.attempts()
        with socket.socket() as door, socket.socket() as client:
            door.bind((stage.address, stage.port()))
            with pytest.raises(ConnectionRefusedError):
                client.connect(door.getsockname())
            refused = tcp.attempts() - before
            door.listen()
            with socket.socket() as second:
                second.connect(door.getsockname())
            if stage.private:  # else others count, too
                assert (refused, tcp.attempts() - before) == (1, 2)
            else:
                assert refused >= 1

    world(work)
