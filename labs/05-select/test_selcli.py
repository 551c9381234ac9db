"""Checks of selcli: stdin to the server and its answers to stdout, at the same time."""

import contextlib
import fcntl
import os
import socket

from harness import Failure, check, diagnosis, require, strange
from harness.kernel import netns, proc
from harness.kernel.proc import O_NONBLOCK
from harness.kernel.syscalls import MULTIPLEX, SELECT, TIMER
from harness.made_up import letters
from harness.multiplex import why_busy
from harness.peers import Door

BOTH = ("test_both_ways",)
ENDS = (*BOTH, "test_half_close")
BYTES = 32_000_000
MIB = 1 << 20


def begin(program, rcvbuf=0, **how):
    """Start the program against a server of ours; return both ends.

    Args:
        program: the program.
        rcvbuf: the bytes that the server's kernel takes before they are read.
        how: passed on to ``start``.
    """
    door = Door(program.stage, (program.stage.address, program.stage.port()), decoy=True)
    if rcvbuf:
        door.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
    address, port = door.target
    process = program.start(address, str(port), stdin=True, **how)
    return process, door.accept()


def prints(process, expected, why):
    """Wait until exactly ``expected`` has been printed in all."""
    step = process.stage.tape.add("expect", f"{diagnosis.show(expected)} on stdout by now")
    due = f"{diagnosis.show(expected)} on stdout by now"

    def there():
        return len(process.stdout) >= len(expected) or process.end_status

    try:
        process.until(there, due, progress=lambda: len(process.stdout))
    except Failure as failure:
        failure.why = why_asleep(process) or why_busy(failure, process) or failure.why or why
        raise
    got = process.stdout
    step.saw = "yes" if got == expected else diagnosis.show(got)
    if got != expected:
        diagnosis.fail_bytes(expected, got, "on stdout", why, process.stage.diagnose(()))


def why_asleep(process):
    """Name the mistake of a program that sleeps in select though there is something to do."""
    blocked = process.asleep_in(MULTIPLEX)
    if blocked is None:
        return ""
    fds = {0, *proc.socket_inodes(process.pid)}
    if blocked.call in SELECT and blocked.args[0] <= max(fds):
        return (
            f"the first argument of select is {blocked.args[0]}, so descriptor {max(fds)} is not "
            "watched: it is the highest descriptor plus one"
        )
    if fds <= blocked.reads:
        return (
            "it watches stdin and the socket, so it has read what came, and nothing reached "
            "stdout: fwrite and printf keep it in memory until fflush, for stdout is a pipe here"
        )
    return ""


def waits(process, why):
    """Wait until the program sleeps in select or poll; return what for."""
    try:
        blocked = process.wait_asleep(MULTIPLEX, "selcli asleep in select or poll")
    except Failure as failure:
        failure.why = why_busy(failure, process) or failure.why or why
        raise
    process.stage.tape.add(
        "look",
        "at what selcli waits for",
        f"read {sorted(blocked.reads)}, write {sorted(blocked.writes)}",
    )
    return blocked


def the_socket(process):
    """Return the number of the program's one socket."""
    found = proc.socket_inodes(process.pid)
    require(len(found) == 1, "one socket", f"{len(found)}")
    return next(iter(found))


@check(
    points=2,
    kind="contract",
    hints=(
        "Neither stdin nor the server may be waited for alone: wait for both, take who is ready.",
        "select(2) with descriptor 0 and the socket for reading; then read(2) the one that is.",
        "In selcli.c: step, which descriptors are in which set.",
    ),
)
def test_both_ways(program):
    """copies stdin to the server and the server to stdout, whoever speaks first"""
    process, server = begin(program)
    why = "it waits for one of stdin and the server, while the other has something to say"
    told = b""
    for turn in range(4):
        data = letters(program.stage, 12) + b"\n" * (turn % 2)
        if turn in (0, 3):
            server.send(data)
            told += data
            prints(process, told, why)
        else:
            process.write(data)
            server.expect(data, why)
    blocked = waits(process, why)
    fd = the_socket(process)
    require(
        {0, fd} <= blocked.reads,
        f"asleep until 0 or the socket, {fd}, is readable",
        f"asleep in {blocked}",
        why,
    )


