"""Checks of seqsrv: requests that are lines in a stream of bytes."""

import errno
import os
import signal

from harness import Failure, announced, begins, check, require, shortage, shortwrite
from harness.breakpoints import Held
from harness.diagnosis import around, show
from harness.kernel import netns
from harness.kernel.syscalls import ACCEPT, MULTIPLEX, POLL, READ, SELECT, SLEEP, TIMER, WRITE

COUNTS = ("test_listens", "test_counts")
BILLION = 1000000000
SHORT = "write took less than it was given: what it returns says how much, the rest is due still"

UNCHANGED = "the counter has moved: only a good request may move it on"


def ask(client, count, first, why=""):
    """Send one request in one piece and require its answer."""
    client.send(b"%d\n" % count)
    client.expect(b"%d\n" % first, why)


def ask_and_leave(server, count, first, why=""):
    """Send one request over a connection of its own."""
    client = server.connect()
    ask(client, count, first, why)
    client.half_close()
    client.expect_end()
    client.close()


def wait_for_next(server, why):
    """Wait until the server waits for its next client; say why it does not."""
    try:
        return server.wait_accepting()
    except Failure as failure:
        raise Failure(failure.expected, failure.got, failure.why or why) from None


@check(
    points=1,
    kind="contract",
    hints=(
        "Clients can come as soon as the kernel queues them; the line on stdout tells them so.",
        "socket(2), bind(2), listen(2), getsockname(2); printf(3), then fflush(3) at once.",
        "In seqsrv.c: listen_at, where the address is filled in and where the name is asked for.",
    ),
)
def test_listens(program):
    """listens on ADDR PORT, or on a port that the kernel chose, and says so at once"""
    for port in (None, 0):
        begins.serve(program, port)


@check(
    points=1,
    kind="contract",
    after="test_listens",
    hints=(
        "Whoever starts a server trusts its exit status and its line: both must be true.",
        "bind(2) and inet_pton(3) return something that must be looked at; listen(2) comes before "
        "printf(3).",
        "In seqsrv.c: listen_at, the order of its calls, and the result of each.",
    ),
)
def test_starts_or_fails(program):
    """refuses a taken port and a wrong address; says LISTENING only when clients can connect"""
    begins.starts_or_fails(program)


@check(
    points=1,
    kind="contract",
    after="test_listens",
    hints=(
        "Each answer is the first number of the client's block; the next block begins after it.",
        "read(2) the request, write(2) the answer and its newline, and go on until read gives 0.",
        "In seqsrv.c: the loop in serve, and whether it goes on after the first answer.",
    ),
)
def test_counts(program):
    """gives each request of a connection the next block of numbers"""
    server = program.serve()
    client = server.connect()
    first = 0
    for _ in range(4):
        count = program.stage.random.randrange(2, 1000)
        why = "a client may send as many requests over its connection as it likes"
        ask(client, count, first, why if first else "")
        first += count


@check(
    points=1,
    kind="contract",
    after=COUNTS,
    hints=(
        "The counter belongs to the server; clients who wait in its queue are served in turn.",
        "A variable that lives as long as the program; listen(2) with room for five clients; "
        "close(2) when read(2) says end of file.",
        "In seqsrv.c: where the counter is declared, the backlog, and the end of serve_all's loop.",
    ),
)
def test_serves_in_turn(program):
    """lets five clients wait, and serves them in turn with one counter for all"""
    # On a terminal even a line that is never flushed shows.
    server = program.serve(stdout="pty")
    busy = server.connect()
    ask(busy, 10, 0)
    others = [server.connect() for _ in range(5)]
    for other in others:
        other.send(b"7\n")
    server.wait_quiet()
    for other in others:
        other.expect_nothing(
            "client 1 is not done yet, but another one is served already: this server takes one "
            "client at a time, without fork, thread, select or the like"
        )
    busy.half_close()
    busy.expect_end()
    why = "the counter starts again: it belongs to the server, not to the connection"
    for number, other in enumerate(others):
        other.expect(b"%d\n" % (10 + 7 * number), why)
        other.half_close()
        other.expect_end()
    server.wait_accepting()
    announced.nothing_more(server)


def expect_whole(client, expected, why):
    """Require the answer to a request that came in pieces."""
    try:
        client.expect(expected, why)
    except Failure as failure:
        if "ERR" in failure.got:
            failure.why = (
                "what had come of an unfinished line was thrown away: keep it until its newline "
                "has come, and judge the whole line then"
            )
        raise


