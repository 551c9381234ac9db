"""Checks of incsrv: one client at a time, each byte plus one."""

import errno
import os
import socket

from harness import check, require
from harness.kernel.syscalls import ACCEPT, READ

AFTER = ("test_listens", "test_answers_each_byte")


@check(
    points=4,
    kind="contract",
    hints=(
        "A server makes a socket, gives it an address, and tells the kernel to queue connections.",
        "socket, bind, listen, getsockname; then printf and fflush(stdout).",
        "In incsrv.c: the function that returns the listening socket, and what follows its call.",
    ),
)
def test_listens(program):
    """listens on ADDR PORT and says so, in one line, at once"""
    server = program.serve()
    address, port = server.target
    server.expect_listening_line(f"LISTENING {address} {port}\n")


@check(
    points=2,
    kind="contract",
    after="test_listens",
    hints=(
        "With port 0 the kernel chooses a free port; only the kernel can tell which.",
        "getsockname(2) after listen; ntohs on the port.",
        "In incsrv.c: where the port that is printed comes from.",
    ),
)
def test_port_0(program):
    """with port 0, prints the port that the kernel chose"""
    server = program.serve(port=0)
    address, port = server.target
    server.expect_listening_line(f"LISTENING {address} {port}\n")


@check(
    points=3,
    kind="contract",
    after="test_listens",
    hints=(
        "Clients connect as soon as they read the line: at that moment the queue must be there.",
        "listen(2) before printf, not after it.",
        "In incsrv.c: the order of listen and of the LISTENING line.",
    ),
    needs="notify",
)
def test_line_after_listen(program):
    """prints LISTENING only when clients can connect"""
    server = program.start(program.stage.address, str(program.stage.port()), watch=("listen",))
    held = server.breakpoints.hold({"listen"}, "a call of listen")
    program.stage.tape.add("hold", "incsrv at the entry of listen")
    server.expect_stdout(b"")
    held.let_go()


@check(
    points=5,
    kind="contract",
    after="test_listens",
    hints=(
        "A client may wait for each answer before it sends on, so no byte may be kept back.",
        "read (or recv) what has come, add one to each byte, write it back, go on.",
        "In incsrv.c: the loop that serves one client.",
    ),
)
def test_answers_each_byte(program):
    """answers each byte with the next one, as soon as it has come"""
    server = program.serve()
    client = server.connect()
    for byte in (b"A", b"m", b"z"):
        server.wait_reading()
        client.send(byte)
        client.expect(bytes([byte[0] + 1]))


@check(
    points=2,
    kind="contract",
    after=AFTER,
    hints=(
        "A byte has 256 values, and none of them is special in a stream.",
        "Use unsigned char; arithmetic on a signed char is not what you want at 127 and 255.",
        "In incsrv.c: the line that adds one.",
    ),
)
def test_all_bytes(program):
    """knows all 256 bytes: 255 becomes 0"""
    client = program.serve().connect()
    data = bytes(range(256))
    client.send(data)
    client.expect(bytes((byte + 1) % 256 for byte in data))


@check(
    points=3,
    kind="contract",
    after=AFTER,
    hints=(
        "End of file from a client means: answer what is left, close, take the next client.",
        "read returns 0 at end of file; then close(2).",
        "In incsrv.c: what happens when the serving loop ends.",
    ),
)
def test_end_of_file(program):
    """after a client's end of file, closes and serves the next one"""
    server = program.serve()
    first = server.connect()
    first.send(b"abc")
    first.half_close()
    first.expect_end(b"bcd")
    second = server.connect()
    second.send(b"x")
    second.expect(b"y")


@check(
    points=3,
    kind="contract",
    after=AFTER,
    hints=(
        "Connections wait in the listening socket's queue until they are accepted.",
        "The second argument of listen(2) is the length of that queue.",
        "In incsrv.c: the backlog.",
    ),
)
def test_queue(program):
    """lets five clients wait in its queue, and serves them in their turn"""
    server = program.serve()
    busy = server.connect()
    busy.send(b"1")
    busy.expect(b"2")
    others = [server.connect() for _ in range(5)]
    for other in others:
        other.send(b"a")
    busy.close()
    for other in others:
        other.expect(b"b")
        other.close()


@check(
    points=1,
    kind="contract",
    after=AFTER,
    hints=("x", "y", "z"),
    needs="notify",
)
def test_accept_fails(program):
    """goes on when accept fails with ECONNABORTED or EMFILE"""
    server = program.serve(watch=("accept", "accept4"))
    for error in (errno.ECONNABORTED, errno.EMFILE):
        def refuse(held):
            server.breakpoints.off(refuse)
            held.fail(error)
        server.breakpoints.on(ACCEPT, refuse)
        server.nudge_accept()
    client = server.connect()
    client.send(b"a")
    client.expect(b"b")


@check(points=2, kind="robust", after=AFTER, hints=("x", "y", "z"))
def test_reset(program):
    """survives a client that resets its connection"""
    server = program.serve()
    client = server.connect()
    client.send(b"a")
    client.expect(b"b")
    server.wait_reading()
    client.reset()
    second = server.connect()
    second.send(b"a")
    second.expect(b"b")


@check(points=2, kind="robust", after=AFTER, hints=("x", "y", "z"))
def test_sigpipe(program):
    """survives writing to a client that has gone"""
    server = program.serve()
    server.freeze()
    client = server.connect()
    client.send(b"abcdef")
    client.half_close()
    client.reset()
    server.thaw()
    second = server.connect()
    second.send(b"a")
    second.expect(b"b")


@check(points=2, kind="clean", after=AFTER, hints=("x", "y", "z"))
def test_no_descriptor_left(program):
    """has as many descriptors after thirty clients as before"""
    server = program.serve()
    before = server.descriptors()
    for number in range(30):
        client = server.connect()
        client.send(b"q")
        client.expect(b"r")
        client.reset() if number % 3 == 0 else client.close()
    server.wait_accepting()
    after = server.descriptors()
    require(len(after) == len(before), f"{len(before)} open descriptors", f"{len(after)}", "a connection is not closed")
