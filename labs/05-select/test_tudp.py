"""Checks of tudp, a challenge: TCP and UDP on one port, in one select."""

import contextlib
import socket
import struct

from harness import Failure, begins, check, peers, require
from harness.diagnosis import show
from harness.inject import SPURIOUS, spoilt_datagram
from harness.kernel import proc
from harness.kernel.syscalls import ACCEPT, MULTIPLEX, READ
from harness.made_up import letters
from harness.multiplex import end_of, require_alone, require_waits, why_busy, why_not_served

# With these two the kernel keeps some 40 KB for a client who does not read.
NARROW = {"rcvbuf": 2048, "mss": 256}


# -- what the checks share --------------------------------------------------------


def receiver(server) -> int:
    """Return the descriptor of the server's UDP socket at its port, or -1."""
    found = server.stage.sockdiag.udp_receiver(*server.target)
    inodes = proc.socket_inodes(server.pid)
    return next((fd for fd, inode in inodes.items() if found and inode == found.inode), -1)


@contextlib.contextmanager
def explained(server, *clients, why: str = ""):
    """Give a failure in the block the diagnosis that fits this server."""
    try:
        yield
    except Failure as failure:
        with contextlib.suppress(Failure):
            server.wait_quiet()
        found = why_busy(failure) or server.stage.diagnose(()) or why_not_served(server, *clients)
        asleep = server.asleep_in(MULTIPLEX)
        if not found and asleep and receiver(server) not in asleep.reads:
            found = (
                f"it sleeps in {asleep}, and its UDP socket, {receiver(server)}, is not among "
                "those it waits for"
            )
        failure.why = found or why or failure.why
        raise


def ask(server, peer, data: bytes, why: str = "") -> None:
    """Require that a datagram of a peer comes back to it."""
    with explained(server, why=why):
        peer.send(data, server.target)
        sender = peer.expect(data)
    require(sender == server.target, f"an answer from {server.target}", f"{sender}")


def talk(server, client, data: bytes) -> None:
    """Require that what a TCP client says comes back to it."""
    with explained(server, client):
        client.send(data)
        client.expect(data)


# -- contract ---------------------------------------------------------------------


@check(
    points=1,
    kind="contract",
    challenge=True,
    hints=(
        "TCP and UDP have port numbers of their own: both may be bound to the same.",
        "bind(2) twice, with the number that getsockname(2) tells of the first socket.",
        "In tudp.c: open_both().",
    ),
)
def test_listens(program):
    """has a TCP and a UDP socket at ADDR PORT, and at one and the same number for port 0"""
    for port in (None, 0):
        server = begins.serve(program, port)
        address, number = server.target
        mine = set(proc.socket_inodes(server.pid).values())
        udp = [s for s in program.stage.sockdiag.inet(socket.IPPROTO_UDP) if s.inode in mine]
        shown = ", ".join(f"UDP {s.address} {s.port}" for s in udp) or "no UDP socket"
        program.stage.tape.add("look", "at its sockets", shown)
        require(
            [(s.address, s.port) for s in udp] == [server.target],
            f"UDP {address} {number}",
            shown,
            "both sockets have the same port: with 0 the kernel chooses one for the first, "
            "getsockname tells which, and the second is bound to just that",
        )


@check(
    points=2,
    kind="contract",
    challenge=True,
    after="test_listens",
    hints=(
        "A datagram comes back to where it came from, as it is, and alone.",
        "recvfrom(2) with room for the longest datagram, sendto(2) with the address it has told.",
        "In tudp.c: echo_datagram(), and wait_for_work(), which waits for its descriptor.",
    ),
)
def test_datagrams(program):
    """sends every datagram back, of any length from 0 to 65507"""
    server = program.serve()
    ones = [peers.Datagrams(program.stage, name=f"sender {number}") for number in (1, 2, 3)]
    for one in ones:
        ask(server, one, letters(program.stage))
    for size in (0, 1, 1473, 65507, 0, 3):
        data = program.stage.random.randbytes(size)
        why = (
            "recvfrom cuts what is longer than the buffer it is given: room for the longest, 65507"
            if size
            else "0 bytes are a datagram, too, not the end of anything: it goes back"
        )
        ask(server, ones[size % 3], data, why)