@check(
    points=2,
    kind="contract",
    after=COUNTS,
    hints=(
        "A stream has no messages: one read may return any part of a line.",
        "read(2) returns how many bytes came; keep them until the newline is among them.",
        "In seqsrv.c: serve, what happens to bytes that came without a newline.",
    ),
)
def test_pieces(program):
    """puts a request together that comes in pieces, and answers as soon as it is whole"""
    server = program.serve()
    client = server.connect()
    alone = "one read is taken for one request: collect bytes until the newline has come"
    waits = "the answer is kept back: it is due as soon as the newline has come"
    for byte in (b"1", b"2"):
        server.wait_reading()
        client.send(byte)
        server.wait_quiet()
        client.expect_nothing(alone)
    client.send(b"\n")
    expect_whole(client, b"0\n", waits)
    client.send_slowly(b"1000\n", server)
    expect_whole(client, b"12\n", alone)
    server.wait_reading()
    client.send(b"34")
    server.wait_quiet()
    client.expect_nothing(alone)
    client.send(b"5\n")
    expect_whole(client, b"1012\n", alone)
    ask(client, 1, 1357, "the middle of a request was lost")


@check(
    points=1,
    kind="contract",
    after=COUNTS,
    hints=(
        "One read may return several lines, and the beginning of one more.",
        "memchr(3), or a loop over the bytes of the buffer: go on behind each newline.",
        "In seqsrv.c: serve, what happens to the bytes that follow a newline in the buffer.",
    ),
)
def test_several_at_once(program):
    """answers several requests that come at once, the last one half there"""
    server = program.serve()
    client = server.connect()
    lost = "what follows the first newline in a read is lost: it is the next request"
    client.send(b"5\n6\n7\n")
    client.expect(b"0\n5\n11\n", lost)
    first = 18
    lines = [b"9\n", b"40\n", b"3\n", b"12\n"]
    data = b"".join(lines)
    tape = program.stage.tape
    for cut in range(1, len(data)):
        mark = len(tape.steps)
        server.wait_reading()
        answers = []
        for line in lines:
            answers.append(b"%d\n" % first)
            first += int(line)
        whole = data[:cut].count(b"\n")
        client.send(data[:cut])
        if whole:
            client.expect(
                b"".join(answers[:whole]),
                "an answer is kept back until the whole input is a line" if whole == 1 else lost,
            )
        server.wait_quiet()
        client.expect_nothing("half a line was taken for a request")
        client.send(data[cut:])
        client.expect(
            b"".join(answers[whole:]),
            "half a line at the end of a read is lost: its rest comes with the next one",
        )
        text = f"{client.name}: {show(data[:cut])}, then {show(data[cut:])}"
        tape.fold(mark, "send", text, "answered")


@check(
    points=1,
    kind="contract",
    after=COUNTS,
    hints=(
        "Five requests for a billion numbers are more than 32 bits can count.",
        "long long, int64_t or uint64_t, and %lld or PRId64 in printf(3).",
        "In seqsrv.c: the type of the counter, and the format that prints it.",
    ),
)
def test_big_counter(program):
    """counts beyond 2^31 and 2^32"""
    server = program.serve()
    client = server.connect()
    why = "the counter has 32 bits: it must be 64 bits wide, and be printed so"
    for first in range(12):
        ask(client, BILLION, first * BILLION, why)


BAD = (
    (b"-1", "a sign is not a digit: strtol and scanf take it, the contract does not"),
    (b"+1", "a sign is not a digit: strtol and scanf take it, the contract does not"),
    (b" 1", "a blank is not a digit: strtol and scanf skip it, the contract does not"),
    (b"1 ", "a blank is not a digit: look at every byte of the line, not at the number alone"),
    (b"1\r", "a carriage return is not a digit: do not strip it"),
    (b"1\t", "a tab is not a digit: look at every byte of the line"),
    (b"\t1", "a tab is not a digit: strtol and scanf skip it, the contract does not"),
    (b"\v1", "a vertical tab is not a digit: strtol and isspace skip it, the contract does not"),
    (b"1\f", "a form feed is not a digit: look at every byte of the line"),
    (b"x", "letters are not digits"),
    (b"0x10", "letters are not digits: numbers are decimal"),
    (b"12a", "strtol stops at the first letter: look whether it has used the whole line"),
    (b"1.5", "a point is not a digit"),
    (b"1\x002", "a NUL byte is not a digit: the line is longer than strlen says"),
    (b"", "an empty line is no number"),
    (b"0", "0 is not from 1 to 1000000000"),
    (b"0" * 30, "0 is not from 1 to 1000000000"),
    (b"1000000001", "the largest number is 1000000000"),
    (b"4294967297", "4294967297 is 2^32 + 1: the number was cut to 32 bits"),
    (b"18446744073709551617", "this is 2^64 + 1: the number overflowed while it was read"),
    (b"9" * 30, "a number of 30 digits overflows every integer: stop at 1000000000"),
)


