"""Checks of dgconn: a datagram socket that has a peer."""

import contextlib
import ctypes
import os
import select
import socket
import struct

from harness import Failure, check, diagnosis, require
from harness.at_rest import require_no_timer
from harness.kernel import netns, proc
from harness.kernel.syscalls import MULTIPLEX, READ
from harness.made_up import distinct
from harness.peers import Datagrams
from harness.program import NO_ADDRESS

LARGEST = 65507
SEND = frozenset({"sendto", "sendmsg", "sendmmsg", "write", "writev"})
TALKS = ("test_talks",)
NAMES = (*TALKS, "test_connected")
NOT_SAID = "getpeername fails with ENOTCONN then, and that is printed; it is no failure"


# -- what the checks share --------------------------------------------------------


class Server:
    """A server of ours, and the run of the program that talks to it."""

    def __init__(self, program):
        self.program = program
        self.target = (program.stage.address, program.stage.port())
        self.peer = Datagrams(program.stage, self.target, name="server")
        self.process = None
        self.client = None
        self.turned = None
        with contextlib.suppress(OSError):  # somebody else may have that port
            place = (self.target[0], diagnosis.swapped(self.target[1]))
            self.turned = Datagrams(program.stage, place, name="elsewhere")

    def start(self, *messages: bytes, options=(), **how):
        """Start the program with these messages; return its run."""
        args = [*options, self.target[0], str(self.target[1])]
        shown = [diagnosis.show(one) if one else '""' for one in messages]
        show = " ".join(["./dgconn", *args, *shown])
        texts = map(os.fsdecode, messages)
        self.process = self.program.start(*args, *texts, show=show, **how)
        return self.process

    def expect(self, data: bytes, why: str = "") -> None:
        """Require the next message of the program."""
        shown = diagnosis.show(data) if data else "an empty datagram"
        step = self.program.stage.tape.add("expect", f"server: {shown}")
        try:
            got, self.client = self.peer.receive()
        except Failure as failure:
            step.saw = "nothing"
            failure.expected = f"{shown} for the server"
            failure.why = failure.why or why or self._lost()
            raise
        step.saw = "yes" if got == data else diagnosis.show(got)
        if got != data:
            known = ""
            if got == data + b"\0":
                known = "a NUL byte was sent along: strlen(s) bytes are wanted, not strlen(s) + 1"
            elif len(got) == ctypes.sizeof(ctypes.c_void_p) and data and got.startswith(data[:8]):
                known = f"{len(got)} bytes is what sizeof says of a pointer: strlen says how many "
                known += "bytes a MSG has"
            diagnosis.fail_bytes(data, got, "for the server", why, known)

    def _lost(self) -> str:
        """Explain why nothing came, where it went to the port with its bytes swapped."""
        port = self.target[1]
        swapped = diagnosis.swapped(port)
        if self.turned is not None and select.select([self.turned.sock], [], [], 0)[0]:
            return f"it went to port {swapped}: {port} with its bytes swapped; htons() is missing"
        if self.process.end_status is None:
            return "a MSG is due as soon as the one before it has its reply: wait for nothing else"
        return self.process.why_it_ended() or complaint(self.process)

    def reply(self, data: bytes, sender: Datagrams | None = None) -> None:
        """Send a reply, from a port of somebody else's if there is a ``sender``."""
        (sender or self.peer).send(data, self.client)

    def stranger(self, name: str = "stranger") -> Datagrams:
        """Return somebody else, at the same address."""
        place = (self.program.stage.address, self.program.stage.port())
        return Datagrams(self.program.stage, place, name=name)

    def ends(self, status: int | None = None, why: str = "") -> None:
        """Require how the program ends: with a status, or without a crash."""
        try:
            if status is not None:
                self.process.expect_exit(status)
                return
            end = self.process.wait_end()
        except Failure as failure:
            failure.why = failure.why or why
            raise
        said = self.process.how_it_ended()
        self.program.stage.tape.add("wait", "for the end of dgconn", said)
        good = end.kind == "exit" and end.number in (0, 1)
        require(good, "a program that ends by itself", said, self.process.why_it_ended())

    def expect_nothing(self, why: str) -> None:
        """Require that the program has sent no more."""
        try:
            self.peer.expect_nothing()
        except Failure as failure:
            failure.why = why
            raise


