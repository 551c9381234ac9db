"""Checks of dgtrunc: datagrams that are longer than the buffer."""

import socket
import struct

from harness import Failure, check, diagnosis, require
from harness.at_rest import require_no_descriptor_more, require_no_timer
from harness.kernel import netns
from harness.kernel.syscalls import MULTIPLEX, READ
from harness.peers import Datagrams

WHOLE = ("test_whole",)
CUT = (*WHOLE, "test_cut")
WAITS = "a program asleep, waiting for the next message"


# -- what the checks share --------------------------------------------------------


class Box:
    """A datagram socket that is made for the program, and who sends to it.

    Args:
        program: the program.
        path: where it is in the UNIX domain; by default it is a UDP socket.
    """

    def __init__(self, program, path: str | None = None):
        self.program = program
        self.stage = program.stage
        family = socket.AF_INET if path is None else socket.AF_UNIX
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.stage.closers.append(self.sock.close)
        self.target = path or (self.stage.address, self.stage.port())
        self.sock.bind(self.target)
        place = None if path else (self.stage.address, self.stage.port())
        self.peer = Datagrams(self.stage, place, family, "sender")
        self.process = None
        self.said = b""

    def start(self, size: int, **how):
        """Start the program with this socket as its descriptor 0; return its run."""
        kind = "UDP" if self.sock.family == socket.AF_INET else "UNIX domain"
        show = f"./dgtrunc {size}, descriptor 0 is a {kind} socket"
        self.size = size
        self.process = self.program.start(str(size), stdin=self.sock, show=show, **how)
        return self.process

    def send(self, data: bytes) -> None:
        """Send a message, and remember the line that is due for it."""
        self.peer.send(data, self.target)
        if data == b"quit":
            return
        got = min(len(data), self.size)
        self.said += b"GOT %d OF %d\n" % (got, len(data)) if data else b"EMPTY\n"

    def expect(self, why: str = "") -> None:
        """Require the lines for all that was sent, when the program sleeps again."""
        try:
            self.process.wait_asleep(READ, WAITS)
        except Failure as failure:
            self.look(why, soft=True)
            failure.why = numbers(self.said, self.process.stdout) or failure.why or why
            raise
        self.look(why)

    def look(self, why: str = "", soft: bool = False) -> None:
        """Require what stands on stdout by now."""
        got = self.process.stdout
        self.stage.tape.add("look", "at stdout", diagnosis.show(got, 200))
        if got != self.said and not soft:
            known = self.stage.diagnose(()) or numbers(self.said, got)
            diagnosis.fail_bytes(self.said, got, "on stdout", why, known or why)

    def quits(self, why: str = "") -> None:
        """Send quit, and require the end of the program, with all its lines."""
        self.send(b"quit")
        try:
            self.process.expect_exit(0)
        except Failure as failure:
            ends = "the message quit is the end: these four bytes, and no NUL comes after them, so "
            ends += "compare the message's real length, and as many bytes by memcmp"
            failure.why = failure.why or why or ends
            raise
        self.look(why or "the message quit prints nothing")


def numbers(due: bytes, got: bytes) -> str:
    """Tell what is wrong with the first line that is not right, where that is known."""
    right, said = due.splitlines(), got.splitlines()
    pairs = [(one, other) for one, other in zip(right, said, strict=False) if one != other]
    if not pairs and len(said) > len(right) and set(said[len(right) :]) <= {b"EMPTY"}:
        return (
            "EMPTY is printed where nothing has come: recv has returned -1, or it was not recv "
            "that returned 0; look at what it returns, and at errno"
        )
    if not pairs and right and set(said[len(right) :]) == {right[-1]}:
        return "the same message is printed again: MSG_PEEK leaves it in the queue"
    words = [line.split() for line in (pairs[0] if pairs else ())]
    if not words or any(len(line) != 4 for line in words):
        return ""
    (_got, fits, _of, real), (_got, n, _of, m) = words
    if (n, m) == (real, fits) and fits != real:
        return "the two numbers have changed places: what is in the buffer comes first"
    cut = [line for line in right if len(line.split()) == 4 and line.split()[1] != line.split()[3]]
    knows = bool(set(cut) & set(said))
    if (n, m) == (fits, fits) and not knows:
        return (
            "the second number is the length that the message had: with MSG_TRUNC in its flags, "
            "recv returns that, and without it what is in the buffer"
        )
    if m == real:
        return (
            "the first number is how many bytes are in the buffer: the smaller of the message's "
            "real length and SIZE"
        )
    return ""