@check(
    points=2,
    kind="contract",
    after=BOTH,
    hints=(
        "The end of stdin is the end of one direction: the other may have much to come.",
        "shutdown(2) with SHUT_WR sends end of file; close(2) would end both directions.",
        "In selcli.c: exchange, when up has ended and is empty.",
    ),
)
def test_half_close(program):
    """at the end of stdin tells the server so, and goes on until the server has ended"""
    process, server = begin(program)
    why = "the end of stdin must reach the server, and must not end what the server says"
    data, answer = letters(program.stage, 9000), letters(program.stage, 9000)
    process.write(data)
    process.close_stdin()
    kept = "what write took must leave the buffer, and what it did not take must stay in it"
    server.expect(data, kept)
    server.expect_end(b"", why)
    for part in (answer[:5000], answer[5000:]):
        server.send(part)
        process.until(
            lambda part=part: len(process.stdout) >= 5000 or process.end_status, "what it said"
        )
    server.close()
    process.expect_exit(0)
    got = process.stdout
    program.stage.tape.add("look", "at stdout", diagnosis.show(got))
    if got != answer:
        same = len(got) >= len(answer)
        diagnosis.fail_bytes(answer, got, "on stdout", kept if same else why)
    process.expect_stderr(b"")


def feed(process, rest):
    """Write to stdin until nobody takes more; return what is left."""
    before = None
    while rest and before != len(rest):
        before = len(rest)
        with contextlib.suppress(BlockingIOError):
            while rest:
                rest = rest[os.write(process.stdin, rest[:65536]) :]
        process.wait_quiet()
        netns.flush_loopback()
    return rest


