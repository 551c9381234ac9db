"""The other side of a conversation, over every kind of socket."""

import errno
import socket
import types

import pytest

from harness import peers
from harness.failure import Failure
from harness.kernel import syscalls


def _failure(work) -> Failure:
    with pytest.raises(Failure) as caught:
        work()
    return caught.value


def _serve(stage, program, kind):
    """Start echo with a kind of socket; return (server, a function that connects)."""
    if kind.startswith("unix"):
        server = program("echo").serve(kind, path=stage.path("socket"))
    else:
        server = program("echo").serve(kind)
    if kind == "unix-seqpacket":
        return server, lambda: server.connect(kind=socket.SOCK_SEQPACKET)
    return server, server.connect


CONNECTED = ["tcp", "unix-stream", "unix-seqpacket"]


@pytest.mark.parametrize("kind", CONNECTED)
def test_conversation(world, kind):
    """Send, expect, half-close, end of file, one client after the other."""

    def work(stage, program):
        server, connect = _serve(stage, program, kind)
        for _ in range(3):
            client = connect()
            client.send(b"hello")
            client.expect(b"hello")
            client.send(b"again")
            client.half_close()
            client.expect_end(b"again")
            assert client.ended == "end of file"
            client.close()
        server.wait_accepting()
        return [f"{step.verb} {step.text}: {step.saw}" for step in stage.tape.steps]

    steps = world(work)
    assert steps[0].startswith("start ./echo ")
    assert "listening, asleep in accept(3)" in steps[0]
    assert 'send client 1: "hello": ' in steps
    assert 'expect client 3: "hello": yes' in steps
    assert 'expect client 1: "again", then end of file: "again", end of file' in steps


@pytest.mark.parametrize("kind", CONNECTED)
def test_reset(world, kind):
    """A client that is reset is gone for the server, which takes the next one."""

    def work(stage, program):
        server, connect = _serve(stage, program, kind)
        client = connect()
        client.send(b"x")
        client.expect(b"x")
        client.reset()
        second = connect()
        second.send(b"y")
        second.expect(b"y")

    world(work)


@pytest.mark.parametrize("kind", ["tcp", "unix-stream"])
def test_byte_by_byte(world, kind):
    """Each byte is read alone, whatever room the program's buffer has."""

    def work(stage, program):
        server, connect = _serve(stage, program, kind)
        client = connect()
        client.send_slowly(b"0123456789", server)
        client.expect(b"0123456789")
        assert server.stderr == b"1\n" * 10
        client.send(b"whole")
        client.expect(b"whole")
        assert server.stderr.endswith(b"5\n")

    world(work)


@pytest.mark.parametrize("kind", ["tcp", "unix-stream"])
def test_late_reader(world, kind):
    """A program that can't get rid of its answer is seen in write."""

    def work(stage, program):
        server, connect = _serve(stage, program, kind)
        client = connect() if kind != "tcp" else server.connect(rcvbuf=4096)
        failure = _failure(lambda: client.send(bytes(64 << 20)))
        assert failure.expected == "a program that takes what is sent"
        assert failure.got == "echo asleep in write(4)"
        assert client.read(1 << 16) == bytes(1 << 16)

    world(work)


def test_silent_client(world):
    """A client that says nothing leaves the server asleep in read."""

    def work(stage, program):
        server = program("echo").serve("tcp")
        client = server.connect()
        server.wait_reading()
        client.expect_nothing()
        second = server.connect()
        failure = _failure(lambda: second.expect(b"x"))
        assert failure.got == "echo asleep in read(4)"
        assert failure.expected == '"x" for client 2'
        assert server.queue()[0] == 1
        client.close()
        second.send(b"x")
        second.expect(b"x")

    world(work)


def test_wrong_answer(world):
    """A difference is cut to what differs and explained."""

    def work(stage, program):
        client = program("echo").serve("tcp").connect()
        client.send(b"abc\r\n")
        failure = _failure(lambda: client.expect(b"abc\n"))
        assert (failure.expected, failure.got) == ('"abc\\n" for client 1', '"abc\\r\\n"')

    world(work)