def complaint(process) -> str:
    """Return what the program itself says about its end, and what that means."""
    said = process.stderr.decode("utf-8", "replace").strip()
    if not said or len(said) > 200:
        return ""
    more = ""
    if "bind: Invalid argument" in said:
        more = ": a socket that is connected has a name already; bind it before connect"
    return f'the program says "{said}"{more}'


def names(local, peer) -> bytes:
    """Return two names as the program prints them; None is no peer."""
    said = f"{peer[0]} {peer[1]}" if peer else "ENOTCONN"
    return f"local {local[0]} {local[1]} peer {said}\n".encode()


def expect_stdout(process, expected: bytes, why: str = "") -> None:
    """Require what stands on stdout by now."""
    got = process.stdout
    process.stage.tape.add("look", "at stdout", diagnosis.show(got, 200))
    if got != expected:
        diagnosis.fail_bytes(expected, got, "on stdout", why, process.stage.diagnose(()) or why)


def replies(process) -> bytes:
    """Return what is on stdout besides the socket's names."""
    lines = process.stdout.splitlines(keepends=True)
    return b"".join(one for one in lines if not one.startswith((b"connected:", b"dissolved:")))


def expect_replies(process, expected: bytes, why: str = "") -> None:
    """Require the replies on stdout."""
    got = replies(process)
    process.stage.tape.add("look", "at stdout", diagnosis.show(process.stdout, 300))
    if got != expected:
        words_ = diagnosis.difference(expected, got) if not why else ""
        if got.startswith(expected[:-1] + b"\0"):
            words_ = "a reply has as many bytes as recv has returned, and not as the buffer has"
        diagnosis.fail_bytes(expected, got, "on stdout as the replies", why, words_ or why)


def dissolved(own: tuple[str, int] | None, target) -> tuple[str, int]:
    """Return what this kernel calls a socket whose association is dissolved."""
    if own:
        return own
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(target)
        libc_connect(sock.fileno(), struct.pack("=H14x", socket.AF_UNSPEC))
        return sock.getsockname()


def libc_connect(fd: int, address: bytes) -> None:
    """Call connect(2) with the bytes of an address, which Python can't make."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.connect(fd, address, len(address)) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


# -- contract ---------------------------------------------------------------------


@check(
    points=2,
    kind="contract",
    hints=(
        "A datagram socket that is connected knows its peer, so messages need no address.",
        "socket(2), connect(2), then send(2) and recv(2) for each message, one after the other.",
        "In dgconn.c: connect_to() and ask().",
    ),
)
def test_talks(program):
    """sends each MSG, and prints its reply before it sends the next"""
    server = Server(program)
    texts = [distinct(program.stage, size) for size in (5, 9, 3)]
    answers = [distinct(program.stage, size) for size in (4, 11, 6)]
    process = server.start(*texts)
    printed = b""
    why = "one MSG, one reply, and its line on stdout, flushed, before the next MSG is sent"
    for text, answer in zip(texts, answers, strict=True):
        server.expect(text)
        expect_replies(process, printed, why)
        server.expect_nothing(why)
        server.reply(answer)
        printed += answer + b"\n"
    server.ends()
    expect_replies(process, printed)


@check(
    points=2,
    kind="contract",
    after=TALKS,
    hints=(
        "A socket that is connected has a name of its own, which the kernel has chosen.",
        "getsockname(2) and getpeername(2), after connect(2) and before anything is sent.",
        "In dgconn.c: show_names().",
    ),
)
def test_connected(program):
    """prints its own name and its peer's when it is connected, before it sends"""
    for own in (None, program.stage.port()):
        server = Server(program)
        text = distinct(program.stage)
        options = () if own is None else ("-p", str(own))
        process = server.start(text, options=options)
        server.expect(text)
        why = "the names are those of the connected socket: first its own, then its peer's"
        if own is not None:
            came = f"port {server.client[1]}"
            bound = "with -p the socket is bound to that port before it is connected"
            require(server.client[1] == own, f"a datagram from port {own}", came, bound)
        if any(one in process.stdout for one in (b" 254.254.254.254 ", b" 0.0.0.0 0\n")):
            why = "nothing has been stored: getsockname and getpeername store as much as the "
            why += "length says, which is set to the size of the address before each call"
        said = b"connected: " + names(server.client, server.target)
        expect_stdout(process, said, why)
    program.refuse_address(NO_ADDRESS, str(program.stage.port()), "x")