@check(
    points=1,
    kind="contract",
    after=COUNTS,
    hints=(
        "A server decides what it accepts byte by byte; a library's idea of a number is wider.",
        "isdigit(3) for every byte, and the value from 1 to 1000000000 without overflow; or "
        "strtol(3) with its end pointer and errno, after a look at the first byte.",
        "In seqsrv.c: where the line becomes a number, and what serve does after ERR.",
    ),
)
def test_rejects(program):
    """answers ERR to what is not a number from 1 to 1000000000, and ends the connection"""
    server = program.serve()
    first = 0
    tape, nl = program.stage.tape, b"\n"
    for line, why in BAD:
        mark = len(tape.steps)
        client = server.connect()
        ask(client, 1, first, UNCHANGED)
        first += 1
        client.send(line + nl)
        client.expect(b"ERR\n", why)
        client.expect_end(why="after ERR the connection is over: say so with shutdown or close")
        client.close()
        tape.fold(mark, "send", f"{client.name}: {show(line + nl)}", "ERR, end of file")
    ask_and_leave(server, BILLION, first, UNCHANGED)


def expect_too_long(client, expected, waits):
    """Require ERR at the 31st byte of a line, and tell who took it for a request."""
    try:
        client.expect(expected, waits)
    except Failure as failure:
        if failure.got.count("\\n") == expected.count(b"\n"):
            failure.why = (
                "31 bytes without a newline were taken for a good request: a line has at most 30 "
                "bytes, whatever is in it"
            )
        raise


@check(
    points=1,
    kind="contract",
    after=COUNTS,
    hints=(
        "A limit on a line protects the server's memory, so it can't wait for the newline.",
        "Count the bytes of the line; at the 31st that is no newline the answer is ERR.",
        "In seqsrv.c: serve, where a byte is put into the line.",
    ),
)
def test_long_line(program):
    """takes a line of 30 bytes, and answers ERR to the 31st byte without its newline"""
    server = program.serve()
    client = server.connect()
    waits = "ERR is due at the 31st byte of a line: do not wait for a newline that may never come"
    zeros = "leading zeros are allowed, and a line may have 30 bytes before its newline"
    client.send(b"007\n")
    client.expect(b"0\n", zeros)
    client.send(b"%030d\n" % 5)
    client.expect(b"7\n", zeros)
    server.wait_reading()
    client.send(b"%030d" % 6)
    server.wait_quiet()
    client.expect_nothing("30 bytes are not too many: the newline may be the next")
    client.send(b"\n")
    client.expect(b"12\n", zeros)
    server.wait_reading()
    client.send(b"%030d" % 4)
    server.wait_quiet()
    client.expect_nothing("30 bytes are not too many: the newline may be the next")
    client.send(b"4")
    expect_too_long(client, b"ERR\n", waits)
    client.expect_end()
    client.close()
    client = server.connect()
    client.send(b"1\n%031d" % 8)
    expect_too_long(client, b"18\nERR\n", waits)
    client.expect_end()
    client.close()
    ask_and_leave(server, 1, 19, UNCHANGED)


