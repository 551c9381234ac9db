"""Checks of incsrv: one client at a time, each byte plus one."""

import contextlib
import errno
import os
import signal
import socket

from harness import (
    Failure,
    announced,
    check,
    diagnosis,
    fail,
    require,
    shortage,
    shortwrite,
    strange,
)
from harness.breakpoints import Held
from harness.kernel import netns, proc, sockdiag
from harness.kernel.syscalls import ACCEPT, MULTIPLEX, READ, SLEEP, TIMER, WRITE
from harness.made_up import letters
from harness.program import NO_ADDRESS

SERVES = ("test_answers_each_byte",)
ENDS = (*SERVES, "test_end_of_file")
UNIX = (*ENDS, "test_unix")
# each byte's successor
NEXT = bytes([*range(1, 256), 0])
SHORT = "write took less than it was given: what it returns says how much, the rest is due still"
IN_USE = b"incsrv: bind: Address already in use\n"


def plus_one(data):
    """Return what incsrv answers."""
    return data.translate(NEXT)


def ask(program, client, why=""):
    """Send one byte, of any value, and require its answer."""
    byte = bytes([program.stage.random.randrange(256)])
    client.send(byte)
    client.expect(plus_one(byte), why)


def serves(program, server, why=""):
    """Require a server that waits for clients, and serves the next one to its end."""
    tape = program.stage.tape
    start = len(tape.steps)
    netns.flush_loopback()
    try:
        server.wait_accepting()
        client = server.connect()
        ask(program, client)
        client.half_close()
        client.expect_end()
        client.close()
    except Failure as failure:
        if why and "keeps the CPU busy" in failure.got:
            failure.why = f"a call that fails is made again and again; {why}"
        failure.why = failure.why or why
        raise
    tape.fold(start, "serve", client.name, "a byte and its answer, end of file")


def listening_paths(program):
    """Return the paths on which the program listens, so far as it is running."""
    mine = {
        inode
        for process in program.stage.processes
        for pid in process.tree()
        for inode in proc.socket_inodes(pid).values()
    }
    found = program.stage.sockdiag.unix(1 << sockdiag.LISTEN)
    return [one.address for one in found if one.inode in mine]


def serve_at(program, path, why=""):
    """Start the program on a UNIX path."""
    try:
        return program.serve(path=path)
    except Failure as failure:
        others = [other for other in listening_paths(program) if other != path]
        if others:
            why = f"it listens on {diagnosis.show(others[0].encode(), 200)} instead of that path"
            if path.startswith(others[0]):
                why += ": the length that bind wants is that of the whole struct sockaddr_un"
        elif os.strerror(errno.EAFNOSUPPORT).encode() in program.stage.processes[-1].stderr:
            why = "socket and address are of two families: the first argument of socket() and "
            why += "sun_family must both be AF_UNIX"
        failure.why = failure.why or why
        raise


def refused(program, *args, message, why):
    """Require that the program does not start, with a message and status 1.

    ``why`` is called for the reason when the program starts nevertheless.
    """
    process = program.start(*args)
    try:
        process.expect_exit(1)
    except Failure as failure:
        failure.why = failure.why or why()
        if process.asleep_in(ACCEPT):
            failure.expected = f"{diagnosis.show(message, 200)} on stderr, exit status 1"
            failure.got = "it starts, and waits for clients"
        raise
    process.expect_stderr(message)
    process.expect_stdout(b"")


@check(
    points=1,
    kind="contract",
    hints=(
        "A server makes a socket, gives it an address, lets the kernel queue clients, and says so.",
        "socket(2), bind(2), listen(2), getsockname(2), then accept(2); htons(3) for the port.",
        "In incsrv.c: listen_inet, where the address is made, and listen_at, where it is used.",
    ),
)
def test_listens(program):
    """listens on ADDR PORT and says so in one line, at once"""
    address = program.stage.address
    if program.stage.private:
        address = "127." + ".".join(str(program.stage.random.randrange(1, 255)) for _ in range(3))
    server = program.serve(address=address)
    server.expect_listening_line(f"LISTENING {address} {server.target[1]}\n")


