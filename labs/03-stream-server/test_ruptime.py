"""Checks of ruptime: whatever a server says, on stdout, as it comes."""

import fcntl
import os
import signal

from harness import Failure, check, require, shortwrite, strange
from harness.breakpoints import Held
from harness.diagnosis import difference, fail_bytes, show
from harness.kernel.syscalls import MULTIPLEX, READ, TIMER, WRITE
from harness.peers import Door
from harness.program import NO_ADDRESS

F_SETPIPE_SZ = 1031
SHORT = "write took less than it was given: what it returns says how much, the rest is due still"


def door_and_run(program, **how):
    """Start the program on a server of ours; return it and the connection."""
    door = Door(program.stage, (program.stage.address, program.stage.port()), decoy=True)
    process = program.start(door.target[0], str(door.target[1]), **how)
    return process, door.accept()


def wait_reading(process):
    """Wait until the program sleeps in read; it must not have ended."""
    try:
        return process.wait_reading()
    except Failure as failure:
        why = "only end of file ends the output: read again until read returns 0"
        raise Failure(failure.expected, failure.got, failure.why or why) from None


def expect_failure(program, process, message, why):
    """Require that the program ends with status 1 and one message on stderr."""
    end = process.wait_end()
    program.stage.tape.add("wait", "for the end of ruptime", str(end))
    if end.kind == "signal" and end.number == signal.SIGPIPE:
        why = (
            "SIGPIPE ended it before write could say EPIPE: ignore SIGPIPE, so that there is a "
            "message"
        )
    known = program.stage.diagnose(()) if end.kind == "exit" else ""
    require((end.kind, end.number) == ("exit", 1), "exit status 1", str(end), known or why)
    got = process.stderr
    program.stage.tape.add("look", "at stderr", show(got, 100))
    if message in process.stdout:
        why = "the message is on stdout: what a program says of itself goes to stderr"
    require(got == message, f"{show(message, 100)} on stderr", show(got, 100), why)


def fifo(stage):
    """Make a pipe of one page with a name; return its path and our reading end."""
    path = stage.path("out")
    strange.fifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, F_SETPIPE_SZ, 4096)
    return path, reader


@check(
    points=2,
    kind="contract",
    hints=(
        "A stream has no messages: what has come is to be shown now, for more may never come.",
        "read(2) returns what is there; write(2) it at once, or fflush(3) after each piece: "
        "stdout may be a pipe, and stdio keeps what goes to a pipe.",
        "In ruptime.c: the loop in copy, and whether it waits for more before it writes.",
    ),
)
def test_as_it_comes(program):
    """prints each piece as it comes, until end of file"""
    process, server = door_and_run(program)
    pieces = [b"u", b"p", b" ", b"1", b" day", b"\nno newline at the end, ", b"\0", b"and more"]
    why = (
        "a piece is kept back while the program waits for more: write each piece as it comes, "
        "and with stdio call fflush, because stdout is a pipe"
    )
    sent = b""
    for piece in pieces:
        wait_reading(process)
        server.send(piece)
        wait_reading(process)
        process.wait_quiet()
        sent += piece
        got = process.stdout
        program.stage.tape.add("look", "at stdout", show(got))
        if sent.startswith(got):
            if piece == b"\0":
                why = "a NUL byte is a byte like any other: what comes from read is no string"
            require(got == sent, f"{show(sent)} on stdout by now", show(got), why)
        else:
            fail_bytes(sent, got, "on stdout")
    server.close()
    process.expect_exit(0)
    process.expect_stdout(sent)
    process.expect_stderr(b"")


