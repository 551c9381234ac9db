"""Checks of dgecho: every datagram back to its sender."""

import contextlib
import errno
import os
import socket

from harness import Failure, check, datagrams, diagnosis, require
from harness.at_rest import require_no_descriptor_more, require_no_timer
from harness.kernel import netns, proc, udp
from harness.kernel.syscalls import MULTIPLEX, READ
from harness.made_up import distinct
from harness.peers import Datagrams
from harness.program import NO_ADDRESS

LARGEST = 65507
SEND = frozenset({"sendto", "sendmsg", "sendmmsg", "write", "writev"})
IN_USE = b"dgecho: bind: Address already in use\n"
ECHOES = ("test_listening", "test_echoes")
UNIX = (*ECHOES, "test_unix")
CONNECTED = (
    "the socket is connected to one of its clients, and takes datagrams from that one alone: a "
    "server does not call connect"
)


# -- what the checks share --------------------------------------------------------


class Client:
    """A client of ours: in the Internet domain by default.

    Args:
        program: the program.
        server: its run.
        path: where it is bound in the UNIX domain; "" for nowhere.
    """

    def __init__(self, program, server, path: str | None = None):
        self.server = server
        self.stage = program.stage
        name = program.next_client()
        if path is None:
            place = (program.stage.address, program.stage.port())
            self.peer = Datagrams(program.stage, place, name=name)
        elif path:
            self.peer = Datagrams(program.stage, path, name=name)
        else:
            self.peer = Datagrams(program.stage, None, socket.AF_UNIX, f"{name}, not bound")

    @property
    def name(self) -> str:
        """Its address and port, as the program would print them."""
        address, port = self.peer.sock.getsockname()
        return f"{address} {port}"

    def send(self, data: bytes, why: str = "") -> None:
        """Send a datagram to the server."""
        try:
            self.peer.send(data, self.server.target)
        except Failure as failure:
            if failure.got == os.strerror(errno.ECONNREFUSED):
                with contextlib.suppress(Failure):
                    self.server.wait_end()  # its socket is closed, and its end not told yet
            failure.why = self._explain(why)
            if failure.got == os.strerror(errno.EPERM):
                failure.why = CONNECTED
            raise

    def _explain(self, why: str) -> str:
        """Say how the server ended, where it did, before what this check is about."""
        return explain(self.server, why)

    def expect(self, expected: bytes, why: str = "") -> None:
        """Require that the next datagram is ``expected``, from where the server is bound."""
        shown = diagnosis.show(expected) if expected else "an empty datagram"
        step = self.stage.tape.add("expect", f"{self.peer.name}: {shown}")
        try:
            got, sender = self.peer.receive()
        except Failure as failure:
            step.saw = "nothing"
            failure.expected = f"{shown} for {self.peer.name}"
            failure.why = self._explain(why)
            raise
        step.saw = "yes" if got == expected else diagnosis.show(got) if got else "an empty datagram"
        if got != expected:
            why = self._differs(expected, got) or self._explain(why)
            wanted, had = (
                diagnosis.show(one) if one else "an empty datagram" for one in (expected, got)
            )
            raise Failure(f"{wanted} for {self.peer.name}", had, why)
        require(
            sender == self.server.target,
            f"a reply from {self.server.target}",
            f"one from {sender}",
            "the reply came from another socket than the one that the datagram came to: a client "
            "who knows its server does not take that; send from the same socket",
        )

    def _differs(self, expected: bytes, got: bytes) -> str:
        if not got:
            return "a NUL ends no datagram: its length is what recvfrom returned, not strlen()"
        if len(got) < len(expected) and expected.startswith(got):
            if expected[len(got)] == 0:
                return "a NUL ends no datagram: its length is what recvfrom returned, not strlen()"
            return f"cut to {len(got)} bytes: the buffer is too small, and recvfrom says nothing"
        if len(got) > len(expected) and got.startswith(expected):
            more = len(got) - len(expected)
            return (
                f"{more} bytes too many: a reply is as long as what recvfrom returned; the size of "
                "the buffer is more, and strlen() counts on to bytes of earlier datagrams"
            )
        return ""