@check(
    points=2,
    kind="contract",
    hints=(
        "A client may wait for each answer before it sends on, so no byte may be kept back.",
        "read(2) what has come, add one to each byte, write(2) that much back, and go on.",
        "In incsrv.c: the loop in serve.",
    ),
)
def test_answers_each_byte(program):
    """answers each byte with the next one as soon as it has come"""
    server = program.serve()
    client = server.connect()
    why = "the answer is kept back: it is due as soon as the byte has come, not when more comes"
    for byte in (b"A", b"m", b"0", b"y"):
        server.wait_quiet()
        client.send(byte)
        try:
            client.expect(plus_one(byte), why)
        except Failure as failure:
            if client.ended:
                failure.why = program.stage.diagnose(()) or (
                    "the client was not done: read again until read returns 0"
                )
            raise


@check(
    points=1,
    kind="contract",
    after="test_listens",
    hints=(
        "With port 0 the kernel chooses a free port, and only the kernel can tell which.",
        "getsockname(2) after bind(2); ntohs(3) on the port.",
        "In incsrv.c: listen_at, what stands between listen and say_listening.",
    ),
)
def test_port_0(program):
    """with port 0, prints the port that the kernel has chosen"""
    server = program.serve(port=0)
    address, port = server.target
    server.expect_listening_line(f"LISTENING {address} {port}\n")


@check(
    points=1,
    kind="contract",
    after="test_listens",
    hints=(
        "Clients connect as soon as they read the line; by then there must be a queue for them.",
        "listen(2) first, then printf(3) and fflush(3).",
        "In incsrv.c: listen_at, the order of listen and say_listening.",
    ),
    needs="notify",
)
def test_line_after_listen(program):
    """LISTENING is printed when clients can connect, and not before"""
    prints_after_listen(program, program.stage.address, str(program.stage.port()))


def prints_after_listen(program, *args):
    """Require that nothing is printed before clients can connect."""
    process = program.start(*args, watch=("listen",))
    held = process.breakpoints.hold({"listen"}, "a call of listen")
    program.stage.tape.add("hold", "incsrv, which is about to call listen")
    got = process.stdout
    program.stage.tape.add("look", "at stdout", diagnosis.show(got))
    held.let_go()
    require(
        not got,
        "nothing on stdout yet",
        diagnosis.show(got),
        "the line is printed before listen(): a client who reads it and connects is refused",
    )
    process.wait_asleep(ACCEPT, "a server asleep, waiting for a client")


@check(
    points=1,
    kind="contract",
    after=SERVES,
    hints=(
        "Two programs can't listen on one port: the second is told so by an error, and must look.",
        "bind(2) returns -1 and sets errno; what strerror(3) makes of it belongs on stderr.",
        "In incsrv.c: listen_at, the call of bind, and the options that are set before it.",
    ),
)
def test_taken_port(program):
    """refuses a port that is taken, and wrong arguments too"""
    first = program.serve()
    address, port = first.target

    def why():
        sockets = program.stage.program_sockets()
        if sum(one[1:] == first.target for one in sockets) > 1:
            return (
                "both runs listen on the same port, and each gets some of the clients: "
                "SO_REUSEPORT allows that; SO_REUSEADDR is the option that is meant"
            )
        others = [one for one in sockets if one[1:] != first.target]
        return diagnosis.listening_elsewhere(others, address, port)

    refused(program, address, str(port), message=IN_USE, why=why)
    serves(program, first)
    for wrong in ((), (address, "65536"), (address, str(port), "more")):
        process = program.start(*wrong)
        process.expect_exit(2)
        process.expect_stdout(b"")
        require(process.stderr, "a message on stderr", "nothing")
    program.refuse_address(NO_ADDRESS, "0")


@check(
    points=1,
    kind="contract",
    after=SERVES,
    hints=(
        "A byte has 256 values, and in a stream none of them is special: not 0, not 255.",
        "read(2) tells how many bytes came, and write(2) takes a number: no strlen(3), no EOF.",
        "In incsrv.c: serve, the type of what holds a byte, and how many bytes are answered.",
    ),
)
def test_all_bytes(program):
    """knows all 256 bytes: 0 becomes 1, and 255 becomes 0"""
    server = program.serve()
    client = server.connect()
    why = "in a stream of bytes no value is special: 0 ends no string here, and 255 is no EOF"
    for data in (b"\xff", b"\0", bytes(range(256))):
        server.wait_quiet()
        client.send(data)
        client.expect(plus_one(data), why)


