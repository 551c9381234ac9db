"""Checks of rtecho, the challenge: a queue of signals, and its end."""

import resource

from harness import Failure, check, fail, require, sigio
from harness.kernel import limits, netns
from harness.made_up import letters
from harness.program import Server

MANY = 12

OVERFLOW = (
    "the queue of signals was full: then the kernel sends a plain SIGIO instead, which says "
    "nothing but that signals were lost. Look at every descriptor then"
)
STALE = (
    "a signal that was queued for a connection now closed names a descriptor that belongs to "
    "somebody else by now: take si_fd for a hint to look there, without waiting, and si_band for "
    "nothing at all"
)


def begin(program):
    """Return a running rtecho that waits."""
    address, port = program.stage.address, program.stage.port()
    process = program.start(address, str(port))
    server = Server(program, process, (address, port), [address, str(port)])
    process.wait_quiet()
    process.until(server.listening, "rtecho listening")
    if process.end_status:
        fail("a server that waits", process.how_it_ended(), process.why_it_ended())
    process.expect_stdout(f"LISTENING {address} {port}\n".encode())
    return server


def ask(program, client, why=""):
    """Send something and require the answer."""
    data = letters(program.stage)
    client.send(data)
    client.expect(data, why)


def asleep(server):
    """Require that it waits for a signal."""
    sigio.expect_asleep(server.process, server.listener_inode)


@check(
    points=3,
    kind="contract",
    hints=(
        "What accept returns is not armed, whatever the listening socket is.",
        "fcntl(2): F_SETSIG, F_SETOWN, F_SETFL for each socket; sigwaitinfo(2), si_fd.",
        "In rtecho.c: arm, look and serve.",
    ),
    challenge=True,
)
def test_echoes(program):
    """echoes what several clients send, asleep in between, and closes after their end of file"""
    server = begin(program)
    asleep(server)
    before = len(server.descriptors())
    clients = [server.connect() for _ in range(4)]
    why = "what accept returns inherits nothing: arm each connection, and echo when it sends SIGIO"
    for _ in range(2):
        asleep(server)
        for client in clients:
            ask(program, client, why)
    asleep(server)
    for client in clients:
        client.half_close()
        client.expect_end()
    asleep(server)
    after = len(server.descriptors())
    require(after == before, f"{before} descriptors", f"{after}", "a connection is not closed")


@check(
    points=2,
    kind="contract",
    after="test_echoes",
    hints=(
        "Clients may come, and say something, before the server runs again.",
        "accept(2) until EAGAIN; and what came before F_SETFL has sent no signal.",
        "In rtecho.c: look, after arm.",
    ),
    challenge=True,
)
def test_many(program):
    """serves twelve clients that came, and said something, while it could not run"""
    server = begin(program)
    server.process.freeze()
    said = []
    for _ in range(MANY):
        client = server.connect()
        said.append((client, letters(program.stage)))
        client.send(said[-1][1])
    netns.settle()
    server.process.thaw()
    why = (
        "what a client sent before its socket was armed has sent no signal: read once after arming"
    )
    for client, data in said:
        client.expect(data, why)


@check(
    points=3,
    kind="robust",
    after="test_many",
    hints=(
        "Real-time signals are queued, but not without end: RLIMIT_SIGPENDING.",
        "fcntl(2), F_SETSIG: what happens when the queue is full; wait for SIGIO as well.",
        "In rtecho.c: the set of signals in serve, and what is done when SIGIO comes.",
    ),
    challenge=True,
)
def test_overflow(program):
    """misses nothing when the queue of signals is full"""
    server = begin(program)
    clients = [server.connect() for _ in range(MANY)]
    server.process.wait_quiet()
    for client in clients:
        ask(program, client)
    for room in (0, None):
        hard = limits.prlimit(server.process.pid, resource.RLIMIT_SIGPENDING)[1]
        program.stage.tape.add(
            "limit", f"the queue of signals: {'no room' if room == 0 else 'as before'}"
        )
        soft = hard if room is None else room
        limits.prlimit(server.process.pid, resource.RLIMIT_SIGPENDING, (soft, hard))
        server.process.freeze()
        said = []
        for client in clients:
            said.append((client, letters(program.stage)))
            client.send(said[-1][1])
        new = server.connect()
        said.append((new, letters(program.stage)))
        new.send(said[-1][1])
        netns.settle()
        server.process.thaw()
        try:
            for client, data in said:
                client.expect(data, OVERFLOW)
        except Failure as failure:
            if server.process.end_status:
                failure.why = OVERFLOW
            raise
        asleep(server)


@check(
    points=2,
    kind="robust",
    after="test_many",
    hints=(
        "A queued signal speaks of the past; meanwhile its descriptor may be another connection.",
        "recv(2) on a socket that never blocks tells how things are now.",
        "In rtecho.c: look and echo_all: what makes you close a connection?",
    ),
    challenge=True,
)
def test_stale(program):
    """is not misled by a signal that was queued for a connection now closed"""
    server = begin(program)
    old = server.connect()
    server.process.wait_quiet()
    ask(program, old)
    server.process.freeze()
    old.send(b"last words")
    old.half_close()
    new = server.connect()
    old.reset()
    netns.settle()
    server.process.thaw()
    server.process.wait_quiet()
    asleep(server)
    for _ in range(2):
        ask(program, new, STALE)
    asleep(server)