@check(
    points=1,
    kind="contract",
    after="test_as_it_comes",
    hints=(
        "Bytes are no strings: a NUL is a byte like any other, and read says how many there are.",
        "write(2) with the number that read(2) returned, or fwrite(3); not %s, not fputs.",
        "In ruptime.c: copy, which number says how much is written.",
    ),
)
def test_megabyte(program):
    """copies a megabyte of any bytes, and nothing at all"""
    process, server = door_and_run(program)
    server.close()
    process.expect_exit(0)
    process.expect_stdout(b"")
    process.expect_stderr(b"")
    process, server = door_and_run(program)
    data = bytes(64) + program.stage.random.randbytes(1 << 20) + bytes(64)
    server.send(data)
    server.close()
    process.expect_exit(0)
    got = process.stdout
    program.stage.tape.add("look", "at stdout", show(got))
    if got != data:
        fail_bytes(data, got, "on stdout", "every byte counts, NUL too: they are no strings")
    process.expect_stderr(b"")


@check(
    points=1,
    kind="contract",
    hints=(
        "Where nobody listens, connect fails, and errno says why.",
        "connect(2) returns -1; strerror(errno) gives the reason.",
        "In ruptime.c: connect_to, what is done with connect's result.",
    ),
)
def test_refused(program):
    """says so when there is no server: status 1; with 2 when HOST is no address"""
    door = Door(program.stage, (program.stage.address, program.stage.port()), listen=False)
    process = program.start(door.target[0], str(door.target[1]))
    message = b"ruptime: connect: Connection refused\n"
    expect_failure(program, process, message, "connect says that nobody is there: look at it")
    process.expect_stdout(b"")
    port = program.stage.port()
    Door(program.stage, (program.stage.address, port))  # where 0.0.0.0 would lead
    program.refuse_address(NO_ADDRESS, str(port))


@check(
    points=1,
    kind="robust",
    after="test_as_it_comes",
    hints=(
        "A connection that breaks is not a connection that ends: half an output is no output.",
        "read(2) returns -1 with ECONNRESET after a reset, and 0 at end of file.",
        "In ruptime.c: copy, what ends the loop.",
    ),
)
def test_reset(program):
    """says so when the connection breaks, after printing what has come"""
    for frozen in (False, True):
        process, server = door_and_run(program)
        process.wait_reading()
        if frozen:
            process.freeze()
        server.send(b"14:02 up 3 da")
        if not frozen:
            process.wait_reading()
        server.reset()
        if frozen:
            process.thaw()
        message = b"ruptime: read: Connection reset by peer\n"
        why = "read returns -1 when the connection breaks: that is no end of file, and no length"
        expect_failure(program, process, message, why)
        got = process.stdout
        program.stage.tape.add("look", "at stdout", show(got))
        require(
            got == b"14:02 up 3 da",
            '"14:02 up 3 da" on stdout',
            show(got),
            "what has come before the reset belongs on stdout: write it before the next read",
        )


@check(
    points=1,
    kind="robust",
    after="test_as_it_comes",
    hints=(
        "A full disk, or a reader who has gone, must not look like success.",
        "write(2) returns -1 with ENOSPC or EPIPE; with EPIPE comes SIGPIPE, which ends the "
        "program unless signal(2) says SIG_IGN. With stdio: fflush(3) and fclose(3) tell.",
        "In ruptime.c: copy, what is done with write's result; SIGPIPE before it.",
    ),
)
def test_write_fails(program):
    """says so when its output can't be written: a full disk, a pipe without a reader"""
    process, server = door_and_run(program, stdout="/dev/full")
    server.send(b"up 3 days\n")
    process.wait_quiet()
    server.close()
    unseen = "what write or fflush returned was not looked at: the output is lost, silently"
    message = b"ruptime: write: No space left on device\n"
    expect_failure(program, process, message, unseen)
    path, reader = fifo(program.stage)
    process, server = door_and_run(program, stdout=path)
    process.wait_reading()
    os.close(reader)
    program.stage.tape.add("close", "the pipe that is ruptime's stdout")
    server.send(b"up 3 days\n")
    process.wait_quiet()
    server.close()
    expect_failure(program, process, b"ruptime: write: Broken pipe\n", unseen)