def test_too_little_then_asleep(world):
    """Half an answer is shown with where the program is."""

    def work(stage, program):
        client = program("echo").serve("tcp").connect()
        client.send(b"ab")
        failure = _failure(lambda: client.expect(b"abc"))
        assert failure.got == '"ab"; echo asleep in read(4)'

    world(work)


def test_unexpected_words(world):
    """Nothing was due, and something came."""

    def work(stage, program):
        server = program("echo").serve("tcp")
        client = server.connect()
        client.send(b"ab")
        server.wait_reading()
        failure = _failure(client.expect_nothing)
        assert (failure.expected, failure.got) == ("nothing for client 1 yet", '"ab"')

    world(work)


def test_what_came_before_a_reset(world):
    """An answer that came before the connection broke can be read after it."""

    def work(stage, program):
        door = peers.Door(stage, (stage.address, stage.port()))
        address, port = door.target
        with socket.create_connection((address, port)) as other:
            server = door.accept()
            other.sendall(b"answer")
            other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        server.send(b"more")
        assert server.ended in ("ECONNRESET", "EPIPE")
        assert server.read(6) == b"answer"
        assert server.read(1) == b""
        server.half_close()
        assert server.ended in ("ECONNRESET", "EPIPE")

    world(work)


def test_unix_peer_has_closed(world):
    """In the UNIX domain, a regular end is one even for who still sends."""

    def work(stage, program):
        door = peers.Door(stage, stage.path("door"))
        with socket.socket(socket.AF_UNIX) as other:
            other.connect(door.target)
            server = door.accept()
            other.sendall(b"bye")
        server.send(b"more")
        server.expect_end(b"bye")

    world(work)


def test_refused(world):
    """Nobody listens: refused, and why."""

    def work(stage, program):
        program("asleep").start("read").wait_reading()
        port = stage.port()
        failure = _failure(lambda: peers.connect(stage, (stage.address, port), "client 1"))
        assert failure.expected == f"client 1 connected to {stage.address} {port}"
        assert failure.got == "Connection refused"
        missing = stage.path("nowhere")
        failure = _failure(lambda: peers.connect(stage, missing, "client 2"))
        assert failure.got == "No such file or directory"

    world(work)


@pytest.mark.parametrize("kind", ["tcp", "unix-stream"])
def test_full_queue(world, kind):
    """When the queue is full, a connect is known to wait, and later goes on."""

    def work(stage, program):
        server, connect = _serve(stage, program, kind)
        busy = connect()
        busy.send(b"x")
        busy.expect(b"x")
        clients = [connect() for _ in range(6)]
        failure = _failure(connect)
        assert failure.expected == "client 8 connected at once"
        assert "the queue of" in failure.got and "is full" in failure.got
        assert "backlog" in failure.why
        busy.close()
        clients[0].send(b"y")
        clients[0].expect(b"y")

    world(work)


def test_datagrams(world):
    """UDP: whole datagrams, with their senders."""

    def work(stage, program):
        port = stage.port()
        server = program("echo").start("dgram", stage.address, str(port))
        server.wait_reading()
        peer = peers.Datagrams(stage, (stage.address, 0))
        peer.expect_nothing()
        for data in (b"one", b"", b"x" * 9000):
            peer.send(data, (stage.address, port))
            assert peer.expect(data) == (stage.address, port)
        peer.expect_nothing()
        failure = _failure(peer.receive)
        assert failure.got == "echo asleep in recvfrom(3)"
        peer.send(b"abc", (stage.address, port))
        assert _failure(lambda: peer.expect(b"abd")).got == '"abc"'

    world(work)


def test_datagram_to_nobody(world):
    """A datagram that nobody takes comes back as an error some time, and breaks nothing."""

    def work(stage, program):
        program("asleep").start("read").wait_reading()
        peer = peers.Datagrams(stage, (stage.address, 0))
        peer.sock.connect((stage.address, stage.port()))
        peer.sock.send(b"x")
        assert _failure(peer.receive).got == "asleep asleep in read(4)"

    world(work)


