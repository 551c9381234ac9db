"""Checks of inccli: one byte there, one byte back."""

import os
import select
import signal
import socket

from harness import Failure, check, diagnosis, fail, require, strange
from harness.breakpoints import Held
from harness.failure import Broken
from harness.kernel.syscalls import MULTIPLEX, READ, TIMER, WRITE
from harness.peers import Door
from harness.program import NO_ADDRESS

KEEPS_ON = "the server's answer has come, but the program waits for more: one byte is the answer"


def target(program):
    """Return an address and a port that nobody uses."""
    return program.stage.address, program.stage.port()


def turned(program, address, port):
    """Return a server on the port whose bytes are swapped, if that is free."""
    try:
        return Door(program.stage, (address, diagnosis.swapped(port)))
    except Broken:
        return None


def prints(process, expected, why=""):
    """Require what the program, which has ended, has printed on stdout."""
    got = process.stdout
    process.stage.tape.add("look", "at stdout", diagnosis.show(got))
    why = why or diagnosis.difference(expected, got)
    require(got == expected, f"{diagnosis.show(expected)} on stdout", diagnosis.show(got), why)


def ends(process, status, expected, why=""):
    """Require how the program ends, and what it has printed then."""
    try:
        process.expect_exit(status)
    except Failure as failure:
        failure.why = failure.why or why
        raise
    prints(process, expected, why)


def gives_up(process, message, why=""):
    """Require that the program ends with a message on stderr and status 1."""
    right = process.wait_end() and process.stderr == message
    ends(process, 1, b"", "a failure ends with exit status 1" if right else why)
    got = process.stderr
    process.stage.tape.add("look", "at stderr", diagnosis.show(got, 200))
    why = why or diagnosis.difference(message, got)
    wanted = f"{diagnosis.show(message, 200)} on stderr"
    require(got == message, wanted, diagnosis.show(got, 200), why)


def converse(program, args, door, char, answer, why="", **how):
    """Start the program and play the server for it, to the end."""
    shown = ["./inccli", *args, diagnosis.show(char)]
    process = program.start(*args, os.fsdecode(char), show=" ".join(shown), **how)
    try:
        server = door.accept()
    except Failure as failure:
        failure.why = failure.why or why
        raise
    server.expect(char, "the byte of the command line is to be sent as it is")
    server.send(answer)
    try:
        process.expect_exit(0)
    except Failure as failure:
        waits = "" if process.end_status else KEEPS_ON
        failure.why = failure.why or why or waits
        raise
    why = why or "what is printed is not the byte that the server has sent"
    prints(process, b"char from server = " + answer + b"\n", why)
    rest = server.read_to_end()
    require(
        not rest,
        f"the one byte {diagnosis.show(char)} for the server, then end of file",
        diagnosis.show(char + rest),
        "more than the one byte is sent; a string's NUL is no part of it",
    )


@check(
    points=1,
    kind="contract",
    hints=(
        "A client makes a socket, connects it to the server's address, and then writes and reads.",
        "socket(2), connect(2), write(2) of one byte, read(2) of one byte.",
        "In inccli.c: connect_inet, connect_to and ask, in this order.",
    ),
)
def test_asks(program):
    """sends its byte to the server, and prints the byte that comes back"""
    address, port = target(program)
    door = Door(program.stage, (address, port))
    decoy = turned(program, address, port)
    # The answer is not the one that incsrv would give: it must be read.
    char = program.stage.random.randrange(ord("a"), ord("m"))
    answer = program.stage.random.randrange(ord("o"), ord("z"))
    try:
        converse(program, (address, str(port)), door, bytes([char]), bytes([answer]))
    except Failure as failure:
        if decoy is not None and select.select([decoy.sock], [], [], 0)[0]:
            failure.why = (
                f"the connection went to port {decoy.target[1]}: that is {port} with its bytes "
                "swapped; htons() is missing"
            )
        raise


@check(
    points=1,
    kind="contract",
    after="test_asks",
    hints=(
        "Both bytes may have any value: the answer may be 0, a newline, or 255.",
        "A char is no string: printf(3) with %c, or putchar(3); and 255 in a char is not EOF.",
        "In inccli.c: ask, the type of what is read, and whether it is compared with anything.",
    ),
)
def test_all_bytes(program):
    """sends and prints any byte: 0 and 255 are bytes like the others"""
    address, port = target(program)
    door = Door(program.stage, (address, port))
    why = "a byte has 256 values, and none of them is special: 0 ends no string, 255 is no EOF"
    for char, answer in ((b"\xff", b"\0"), (b"~", b"\xff"), (b"\n", b"\x80"), (b" ", b"\n")):
        converse(program, (address, str(port)), door, char, answer, why)