@check(
    points=1,
    kind="contract",
    after=SERVES,
    hints=(
        "End of file from a client means: all it sent is answered; then close, and take the next.",
        "read(2) returns 0 at end of file, after everything else; then close(2), and accept(2).",
        "In incsrv.c: where serve ends, and what serve_all does after it.",
    ),
)
def test_end_of_file(program):
    """answers all that came before a client's end of file, closes, takes the next client"""
    # On a terminal even a line that is never flushed shows.
    server = program.serve(stdout="pty")
    first = server.connect()
    data = letters(program.stage, 10_000)
    first.send(data)
    first.half_close()
    first.expect_end(
        plus_one(data),
        "the connection is not closed: the client waits for its end of file, which comes when "
        "the last descriptor of the connection is closed",
    )
    first.close()
    serves(program, server)
    announced.nothing_more(server)


@check(
    points=1,
    kind="contract",
    after=ENDS,
    hints=(
        "Clients wait in the listening socket's queue until the server accepts them, one by one.",
        "The second argument of listen(2) is the length of that queue.",
        "In incsrv.c: the call of listen, and serve_all: who serves, and when accept comes again.",
    ),
)
def test_queue(program):
    """lets five clients wait in its queue, and serves them in their turn"""
    server = program.serve()
    busy = server.connect()
    ask(program, busy)
    others = [server.connect() for _ in range(5)]
    for other in others:
        other.send(b"a")
    server.wait_quiet()
    for other in others:
        other.expect_nothing(
            "client 1 is not done yet, but another one is served already: this server takes one "
            "client at a time, without fork, thread, select or the like"
        )
    ask(program, busy)
    busy.half_close()
    busy.expect_end()
    for other in others:
        other.expect(b"b", "a client that waited in the queue is not served")
        other.half_close()
        other.expect_end()


@check(
    points=1,
    kind="contract",
    after=ENDS,
    hints=(
        "In the UNIX domain a socket's address is a path; all the rest is as with TCP.",
        "A struct sockaddr_un, see unix(7), with AF_UNIX in sun_family and the path in sun_path.",
        "In incsrv.c: listen_unix, and in listen_at the arguments of socket and bind.",
    ),
)
def test_unix(program):
    """serves on a UNIX path as well, and says so"""
    path = program.stage.path("socket")
    server = serve_at(
        program,
        path,
        "the family is AF_UNIX, in sun_family and in the call of socket; the length that bind "
        "wants is that of the whole struct sockaddr_un",
    )
    server.expect_listening_line(f"LISTENING unix {path}\n")
    for _ in range(2):
        serves(program, server)
    busy = server.connect()
    ask(program, busy)
    start = len(program.stage.tape.steps)
    for _ in range(5):
        server.connect()
    program.stage.tape.fold(start, "connect", "five clients more, who wait in the queue")
    if program.stage.can("notify"):
        prints_after_listen(program, f"unix:{program.stage.path('other')}")


@check(
    points=1,
    kind="contract",
    after=UNIX,
    hints=(
        "A socket's file outlives its server; bind fails as long as anything has that name.",
        "connect(2) to it fails with ECONNREFUSED when nobody listens; then unlink(2).",
        "In incsrv.c: listen_unix, before listen_at is called.",
    ),
)
def test_unix_stale(program):
    """starts again on the path of a server that was killed"""
    path = program.stage.path("socket")
    first = serve_at(program, path)
    serves(program, first)
    first.signal(signal.SIGKILL)
    first.wait_end()
    second = serve_at(
        program,
        path,
        "the file of the killed server is still there, so bind fails: where connect says that "
        "nobody listens, unlink it before bind",
    )
    serves(program, second)