@check(
    points=1,
    kind="robust",
    after="test_megabyte",
    hints=(
        "A pipe holds little: who reads late makes the program wait, and a signal cuts the wait.",
        "write(2) returns how many bytes it took, which may be fewer than it was given; or -1 "
        "with EINTR.",
        "In ruptime.c: copy, what becomes of the bytes that write did not take.",
    ),
)
def test_late_reader(program):
    """loses nothing when its stdout is read late, Ctrl-Z and fg in between"""
    path, reader = fifo(program.stage)
    program.stage.closers.append(lambda: os.close(reader))
    process, server = door_and_run(program, stdout=path)
    process.wait_reading()
    process.freeze()
    data = program.stage.random.randbytes(60000)
    server.send(data)
    process.thaw()
    server.close()
    got = bytearray()

    def read(most):
        try:
            piece = os.read(reader, most)
        except BlockingIOError:
            return None
        got.extend(piece)
        return piece

    # Each time that it sleeps in write, because the pipe is full.
    for _ in range(3):
        process.wait_quiet()
        process.freeze()
        process.thaw()
        read(4096)

    def ended():
        while piece := read(1 << 16):
            pass
        return piece == b""

    process.until(ended, "the rest on stdout, and its end", [reader], lambda: len(got))
    program.stage.tape.add("read", "ruptime's stdout to its end", f"{len(got)} bytes")
    require(
        got == data,
        f"all {len(data)} bytes on stdout",
        f"{len(got)} bytes; {difference(data, bytes(got)) or 'some are missing in the middle'}",
        SHORT,
    )
    process.expect_exit(0)
    if program.stage.can("notify"):
        interrupted(program)


def interrupted(program):
    """Require that a call that waits for the server may fail with EINTR, and a write be short."""
    calls = READ | MULTIPLEX
    door = Door(program.stage, (program.stage.address, program.stage.port()))
    process = program.start(door.target[0], str(door.target[1]), watch=calls | WRITE)
    program.stage.tape.add("disturb", "the first read, or call that waits, fails with EINTR")
    process.breakpoints.interrupt_each(calls, Held.is_on_socket)
    server = door.accept()
    why = "a call that was interrupted (EINTR) is taken for a failure: call again"
    try:
        process.wait_reading()
        server.send(b"up 3 days\n")
        process.wait_reading()
        why = SHORT
        cut = shortwrite.cut_next(process, lambda held: held.args[0] == 1)
        server.send(b"load average 0\n")
        process.wait_reading()
    except Failure as failure:
        failure.why = why
        raise
    server.close()
    process.expect_exit(0)
    due = b"up 3 days\n" + b"load average 0\n".removeprefix(cut.taken)
    got = process.stdout
    program.stage.tape.add("look", "at stdout", show(got))
    require(got == due, f"{show(due)} on stdout", show(got), SHORT)
    process.expect_stderr(b"")


@check(
    points=1,
    kind="clean",
    after="test_as_it_comes",
    hints=(
        "A program that waits sleeps in the kernel, and gives back what it has taken.",
        "read(2) blocks by itself, without a time limit; free(3) for malloc(3), freeaddrinfo(3) "
        "for getaddrinfo(3), fclose(3) for fdopen(3).",
        "In ruptime.c: connect_to and the loop in copy.",
    ),
    needs="leaks",
)
def test_nothing_left(program):
    """sleeps while the server is silent, and loses no memory"""
    process, server = door_and_run(program, leaks=True)
    for _ in range(5):
        blocked = process.wait_reading()
        limit = process.time_limit(blocked)
        require(
            limit is None,
            "asleep until something comes",
            f"asleep in {blocked} for {limit} s at most",
            "that is polling: wait without a time limit",
        )
        server.send(b"up 3 days\n")
    server.close()
    process.expect_exit(0)
    process.expect_stdout(b"up 3 days\n" * 5)
    if program.stage.can("notify"):
        process, server = door_and_run(program, note=TIMER)
        process.wait_reading()
        timers = ", ".join(process.noted)
        why = "a server may take its time, and nothing here needs a timer"
        require(not timers, "no timer", f"a call of {timers}", why)
        server.close()
        process.expect_exit(0)