@check(
    points=3,
    kind="contract",
    after=ENDS,
    hints=(
        "An echo server that can't write does not read; a client that can't write must read.",
        "fcntl(2) with O_NONBLOCK on the socket; write(2) then takes a part, or fails with EAGAIN.",
        "In selcli.c: exchange, the flags of the socket; drain, what write has not taken.",
    ),
    needs="notify",
)
def test_32_mb(program):
    """moves 32 MB through an echo server that does not read while it writes"""
    path = program.stage.path("out")
    process, server = begin(program, 4096, stdout=path, watch=("socket",))
    with contextlib.suppress(OSError):
        fcntl.fcntl(process.stdin, fcntl.F_SETPIPE_SZ, MIB)
    block = program.stage.random.randbytes(99_991)
    data = (block * (BYTES // len(block) + 1))[:BYTES]
    rest, back = memoryview(data), memoryview(b"")
    why = (
        "it waits until the server takes more, the server waits until it is read, and so "
        "both wait for ever: no write to the socket may wait (O_NONBLOCK)"
    )
    # A send buffer that takes little, as on a slow line: writes are short.
    waits(process, why)
    with process.borrow(the_socket(process)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        program.stage.tape.add("write", f"{BYTES} bytes to stdin; the server does not read yet")
        rest = feed(process, rest)
        waits(process, why)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MIB)
    server.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * MIB)
    program.stage.tape.add("note", "now the server sends back what it reads, piece by piece")

    def move():
        nonlocal rest, back
        moved = True
        while moved:
            moved = False
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                while rest:
                    rest = rest[os.write(process.stdin, rest[:MIB]) :]
                    moved = True
            if not rest and process.stdin is not None:
                process.close_stdin()
            with contextlib.suppress(OSError):
                while back:
                    back = back[server.sock.send(back, socket.MSG_NOSIGNAL) :]
                    moved = True
                if not server.ended:
                    back = memoryview(server.sock.recv(MIB))
                    moved = True
                    if not back:
                        server.ended = "end of file"
                        server.half_close()
        return process.end_status

    try:
        process.until(
            move,
            "32 MB there and back",
            [server.sock.fileno()],
            lambda: (len(rest), os.stat(path).st_size),
        )
    except Failure as failure:
        failure.got += f", with {BYTES - len(rest)} bytes written and {os.stat(path).st_size} back"
        failure.why = failure.why or why
        raise
    process.expect_exit(0)
    got = strange.read(path)
    if got != data:
        diagnosis.fail_bytes(data, got, "in the output", "what write did not take is still to send")


@check(
    points=1,
    kind="contract",
    after=ENDS,
    hints=(
        "A server that ends before we have said all is one that has failed us.",
        "read(2) on the socket returns 0: write what is left to stdout, then exit with status 1.",
        "In selcli.c: exchange, what finish is told.",
    ),
)
def test_server_closed(program):
    """says so, and fails, if the server ends before stdin does; all it said is printed"""
    process, server = begin(program)
    data = letters(program.stage, 30_000)
    server.send(data)
    server.close()
    process.expect_exit(1)
    process.expect_stdout(data)
    process.expect_stderr(b"selcli: server closed\n")


@check(
    points=1,
    kind="contract",
    after=BOTH,
    hints=(
        "Arguments that make no sense, a server that is not there: both end the program at once.",
        "connect(2) returns -1 and sets errno; exit status 1. Wrong usage: exit status 2.",
        "In selcli.c: main and connect_to, as they were given to you.",
    ),
)
def test_refused(program):
    """says that there is no server, and ends with status 1; with 2 after wrong arguments"""
    address, port = program.stage.address, program.stage.port()
    Door(program.stage, (address, port), listen=False)
    process = program.start(address, str(port))
    process.expect_exit(1)
    process.expect_stdout(b"")
    line = b"selcli: connect: Connection refused\n"
    got = process.stderr
    program.stage.tape.add("look", "at stderr", diagnosis.show(got))
    why = "connect has failed, and nobody looked at what it returned"
    require(got == line, f"{diagnosis.show(line)} on stderr", diagnosis.show(got), why)
    process = program.start(address)
    process.expect_exit(2)
    process.expect_stdout(b"")


@check(
    points=1,
    kind="robust",
    after=ENDS,
    hints=(
        "A server that does not read stops one direction only.",
        "While something waits to be sent, the socket is in the write set, and stdin in none.",
        "In selcli.c: step, and drain when write fails with EAGAIN.",
    ),
    needs="notify",
)
def test_slow_server(program):
    """a server that does not read is heard all the same, and stdin waits"""
    process, server = begin(program, 4096, watch=("socket",))
    data = letters(program.stage, 4 * MIB)
    rest = memoryview(data)
    why = "the server does not read: no write to the socket may wait for that (O_NONBLOCK)"
    waits(process, why)
    with process.borrow(the_socket(process)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    program.stage.tape.add("write", "4 MiB to stdin, so far as it is read")
    rest = feed(process, rest)
    require(
        len(rest) > 2 * MIB,
        "a program that reads no more of stdin when the server takes nothing",
        f"{len(data) - len(rest)} bytes were taken",
        "what the server does not take piles up in memory: leave stdin unread meanwhile",
    )
    blocked = waits(process, why)
    fd = the_socket(process)
    require(
        blocked.writes == {fd} and blocked.reads == {fd},
        f"the socket {fd} watched for reading and writing, stdin not at all",
        f"read {sorted(blocked.reads)}, write {sorted(blocked.writes)}",
        "something is to be sent, and it can go on when the socket is writable: until then "
        "stdin is not to be read",
    )
    word = letters(program.stage, 12)
    server.send(word)
    prints(process, word, why)
    taken = len(data) - len(rest)
    server.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MIB)
    process.close_stdin()
    server.expect_end(data[:taken], "what write did not take must be kept, and sent later")


@check(
    points=1,
    kind="robust",
    after=ENDS,
    hints=(
        "Who reads our stdout may be slow: that stops one direction only.",
        "A pipe that select calls writable takes PIPE_BUF bytes, see pipe(7), and may wait for "
        "one more.",
        "In selcli.c: drain, how much it writes to stdout at once.",
    ),
)
def test_slow_reader(program):
    """a reader of stdout that sleeps does not stop what goes to the server"""
    path = program.stage.path("fifo")
    strange.fifo(path)
    end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    program.stage.closers.append(lambda: os.close(end))
    process, server = begin(program, stdout=path)
    data = letters(program.stage, 300_000)
    server.send(data)
    why = (
        "nobody reads stdout, and the write of more than PIPE_BUF bytes to it waits: write no more "
        "than that when select says that it is writable"
    )
    blocked = waits(process, why)
    require(1 in blocked.writes, "stdout watched for writing", f"asleep in {blocked}", why)
    got = bytearray(os.read(end, 4096))
    program.stage.tape.add("read", f"{len(got)} bytes of its output, and no more")
    blocked = waits(process, why)
    word = letters(program.stage, 12)
    process.write(word)
    server.expect(word, why)

    def drained():
        with contextlib.suppress(BlockingIOError):
            while len(got) < len(data):
                piece = os.read(end, 65536)
                if not piece:
                    return True
                got.extend(piece)
        return len(got) >= len(data)

    process.until(drained, "the rest of the output", [end], lambda: len(got))
    if got != data:
        diagnosis.fail_bytes(data, bytes(got), "on stdout")


@check(
    points=1,
    kind="robust",
    after=BOTH,
    hints=(
        "O_NONBLOCK belongs to the open file, and a shell has the same open file as its programs.",
        "fcntl(2) with F_SETFL on the socket only; 0 and 1 are left as they are.",
        "In selcli.c: exchange, whose flags it changes.",
    ),
)
def test_flags(program):
    """leaves the flags of stdin and stdout alone: they are not its own"""
    process, server = begin(program)
    word = letters(program.stage, 12)
    process.write(word)
    server.expect(word)
    waits(process, "it waits for one of the two only")
    spoilt = [fd for fd in (0, 1) if proc.flags(process.pid, fd) & O_NONBLOCK]
    program.stage.tape.add("look", "at the flags of 0 and 1", f"O_NONBLOCK: {spoilt or 'none'}")
    require(
        not spoilt,
        "0 and 1 without O_NONBLOCK, as they were",
        f"O_NONBLOCK set on {' and '.join(map(str, spoilt))}",
        "the flag belongs to the open file, which the shell and others share: after that their "
        "reads fail with EAGAIN",
    )


@check(
    points=1,
    kind="robust",
    after=ENDS,
    hints=(
        "A broken connection, a pipe that nobody reads: a message, and exit status 1.",
        "SIGPIPE ignored, signal(2); then write(2) fails with EPIPE.",
        "In selcli.c: fill and drain when a call fails, and the beginning of exchange.",
    ),
)
def test_broken(program):
    """fails with a message when the connection, or the pipe at stdout, breaks"""
    process, server = begin(program)
    waits(process, "it waits for one of the two only")
    server.reset()
    process.expect_exit(1)
    process.expect_stdout(b"")
    process.expect_stderr(b"selcli: read: Connection reset by peer\n")
    path = program.stage.path("fifo")
    strange.fifo(path)
    end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    process, server = begin(program, stdout=path)
    waits(process, "it waits for one of the two only")
    os.close(end)
    program.stage.tape.add("close", "the other end of its stdout")
    server.send(b"hello\n")
    process.expect_exit(1)
    process.expect_stderr(b"selcli: write: Broken pipe\n")


@check(
    points=1,
    kind="clean",
    after=ENDS,
    hints=(
        "A descriptor at its end is readable for ever, a socket with room writable for ever.",
        "FD_SET only those for which there is something to do now; no time limit for select(2).",
        "In selcli.c: step, the conditions of each FD_SET.",
    ),
)
def test_idle(program):
    """sleeps without a timer while there is nothing to do, also after the end of stdin"""
    process, server = begin(program, note=TIMER if program.stage.can("notify") else ())
    why = "stdin at its end is always readable: leave it out of the set then"
    for what in ("both are silent", "stdin has ended"):
        program.stage.tape.add("note", what)
        try:
            blocked = waits(process, why)
        except Failure as failure:
            failure.why = why if what == "stdin has ended" else failure.why
            raise
        limit = process.time_limit(blocked)
        timers = ", ".join(sorted(set(process.noted)))
        require(
            limit is None and not timers and not blocked.writes,
            "asleep without a time limit, and nothing watched for writing",
            f"asleep in {blocked}"
            + (f", write {sorted(blocked.writes)}" if blocked.writes else "")
            + (f", after a call of {timers}" if timers else "")
            + ("" if limit is None else f", for {limit:g} s at most"),
            "nothing is to be written: a socket with room would be ready at once, and a timer "
            "would wake it for nothing",
        )
        process.close_stdin()
        if what == "both are silent":
            server.expect_end()
    require(0 not in blocked.reads, "stdin in no set", f"asleep in {blocked}", why)
