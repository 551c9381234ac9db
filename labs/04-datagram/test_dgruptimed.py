"""Checks of dgruptimed: each request answered, to whom it came from."""

import contextlib
import errno
import os
import select

from harness import Failure, begins, check, diagnosis, require, strange
from harness.at_rest import require_no_descriptor_more, require_no_timer
from harness.datagrams import serve
from harness.kernel.syscalls import MULTIPLEX, READ
from harness.made_up import letters
from harness.peers import Datagrams
from harness.program import NO_ADDRESS

TEXT = 1400
SEND = frozenset({"sendto", "sendmsg", "sendmmsg", "write", "writev"})


# -- what the checks share --------------------------------------------------------


def words(program) -> bytes:
    """Return a made-up line."""
    return letters(program.stage, 12) + b"\n"


def prints(program, text: bytes, name: str = "text") -> str:
    """Return a command that prints ``text``."""
    path = program.stage.path(name)
    strange.write(path, text)
    return f"cat {path}"


def new_id(program) -> bytes:
    """Return an id with a NUL and a byte above 127 in it."""
    source = program.stage.random
    return bytes([source.randrange(128, 255), 0, source.randrange(1, 127), source.randrange(256)])


class Client:
    """A client of ours, with a port of its own."""

    def __init__(self, program, server, name: str = ""):
        self.server = server
        self.stage = program.stage
        place = (program.stage.address, program.stage.port())
        self.peer = Datagrams(program.stage, place, name=name or program.next_client())

    def send(self, data: bytes) -> None:
        """Send a datagram to the server."""
        self.peer.send(data, self.server.target)

    def expect(self, expected: bytes, why: str = "", wrong: bytes | None = None) -> None:
        """Require that the next datagram is ``expected``, and from the server's port.

        Args:
            expected: the answer.
            why: the diagnosis where nothing else is known.
            wrong: what was to be ignored; who answers that is told why.
        """
        step = self.stage.tape.add("expect", f"{self.peer.name}: {diagnosis.show(expected)}")
        try:
            got, sender = self.peer.receive()
        except Failure as failure:
            step.saw = "nothing"
            end = self.server.how_it_ended()
            failure.expected = f"{diagnosis.show(expected)} for {self.peer.name}"
            if os.strerror(errno.EINVAL).encode() in self.server.stderr:
                failure.why = (
                    "recvfrom is told by the length how much room there is for the address: set "
                    "it before each call"
                )
            if end and not failure.why:
                ended = f"the server {end}: nothing that comes by the network ends it"
                failure.why = "; ".join(filter(None, (ended, why)))
            failure.why = failure.why or self._lost(expected) or why
            raise
        step.saw = "yes" if got == expected else diagnosis.show(got)
        if got != expected:
            known = self.stage.diagnose(())
            answered = wrong is not None and got[:4] == b"RUP!" and got[4:8] != expected[4:8]
            if not answered:
                known = known or self._in_two(expected, got) or difference(expected, got)
            diagnosis.fail_bytes(expected, got, f"for {self.peer.name}", known=known or why)
        require(
            sender == self.server.target,
            f"an answer from port {self.server.target[1]} of {self.server.target[0]}",
            f"one from port {sender[1]} of {sender[0]}",
            "the answer comes from another socket than the request was sent to: a client takes it "
            "for a stranger's",
        )

    def _in_two(self, expected: bytes, got: bytes) -> str:
        """Tell whether the rest of an answer has come in another datagram."""
        if not expected.startswith(got):
            return ""
        with contextlib.suppress(Failure):
            self.server.wait_waiting()
        if not select.select([self.peer.sock], [], [], 0)[0]:
            return ""
        return (
            f"the answer's first {len(got)} bytes are one datagram and the rest is another: head "
            "and text are sent by one call, for each call is a datagram"
        )

    def _lost(self, expected: bytes) -> str:
        said = self.server.stderr.decode("utf-8", "replace").strip()
        return f'the server says "{said[:100]}"' if said and len(said) < 200 else ""


def difference(expected: bytes, got: bytes) -> str:
    """Name what is wrong with an answer, where that is known."""
    if got[:4] == b"RUP?":
        return "an answer begins with RUP!, not with RUP?"
    if got[:4] == b"RUP!" and got[4:8] != expected[4:8]:
        if got[4:8] == expected[4:8][::-1]:
            return "the id has its bytes turned round: it is copied as it is, without ntohl()"
        return "the id is not the one of the request: its four bytes are copied, NUL or not"
    if len(got) > len(expected) and got.startswith(expected):
        more = len(got) - len(expected)
        return f"{more} bytes too many: an answer is as long as its head and its text"
    return ""


def ask(program, server, text: bytes, why: str = "") -> None:
    """Require that one more client is answered."""
    client = Client(program, server)
    ident = new_id(program)
    client.send(b"RUP?" + ident)
    client.expect(b"RUP!" + ident + text, why)


# -- contract ---------------------------------------------------------------------