@check(
    points=2,
    kind="contract",
    after=NAMES,
    hints=(
        "An association is dissolved by connecting the same socket to nobody.",
        "connect(2) with an address whose family is AF_UNSPEC; then getpeername(2) fails.",
        "In dgconn.c: dissolve(), and in show_names() what follows when getpeername returns -1.",
    ),
)
def test_dissolved(program):
    """dissolves the association by AF_UNSPEC, and prints what is left of the names"""
    for own in (None, program.stage.port()):
        server = Server(program)
        text, answer = distinct(program.stage), distinct(program.stage)
        options = () if own is None else ("-p", str(own))
        process = server.start(text, options=options)
        server.expect(text)
        said = b"connected: " + names(server.client, server.target) + answer + b"\n"
        server.reply(answer)
        server.ends()
        left = dissolved(("0.0.0.0", own) if own else None, server.target)
        got = process.stdout
        why = NOT_SAID
        if b"dissolved:" in got and b"ENOTCONN" not in got.split(b"dissolved:")[1]:
            why = (
                "the socket has its peer still: connect to an address whose family is AF_UNSPEC, "
                "and ask the same socket again"
            )
        elif b"dissolved:" in got:
            why = (
                "an association that is dissolved leaves the address that was bound, and no other: "
                "connect the same socket to an address whose family is AF_UNSPEC"
            )
        elif process.stderr and b"getpeername" not in process.stderr:
            why = f"{complaint(process)}: to dissolve the association, connect is handed an "
            why += "address whose family is AF_UNSPEC, and succeeds"
        said += b"dissolved: " + names(left, None)
        program.stage.tape.add("look", "at stdout", diagnosis.show(got, 300))
        if got != said:
            diagnosis.fail_bytes(said, got, "on stdout", why, why)
        server.ends(0)


@check(
    points=2,
    kind="contract",
    after=TALKS,
    hints=(
        "A connected socket is told when nobody listens at the port of its peer.",
        "recv(2) fails with ECONNREFUSED, once; an unconnected socket would wait for ever.",
        "In dgconn.c: connect_to(), whether it connects; ask(), what follows when recv returns -1.",
    ),
)
def test_refused(program):
    """says at once that nobody listens there, also after some replies"""
    why = (
        "nobody listens there: only a socket that is connected hears of that, by ECONNREFUSED "
        "from its next call"
    )
    for talks in (0, 1):
        server = Server(program)
        first, second = distinct(program.stage), distinct(program.stage)
        if not talks:
            server.peer.sock.close()
            program.stage.tape.add("close", "server")
        process = server.start(first, second)
        said = b""
        if talks:
            server.expect(first)
            server.peer.sock.connect(server.client)
            server.process.freeze()
            server.peer.sock.send(b"yes")
            server.peer.sock.close()
            program.stage.tape.add("send", 'server: "yes", and close')
            server.process.thaw()
            said = b"yes\n"
        server.ends(None, why)
        expect_replies(process, said, "the refusal is no reply: recv returned -1")
        server.ends(1, why)
        got = process.stderr
        program.stage.tape.add("look", "at stderr", diagnosis.show(got, 200))
        good = got.startswith(b"dgconn: ") and got.endswith(b": Connection refused\n")
        require(
            good and got.count(b"\n") == 1,
            '"dgconn: recv: Connection refused\\n" on stderr',
            diagnosis.show(got, 200),
            "the reason is what errno says",
        )
        require(
            b"dissolved:" not in process.stdout,
            "no line dissolved: after a failure",
            diagnosis.show(process.stdout, 200),
            "a failure ends the program at once",
        )