def explain(server, why: str = "") -> str:
    """Say what the server did, where that tells more than what this check is about."""
    known = server.stage.diagnose(())
    if known:
        return known
    end = server.how_it_ended()
    said = server.stderr.decode("utf-8", "replace").splitlines()
    last = said[-1] if said else ""
    if end and last.startswith(("dgecho: send", "dgecho: write")):
        return (
            f'the server says "{last[:100]}" and {end}: a reply that can\'t be sent is lost, '
            "whatever the reason, and ends nothing; complain() goes on, fail() ends the program"
        )
    if end:
        ended = f"the server {end}: nothing that comes or fails here ends it"
        return "; ".join(filter(None, (ended, why)))
    if has_peer(server):
        return CONNECTED
    return datagrams.why_not_sent(server.stderr) or why


def has_peer(server) -> bool:
    """Whether a UDP socket of the server is connected."""
    mine = set(proc.socket_inodes(server.pid).values())
    found = server.stage.sockdiag.inet(socket.IPPROTO_UDP)
    return any(one.inode in mine and one.peer_port for one in found)


def is_waiting(server):
    """Return a function that tells whether a held call would sleep on the server's sockets."""
    return lambda held: held.may_sleep_on(proc.socket_inodes(server.pid))


def ask(program, client: Client, why: str = "") -> None:
    """Send some letters and require them back."""
    data = distinct(program.stage)
    client.send(data, why)
    client.expect(data, why)


def rests(program, server, why: str = "") -> None:
    """Wait until the server sleeps again; whatever was sent has then been dealt with."""
    try:
        server.wait_asleep(READ, "a server asleep, waiting for the next datagram")
    except Failure as failure:
        failure.why = failure.why or explain(server, why)
        raise


class UnixServer:
    """A run of the program at a path; whatever is not here is the process's."""

    def __init__(self, process, path: str):
        self.process = process
        self.target = path

    def __getattr__(self, name):
        return getattr(self.process, name)


def serve_unix(program, path: str, *options: str, **how) -> UnixServer:
    """Start the program at a path, and wait until it is bound and sleeps."""
    args = [*options, f"unix:{path}"]
    process = program.start(*args, **how)
    step = program.stage.tape.steps[-1]

    def bound():
        mine = set(proc.socket_inodes(process.pid).values())
        return any(s.address == path and s.inode in mine for s in program.stage.sockdiag.unix())

    try:
        process.until(bound, f"dgecho bound to {path}")
        blocked = process.wait_asleep(READ, "a server asleep, waiting for the next datagram")
    except Failure as failure:
        step.saw = failure.got
        if b"bind: Invalid argument" in process.stderr:
            failure.why = "bind takes the length that make_name has returned, and no other"
        failure.why = failure.why or "in the UNIX domain, socket and bind take the family AF_UNIX"
        raise
    step.saw = f"bound, asleep in {blocked}"
    return UnixServer(process, path)


def few_lines(program, server, most: int) -> None:
    """Require no more than ``most`` lines on stderr."""
    lines = server.stderr.decode("utf-8", "replace").splitlines()
    program.stage.tape.add("look", "at stderr", diagnosis.show(server.stderr, 200))
    require(
        len(lines) <= most,
        f"at most {most} lines on stderr",
        f"{len(lines)} lines",
        "each reply that is lost costs one line at most",
    )


# -- contract ---------------------------------------------------------------------


@check(
    points=2,
    kind="contract",
    hints=(
        "A server of datagrams has one socket, and it is ready as soon as that has its name.",
        "socket(2) with SOCK_DGRAM, bind(2), getsockname(2); there is no listen.",
        "In dgecho.c: bind_to().",
    ),
)
def test_listening(program):
    """is bound to ADDR and PORT, and says so when it is ready; with port 0, too"""
    for port in (None, 0):
        server = datagrams.serve(program, port=port)
        server.expect_listening_line()
    program.refuse_address(NO_ADDRESS, str(program.stage.port()))