@check(
    points=2,
    kind="contract",
    hints=(
        "A server of datagrams has one socket, and it is ready as soon as that has its name.",
        "socket(2) with SOCK_DGRAM, bind(2), getsockname(2); there is no listen.",
        "In dgruptimed.c: bind_to().",
    ),
)
def test_listening(program):
    """is bound to ADDR and PORT, and says so when it is ready; with port 0, too"""
    for port in (None, 0):
        server = serve(program, port=port)
        server.expect_listening_line()
    program.refuse_address(NO_ADDRESS, str(program.stage.port()))


@check(
    points=3,
    kind="contract",
    after="test_listening",
    hints=(
        "The answer goes to whom recvfrom says that the request came from.",
        "recvfrom(2) with an address and its length, set before each call; sendto(2); memcpy(3) "
        "for the id.",
        "In dgruptimed.c: serve().",
    ),
)
def test_answers(program):
    """answers a request with its own id and what CMD prints"""
    text = words(program)
    server = serve(program, "-c", prints(program, text))
    why = (
        "these 8 bytes are a request: their number is what recvfrom has returned; strlen() would "
        "end at a NUL, and there may be one in the id, and none after it"
    )
    for _ in range(3):
        ask(program, server, text, why)
    server.wait_waiting()
    require(not server.stderr, "nothing on stderr", diagnosis.show(server.stderr))


@check(
    points=2,
    kind="contract",
    after="test_answers",
    hints=(
        "A datagram is as long as it is: nothing but its length tells where its text ends.",
        "sendto(2) with 8 bytes and as many as run() returned, and no strlen(3).",
        "In dgruptimed.c: serve(), the length that it passes to sendto, and its buffer's size.",
    ),
)
def test_length(program):
    """sends the whole text, up to 1400 bytes of it, and nothing more"""
    source = program.stage.random
    for size in (0, 3, TEXT, TEXT + 1, 100_000):
        text = source.randbytes(size)
        server = serve(program, "-c", prints(program, text))
        why = (
            "the answer has the text's first 1400 bytes, NUL bytes too"
            if size
            else ("CMD prints nothing, so the answer is the head alone: 8 bytes")
        )
        ask(program, server, text[:TEXT], why)


@check(
    points=2,
    kind="contract",
    after="test_answers",
    hints=(
        "One socket serves all clients, so each answer needs the address of its own request.",
        "recvfrom(2) fills the address anew each time; sendto(2) uses it, on the same socket.",
        "In dgruptimed.c: serve(), where the sender is kept, and what it thinks of an id of 0.",
    ),
)
def test_each_sender(program):
    """answers each of five clients that have asked at the same time, whatever their ids are"""
    text = words(program)
    server = serve(program, "-c", prints(program, text))
    clients = [Client(program, server) for _ in range(5)]
    server.freeze()
    ids = [bytes(4), b"\xff" * 4, *(new_id(program) for _ in clients[2:])]
    program.stage.random.shuffle(ids)
    for client, ident in zip(clients, ids, strict=True):
        client.send(b"RUP?" + ident)
    server.thaw()
    for client, ident in zip(clients, ids, strict=True):
        why = "each request in the queue is answered, in its turn and to its own sender"
        if len(set(ident)) == 1:
            why += f"; an id of {diagnosis.show(ident)} is an id like any other"
        client.expect(b"RUP!" + ident + text, why)
    server.wait_waiting()
    for client in clients:
        client.peer.expect_nothing()


# -- robust -----------------------------------------------------------------------


@check(
    points=1,
    kind="robust",
    after="test_answers",
    hints=(
        "A client that asks again has not had the answer: who remembers that it was sent is wrong.",
        "The server keeps nothing: not about its clients, and not what CMD has printed earlier.",
        "In dgruptimed.c: serve(), what it knows of earlier requests, and when it calls run().",
    ),
)
def test_duplicates(program):
    """answers a request that comes again, each time, and runs CMD anew"""
    old = words(program)
    server = serve(program, "-c", prints(program, old))
    client = Client(program, server)
    ident = new_id(program)
    for _ in range(3):
        text = words(program)
        prints(program, text)
        program.stage.tape.add("change", "what CMD prints", diagnosis.show(text))
        client.send(b"RUP?" + ident)
        why = "a request that comes again means that the answer was lost: answer it again"
        try:
            client.expect(b"RUP!" + ident + text, why)
        except Failure as failure:
            if diagnosis.show(b"RUP!" + ident + old) == failure.got:
                failure.why = "that is what CMD has printed earlier: it is run anew for each answer"
            raise
        old = text