def message(program, size: int) -> bytes:
    """Return a made-up message of so many bytes."""
    letters = "".join(program.stage.random.sample("abcdefghijklmnopqrstuvwxyz", 26)).encode()
    return (letters * (size // 26 + 1))[:size]


# -- contract ---------------------------------------------------------------------


@check(
    points=2,
    kind="contract",
    hints=(
        "Descriptor 0 may be a socket that somebody else has made: receive from it.",
        "recv(2) on STDIN_FILENO; each call gets one message.",
        "In dgtrunc.c: receive(), and in main() how many bytes are good.",
    ),
)
def test_whole(program):
    """prints GOT n OF n for each message that fits, at once"""
    box = Box(program)
    box.start(100)
    why = "a line for each message, with its length, flushed as soon as it has come"
    for size in (11, 1, 99, 100):
        box.send(message(program, size))
        box.expect(why)
    box.quits()


@check(
    points=2,
    kind="contract",
    after=WHOLE,
    hints=(
        "recv puts what fits into the buffer, and the rest of the message is gone.",
        "The flag MSG_TRUNC makes recv(2) return the real length, even if it is more than fits.",
        "In dgtrunc.c: receive(), the flags of recv; main(), the smaller of two numbers.",
    ),
)
def test_cut(program):
    """prints how much was cut off a message that is too long"""
    box = Box(program)
    # Messages lie in the queue already when the program starts.
    box.size = 64
    for size in (200, 65, 64, 1400, 63, 65507):
        box.send(message(program, size))
    box.start(64)
    why = (
        "n is what fits into the buffer, and m the length that the message had; what was cut off "
        "is gone, and the next call gets the next message"
    )
    box.expect(why)
    box.quits(why)


@check(
    points=1,
    kind="contract",
    after=WHOLE,
    hints=(
        "A message may have no byte, and many more may follow it.",
        "recv(2) returns 0 for an empty datagram; there is no end of file.",
        "In dgtrunc.c: what is done when recv returns 0.",
    ),
)
def test_empty(program):
    """prints EMPTY for a message without a byte, and goes on"""
    box = Box(program)
    box.start(20)
    why = "recv returned 0: that is an empty message and no end of file, so the next one follows"
    for size in (0, 5, 0, 0, 7):
        box.send(message(program, size))
        box.expect(why)
    box.quits(why)


@check(
    points=2,
    kind="contract",
    after=CUT,
    hints=(
        "The buffer may hold less than the message, and more than it from an earlier one.",
        "memcmp(3) of four bytes, if the real length is four; strcmp(3) would read on.",
        "In dgtrunc.c: main(), what it compares with quit.",
    ),
)
def test_quit(program):
    """ends at the message quit, and at nothing that only looks like it"""
    box = Box(program)
    box.start(4)
    why = "the message quit has these four bytes and no more, however much fits into the buffer"
    for data in (b"quitter", b"qui", b"quit\n", b"q", b"quit\0", b"QUIT", b"quiz"):
        box.send(data)
        box.expect(why)
    rest = b"not for dgtrunc"
    box.process.freeze()
    box.send(b"quit")
    box.peer.send(rest, box.target)
    box.process.thaw()
    box.process.expect_exit(0)
    box.look("the message quit prints nothing")
    netns.flush_loopback()
    box.sock.setblocking(False)
    try:
        got = diagnosis.show(box.sock.recv(100))
    except BlockingIOError:
        got = "nothing"
    program.stage.tape.add("look", "at the queue of descriptor 0", got)
    require(
        got == diagnosis.show(rest),
        "the message after quit still in the queue",
        got,
        "what comes after quit belongs to whoever reads from the socket next",
    )


@check(
    points=2,
    kind="contract",
    after=CUT,
    hints=(
        "A datagram socket of the UNIX domain is received from in the same way.",
        "recv(2) with MSG_TRUNC works there too; messages may be longer than 65507 bytes.",
        "In dgtrunc.c: receive(), whatever in it holds for UDP only.",
    ),
)
def test_unix(program):
    """works with a UNIX socket as well, and with messages longer than UDP's"""
    box = Box(program, program.stage.path("box"))
    box.start(65536)
    for size in (12, 0, 65536, 65537, 100_000):
        box.send(message(program, size))
        box.expect("in the UNIX domain a message may have more than 65507 bytes")
    box.quits()


@check(
    points=1,
    kind="contract",
    after=WHOLE,
    hints=(
        "If descriptor 0 is no socket, recv says so.",
        "recv(2) fails with ENOTSOCK; read(2) would not.",
        "In dgtrunc.c: receive(), which call it makes, and what it does when that returns -1.",
    ),
)
def test_no_socket(program):
    """says so if descriptor 0 is no socket, and ends with status 1"""
    process = program.start("10", show="./dgtrunc 10 </dev/null")
    why = "a failure that is not one of the past ends the program, with errno's words"
    try:
        process.expect_exit(1)
    except Failure as failure:
        if process.stdout:
            failure.why = (
                "read takes any descriptor, and returns 0 at the end of a file; recv says by "
                "ENOTSOCK that this is no socket"
            )
        failure.why = failure.why or why
        raise
    process.expect_stderr(b"dgtrunc: recv: Socket operation on non-socket\n")
    process.expect_stdout(b"")


# -- robust -----------------------------------------------------------------------


@check(
    points=1,
    kind="robust",
    after=WHOLE,
    hints=(
        "A connected socket may tell of a datagram that was sent long before this program.",
        "recv(2) fails with ECONNREFUSED, once; then it receives again.",
        "In dgtrunc.c: receive(), which errors are failures.",
    ),
)
def test_old_error(program):
    """goes on after an error that tells of an earlier datagram"""
    box = Box(program)
    closed = box.peer.sock.getsockname()
    box.peer.sock.close()
    box.sock.connect(closed)
    box.sock.send(b"is anybody there?")
    netns.flush_loopback()
    program.stage.tape.add("send", f"from the socket to {closed[1]}, where nobody listens")
    box.start(16)
    why = (
        "ECONNREFUSED tells that an earlier datagram has not arrived: the socket is as good as "
        "before"
    )
    box.expect(why)
    box.peer = Datagrams(program.stage, closed, name="sender")
    box.send(message(program, 12))
    box.expect(why)
    lines = box.process.stderr.count(b"\n")
    require(lines < 2, "at most one line on stderr", f"{lines} lines", why)
    box.quits(why)


@check(
    points=1,
    kind="robust",
    after=WHOLE,
    hints=(
        "O_NONBLOCK belongs to what is open, not to who opened it: it comes with the descriptor.",
        "recv(2) fails with EAGAIN then; poll(2) waits until there is something.",
        "In dgtrunc.c: receive(), what it does after EAGAIN.",
    ),
)
def test_nonblocking(program):
    """waits, asleep, even if the socket is non-blocking"""
    box = Box(program)
    box.sock.setblocking(False)
    program.stage.tape.add("set", "O_NONBLOCK on the socket")
    process = box.start(32)
    why = "the socket is non-blocking: after EAGAIN wait in poll, and neither end nor try at once"
    for size in (10, 30, 0):
        box.expect(why)
        require_no_timer(process, "a message comes", why)
        box.send(message(program, size))
    box.expect(why)
    box.quits(why)


@check(
    points=1,
    kind="robust",
    after=WHOLE,
    needs="notify",
    hints=(
        "A socket with a time limit is interrupted by Ctrl-Z and fg, without any handler.",
        "recv(2) fails with EINTR, see signal(7), and poll(2) may do so, too; call it again.",
        "In dgtrunc.c: receive(), what it does after EINTR, from whichever call.",
    ),
)
def test_interrupted(program):
    """waits on when its wait is interrupted, as by Ctrl-Z and fg if there is a time limit"""
    box = Box(program)
    # An hour: a limit that is there, and that nobody waits for.
    limit = struct.pack("=qq", 3600, 0)
    box.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    program.stage.tape.add("set", "SO_RCVTIMEO of an hour on the socket")
    process = box.start(32)
    why = "the call was interrupted (EINTR), or its time is over: that is no failure, call it again"
    for size in (10, 30):
        box.expect(why)
        process.freeze()
        process.thaw()
        box.expect(why)
        box.send(message(program, size))
    box.expect(why)
    box.quits(why)
    for blocking in (True, False):
        box = Box(program)
        box.sock.setblocking(blocking)
        if not blocking:
            program.stage.tape.add("set", "O_NONBLOCK on the socket")
        waits = READ | MULTIPLEX
        process = box.start(32, watch=waits)
        done = process.breakpoints.interrupt_each(waits, lambda held: held.may_sleep_on({0}))
        program.stage.tape.add("disturb", "the next call that waits fails", "EINTR")
        try:
            box.expect(why)
        except Failure:
            if done or blocking:
                raise
            program.stage.tape.add("leave", "the non-blocking socket", "test_nonblocking is of it")
            return
        box.send(message(program, 20))
        box.expect(why)
        box.quits(why)


# -- clean ------------------------------------------------------------------------


@check(
    points=1,
    kind="clean",
    after=CUT,
    needs="leaks",
    hints=(
        "One buffer is enough for all messages, and it is given back at the end.",
        "free(3) before the program ends; close(2) whatever was opened on the way.",
        "In dgtrunc.c: receive() and main(), whatever they take for each message.",
    ),
)
def test_nothing_left(program):
    """leaks no memory, and has no more open after twenty messages than before"""
    box = Box(program)
    process = program.start("50", stdin=box.sock, leaks=True, show="./dgtrunc 50, a UDP socket")
    box.process, box.size = process, 50
    box.send(message(program, 10))
    box.expect()
    before = set(process.descriptors())
    for size in range(40, 60):
        box.send(message(program, size))
    box.expect()
    require_no_descriptor_more(process, before)
    box.quits()
