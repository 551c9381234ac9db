"""Checks of conto: connect, but not for longer than told."""

import contextlib
import errno
import socket

from harness import Failure, check, diagnosis, require
from harness.blocked import hidden_timeout
from harness.kernel import netns, proc
from harness.kernel.proc import O_NONBLOCK
from harness.kernel.syscalls import MULTIPLEX, READ, SELECT
from harness.peers import Door, writable

CONNECTS = ("test_connects",)


def new_door(program, **how):
    """Return a server of ours on a new port."""
    return Door(program.stage, (program.stage.address, program.stage.port()), **how)


def full_door(program):
    """Return a server of ours whose queue is full: the next connect waits."""
    door = new_door(program, listen=False)
    door.sock.listen(0)
    for _ in range(5):
        sock = socket.socket()
        sock.setblocking(False)
        program.stage.closers.append(sock.close)
        sock.connect_ex(door.target)
        netns.flush_loopback()
        if not writable(sock):
            program.stage.tape.add("fill", "the queue of the checker's server, which never accepts")
            return door
    raise AssertionError("the queue does not fill up")


def begin(program, door, ms, **how):
    """Start the program with a time limit of ``ms`` milliseconds."""
    address, port = door.target
    return program.start("-t", str(ms), address, str(port), **how)


def ends(process, status, stdout, stderr, why):
    """Require how the program ends, and what it has printed then."""
    try:
        process.expect_exit(status)
    except Failure as failure:
        got = process.stdout
        said = f" after {diagnosis.show(got)} on stdout" if got else ""
        failure.got += said
        failure.why = failure.why or why
        raise
    got = process.stdout
    process.stage.tape.add("look", "at stdout", diagnosis.show(got))
    require(got == stdout, f"{diagnosis.show(stdout)} on stdout", diagnosis.show(got), why)
    process.expect_stderr(stderr)


@check(
    points=2,
    kind="contract",
    hints=(
        "A non-blocking connect begins; select tells when it is decided: the socket is writable.",
        "fcntl(2) with O_NONBLOCK, connect(2) with EINPROGRESS, select(2) for writing, "
        "getsockopt(2) with SO_ERROR.",
        "In conto.c: connect_within, then wait_connected.",
    ),
)
def test_connects(program):
    """connects, says so at once, then prints what the server says until its end"""
    door = new_door(program)
    process = begin(program, door, 60_000)
    server = door.accept()
    why = "the connection is there: select says that the socket is writable, and SO_ERROR is 0"
    try:
        process.until(lambda: process.stdout or process.end_status, '"connected\\n" on stdout')
    except Failure as failure:
        found = process.asleep_in(READ)
        if found is not None and found.call in READ:
            why = "printed, but not flushed: stdout is a pipe here, and printf keeps the line"
        found = process.asleep_in(SELECT)
        fds = proc.socket_inodes(process.pid) if found is not None else ()
        if fds and found.args[0] <= max(fds):
            why = (
                f"the first argument of select is {found.args[0]}, so descriptor {max(fds)} is "
                "not watched: it is the highest descriptor plus one"
            )
        failure.why = failure.why or why
        raise
    if b"in progress" in process.stderr:
        why = (
            "connect has failed with EINPROGRESS: on a non-blocking socket that means begun, and "
            "is no failure. Wait in select until the socket is writable, then ask SO_ERROR"
        )
        ends(process, 0, b"connected\nhello, world\n", b"", why)
    why = "blocking again: after the connection is made, the socket gets its old flags"
    # its read must come before what there is to read; test_blocking_again judges who spins
    with contextlib.suppress(Failure):
        process.wait_quiet()
    server.send(b"hello, ")
    process.until(
        lambda: len(process.stdout) > 10 or process.end_status, "what the server says on stdout"
    )
    server.send(b"world\n")
    server.close()
    ends(process, 0, b"connected\nhello, world\n", b"", why)


@check(
    points=2,
    kind="contract",
    after=CONNECTS,
    hints=(
        "A socket whose connect has failed is writable, too: ready means decided, not connected.",
        "getsockopt(2) with SOL_SOCKET and SO_ERROR says with what it ended; asking clears it.",
        "In conto.c: wait_connected after select.",
    ),
)
def test_refused(program):
    """prints refused, and ends with status 1, where nobody listens"""
    process = begin(program, new_door(program, listen=False), 60_000)
    why = (
        "the socket is writable because the connect has failed: what it ended with is told by "
        "getsockopt with SO_ERROR, once"
    )
    ends(process, 1, b"refused\n", b"", why)
    address, port = program.stage.address, str(program.stage.port())
    for wrong in (("-t", "0", address, port), ("-t", "x", address, port), (address,)):
        process = program.start(*wrong)
        process.expect_exit(2)
        process.expect_stdout(b"")