@check(
    points=1,
    kind="contract",
    after=UNIX,
    hints=(
        "Only a socket on which nobody listens is rubbish; anything else belongs to somebody.",
        "lstat(2) and S_ISSOCK, see inode(7); then connect(2): only ECONNREFUSED says rubbish.",
        "In incsrv.c: listen_unix, the conditions under which the file is removed.",
    ),
)
def test_unix_in_use(program):
    """refuses the path of a living server, or of a file, and leaves both alone"""
    path = program.stage.path("socket")
    first = serve_at(program, path)
    inode = os.stat(path).st_ino
    refused(
        program,
        f"unix:{path}",
        message=IN_USE,
        why=lambda: (
            "the socket of a server that lives is taken away from it: remove the file only when "
            "connect fails with ECONNREFUSED"
        ),
    )
    require(
        os.path.exists(path) and os.stat(path).st_ino == inode,
        f"the first server's {path}, as it was",
        "another file, or none",
        "a server that is refused leaves the file alone",
    )
    serves(program, first)
    refuses_full_queue(program)
    notes = program.stage.path("notes")
    strange.write(notes, b"not a socket\n")
    program.stage.tape.add("write", f"a regular file {notes}")
    gone = "a regular file was removed: connect to it fails with ECONNREFUSED too, so ask for "
    gone += "the kind of file first, and remove nothing but a socket"
    refused(program, f"unix:{notes}", message=IN_USE, why=lambda: gone)
    require(os.path.isfile(notes), f"the regular file {notes}", "no such file", gone)
    got = strange.read(notes)
    shown = diagnosis.show(got)
    require(got == b"not a socket\n", "a file as it was", shown, "the file was written to")
    fifo, link = program.stage.path("fifo"), program.stage.path("link")
    strange.fifo(fifo)
    with socket.socket(socket.AF_UNIX) as stale:
        strange.bind(stale, program.stage.path("stale"))
    os.symlink("stale", link)
    for kind, path in (("FIFO", fifo), ("symbolic link to a stale socket", link)):
        program.stage.tape.add("make", f"a {kind}, {path}")
        gone = f"a {kind} was removed: look with lstat, and remove nothing but a socket (S_ISSOCK)"
        refused(program, f"unix:{path}", message=IN_USE, why=lambda gone=gone: gone)
        require(os.path.lexists(path), f"the {kind} {path}", "no such file", gone)


def refuses_full_queue(program):
    """Require that a path is refused whose server is busy and whose queue is full."""
    path = program.stage.path("busy")
    with socket.socket(socket.AF_UNIX) as door, contextlib.ExitStack() as clients:
        strange.bind(door, path)
        door.listen(0)
        error = 0
        while error == 0:
            client = clients.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            error = client.connect_ex(path)
        assert error == errno.EAGAIN
        program.stage.tape.add("listen", f"the checker's server, on {path}", "its queue is full")
        process = program.start(f"unix:{path}")
        taken = "a server listens there, busy, with a full queue (EAGAIN): remove the file only "
        taken += "when connect fails with ECONNREFUSED"
        try:
            process.until(
                lambda: process.end_status or process.asleep_in({"connect"}),
                "incsrv comes to its end",
            )
        except Failure as failure:
            failure.why = failure.why or taken
            raise
        require(
            process.end_status,
            "incsrv comes to its end",
            "incsrv asleep in connect",
            "a server listens there, but its queue is full, so connect waits: make the socket that "
            "asks non-blocking, then connect fails with EAGAIN",
        )
        process.expect_exit(1)
        process.expect_stderr(IN_USE)
        require(os.path.exists(path), f"{path} as it was", "no such file", taken)


@check(
    points=1,
    kind="contract",
    after=UNIX,
    hints=(
        "sun_path is an array of fixed size: what does not fit, with its NUL, must be refused.",
        "strlen(3) against sizeof sun_path before strcpy(3); strerror(3) of ENAMETOOLONG.",
        "In incsrv.c: the beginning of listen_unix.",
    ),
)
def test_unix_long(program):
    """takes a path of 107 bytes, and refuses a longer one instead of cutting it"""

    def long_path(size):
        return program.stage.path("p" * (size - len(program.stage.path(""))))

    def why():
        lengths = [len(name) for name in listening_paths(program)]
        if any(length < 108 for length in lengths):
            return f"it listens on a path that was cut to {min(lengths)} bytes"
        return "a path that does not fit, with its NUL, must be refused"

    for size in (108, 200):
        path = long_path(size)
        program.stage.tape.add("next", f"a path of {size} bytes")
        message = f"incsrv: {path}: File name too long\n".encode()
        refused(program, f"unix:{path}", message=message, why=why)
        left = os.listdir(program.stage.folder)
        require(not left, "no file", f"{left[0][:40] if left else ''}...", "a socket was left")
    program.stage.tape.add("next", "a path of 107 bytes, the longest that fits")
    server = serve_at(program, long_path(107), "107 bytes and a NUL fit into sun_path: off by one")
    serves(program, server)