@check(
    points=2,
    kind="robust",
    after=(*COUNTS, "test_rejects"),
    hints=(
        "To close a socket with unread input sends a reset, and a reset can destroy an answer.",
        "shutdown(2) with SHUT_WR after ERR; then read(2) and throw away until it returns 0; "
        "then close(2).",
        "In seqsrv.c: serve, what happens between ERR and close.",
    ),
)
def test_err_to_eager_client(program):
    """gets ERR through to a client that has sent 100 kB more, and ignores the rest"""
    server = program.serve()
    why = (
        "the connection was reset: it was closed while input was unread in it; say shutdown, "
        "then read until the client has finished, then close"
    )
    number = program.stage.random.randrange(2, 1000)
    ask_and_leave(server, number, 0)
    first = number
    for eager in (b"no\n" + b"5\n" * 50000, b"1" * 100000):
        server.freeze()
        client = server.connect()
        client.send(eager)
        server.thaw()
        server.wait_quiet()
        client.send(b"6\n" * 300_000)
        require(
            not client.ended,
            f"{client.name} may send to its end, and then read",
            f"{client.name} got {client.ended} from send",
            why,
        )
        client.expect(b"ERR\n", why)
        client.expect_end(why=why)
        gives_up = "the client may go on sending to its own end: read until then, without any limit"
        try:
            blocked = server.wait_asleep(READ, "a server that reads on until its client has ended")
        except Failure as failure:
            failure.why = failure.why or gives_up
            raise
        limit = server.time_limit(blocked)
        due, got = (
            "asleep until the client has finished",
            f"asleep in {blocked} for {limit} s at most",
        )
        require(limit is None, due, got, gives_up)
        client.close()
        ask_and_leave(server, 2, first, UNCHANGED)
        first += 2


@check(
    points=1,
    kind="robust",
    after=COUNTS,
    hints=(
        "A request is whole with its newline; what a client leaves unfinished dies with it.",
        "read(2) returns 0 at end of file, and -1 with ECONNRESET after a reset.",
        "In seqsrv.c: what serve does when read returns 0 or -1, and where the line's length "
        "starts again from 0.",
    ),
)
def test_half_request(program):
    """drops a request without its newline, and keeps nothing of it for the next client"""
    server = program.serve()
    dropped = "a request is whole with its newline: at end of file the half one is dropped"
    kept = "what a client left unfinished was kept for the next client"
    client = server.connect()
    client.send(b"50\n12")
    client.expect(b"0\n")
    client.half_close()
    client.expect_end(why=dropped)
    client.close()
    ask_and_leave(server, 3, 50, f"{dropped}; or {kept}")
    client = server.connect()
    client.send(b"99")
    server.wait_quiet()
    client.expect_nothing(dropped)
    client.reset()
    wait_for_next(server, "a client that resets its connection ends that connection, nothing else")
    ask_and_leave(server, 4, 53, kept)
    client = server.connect()
    client.close()
    ask_and_leave(server, 5, 57)


@check(
    points=1,
    kind="robust",
    after=COUNTS,
    hints=(
        "A client may leave before it has read its answers; the kernel tells the writer so.",
        "signal(2) with SIGPIPE and SIG_IGN, or send(2) with MSG_NOSIGNAL; EPIPE and ECONNRESET "
        "end that client, not the server.",
        "In seqsrv.c: main or serve_all for the signal, serve for what write returns.",
    ),
)
def test_client_leaves(program):
    """survives clients that leave before their answers are written"""
    server = program.serve()
    requests = b"1\n" * 300
    server.freeze()
    clients = [server.connect() for _ in range(3)]
    for client in clients:
        client.send(requests)
    clients[0].half_close()
    clients[0].reset()
    clients[1].close()
    clients[2].reset()
    server.thaw()
    wait_for_next(server, "a write that fails ends that connection, nothing else")
    client = server.connect()
    client.send(b"1\n")
    client.half_close()
    got = client.read_to_end()
    program.stage.tape.add("expect", f"{client.name}: an answer", show(got))
    require(
        got[:-1].isdigit() and got.endswith(b"\n") and int(got) <= 900,
        f"a number up to 900 and a newline for {client.name}",
        f"{show(got)}, then {client.ended}",
        "what one client has left behind reaches the next one",
    )
    server.wait_accepting()
    lines = server.stderr.splitlines()
    program.stage.tape.add("look", "at stderr", f"{len(lines)} lines")
    require(
        len(lines) <= len(clients),
        "at most one line on stderr for each client that left",
        f"{len(lines)} lines",
        "the server goes on writing to a client that has gone: the first error ends that client",
    )
    announced.nothing_more(server)