@check(
    points=1,
    kind="contract",
    after=TALKS,
    hints=(
        "A message may be empty, and so may its reply.",
        "send(2) with a length of 0 sends a datagram; recv(2) that returns 0 has received one.",
        "In dgconn.c: ask(), whether it looks at a length, and what it does when that is 0.",
    ),
)
def test_empty(program):
    """sends an empty MSG too, and takes an empty reply for a reply"""
    server = Server(program)
    last = distinct(program.stage)
    process = server.start(b"", last)
    server.expect(b"", "an empty MSG is an empty datagram: it is sent like any other")
    server.reply(b"")
    why = "recv returned 0: that is an empty reply, a line with nothing in it, and no end of file"
    server.expect(last, why)
    server.reply(b"end")
    server.ends()
    expect_replies(process, b"\nend\n", why)


@check(
    points=1,
    kind="contract",
    after=TALKS,
    hints=(
        "A reply is bytes: it may have a NUL in it, and 65507 of them.",
        "recv(2) into a buffer with room for the largest; its result is the length.",
        "In dgconn.c: ask(), the size of the buffer and the length that say_reply() gets.",
    ),
)
def test_all_bytes(program):
    """prints every byte of a reply, whatever it is, up to 65507 of them"""
    server = Server(program)
    long = program.stage.random.randbytes(LARGEST)
    answers = [b"a\0b\nc\xff", b"\0", long, b"no"]
    process = server.start(*[b"%d" % number for number in range(len(answers))])
    for number, answer in enumerate(answers):
        server.expect(b"%d" % number)
        server.reply(answer)
    server.ends()
    why = "a reply is as long as recv says: neither a NUL nor anything else ends it"
    expect_replies(process, b"".join(answer + b"\n" for answer in answers), why)


@check(
    points=1,
    kind="contract",
    after=TALKS,
    hints=(
        "What is too long for a datagram is not sent at all, and send says so.",
        "send(2) fails with EMSGSIZE for more than 65507 bytes.",
        "In dgconn.c: ask(), what it does when send returns -1.",
    ),
)
def test_too_long(program):
    """sends a MSG of 65507 bytes, and says that a longer one is too long"""
    server = Server(program)
    process = server.start(b"m" * LARGEST)
    server.expect(b"m" * LARGEST, "a MSG is one datagram, whatever its length")
    server.reply(b"long")
    server.ends()
    process = server.start(b"m" * (LARGEST + 1))
    why = "send failed with EMSGSIZE: nothing was sent, and nobody looked at what it returned"
    server.ends(1, why)
    try:
        process.expect_stderr(b"dgconn: send: Message too long\n")
    except Failure as failure:
        failure.why = failure.why or why
        raise
    server.peer.expect_nothing()


# -- robust -----------------------------------------------------------------------


@check(
    points=2,
    kind="robust",
    after=TALKS,
    hints=(
        "Anybody who knows the port can send something; the peer is who was asked.",
        "connect(2) makes the kernel drop what others send; recvfrom(2) only tells who it was.",
        "In dgconn.c: connect_to().",
    ),
)
def test_filter(program):
    """does not take a reply from anybody but its peer"""
    server = Server(program)
    stranger = server.stranger()
    texts = [distinct(program.stage), distinct(program.stage)]
    process = server.start(*texts)
    why = "that came from another port than HOST PORT: a connected socket does not take it"
    for text in texts:
        server.expect(text, why)
        for forged in (b"forged", b""):
            # a socket that is connected to somebody else refuses it: ICMP says so
            server.reply(forged, stranger)
        server.reply(b"right")
    server.ends()
    expect_replies(process, b"right\nright\n", why)