@check(
    points=1,
    kind="contract",
    after="test_asks",
    hints=(
        "Where nobody listens a connection is refused, and the program has to say so.",
        "connect(2) returns -1 and sets errno; strerror(3) says in words what it means.",
        "In inccli.c: connect_to, what happens when connect returns -1.",
    ),
)
def test_refused(program):
    """says that there is no server, and ends with status 1; with 2 after wrong arguments"""
    address, port = target(program)
    Door(program.stage, (address, port), listen=False)
    process = program.start(address, str(port), "a")
    why = "connect failed, and nobody looked at what it returned"
    gives_up(process, b"inccli: connect: Connection refused\n", why)
    for char in ("ab", ""):
        process = program.start(address, str(port), char)
        ends(process, 2, b"", "CHAR is exactly one byte")
        require(process.stderr, "a message on stderr", "nothing")
    _address, port = target(program)
    Door(program.stage, (address, port))  # where 0.0.0.0 would lead
    program.refuse_address(NO_ADDRESS, str(port), "a")


@check(
    points=1,
    kind="contract",
    after="test_asks",
    hints=(
        "An end of file is no error: the server has closed, and errno says nothing about it.",
        "read(2) returns 0 at end of file, -1 after an error, else a number of bytes.",
        "In inccli.c: ask, what it returns when read returns 0.",
    ),
)
def test_no_answer(program):
    """says end of file when the server closes without an answer"""
    address, port = target(program)
    door = Door(program.stage, (address, port))
    process = program.start(address, str(port), "a")
    server = door.accept()
    server.expect(b"a")
    server.close()
    why = "read returned 0: that is the end of file, neither an error, for errno is not set, nor "
    gives_up(process, b"inccli: read: end of file\n", why + "a byte that has come")


@check(
    points=1,
    kind="contract",
    after="test_asks",
    hints=(
        "In the UNIX domain a socket's address is a path; all the rest is as with TCP.",
        "A struct sockaddr_un, see unix(7), with AF_UNIX in sun_family and the path in sun_path.",
        "In inccli.c: connect_unix, and in connect_to the family that socket is called with.",
    ),
)
def test_unix(program):
    """asks a server on a UNIX path as well"""
    path = program.stage.path("s")
    door = Door(program.stage, path)
    why = "the family is AF_UNIX, in sun_family and in the call of socket, and the path in "
    why += "sun_path is what follows unix:"
    converse(program, (f"unix:{path}",), door, b"k", b"l", why)


@check(
    points=1,
    kind="contract",
    after=("test_asks", "test_unix"),
    hints=(
        "A path may be missing, too long, or its server may have gone: these are three errors.",
        "connect(2) gives ENOENT or ECONNREFUSED; strerror(3) of errno tells them apart; and "
        "strlen(3) against sizeof sun_path before strcpy(3).",
        "In inccli.c: connect_unix and connect_to: which errors they report, and in which words.",
    ),
)
def test_unix_refused(program):
    """says whether a UNIX path is missing, nobody listens there, or it is too long"""
    path = program.stage.path("s")
    process = program.start(f"unix:{path}", "a")
    why = "connect itself says what is wrong with the path: report that it failed, and its errno"
    gives_up(process, b"inccli: connect: No such file or directory\n", why)
    with socket.socket(socket.AF_UNIX) as sock:
        strange.bind(sock, path)
    program.stage.tape.add("leave", f"the socket of a server that has gone, {path}")
    process = program.start(f"unix:{path}", "a")
    gives_up(process, b"inccli: connect: Connection refused\n", why)
    require(os.path.exists(path), f"{path} as it was", "no such file", "a client removes nothing")
    long = program.stage.path("p" * (107 - len(program.stage.path(""))))
    program.stage.tape.add("next", "a path of 108 bytes, which leaves no room for its NUL")
    process = program.start(f"unix:{long}p", "a")
    why = "a path must fit into sun_path with its NUL: measure it before it is copied"
    gives_up(process, f"inccli: {long}p: File name too long\n".encode(), why)
    program.stage.tape.add("next", "a path of 107 bytes, the longest that fits")
    door = Door(program.stage, long)
    why = "107 bytes and a NUL fit into sun_path: off by one"
    converse(program, (f"unix:{long}",), door, b"m", b"n", why)