@check(
    points=1,
    kind="robust",
    hints=(
        "A program that waits sleeps in the kernel until there is something to do for it.",
        "accept(2) and read(2) wait by themselves; poll(2) does so with a timeout of -1.",
        "In incsrv.c: the calls that wait, in serve and serve_all.",
    ),
)
def test_idle(program):
    """sleeps, without a timer, while nobody comes or a client is silent"""
    server = program.serve(note=TIMER if program.stage.can("notify") else ())
    by_timer = "it wakes by a timer though nothing has happened: wait without a time limit"

    def asleep(blocked, due):
        program.stage.tape.add("look", "where incsrv is", f"asleep in {blocked}")
        limit = server.time_limit(blocked)
        if limit is not None:
            fail(due, f"asleep in {blocked}, for {limit:g} s at most", by_timer)
        timers = ", ".join(sorted(set(server.noted)))
        require(not timers, "no timer", f"a call of {timers}", by_timer)

    asleep(server.wait_accepting(), "a server asleep until a client comes")
    client = server.connect()
    asleep(server.wait_reading(), "a server asleep until its client sends something")
    ask(program, client)
    asleep(server.wait_reading(), "a server asleep until its client sends something")
    client.half_close()
    client.expect_end()
    asleep(server.wait_accepting(), "a server asleep until a client comes")


@check(
    points=1,
    kind="robust",
    after=ENDS,
    hints=(
        "Ctrl-Z stops a program inside of a call, fg lets it go on; some calls then fail.",
        "errno is EINTR then, see signal(7): that is no error, call again.",
        "In incsrv.c: what serve and serve_all do when a call returns -1.",
    ),
)
def test_stopped(program):
    """goes on after Ctrl-Z and fg, as if nothing had been"""
    server = program.serve()
    why = "a call that was interrupted (EINTR) is taken for a failure: call again"

    def stop():
        server.freeze()
        server.thaw()

    try:
        stop()
        server.wait_accepting()
        client = server.connect()
        ask(program, client, why)
        server.wait_reading()
        stop()
        server.wait_reading()
        ask(program, client, why)
        client.half_close()
        client.expect_end()
    except Failure as failure:
        failure.why = failure.why or why
        raise
    serves(program, server, why)
    if program.stage.can("notify"):
        interrupted(program, why)
    late_reader(program, server)


def late_reader(program, server):
    """Require that nothing is lost when the server stops in the middle of a write.

    Whether the kernel has taken a part of it by then, it alone decides.
    """
    client = server.connect(rcvbuf=2048, mss=256)
    data = program.stage.random.randbytes(40_000)
    client.send(data)
    got = b""
    steps = len(program.stage.tape.steps)
    try:
        while len(got) < len(data):
            server.wait_quiet()  # asleep in write, while nobody reads
            server.freeze()
            server.thaw()
            got += client.read(min(3000, len(data) - len(got)))
            text = f"{client.name}, late, Ctrl-Z and fg before each 3000 bytes"
            program.stage.tape.fold(steps, "read", text, f"{len(got)} bytes so far")
            if client.ended:
                break
    except Failure as failure:
        failure.why = failure.why or SHORT
        raise
    left, right = diagnosis.around(plus_one(data), got)
    require(got == plus_one(data), left, right, SHORT)
    client.half_close()
    client.expect_end()