@check(
    points=1,
    kind="robust",
    after=COUNTS,
    hints=(
        "A client that reads late makes the server wait in write, and a signal cuts a wait short.",
        "write(2) returns how many bytes it took, or -1 with EINTR; what it did not take is to "
        "be written again.",
        "In seqsrv.c: serve, where the answers are written and where a call returns -1.",
    ),
)
def test_late_reader(program):
    """answers thousands of requests to a client that reads late, Ctrl-Z and fg in between"""
    server = program.serve()
    server.freeze()
    server.thaw()
    client = server.connect(rcvbuf=2048, mss=256)
    ask(client, BILLION, 0)
    server.wait_reading()
    client.send(b"2")
    server.wait_quiet()
    client.expect_nothing("one read is taken for one request: collect bytes until the newline")
    server.freeze()
    server.thaw()
    client.send(b"\n" + b"1\n" * 9999)
    numbers = [BILLION, *range(BILLION + 2, BILLION + 10001)]
    answers = b"".join(b"%d\n" % number for number in numbers)
    # Each time that it sleeps in write, because nobody reads.
    for at in range(0, len(answers), 4000):
        mark = len(program.stage.tape.steps)
        server.wait_quiet()
        server.freeze()
        server.thaw()
        due = answers[at : at + 4000]
        try:
            got = client.read(len(due))
        except Failure as failure:
            failure.why = failure.why or f"{SHORT}; or the half line at the end of a read was lost"
            raise
        left, right = around(due, got)
        lost = "what had come of an unfinished line was thrown away, and its rest was judged alone"
        require(got == due, f"{left} for {client.name}", right, lost if b"ERR" in got else SHORT)
        text = f"{client.name}: {at + len(due)} bytes of answers, after Ctrl-Z and fg"
        program.stage.tape.fold(mark, "read", text, "right")
    server.wait_reading()
    server.freeze()
    server.thaw()
    ask(client, 1, BILLION + 10001)
    if program.stage.can("notify"):
        interrupted(program)


def interrupted(program):
    """Require that each call on a socket may fail once with EINTR, and a write be short."""
    calls = ACCEPT | READ | WRITE | MULTIPLEX
    server = program.serve(watch=calls)
    client = server.connect()
    ask(client, 3, 0)
    program.stage.tape.add("disturb", "the next call of each name shall fail with EINTR")
    server.breakpoints.interrupt_each(calls, Held.is_on_socket)
    why = "a call that was interrupted (EINTR) is taken for a failure: call again"
    ask(client, 1, 3, why)
    cut = shortwrite.cut_next(server, Held.is_on_socket)
    client.send(b"3\n")
    server.wait_quiet()
    client.expect(b"4\n".removeprefix(cut.taken), SHORT)
    client.half_close()
    client.expect_end(why=why)
    wait_for_next(server, why)
    ask_and_leave(server, 5, 7, why)
    got = server.stderr
    program.stage.tape.add("look", "at stderr", show(got))
    require(not got, "nothing on stderr", show(got), "EINTR is no failure: say nothing")


@check(
    points=1,
    kind="robust",
    after=COUNTS,
    hints=(
        "accept may fail for a reason that passes; the next client is none the worse for it.",
        "accept(2) fails with ECONNABORTED when a client has gone, with EMFILE when no "
        "descriptor is left: say so on stderr and go on.",
        "In seqsrv.c: what serve_all does when accept returns -1.",
    ),
    needs="notify",
)
def test_accept_fails(program):
    """goes on when accept fails with ECONNABORTED or EMFILE"""
    server = program.serve(watch=shortage.WATCH)
    tape = program.stage.tape

    def cut(held):
        # Who runs out of descriptors may well pause: that is not waited for.
        if held.is_pause():
            held.cut()

    server.breakpoints.on(SLEEP | POLL | SELECT, cut)
    first = 0
    for error in (errno.ECONNABORTED, errno.EMFILE):
        failed = []

        def refuse(held, error=error, failed=failed):
            if not failed:
                failed.append(held.call)
                held.fail(error)

        ask_and_leave(server, 5, first)
        first += 5
        server.wait_accepting()
        said = len(server.stderr.splitlines())
        name = errno.errorcode[error]
        tape.add("disturb", f"the next accept shall fail with {name}")
        server.breakpoints.on(ACCEPT, refuse)
        # A program asleep inside accept enters it again after this client.
        client = server.connect()
        client.close()
        server.until(lambda failed=failed: failed, "another call of accept")
        server.breakpoints.off(refuse)
        why = f"{name} from accept is no reason to end: the next client may come"
        wait_for_next(server, why)
        # Who has no descriptor may turn one client away with a spare one.
        client = server.connect()
        client.close()
        wait_for_next(server, why)
        ask_and_leave(server, 1, first)
        first += 1
        lines = server.stderr.splitlines()[said:]
        tape.add("look", "at stderr", f"{len(lines)} more lines")
        require(
            len(lines) <= 1,
            f"at most one line on stderr for {name}",
            f"{len(lines)} lines: {show(b', '.join(lines), 200)}",
            "EINTR is no failure: say nothing, and call accept again"
            if os.strerror(errno.EINTR).encode() in b"".join(lines)
            else "one event, one line; and where accept returns -1 there is no client to serve",
        )
    server.breakpoints.off(cut)
    busy = server.connect()
    ask(busy, 1, first)
    waiting = server.connect()
    shortage.endure(server, busy.half_close)
    busy.expect_end()
    why = "a client that waited for a descriptor is served when there is one"
    ask(waiting, 1, first + 1, why)