@check(
    points=3,
    kind="contract",
    challenge=True,
    after="test_listens",
    hints=(
        "The clients of the listening socket are descriptors that select waits for, too.",
        "FD_SET for reading while nothing is to be sent, for writing while something is.",
        "In tudp.c: wait_for_work().",
    ),
)
def test_streams(program):
    """echoes the bytes of any number of TCP clients, up to end of file, and datagrams beside"""
    server = program.serve()
    clients = [server.connect() for _ in range(4)]
    one = peers.Datagrams(program.stage, name="a sender")
    for client in (clients[3], clients[1], clients[2], clients[0], clients[3]):
        talk(server, client, letters(program.stage))
        ask(server, one, letters(program.stage))
    data = program.stage.random.randbytes(200_000)
    with explained(server, clients[2]):
        clients[2].send(data)
        clients[2].half_close()
        clients[2].expect_end(data, "the client has ended and got everything: close its connection")
    clients.pop(2).close()
    ones = [one, peers.Datagrams(program.stage, name="another sender")]
    server.freeze()
    words = [letters(program.stage) for _ in range(6)]
    for one, text in zip(ones, words, strict=False):
        one.send(text, server.target)
        program.stage.tape.add("send", f"{one.name}: {show(text)}")
    clients.append(server.connect())
    for client, text in zip(clients, words[2:], strict=True):
        client.send(text)
    server.thaw()
    with explained(server, *clients):
        for one, text in zip([*ones, *clients], words, strict=True):
            one.expect(text)


# -- robust -----------------------------------------------------------------------


@check(
    points=1,
    kind="robust",
    challenge=True,
    after="test_listens",
    needs="notify",
    hints=(
        "The number that the kernel has chosen for one protocol may be taken for the other.",
        "bind(2) fails with EADDRINUSE: close both, and let the kernel choose another.",
        "In tudp.c: open_both(), the second bind.",
    ),
)
def test_taken(program):
    """with port 0, takes another number when the second socket can't have the first's"""
    stage = program.stage
    process = program.start(stage.address, "0", watch={"bind"})
    taken: list[int] = []

    def occupy(held):
        name = proc.peek(held.tid, held.args[1], 8)
        port = struct.unpack("!H", name[2:4])[0] if len(name) == 8 else 0
        if not port or taken:
            return
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            sock = socket.socket(socket.AF_INET, kind)
            stage.closers.append(sock.close)
            with contextlib.suppress(OSError):
                sock.bind((stage.address, port))
        taken.append(port)
        step.saw = f"{port} is taken"

    step = stage.tape.add("disturb", "when it binds its second socket to the first's port")
    process.breakpoints.on({"bind"}, occupy)
    why = (
        "with port 0 it is for the program to find a number that is free for both: when the "
        "second bind fails with EADDRINUSE, begin again"
    )
    try:
        process.wait_asleep(ACCEPT, "a server asleep, waiting for a client")
    except Failure as failure:
        failure.why = stage.diagnose(()) or why
        raise
    got = process.stdout
    mine = set(proc.socket_inodes(process.pid).values())
    tcp = [s.port for s in stage.sockdiag.inet(socket.IPPROTO_TCP, 1 << 10) if s.inode in mine]
    udp = [s.port for s in stage.sockdiag.inet(socket.IPPROTO_UDP) if s.inode in mine]
    shown = f"TCP {tcp}, UDP {udp}, stdout {show(got)}"
    stage.tape.add("look", "at its sockets", shown)
    require(tcp == udp and len(tcp) == 1 and tcp != taken, "one number, free for both", shown, why)
    line = f"LISTENING {stage.address} {tcp[0]}\n".encode()
    require(got == line, f"{show(line)} on stdout", show(got), "print the line in the end only")