def interrupted(program, why):
    """Require that each call on a socket may fail once with EINTR, and a write be short."""
    calls = ACCEPT | READ | WRITE | MULTIPLEX
    server = program.serve(watch=calls)
    client = server.connect()
    ask(program, client)
    program.stage.tape.add("disturb", "the next call of each name shall fail with EINTR")
    server.breakpoints.interrupt_each(calls, Held.is_on_socket)
    ask(program, client, why)
    cut = shortwrite.cut_next(server, Held.is_on_socket)
    data = letters(program.stage, 10)
    client.send(data)
    server.wait_quiet()
    client.expect(plus_one(data).removeprefix(cut.taken), SHORT)
    client.half_close()
    client.expect_end(why=why)
    serves(program, server, why)
    got = server.stderr
    program.stage.tape.add("look", "at stderr", diagnosis.show(got))
    require(not got, "nothing on stderr", diagnosis.show(got), "EINTR is no failure: say nothing")


@check(
    points=1,
    kind="robust",
    after=ENDS,
    hints=(
        "A connection can break; then read fails, and that is the end of one client only.",
        "read(2) returns -1 with ECONNRESET: neither a number of bytes nor a reason to exit.",
        "In incsrv.c: serve, what follows a read that returns -1, and serve_all after it.",
    ),
)
def test_reset(program):
    """survives clients that reset their connection, or leave without a word"""
    server = program.serve()
    why = "a client that broke off ended the server: read failed, and that ends one client only"
    client = server.connect()
    ask(program, client)
    server.wait_reading()
    client.reset()
    serves(program, server, why)
    server.connect().close()
    server.connect().reset()
    serves(program, server, why)
    lines = server.stderr.count(b"\n")
    require(
        lines <= 3,
        "at most one line on stderr for each of the three clients that left",
        f"{lines} lines",
        "one line for each is enough",
    )
    announced.nothing_more(server)


@check(
    points=2,
    kind="robust",
    after=ENDS,
    hints=(
        "Who writes to a connection that the other side has given up gets a signal, SIGPIPE.",
        "signal(2) with SIG_IGN, or send(2) with MSG_NOSIGNAL; then EPIPE ends that client.",
        "In incsrv.c: the beginning of serve_all, and serve where write returns -1.",
    ),
)
def test_sigpipe(program):
    """survives writing to a client that has gone"""
    server = program.serve()
    server.freeze()
    client = server.connect()
    client.send(b"abcdef")
    client.half_close()
    client.reset()
    netns.flush_loopback()
    server.thaw()
    serves(
        program,
        server,
        "the answer could not be written (EPIPE, ECONNRESET): that is the end of one client, "
        "not of the server",
    )


@check(
    points=1,
    kind="robust",
    after=ENDS,
    hints=(
        "accept can fail for reasons that pass: the client has gone, or descriptors ran out.",
        "accept(2), ERRORS: after ECONNABORTED or EMFILE a message, and accept again.",
        "In incsrv.c: serve_all, what happens when accept returns -1.",
    ),
    needs="notify",
)
def test_accept_fails(program):
    """goes on when accept fails with ECONNABORTED or EMFILE"""
    server = program.serve(watch=shortage.WATCH)

    def cut(held):
        if held.is_pause():
            held.cut()

    server.breakpoints.on(SLEEP | MULTIPLEX, cut)
    client = server.connect()
    ask(program, client)
    for error in (errno.ECONNABORTED, errno.EMFILE):
        name = errno.errorcode[error]
        why = f"{name} from accept ends no server: complain, and call accept again"
        program.stage.tape.add("refuse", f"the next accept: {name}")
        refusals = []

        def refuse(held, error=error, refusals=refusals):
            if not refusals:
                refusals.append(held.call)
                held.fail(error)

        server.breakpoints.on(ACCEPT, refuse)
        try:
            client.half_close()
            client.expect_end()
            server.wait_accepting()
            # Who gives up a client in order to have a descriptor may do so.
            client = server.connect()
            client.half_close()
            client.read_to_end()
            server.wait_accepting()
            client = server.connect()
            ask(program, client, why)
        except Failure as failure:
            failure.why = failure.why or why
            raise
        server.breakpoints.off(refuse)
        assert refusals
    lines = server.stderr.count(b"\n")
    require(lines <= 2, "at most one line on stderr for each of two failures", f"{lines} lines")
    server.breakpoints.off(cut)
    waiting = server.connect()
    shortage.endure(server, client.half_close)
    client.expect_end()
    ask(program, waiting, "a client that waited for a descriptor is served when there is one")
    announced.nothing_more(server)


