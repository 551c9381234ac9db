"""What a server of many descriptors waits for, seen from outside."""

import contextlib
import select
import socket
import struct

import pytest

from harness import inject, multiplex, probes
from harness.failure import Failure
from harness.kernel.syscalls import ACCEPT, MULTIPLEX, READ, SLEEP

ASLEEP = MULTIPLEX | ACCEPT | READ | SLEEP


def _server(stage, program, how):
    """Start a server that waits as told, with one client; return both."""
    server = program("watches").serve(how)
    client = server.connect()
    server.until(lambda: server.holders(client), "the client accepted")
    server.wait_asleep(ASLEEP, "a server asleep again")
    return server, client


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("all", ""),
        ("newest", "is not among those it waits for"),
        ("short", "below 4 only, and client 1 has descriptor 4"),
        ("accept", "it waits in accept for the next client"),
        ("read", "it waits in read(4) for one client"),
        ("pause", "it pauses"),
    ],
)
def test_why_not_served(world, how, words):
    """The call in which a server sleeps, and its sets, tell whom it has overlooked."""

    def work(stage, program):
        server, client = _server(stage, program, how)
        return multiplex.why_not_served(server, client)

    said = world(work)
    assert words in said
    assert bool(words) == bool(said)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("all", ""),
        ("newest", "{4} would never be served"),
        ("timer", "it wakes by a timer"),
        ("full", "nothing is queued for {4}"),
    ],
)
def test_waits(world, how, words):
    """Which descriptors a sleeping server waits for, for what, and how long."""

    def work(stage, program):
        server, client = _server(stage, program, how)
        fds = {server.listener_fd, multiplex.end_of(server, client)}
        multiplex.require_alone(server)
        with contextlib.suppress(Failure):
            multiplex.require_waits(server, fds, {4}, "ask for room")
            assert how == "full"
        try:
            multiplex.require_waits(server, fds)
        except Failure as failure:
            return failure.why
        return ""

    said = world(work)
    assert words in said
    assert bool(words) == bool(said)


@pytest.mark.skipif(bool(probes.failing("netns")), reason="no network of our own here")
def test_spoilt_datagram(world):
    """It makes a non-blocking socket readable, and is gone when it is read."""

    def work(stage, program):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 7000))
            sock.setblocking(False)
            inject.spoilt_datagram(stage, ("127.0.0.1", 7001), sock.getsockname(), b"x" * 200)
            ready = bool(select.select([sock], [], [], 0)[0])
            try:
                sock.recv(1000)
            except BlockingIOError:
                return ready
        return "it was received"

    assert world(work, private=True) is True


@pytest.mark.skipif(bool(probes.failing("netns")), reason="no network of our own here")
@pytest.mark.parametrize("size", [0, 1, 199, 200])
def test_right_checksum(world, size):
    """With the checksum that is computed here, a datagram arrives."""

    def work(stage, program):
        source, data = ("127.0.0.1", 7001), bytes(range(size % 256))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 7000))
            sock.settimeout(0)
            total = inject.udp_checksum(source, sock.getsockname(), data)
            with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
                header = struct.pack("!HHHH", source[1], 7000, 8 + len(data), total)
                raw.sendto(header + data, ("127.0.0.1", 0))
            return sock.recv(1000) == data

    assert world(work, private=True) is True