@check(
    points=2,
    kind="contract",
    after="test_listening",
    hints=(
        "The reply goes to whom recvfrom says that the datagram came from.",
        "recvfrom(2) with an address and its length, then sendto(2) with both, on the same socket.",
        "In dgecho.c: serve().",
    ),
)
def test_echoes(program):
    """sends a datagram back to its sender, byte for byte, again and again"""
    server = datagrams.serve(program)
    client = Client(program, server)
    made = [distinct(program.stage, size) for size in (5, 20)]
    for data in (*made, b"x", bytes(range(255, -1, -1)), b"\0\n"):
        client.send(data)
        client.expect(data, "no reply: each datagram is sent back as soon as it has come")
    rests(program, server)
    client.peer.expect_nothing()


@check(
    points=2,
    kind="contract",
    after=ECHOES,
    hints=(
        "A datagram may have no byte at all, and it is as good as any other.",
        "recvfrom(2) returns 0 for it, which is no end of file; sendto(2) takes a length of 0.",
        "In dgecho.c: serve(), what is done when recvfrom returns 0.",
    ),
)
def test_empty(program):
    """sends an empty datagram back, for 0 bytes are no end of file"""
    server = datagrams.serve(program)
    client = Client(program, server)
    why = "recvfrom returned 0: that is an empty datagram, neither an end of file nor nothing"
    for _ in range(2):
        client.send(b"")
        client.expect(b"", why)
        ask(program, client, why)