@check(
    points=2,
    kind="robust",
    after=NAMES,
    needs="notify",
    hints=(
        "What came before connect is in the queue still: connect keeps out only what comes later.",
        "recv(2) with MSG_DONTWAIT until it fails with EAGAIN; an empty datagram is not the end.",
        "In dgconn.c: connect_to(), after connect.",
    ),
)
def test_strays(program):
    """throws away what came before it was connected, empty datagrams too"""
    server = Server(program)
    stranger = server.stranger()
    own = program.stage.port()
    text = distinct(program.stage)
    for strays in ((), (b"stray",), (b"", b"one", b"", b"two", b"x" * 60000)):
        process = server.start(text, options=("-p", str(own)), watch=("connect",))
        held = process.breakpoints.hold({"connect"}, "a socket that is about to be connected")
        program.stage.tape.add("hold", "dgconn, which is bound and about to call connect")
        for stray in strays:
            stranger.send(stray, (program.stage.address, own))
        netns.flush_loopback()
        held.let_go()
        why = "whatever is in the queue is thrown away, but nobody waits for more: MSG_DONTWAIT"
        server.expect(text, why)
        server.reply(b"right")
        server.ends()
        why = (
            "that was in the queue before the socket was connected, and connect has left it "
            "there: receive, without waiting, until there is nothing; 0 bytes are something"
        )
        expect_replies(process, b"right\n", why)


@check(
    points=1,
    kind="robust",
    after=TALKS,
    hints=(
        "An output may fail like any other, and the program says so.",
        "say_names() and say_reply() look at what printf and fflush return, and end the program.",
        "In dgconn.c: ask() and show_names(), whether they print by themselves.",
    ),
)
def test_output_fails(program):
    """says that its output can't be written, and ends with status 1"""
    server = Server(program)
    text = distinct(program.stage)
    process = server.start(text, stdout="/dev/full")
    why = "nobody looks at whether stdout could be written, or only after the whole talk"
    server.ends(1, why)
    process.expect_stderr(b"dgconn: write: No space left on device\n")


# -- clean ------------------------------------------------------------------------


@check(
    points=1,
    kind="clean",
    after=TALKS,
    needs="notify",
    hints=(
        "A reply may take its time, and Ctrl-Z and fg, or any other signal, may come in between.",
        "recv(2) waits as long as it takes; after EINTR call it again.",
        "In dgconn.c: ask(), how it waits, and what it does when recv returns -1.",
    ),
)
def test_late_reply(program):
    """waits for a late reply, asleep and without a timer, also when it is interrupted"""
    server = Server(program)
    text = distinct(program.stage)
    process = server.start(text)
    server.expect(text)
    require_no_timer(
        process,
        "the reply comes",
        "a server may take as long as it likes: recv without a time limit waits for it",
    )
    process.freeze()
    process.thaw()
    why = "the call was interrupted (EINTR): that is no failure, call it again"
    try:
        process.wait_reading()
    except Failure as failure:
        failure.why = failure.why or why
        raise
    server.reply(b"late")
    server.ends(None, why)
    expect_replies(process, b"late\n", why)
    process = server.start(text, watch=SEND | READ | MULTIPLEX)

    def sends(held):
        return held.args[0] & 0xFFFFFFFF in proc.socket_inodes(process.pid)

    held = process.breakpoints.hold(SEND, "a MSG that is sent", sends)
    process.breakpoints.interrupt_each(
        READ | MULTIPLEX, lambda held: held.may_sleep_on(proc.socket_inodes(process.pid))
    )
    program.stage.tape.add("disturb", "the next call that waits fails", "EINTR")
    held.let_go()
    server.expect(text)
    try:
        process.wait_reading()
    except Failure as failure:
        failure.why = failure.why or why
        raise
    server.expect_nothing(f"{why}, and send nothing again")
    server.reply(b"late")
    server.ends(None, why)
    expect_replies(process, b"late\n", why)


@check(
    points=1,
    kind="clean",
    after=TALKS,
    needs="leaks",
    hints=(
        "What a program takes from malloc, it gives back; one buffer is enough for all replies.",
        "free(3), or an array; static for one that is large.",
        "In dgconn.c: ask(), where the reply is put.",
    ),
)
def test_no_leak(program):
    """leaks no memory"""
    server = Server(program)
    texts = [distinct(program.stage) for _ in range(3)]
    server.start(*texts, leaks=True)
    for text in texts:
        server.expect(text)
        server.reply(text[::-1])
    server.ends()