@check(
    points=1,
    kind="robust",
    after="test_asks",
    hints=(
        "An answer may take its time, and Ctrl-Z and fg may come in between.",
        "read(2) waits as long as it takes, without a time limit; after EINTR call it again.",
        "In inccli.c: ask, how it waits, and what it does when read returns -1.",
    ),
)
def test_late_answer(program):
    """waits for a late answer, asleep, also across Ctrl-Z and fg"""
    address, port = target(program)
    door = Door(program.stage, (address, port))
    process = program.start(
        address, str(port), "a", note=TIMER if program.stage.can("notify") else ()
    )
    server = door.accept()
    server.expect(b"a")
    why = "it does not wait for the answer as it should: read waits by itself, without a limit"
    try:
        blocked = process.wait_reading()
        program.stage.tape.add("look", "where inccli is", f"asleep in {blocked}")
        limit = process.time_limit(blocked)
        if limit is not None:
            fail("inccli asleep until the answer comes", f"a limit of {limit:g} s", why)
        require(not process.noted, "no timer", f"a call of {', '.join(process.noted)}", why)
        process.freeze()
        process.thaw()
        why = "a call that was interrupted (EINTR) is taken for a failure: call again"
        process.wait_reading()
    except Failure as failure:
        failure.why = failure.why or why
        raise
    server.send(b"b")
    ends(process, 0, b"char from server = b\n", why)
    if not program.stage.can("notify"):
        return
    calls = READ | MULTIPLEX
    process = program.start(address, str(port), "c", watch=calls)
    program.stage.tape.add("disturb", "the first read, or call that waits, fails with EINTR")
    process.breakpoints.interrupt_each(calls, Held.is_on_socket)
    server = door.accept()
    try:
        server.expect(b"c", why)
        process.wait_reading()
    except Failure as failure:
        failure.why = why
        raise
    server.send(b"d")
    ends(process, 0, b"char from server = d\n", why)


@check(
    points=1,
    kind="robust",
    after=("test_asks", "test_unix"),
    hints=(
        "A connection can break at any time: before the byte is written, or before it is answered.",
        "write(2) then raises SIGPIPE, unless that is ignored; read(2) fails with ECONNRESET.",
        "In inccli.c: ask, the disposition of SIGPIPE, and what follows each call that fails.",
    ),
    needs="notify",
)
def test_breaks(program):
    """ends with a message and status 1 when the connection breaks"""

    def complains(process, words, why):
        ends(process, 1, b"", why)
        got = process.stderr
        program.stage.tape.add("look", "at stderr", diagnosis.show(got))
        good = got.startswith(b"inccli: ") and any(got.endswith(b": %s\n" % one) for one in words)
        expected = b"inccli: read: " + words[0] + b"\n"
        require(good, f"{diagnosis.show(expected)} on stderr", diagnosis.show(got), why)

    address, port = target(program)
    door = Door(program.stage, (address, port))
    process = program.start(address, str(port), "a")
    server = door.accept()
    server.expect(b"a")
    process.wait_reading()
    server.reset()
    why = "read returned -1: the connection broke"
    complains(process, (b"Connection reset by peer",), why)

    path = program.stage.path("s")
    door = Door(program.stage, path)
    process = program.start(f"unix:{path}", "a", watch=WRITE)
    due = "inccli writing its byte to the server"
    held = process.breakpoints.hold(WRITE, due, Held.is_on_socket)
    program.stage.tape.add("hold", "inccli, which is about to write")
    door.accept().close()
    held.let_go()
    try:
        words = (b"end of file", b"Broken pipe", b"Connection reset by peer")
        complains(process, words, "the server closed before the byte was written")
    except Failure as failure:
        if process.end_status and process.end_status.number == signal.SIGPIPE:
            failure.why = (
                "the server had closed when the byte was written, and the signal SIGPIPE ends who "
                "does not expect it: ignore SIGPIPE, or send with MSG_NOSIGNAL"
            )
        raise


@check(
    points=1,
    kind="clean",
    after="test_asks",
    hints=(
        "What a program takes from malloc, or what a library takes for it, it gives back.",
        "free(3), freeaddrinfo(3), fclose(3): each taker has its giver.",
        "In inccli.c: ask, and whatever allocates memory on the way to connect.",
    ),
    needs="leaks",
)
def test_no_leak(program):
    """leaks no memory"""
    address, port = target(program)
    door = Door(program.stage, (address, port))
    converse(program, (address, str(port)), door, b"x", b"y", leaks=True)