@check(
    points=1,
    kind="robust",
    after=(*COUNTS, "test_rejects"),
    hints=(
        "The side that closes first keeps the address in TIME_WAIT for a minute.",
        "setsockopt(2) with SO_REUSEADDR, before bind(2).",
        "In seqsrv.c: listen_at, between socket and bind.",
    ),
)
def test_restart(program):
    """can be started again at once on the same port, though it had closed first"""
    server = program.serve()
    client = server.connect()
    client.send(b"x\n")
    client.expect_end(b"ERR\n")
    client.close()
    server.wait_accepting()
    server.signal(signal.SIGTERM)
    try:
        server.wait_end()
    except Failure as failure:
        failure.why = failure.why or "SIGTERM does not end it: a server is ended by a signal"
        raise
    try:
        again = program.serve(port=server.target[1])
    except Failure as failure:
        why = "its old connection is in TIME_WAIT: set SO_REUSEADDR, before bind"
        raise Failure(failure.expected, failure.got, why) from None
    ask_and_leave(again, 1, 0)


@check(
    points=1,
    kind="clean",
    after=COUNTS,
    hints=(
        "A server runs for months: what each client costs must come back when it has gone.",
        "close(2) on every way out of a connection; a call that waits without a time limit.",
        "In seqsrv.c: every return of serve, and what follows its call in serve_all.",
    ),
)
def test_nothing_left(program):
    """after thirty clients is as it was: no descriptor and no process more, asleep"""
    server = program.serve(note=TIMER if program.stage.can("notify") else ())
    before = server.descriptors()
    mark = len(program.stage.tape.steps)
    for number in range(30):
        client = server.connect()
        if number % 6 == 3:
            server.freeze()
            client.send(b"no\n" * 2)
            client.half_close()
            client.reset()
            netns.flush_loopback()
            server.thaw()
            wait_for_next(server, "a write that fails ends that connection, nothing else")
        elif number % 3 == 0:
            ask(client, 1, number // 6)
            server.wait_reading()
            client.reset()
            wait_for_next(server, "a client that resets its connection ends nothing else")
        elif number % 3 == 1:
            client.send(b"no\n")
            client.expect_end(b"ERR\n")
            client.close()
        else:
            client.close()
    program.stage.tape.fold(mark, "connect", "30 clients, who leave in four ways", "all served")
    client = server.connect()
    ask(client, 1, 5)
    silent = server.wait_reading()
    limits = [server.time_limit(silent)]
    client.half_close()
    client.expect_end()
    client.close()
    blocked = server.wait_accepting()
    limits.append(server.time_limit(blocked))
    server.wait_quiet()
    program.stage.tape.add("look", "at the server", f"asleep in {blocked}")
    after = server.descriptors()
    require(
        len(after) == len(before),
        f"{len(before)} open descriptors, as before",
        f"{len(after)}",
        "a connection stays open: close it on every way out, after an error too",
    )
    require(
        not server.others() and not server.zombies(),
        "one process: an iterative server",
        f"{1 + len(server.others()) + len(server.zombies())} processes",
        "the server forks, and nobody reaps its children",
    )
    for place, limit in zip((silent, blocked), limits, strict=True):
        require(
            limit is None,
            "asleep until a client comes, or sends something",
            f"asleep in {place} for {limit} s at most",
            "that is polling: wait without a time limit",
        )
    timers = ", ".join(sorted(set(server.noted)))
    require(not timers, "no timer", f"a call of {timers}", "that is polling: nothing needs a timer")