@check(
    points=2,
    kind="contract",
    after=ECHOES,
    hints=(
        "What does not fit into the buffer is cut, and nobody says so.",
        "The largest datagram of UDP over IPv4 has 65507 bytes: give recvfrom(2) that much room.",
        "In dgecho.c: serve(), the size of its buffer.",
    ),
)
def test_largest(program):
    """sends back a datagram of any size, up to 65507 bytes"""
    server = datagrams.serve(program)
    client = Client(program, server)
    for size in (1500, 9000, 65506, LARGEST):
        data = distinct(program.stage, 26) * (size // 26 + 1)
        client.send(data[:size])
        client.expect(data[:size], f"a datagram of {size} bytes is one datagram")


@check(
    points=2,
    kind="contract",
    after=ECHOES,
    hints=(
        "One socket serves all clients, so each reply needs the address of its own datagram.",
        "recvfrom(2) fills the address anew each time; a connect(2) would shut the others out.",
        "In dgecho.c: serve(), where the sender is kept.",
    ),
)
def test_each_sender(program):
    """answers clients who have sent at the same time, each datagram for itself"""
    server = datagrams.serve(program)
    clients = [Client(program, server) for _ in range(3)]
    ask(program, clients[0])
    server.freeze()
    sent = [(client, distinct(program.stage, size)) for size, client in enumerate(clients * 2, 4)]
    for client, data in sent:
        client.send(data)
    server.thaw()
    for client, data in sent:
        client.expect(
            data,
            "each datagram in the queue is sent back for itself, in its turn and to its own sender",
        )
    rests(program, server)
    for client in clients:
        client.peer.expect_nothing()


@check(
    points=2,
    kind="contract",
    after=ECHOES,
    needs="notify",
    hints=(
        "Who has sent how much stands in what recvfrom has filled in and returned.",
        "say_datagram() prints it; ntohs(3) and inet_ntop(3) have done their work there.",
        "In dgecho.c: serve(), between recvfrom and sendto.",
    ),
)
def test_verbose(program):
    """with -v, says who has sent how many bytes, before it replies"""
    server = datagrams.serve(program, "-v", watch=SEND)
    address, port = server.target
    said = f"LISTENING {address} {port}\n"
    first, second = Client(program, server), Client(program, server)

    def is_on_socket(held):
        return held.args[0] & 0xFFFFFFFF in proc.socket_inodes(server.pid)

    for client, size in ((first, 3), (second, 12), (first, 0), (second, 7)):
        data = distinct(program.stage, size)
        client.send(data)
        try:
            held = server.breakpoints.hold(SEND, "a reply that is sent", is_on_socket)
        except Failure as failure:
            failure.why = explain(server, "each datagram is sent back as soon as it has come")
            raise
        program.stage.tape.add("hold", "dgecho, which is about to send its reply")
        said += f"{client.name} {size}\n"
        got = server.stdout
        program.stage.tape.add("look", "at stdout", diagnosis.show(got, 200))
        if got != said.encode():
            why = ""
            if not said.encode().startswith(got):
                why = "a line is the sender's address, its port and the number of bytes"
            elif got:
                why = (
                    "a line for each datagram is due, printed and flushed, before its reply is "
                    "sent, also if it is empty"
                )
            diagnosis.fail_bytes(said.encode(), got, "on stdout", known=why)
        held.let_go()
        client.expect(data)
    silent = datagrams.serve(program)
    ask(program, Client(program, silent))
    rests(program, silent)
    silent.expect_listening_line()


@check(
    points=2,
    kind="contract",
    after=ECHOES,
    hints=(
        "In the UNIX domain an address is a path; all the rest is as with UDP.",
        "socket(2) takes the family of the name; bind(2) and recvfrom(2) need room for any name.",
        "In dgecho.c: bind_to() and serve(), the family, and the size of what holds an address.",
    ),
)
def test_unix(program):
    """serves on a UNIX path as well, but never on one that exists"""
    path = program.stage.path("echo")
    server = serve_unix(program, path, "-v")
    said = f"LISTENING unix {path}\n"
    for name in ("client-with-a-long-name", "a"):
        client = Client(program, server, program.stage.path(name))
        for data in (distinct(program.stage), b"", b"z" * LARGEST):
            client.send(data)
            why = "a sender's path is longer than an address of UDP: leave it room, say in the "
            why += "length before each recvfrom how much, and hand sendto the length that it stores"
            client.expect(data, why)
            said += f"unix {program.stage.path(name)} {len(data)}\n"
    got = server.stdout
    program.stage.tape.add("look", "at stdout", diagnosis.show(got, 200))
    if got != said.encode():
        diagnosis.fail_bytes(said.encode(), got, "on stdout")
    second = program.start(f"unix:{path}")
    why = "the path is in use: it must not be taken away from who has it"
    try:
        second.expect_exit(1)
        second.expect_stderr(IN_USE)
    except Failure as failure:
        failure.why = failure.why or why
        raise
    ask(program, client, why)


@check(
    points=2,
    kind="contract",
    after=ECHOES,
    hints=(
        "What comes while nobody receives waits in a buffer, and what does not fit is thrown away.",
        "setsockopt(2) with SOL_SOCKET and SO_RCVBUF, socket(7); the kernel counts what is lost.",
        "In dgecho.c: bind_to(), before bind.",
    ),
)
def test_overflow(program):
    """with -b, has a buffer of that size: what does not fit is lost, the rest is answered"""
    size, total = 1000, 40
    kept = {}
    for asked in (None, 20_000, 6_000):
        options = () if asked is None else ("-b", str(asked))
        server = datagrams.serve(program, *options)
        inode = proc.socket_inodes(server.pid)[server.fd]
        client = Client(program, server)
        server.freeze()
        sent = [b"%02d" % number + distinct(program.stage) * (size // 8) for number in range(total)]
        for data in sent:
            client.peer.sock.sendto(data, server.target)
        program.stage.tape.add("send", f"{client.peer.name}: {total} datagrams of {size} bytes")
        netns.flush_loopback()
        lost = udp.drops(inode)
        program.stage.tape.add("look", "at drops in /proc/net/udp", f"{lost} of {total} are lost")
        kept[asked] = total - lost
        server.thaw()
        for data in sent[: total - lost]:
            client.expect(data, "what is in the buffer is received, and answered in its order")
        rests(program, server)
        client.peer.expect_nothing()
        ask(program, client, "a server whose buffer has overflowed goes on")
    why = "SO_RCVBUF, at the level SOL_SOCKET, with the number that -b says, asks for another size"
    require(
        kept[None] == total,
        f"without -b, room for {total} datagrams of {size} bytes",
        f"room for {kept[None]}",
        "without -b the buffer stays what it is",
    )
    require(
        0 < kept[6_000] < kept[20_000] < total,
        "a buffer that overflows sooner with -b 6000 than with -b 20000, and with both of them",
        f"room for {kept[6_000]} and for {kept[20_000]} of {total} datagrams of {size} bytes",
        why,
    )


# -- robust -----------------------------------------------------------------------


@check(
    points=2,
    kind="robust",
    after=UNIX,
    hints=(
        "A client that is not bound has no address: recvfrom sets the length to 0.",
        "The length is what recvfrom(2) may fill as well as what it has filled: set it each time.",
        "In dgecho.c: serve(), the value of the length before each recvfrom.",
    ),
)
def test_unbound(program):
    """passes over a UNIX client without an address, and answers the next one"""
    server = serve_unix(program, program.stage.path("echo"), "-v")
    before = Client(program, server, program.stage.path("before"))
    ask(program, before)
    nobody = Client(program, server, "")
    later = Client(program, server, program.stage.path("later"))
    why = (
        "an unbound client has set the length of the address to 0; as the next recvfrom takes it "
        "for the room that there is, the next sender's address is lost: set it before each call"
    )
    for data in (distinct(program.stage), b""):
        nobody.send(data)
        rests(program, server, why)
        ask(program, later, why)
    rests(program, server)
    before.peer.expect_nothing()
    few_lines(program, server, 2)
    lines = server.stdout.decode("utf-8", "replace").splitlines()
    got = [line for line in lines if line.startswith("unix - ")]
    program.stage.tape.add("look", "at stdout", diagnosis.show(server.stdout, 200))
    require(
        got == ["unix - 8", "unix - 0"],
        "the lines unix - 8 and unix - 0 on stdout",
        "; ".join(lines[1:]),
        "with -v each datagram has its line, also one whose sender has no address",
    )


@check(
    points=1,
    kind="robust",
    after=UNIX,
    hints=(
        "A client may have gone before its reply is sent: that is its own affair.",
        "sendto(2) fails in the UNIX domain, with ECONNREFUSED or ENOENT; say so and go on.",
        "In dgecho.c: serve(), what it does when sendto returns -1.",
    ),
)
def test_client_gone(program):
    """goes on when a client has gone before its reply"""
    server = serve_unix(program, program.stage.path("echo"))
    path = program.stage.path("gone")
    gone, removed = Client(program, server, path), Client(program, server, path + "-too")
    server.freeze()
    for client in (gone, removed):
        client.send(distinct(program.stage))
        client.peer.sock.close()
        program.stage.tape.add("close", client.peer.name)
    os.unlink(path + "-too")
    server.thaw()
    why = "the client has gone, and sendto fails: the reply is lost, but the server goes on"
    rests(program, server, why)
    ask(program, Client(program, server, program.stage.path("next")), why)
    few_lines(program, server, 2)

    server = datagrams.serve(program)
    gone = Client(program, server)
    server.freeze()
    gone.send(distinct(program.stage))
    gone.send(distinct(program.stage))
    gone.peer.sock.close()
    program.stage.tape.add("close", gone.peer.name)
    server.thaw()
    why = "the client has gone, and its kernel says that its port is closed: go on"
    ask(program, Client(program, server), why)
    few_lines(program, server, 2)


@check(
    points=1,
    kind="robust",
    after=ECHOES,
    needs="notify",
    hints=(
        "A send may fail for reasons that have nothing to do with this datagram.",
        "sendto(2) with ENOBUFS, or with ECONNREFUSED of an earlier reply: complain, go on; and "
        "recvfrom(2) with EINTR: call it again.",
        "In dgecho.c: serve(), what it does when sendto returns -1, whatever errno is, and what "
        "when recvfrom does.",
    ),
)
def test_send_fails(program):
    """goes on when a reply can't be sent, whatever the reason, or when its wait is interrupted"""
    server = datagrams.serve(program, watch=SEND | READ | MULTIPLEX)
    errors = [errno.ENOBUFS, errno.ECONNREFUSED, errno.EPERM, errno.ENETUNREACH]
    total = len(errors)

    def refuse(held):
        if errors and held.args[0] & 0xFFFFFFFF == server.fd:
            number = errors.pop(0)
            program.stage.tape.add("disturb", f"{held.call} fails", errno.errorcode[number])
            held.fail(number)

    server.breakpoints.on(SEND, refuse)
    why = "a reply that can't be sent is lost, as any datagram may be: tell it, and go on"
    lost = Client(program, server)
    for left in range(total, 0, -1):
        lost.send(distinct(program.stage))
        try:
            server.until(lambda left=left: len(errors) < left, "a reply that is sent")
        except Failure as failure:
            failure.why = failure.why or why
            raise
        rests(program, server, why)
    client = Client(program, server)
    ask(program, client, why)
    rests(program, server)
    try:
        lost.peer.expect_nothing()
    except Failure as failure:
        failure.why = "a reply that failed is sent again: it is lost, and must stay so"
        raise
    server.breakpoints.interrupt_each(READ | MULTIPLEX, is_waiting(server))
    program.stage.tape.add("disturb", "the next call that waits fails", "EINTR")
    why = "a wait that is interrupted (EINTR) has not failed: nothing has come, so wait on"
    for _ in range(2):
        ask(program, client, why)
        rests(program, server, why)
    client.peer.expect_nothing()
    few_lines(program, server, total)


@check(
    points=1,
    kind="robust",
    after=UNIX,
    hints=(
        "In the UNIX domain nothing is thrown away: who sends to a full queue waits.",
        "sendto(2) with MSG_DONTWAIT fails with EAGAIN instead.",
        "In dgecho.c: serve(), the flags of sendto.",
    ),
)
def test_slow_client(program):
    """does not wait for a UNIX client that never reads: others are answered"""
    server = serve_unix(program, program.stage.path("echo"))
    deaf = Client(program, server, program.stage.path("deaf"))
    other = Client(program, server, program.stage.path("other"))
    with open("/proc/sys/net/unix/max_dgram_qlen", encoding="ascii") as file:
        queue = int(file.read())
    why = (
        "a client that does not read makes the server wait in its send, and nobody is served any "
        "more: send with MSG_DONTWAIT, and give the reply up when the queue is full"
    )
    tape = program.stage.tape
    start = len(tape.steps)
    for _ in range(queue + 3):
        deaf.send(b"x", why)
    tape.fold(start, "send", deaf.peer.name, f"{queue + 3} datagrams, and reads no reply")
    try:
        ask(program, other, why)
    except Failure as failure:
        if "asleep in send" not in failure.got and failure.why == why:
            failure.why = (
                "the reply went elsewhere: recvfrom stores as much of the address as the length "
                "says, so set that to the size of the address before each call"
            )
        raise
    rests(program, server, why)


@check(
    points=1,
    kind="robust",
    after=ECHOES,
    hints=(
        "Two sockets on one port would share the datagrams, and nobody would notice.",
        "bind(2) fails with EADDRINUSE; SO_REUSEADDR, which TCP servers need, lets UDP sockets "
        "share a port.",
        "In dgecho.c: bind_to(), the options that it sets, and what bind returns.",
    ),
)
def test_port_taken(program):
    """does not share its port: a second server on it says so and ends"""
    first = datagrams.serve(program)
    second = program.start(program.stage.address, str(first.target[1]))
    try:
        second.expect_exit(1)
    except Failure as failure:
        bound = program.stage.sockdiag.inet(socket.IPPROTO_UDP)
        shared = sum((one.address, one.port) == first.target for one in bound) > 1
        failure.why = failure.why or (
            "both have the port now, and the last one takes all datagrams: for UDP, SO_REUSEADDR "
            "and SO_REUSEPORT mean to share"
            if shared
            else "bind returned -1, and nobody looked at that: the second has no name at all"
        )
        raise
    second.expect_stderr(IN_USE)
    second.expect_stdout(b"")
    ask(program, Client(program, first))


# -- clean ------------------------------------------------------------------------


@check(
    points=2,
    kind="clean",
    after=ECHOES,
    hints=(
        "One socket is enough for all clients, and who waits in recvfrom needs no timer.",
        "close(2) whatever is opened for a datagram; recvfrom(2) without a time limit.",
        "In dgecho.c: serve(), from recvfrom to the next recvfrom.",
    ),
)
def test_nothing_left(program):
    """sleeps without a timer, and has no more open after thirty datagrams than before"""
    server = datagrams.serve(program)
    client = Client(program, server)
    ask(program, client)
    rests(program, server)
    before = set(server.descriptors())
    for number in range(30):
        ask(program, client if number % 2 else Client(program, server))
    require_no_timer(
        server,
        "a datagram comes",
        "that is polling: recvfrom without a time limit waits for the next datagram",
    )
    require_no_descriptor_more(server, before)
    require(not server.children(), "no child", "a child", "nothing here needs another process")
