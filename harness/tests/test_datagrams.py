"""A server of datagrams: when it is ready, and where it is instead."""

import pytest

from harness import diagnosis
from harness.datagrams import DatagramServer
from harness.failure import Failure


def _server(stage, program, port, asked):
    small = program("waits")
    process = small.start("for ever", "1", str(port))
    return DatagramServer(small, process, ("127.0.0.1", asked))


def test_ready(world):
    """It is ready when it is bound to its port and asleep in a call that receives."""

    def work(stage, program):
        port = stage.port()
        server = _server(stage, program, port, port)
        server.wait_ready()
        assert server.fd == 3
        assert stage.tape.steps[-1].saw == "bound, asleep in recvfrom(3)"

    world(work)


def test_port_that_the_kernel_chose(world):
    """A server at port 0 is found at the port that it has got."""

    def work(stage, program):
        server = _server(stage, program, 0, 0)
        server.wait_ready()
        assert server.target[1] > 0

    world(work)


def test_swapped(world):
    """A port with its bytes exchanged is named."""

    def work(stage, program):
        port = stage.port()
        server = _server(stage, program, diagnosis.swapped(port), port)
        with pytest.raises(Failure) as caught:
            server.wait_ready()
        assert "htons() is missing" in caught.value.why

    world(work)