@check(
    points=2,
    kind="robust",
    after="test_answers",
    hints=(
        "Anybody can send anything; a request is exactly 8 bytes, the first four of them RUP?.",
        "recvfrom(2) cuts what is longer than the buffer: give it more room than a request needs.",
        "In dgruptimed.c: serve(), the look at the length and at the first four bytes.",
    ),
)
def test_malformed(program):
    """ignores what is no request, silently, and answers the next one"""
    text = words(program)
    server = serve(program, "-c", prints(program, text))
    client = Client(program, server)
    ident = new_id(program)
    for what, data in (
        ("an empty datagram", b""),
        ("a request without an id", b"RUP?"),
        ("7 bytes", b"RUP?" + ident[:3]),
        ("9 bytes", b"RUP?" + ident + b"x"),
        ("an answer", b"RUP!" + ident),
        ("another magic", b"RUP\0" + ident),
        ("small letters", b"rup?" + ident),
        ("60000 bytes", b"RUP?" + ident + bytes(60000)),
    ):
        client.send(data)
        right = new_id(program)
        client.send(b"RUP?" + right)
        why = f"{what} is no request: it gets no answer, and the server goes on"
        if len(data) > 8:
            why += "; into a buffer of 8 bytes, recvfrom cuts it without an error"
        client.expect(b"RUP!" + right + text, why, data)
    server.wait_waiting()
    client.peer.expect_nothing()
    require(
        not server.stderr,
        "nothing on stderr",
        diagnosis.show(server.stderr, 200),
        "whoever sends rubbish could fill a log with it: ignore it silently",
    )


@check(
    points=1,
    kind="robust",
    after="test_answers",
    needs="notify",
    hints=(
        "An answer that can't be sent is one client's bad luck, not the server's end.",
        "sendto(2) may fail, with ENOBUFS or EPERM for example; say so on stderr and go on. And "
        "recvfrom(2) may fail with EINTR: call it again.",
        "In dgruptimed.c: serve(), what it does when sendto returns -1, and when recvfrom does.",
    ),
)
def test_send_fails(program):
    """goes on when an answer can't be sent, or when its wait is interrupted"""
    text = words(program)
    server = serve(program, "-c", prints(program, text), watch=SEND | READ | MULTIPLEX)
    errors = [errno.ENOBUFS, errno.EPERM]
    told = [os.strerror(number) for number in errors]

    def refuse(held):
        if errors and held.tid == server.pid and held.args[0] & 0xFFFFFFFF == server.fd:
            number = errors.pop(0)
            program.stage.tape.add("disturb", f"{held.call} fails", errno.errorcode[number])
            held.fail(number)

    server.breakpoints.on(SEND, refuse)
    why = "an answer that can't be sent is lost, as any datagram may be: tell it, and go on"
    for count in range(2):
        lost = Client(program, server)
        lost.send(b"RUP?" + new_id(program))
        try:
            server.until(lambda left=2 - count: len(errors) < left, "an answer that is sent")
            server.wait_waiting()
        except Failure as failure:
            failure.why = failure.why or why
            raise
    ask(program, server, text, why)
    lines = server.stderr.decode("utf-8", "replace").splitlines()
    program.stage.tape.add("look", "at stderr", diagnosis.show(server.stderr, 200))
    require(
        len(lines) <= len(told),
        f"at most one line on stderr for each ({' and '.join(told)})",
        f"{len(lines)} lines",
        "one line for each answer that is lost is enough",
    )

    def waits(held):
        return held.tid == server.pid and held.may_sleep_on({server.fd})

    server.wait_waiting()
    server.breakpoints.interrupt_each(READ | MULTIPLEX, waits)
    program.stage.tape.add("disturb", "the next call that waits fails", "EINTR")
    why = "a wait that is interrupted (EINTR) has not failed: nothing has come, so wait on"
    for _ in range(2):
        ask(program, server, text, why)
        try:
            server.wait_waiting()
        except Failure as failure:
            failure.why = failure.why or why
            raise


@check(
    points=1,
    kind="robust",
    after="test_listening",
    hints=(
        "Two sockets on one port would share the requests, and nobody would notice.",
        "bind(2) fails with EADDRINUSE; SO_REUSEADDR, which TCP servers need, lets UDP sockets "
        "share a port.",
        "In dgruptimed.c: bind_to().",
    ),
)
def test_port_taken(program):
    """does not share its port: a second server on it says so and ends"""
    why = (
        "both have the port now, and the last one takes all requests: for datagrams, "
        "SO_REUSEADDR or SO_REUSEPORT means to share"
    )
    begins.fails_where_taken(program, serve(program).target, why)


# -- clean ------------------------------------------------------------------------


@check(
    points=2,
    kind="clean",
    after="test_answers",
    hints=(
        "Whatever is opened for a request is closed before the next one, and nothing is polled.",
        "close(2), waitpid(2); ls -l /proc/PID/fd shows what is open.",
        "In dgruptimed.c: serve(), from recvfrom to the next recvfrom.",
    ),
)
def test_nothing_left(program):
    """sleeps without a timer, and has no more open after twenty requests than before"""
    text = words(program)
    server = serve(program, "-c", prints(program, text))
    before = set(server.descriptors())
    for number in range(20):
        ask(program, server, text)
        if number % 4 == 0:
            Client(program, server).send(b"rubbish")
    server.wait_waiting()
    require_no_timer(
        server,
        "a datagram comes",
        "that is polling: recvfrom without a time limit waits for the next request",
    )
    require_no_descriptor_more(server, before)
    children = server.children()
    require(not children, "no child", f"{len(children)}", "waitpid() for each that has ended")