@check(
    points=2,
    kind="contract",
    after=CONNECTS,
    hints=(
        "A server whose queue is full does not answer at all, and TCP tries for two minutes.",
        "select(2) with a time limit returns 0 when the time is over.",
        "In conto.c: wait_connected, the last argument of select and its result 0.",
    ),
)
def test_timeout(program):
    """prints timeout, and ends with status 1, when the time is over"""
    process = begin(program, full_door(program), 30)
    why = "nobody answers: connect alone would try for two minutes"
    ends(process, 1, b"timeout\n", b"", why)


@check(
    points=1,
    kind="robust",
    after=CONNECTS,
    hints=(
        "O_NONBLOCK was only needed for the connect; code that reads may rely on waiting.",
        "fcntl(2): F_GETFL before, F_SETFL with the same flags after.",
        "In conto.c: the end of connect_within.",
    ),
)
def test_blocking_again(program):
    """gives the socket its old flags back, so that a plain read waits"""
    door = new_door(program)
    process = begin(program, door, 60_000)
    server = door.accept()
    why = "the socket is still non-blocking: give it back the flags that it had"
    try:
        blocked = process.wait_asleep(READ, "conto asleep in a read of the socket")
    except Failure as failure:
        failure.why = why
        raise
    sockets = proc.socket_inodes(process.pid)
    left = [fd for fd in sockets if proc.flags(process.pid, fd) & O_NONBLOCK]
    program.stage.tape.add("look", "where conto is", f"asleep in {blocked}")
    require(not left, "a socket without O_NONBLOCK", f"O_NONBLOCK on {left}", why)
    server.close()
    ends(process, 0, b"connected\n", b"", why)


@check(
    points=1,
    kind="robust",
    after=(*CONNECTS, "test_timeout"),
    hints=(
        "A time limit of MS milliseconds: not 1000 times as long, and not in whole seconds.",
        "struct timeval has seconds and microseconds, poll(2) takes milliseconds.",
        "In conto.c: wait_connected, how MS becomes what the call takes.",
    ),
    needs="notify",
    build="shim",
)
def test_limit(program):
    """waits exactly MS milliseconds, in select or poll"""
    ms = 1000 * program.stage.random.randrange(50, 60) + program.stage.random.randrange(400, 700)
    process = begin(program, full_door(program), ms, watch=MULTIPLEX)
    held = process.breakpoints.hold(MULTIPLEX, "a call of select or poll")
    asked = held.pause()
    program.stage.tape.add("look", "at the time limit", "none" if asked is None else f"{asked:g} s")
    factor = asked / ms * 1000 if asked else 0
    require(
        asked is not None and -0.3 < asked - ms / 1000 < 0.002,
        f"a time limit of {ms / 1000:g} s",
        "none" if asked is None else f"{asked:g} s",
        "MS are milliseconds: seconds, milliseconds and microseconds were mixed up"
        if not 0.9 < factor < 1.1
        else "the part of a second is lost or wrong",
    )
    held.cut(program.clock)
    ends(process, 1, b"timeout\n", b"", "the time is over, and nobody has answered")


@check(
    points=1,
    kind="robust",
    after=CONNECTS,
    hints=(
        "connect can fail at once, before there is anything to wait for.",
        "errno after connect(2): EINPROGRESS means wait, anything else is the result.",
        "In conto.c: connect_within, where connect returns -1.",
    ),
    needs="notify",
)
def test_fails_at_once(program):
    """says what it was, and ends with status 1, when connect fails otherwise"""
    for error, words in (
        (errno.ENETUNREACH, "Network is unreachable"),
        (errno.EACCES, "Permission denied"),
    ):
        process = begin(program, full_door(program), 60_000, watch=("connect", *MULTIPLEX))
        held = process.breakpoints.hold({"connect"}, "a call of connect")
        program.stage.tape.add("refuse", f"the connect: {errno.errorcode[error]}")
        held.fail(error)
        why = "only EINPROGRESS means that something was begun; any other error is the result"
        process.breakpoints.on(MULTIPLEX, lambda held: held.cut() and None)
        ends(process, 1, b"", f"conto: connect: {words}\n".encode(), why)


@check(
    points=1,
    kind="clean",
    after=CONNECTS,
    hints=(
        "The time limit is for the connection; after that nothing is left of it.",
        "One socket, and a read(2) that waits for as long as it takes.",
        "In conto.c: what connect_within leaves behind: sockets, timers, options.",
    ),
)
def test_nothing_left(program):
    """has one socket and no timer once it is connected, however silent the server is"""
    door = new_door(program)
    process = begin(program, door, 200)
    server = door.accept()
    blocked = process.wait_asleep(READ, "conto asleep in a read of the socket")
    program.stage.tape.add("look", "where conto is", f"asleep in {blocked}")

    timer = blocked.timeout or hidden_timeout(process.pid, blocked)
    require(
        not timer and not process.catches_timer(),
        "asleep in a read without any timer",
        f"a timer of {timer:g} s" if timer else "a timer of its own",
        "the time limit is for the connection: a server may be silent for longer",
    )
    sockets = proc.socket_inodes(process.pid)
    require(len(sockets) == 1, "one socket", f"{len(sockets)}", "a socket was left open")
    server.close()
    process.expect_exit(0)