@check(
    points=1,
    kind="robust",
    after=ENDS,
    hints=(
        "Who closes a TCP connection first keeps its port for a minute (TIME_WAIT).",
        "setsockopt(2) with SO_REUSEADDR, see socket(7), before bind(2).",
        "In incsrv.c: listen_at, between socket and bind.",
    ),
)
def test_restart(program):
    """starts again at once on the same port, though its first run closed a connection"""
    first = program.serve()
    address, port = first.target
    client = first.connect()
    ask(program, client)
    first.wait_reading()
    first.signal(signal.SIGTERM)
    try:
        first.wait_end()
    except Failure as failure:
        failure.why = failure.why or "SIGTERM does not end it: a server is ended by a signal"
        raise
    client.expect_end()
    client.close()
    netns.flush_loopback()
    left = [
        one
        for one in program.stage.sockdiag.inet(6, 1 << sockdiag.TIME_WAIT)
        if (one.address, one.port) == (address, port)
    ]
    assert left, "no TIME_WAIT"
    program.stage.tape.add("look", f"at port {port}", "a connection in TIME_WAIT")
    try:
        second = program.serve(port=port)
    except Failure as failure:
        failure.why = (
            "the first run closed a connection before its client did, so the kernel keeps the "
            "port for a while (TIME_WAIT): set SO_REUSEADDR before bind"
        )
        raise
    serves(program, second)


def left_behind(program, server, before, why):
    """Require as many descriptors, and processes, as there were before."""
    after = server.descriptors()
    new = [f"{fd} ({after[fd].split(':')[0]})" for fd in sorted(set(after) - set(before))]
    program.stage.tape.add("look", "at incsrv's descriptors", ", ".join(map(str, sorted(after))))
    require(
        len(after) <= len(before),
        f"the {len(before)} descriptors that were open before the clients came",
        f"{len(after)}; new are {', '.join(new[:4])}{'...' if len(new) > 4 else ''}",
        why,
    )
    tree = server.tree()
    require(tree == [server.pid], "no process left behind", f"{len(tree) - 1} processes")


@check(
    points=1,
    kind="clean",
    after=ENDS,
    hints=(
        "Each connection is a descriptor, and a process may only have so many of them.",
        "close(2) for each descriptor that accept(2) returned; shutdown(2) does not do that.",
        "In incsrv.c: serve_all, after serve has returned.",
    ),
)
def test_nothing_left(program):
    """has as many descriptors after thirty clients as before"""
    server = program.serve()
    before = server.descriptors()
    start = len(program.stage.tape.steps)
    for _ in range(30):
        client = server.connect()
        ask(program, client)
        client.half_close()
        client.expect_end()
        client.close()
    server.wait_accepting()
    program.stage.tape.fold(start, "serve", "thirty clients, one after the other, to their end")
    why = "the connection's descriptor is never closed; shutdown() sends the end, but frees nothing"
    left_behind(program, server, before, why)


@check(
    points=1,
    kind="clean",
    after=(*ENDS, "test_reset"),
    hints=(
        "A connection that broke is still an open descriptor.",
        "close(2) on every way out, also where read(2) or write(2) failed.",
        "In incsrv.c: serve_all, whether each way back to accept passes the close.",
    ),
)
def test_nothing_left_of_a_reset(program):
    """has as many descriptors after thirty clients that broke off as before"""
    server = program.serve()
    before = server.descriptors()
    start = len(program.stage.tape.steps)
    for number in range(30):
        client = server.connect()
        ask(program, client)
        if number % 2:
            server.freeze()
            client.send(b"abc")
            client.half_close()
        client.reset()
        netns.flush_loopback()
        if number % 2:
            server.thaw()
            server.wait_quiet()
    server.wait_accepting()
    program.stage.tape.fold(start, "serve", "thirty clients, each until it resets its connection")
    why = "where the connection broke, its descriptor stays open: close it on every way out"
    left_behind(program, server, before, why)