@check(
    points=1,
    kind="robust",
    challenge=True,
    after=("test_datagrams", "test_streams"),
    hints=(
        "A client that does not read must not be waited for, and what it sends not be read.",
        "send(2) on a non-blocking descriptor; FD_SET for writing instead of for reading.",
        "In tudp.c: wait_for_work(), and what select says of a client with n above 0.",
    ),
)
def test_never_reads(program):
    """serves all others while one is silent and one sends and never reads"""
    server = program.serve()
    silent = server.connect()
    late = server.connect(**NARROW)
    talk(server, silent, letters(program.stage))
    data = program.stage.random.randbytes(999_983) * 20  # far more than kernels keep
    sent = 0

    def send_more() -> int:
        """Let the late one send until nothing takes any more; return how much that was."""
        nonlocal sent
        before = sent
        while sent < len(data):
            try:
                sent += late.sock.send(data[sent : sent + (1 << 18)])
            except BlockingIOError:
                server.wait_quiet()
                if not peers.writable(late.sock):
                    break
        server.wait_quiet()
        return sent - before

    def look(fds) -> None:
        """Require that the server waits for room for the late one."""
        why = "what is to be sent back to a client waits for room: FD_SET in the set for writing"
        while True:
            try:
                require_waits(server, fds, {end_of(server, late)}, why)
                return
            except Failure:
                if not send_more():  # else the kernel had found room for all, after a while
                    raise

    with explained(server, late):
        send_more()
    program.stage.tape.add("send", f"{late.name}: {sent} bytes, and it reads none")
    one = peers.Datagrams(program.stage, name="a sender")
    other = server.connect()
    for _ in range(2):
        talk(server, other, letters(program.stage))
        ask(server, one, letters(program.stage))
        with explained(server, late):
            fds = {server.listener_fd, receiver(server), end_of(server, silent)}
            look(fds | {end_of(server, other)})
    late.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # faster
    why = (
        "bytes got lost or came twice: what is still to be sent back stays in its buffer, so "
        "nothing is read into that meanwhile"
    )
    with explained(server, late, why=why):
        got = late.read(sent)
    require(got == data[:sent], f"{sent} bytes, as they were sent", "others", why)


@check(
    points=1,
    kind="robust",
    challenge=True,
    after="test_datagrams",
    needs=("netns", "notify"),
    hints=(
        "select calls a datagram ready before anybody has looked at its checksum.",
        "recvfrom(2) on a non-blocking socket fails with EAGAIN then: wait again.",
        "In tudp.c: echo_datagram(), what it does with -1.",
    ),
)
def test_spurious(program):
    """goes on when there is no datagram after all: a wrong checksum, or another took it"""
    server = program.serve(watch=READ | {"socket"})
    one = peers.Datagrams(program.stage, name="a sender")
    other = server.connect()
    source = ("127.0.0.1", program.stage.port())
    why = (
        "select called the socket readable for a datagram with a wrong checksum, which the "
        "kernel throws away when it is read: EAGAIN, and no reason to give up"
    )
    for size in (SPURIOUS, 1400):
        data = program.stage.random.randbytes(size)
        spoilt_datagram(program.stage, source, server.target, data)
        with explained(server, other, why=why):
            server.wait_accepting()
            talk(server, other, letters(program.stage))
        ask(server, one, letters(program.stage), why)
    server.freeze()
    one.send(letters(program.stage), server.target)
    server.thaw()
    fd = receiver(server)
    held = server.breakpoints.hold(
        READ, "a server that reads the datagram", lambda held: held.args[0] == fd
    )
    program.stage.tape.add("hold", f"{server.name} before {held.call}")
    with server.borrow(fd) as sock:
        sock.recv(100, socket.MSG_DONTWAIT)  # O_NONBLOCK is the program's own affair
    program.stage.tape.add("steal", "the datagram, as another process could")
    held.let_go()
    talk(server, other, letters(program.stage))
    ask(server, one, letters(program.stage))


# -- clean ------------------------------------------------------------------------


@check(
    points=1,
    kind="clean",
    challenge=True,
    after=("test_datagrams", "test_streams"),
    hints=(
        "One process sleeps in one call, for both sockets and all clients, and keeps nothing.",
        "select(2) without a time limit; close(2) for each accept(2).",
        "In tudp.c: wait_for_work(), and every way out of echo_stream().",
    ),
)
def test_sleeps(program):
    """is one process that sleeps in select for all of them, and keeps nothing of who has gone"""
    server = program.serve()
    one = peers.Datagrams(program.stage, name="a sender")
    before = set(server.descriptors())
    sockets = {server.listener_fd, receiver(server)}
    clients = [server.connect() for _ in range(4)]
    for client in clients:
        talk(server, client, letters(program.stage))
        ask(server, one, letters(program.stage))
    with explained(server, *clients):
        require_alone(server)
    require_waits(server, sockets | {end_of(server, client) for client in clients})
    clients[0].close()
    clients[1].reset()
    clients[2].half_close()
    with explained(server, clients[2]):
        clients[2].expect_end()
    clients[3].close()
    with explained(server):
        server.wait_accepting()
        server.wait_quiet()
    ask(server, one, letters(program.stage))
    require_waits(server, sockets)
    after = server.descriptors()
    require(
        len(after) == len(before),
        f"{len(before)} open descriptors, as before",
        f"{len(after)}",
        "the connection of a client that has gone is not closed",
    )