def test_unix_datagrams(world):
    """UNIX datagrams: answers go to the path that the sender is bound to."""

    def work(stage, program):
        path = stage.path("server")
        server = program("echo").start("unix-dgram", f"unix:{path}")
        server.wait_reading()
        peer = peers.Datagrams(stage, stage.path("peer"))
        peer.send(b"abc", path)
        assert peer.expect(b"abc") == path
        failure = _failure(lambda: peer.send(b"x", stage.path("nowhere")))
        assert failure.got == "No such file or directory"
        server.freeze()
        queue = peers.Datagrams(stage, stage.path("other"))
        failure = _failure(lambda: [queue.send(b"y", path) for _ in range(10_000)])
        assert failure.expected == "a program that takes datagrams"

    world(work)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_door(world, kind):
    """A server of ours for programs that are clients."""

    def work(stage, program):
        if kind == "tcp":
            door = peers.Door(stage, (stage.address, stage.port()))
            where = [door.target[0], str(door.target[1])]
        else:
            door = peers.Door(stage, stage.path("door"))
            where = [f"unix:{door.target}"]
        client = program("talks").start(*where, "question")
        server = door.accept()
        server.expect(b"question")
        client.wait_reading()
        server.send(b"answer\n")
        server.close()
        client.expect_exit(0)
        client.expect_stdout(b"answer\n")
        broken = program("talks").start(*where, "question")
        second = door.accept()
        broken.wait_reading()
        second.reset()
        broken.expect_exit(1)
        broken.expect_stderr(b"talks: read: Connection reset by peer\n")
        door.close()

    world(work)


def test_closed_door(world):
    """Bound but not listening, a port refuses; listening, it takes."""

    def work(stage, program):
        door = peers.Door(stage, (stage.address, stage.port()), listen=False)
        where = (door.target[0], str(door.target[1]))
        client = program("talks").start(*where, "x")
        client.expect_exit(1)
        client.expect_stderr(b"talks: connect: Connection refused\n")
        door.listen()
        client = program("talks").start(*where, "x")
        door.accept().close()
        assert client.wait_end().kind == "exit"

    world(work)


def test_nobody_knocks(world):
    """A program that never connects is seen where it sleeps instead."""

    def work(stage, program):
        door = peers.Door(stage, (stage.address, stage.port()))
        program("asleep").start("read")
        failure = _failure(door.accept)
        assert failure.expected == "a connection to the checker's server"
        assert failure.got == "asleep asleep in read(4)"

    world(work)


def test_urgent_data(world):
    """Urgent data arrives as such."""

    def work(stage, program):
        server = program("echo").serve("tcp")
        client = server.connect()
        client.send_oob(b"!")
        client.send(b"abc")
        client.expect(b"abc")

    world(work)


def test_wait_for_a_writer(world):
    """A peer that is closed while the program writes shows as EPIPE in it, not here."""

    def work(stage, program):
        server = program("echo").serve("tcp")
        server.freeze()
        client = server.connect()
        client.send(b"abc")
        client.half_close()
        client.reset()
        server.thaw()
        server.wait_accepting()
        assert server.connect().sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0

    world(work)


def test_writable():
    """Whether a send would go through, at this moment."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        assert peers.writable(ours)
        with pytest.raises(BlockingIOError) as full:
            while True:
                ours.send(bytes(65536))
        assert full.value.errno == errno.EAGAIN
        assert not peers.writable(ours)


def test_stdin_that_nobody_reads(world):
    """Writing to a program that has ended is a failure with its end, not an error."""

    def work(stage, program):
        process = program("ends").start("exit", "3", stdin=True)
        process.wait_end()
        failure = _failure(lambda: process.write(b"x"))
        assert failure.got == "ends exited with status 3"
        process = program("asleep").start("accept", stdin=True)
        process.wait_asleep(syscalls.ACCEPT, "asleep")
        failure = _failure(lambda: process.write(bytes(1 << 20)))
        assert failure.expected == "a program that reads stdin"

    world(work)


def test_flood_beside_a_broken_pipe(monkeypatch):
    """Who refuses to read, and sends without end, fills nobody's memory: unix(7) allows both."""
    monkeypatch.setattr(peers, "READ_LIMIT", 1 << 20)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        peer = peers.Peer(types.SimpleNamespace(closers=[]), ours, "client")

        def pull():
            assert len(peer.received) <= 2 << 20
            peer.received += bytes(1 << 18)
            return True

        monkeypatch.setattr(peer, "_pull", pull)
        peer._broken("EPIPE")
        assert peer.ended == "EPIPE"
