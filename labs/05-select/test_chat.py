"""Checks of chat: many clients, each with a line begun and a queue, in one process."""

import contextlib
import re
import socket

from harness import Failure, begins, check, fail, peers, require
from harness.diagnosis import show
from harness.kernel.syscalls import ACCEPT, TIMER
from harness.made_up import letters
from harness.multiplex import end_of, require_alone, require_waits, why_busy, why_not_served

QUEUE = 1 << 20
LINE = 4096
# With these two the kernel keeps some 40 KB for a client who does not read.
NARROW = {"rcvbuf": 2048, "mss": 256}

UNREAD = (
    "send may take less than it was given, or nothing: what is left is kept, in a queue of this "
    "client's own, and sent when select calls its descriptor writable"
)

NEWCOMER = "a client reads nothing of its own arrival, nor of what was before"
JOINED = (
    "all who are there read of a newcomer, and a client reads nothing of its own arrival; what is "
    "queued for a client is sent when select calls its descriptor writable, so ask for that while "
    "there is something"
)
LEFT = (
    "at end of file, or when its connection breaks, a client has left: all others are told so, "
    "in a line of its own"
)
EARLY = (
    "the client was dropped too early: 1 MiB (1,048,576 bytes) is kept for it, besides what the "
    "kernel keeps; what it has taken is no longer in its queue, and does not count"
)
SLOW = (
    "who is dropped because its queue is full is announced as * N left (slow), in one line; what "
    "it has said of a line is forgotten, and * N left alone is for who has gone itself"
)
LATER = (
    "that a client has left is an event of its own, to be told when everybody has been told the "
    "line that was too much for it"
)


# -- what the checks share --------------------------------------------------------


class Room:
    """A chat server and those who are in it, by number; each has read all so far."""

    def __init__(self, program, count: int, **how):
        self.server = program.serve(**how)
        self.stage = program.stage
        self.here: dict[int, peers.Peer] = {}
        self.count = 0
        self.full: set[int] = set()  # who may be dropped, for its queue is full
        for _ in range(count):
            self.join()

    def connect(self, **how) -> int:
        """Let one more client connect; return its number."""
        number = self.count
        self.count += 1
        name = f"client {number}"
        self.here[number] = peers.connect(self.stage, self.server.target, name, **how)
        return number

    def join(self, **how) -> int:
        """Let one more client come, and all others read of it; return its number."""
        number = self.connect(**how)
        self.hear(b"* %d joined\n" % number, but=(number,), why=JOINED)
        return number

    def hear(self, expected: bytes, but=(), why: str = "") -> None:
        """Require that everybody here but some reads ``expected`` next."""
        for number in self.here:
            if number not in but:
                self.expect(number, expected, why)

    def expect(self, number: int, expected: bytes, why: str = "") -> None:
        """Require that a client reads ``expected`` next."""
        try:
            with self.explained(why):
                self.here[number].expect(expected)
        except Failure as failure:
            failure.why = self._why_other(number, expected, failure.got) or failure.why
            raise

    def _why_other(self, reader: int, expected: bytes, got: str) -> str:
        """Explain a number that is another's, or the leave of one who has not left."""
        left = re.search(r"\* (\d+) left", got)
        still = left and int(left[1]) in self.here.keys() - self.full
        if still and b" left" not in expected:
            name = f"client {left[1]} has not left"
            if f"{left[0]} (slow)" in got:
                return f"{name}, it only reads late: {EARLY}"
            return f"{name}: a send that fails with EAGAIN, or takes a part, is not its end"
        due = re.fullmatch(r"\* (\d+) joined\n", expected.decode("latin-1"))
        came = re.search(r"\* (\d+) joined", got)
        if not due or not came or int(came[1]) in (int(due[1]), reader):
            return ""
        if int(came[1]) > int(due[1]):
            return (
                f"clients are numbered from 0, one by one as they come, so this is {due[1]}; a "
                "descriptor is another number"
            )
        return (
            f"{came[1]} was the number of another client, and is never used again, also when that "
            "one has left: count all who have ever come"
        )

    def say(self, number: int, text: bytes, but=(), why: str = "") -> None:
        """Let a client say a line, and all others but some read it."""
        self.here[number].send(text + b"\n")
        self.hear(b"%d: %s\n" % (number, text), but=(number, *but), why=why)

    def leave(self, number: int) -> None:
        """Let a client leave, and all others read of it."""
        self.here.pop(number).close()
        self.hear(b"* %d left\n" % number, why=LEFT)

    def nothing(self, why: str, *numbers: int) -> None:
        """Require that nothing has come for some clients when all is quiet."""
        with self.explained():
            self.server.wait_quiet()
        for number in numbers:
            self.here[number].expect_nothing(why)

    def word(self) -> bytes:
        """Return a made-up word."""
        return letters(self.stage)

    @contextlib.contextmanager
    def explained(self, why: str = "", sure: bool = False):
        """Give a failure in the block the diagnosis that fits this server.

        Args:
            why: the diagnosis where nothing that is known of the server fits.
            sure: whether it fits better than anything else.
        """
        try:
            yield
        except Failure as failure:
            found = why_busy(failure)
            if not found:
                with contextlib.suppress(Failure):
                    self.server.wait_quiet()
                found = self.stage.diagnose(())
            end = self.server.how_it_ended()
            found = found or (end and f"the server {end}: nothing that a client does ends it")
            found = found or why_not_served(self.server, *self.here.values())
            failure.why = (sure and why) or found or why or failure.why
            raise

    def expect_lines(self, number: int, lines, due: str, why: str = "") -> list[bytes]:
        """Require that a client reads ``lines`` next, in whatever order; return them."""
        client = self.here[number]
        step = self.stage.tape.add("expect", f"{client.name}: {due}")
        with self.explained(why):
            got = client.read(sum(map(len, lines)))
            step.saw = "yes"
            if sorted(got.splitlines(keepends=True)) != sorted(lines):
                step.saw = show(got, 200)
                wanted = show(b"".join(sorted(lines)), 200)
                fail(f"{wanted}, in some order", show(got, 200))
        return got.splitlines(keepends=True)

    def read_until(self, number: int, last: bytes) -> bytes:
        """Return all that a client reads, up to and with the line ``last``."""
        client = self.here[number]
        step = self.stage.tape.add("expect", f"{client.name}: all up to {show(last)}")
        got = b""
        with self.explained():
            while not got.endswith(last):
                one = client.read(1)
                got += one
                if not one:
                    fail(f"{show(last)} for {client.name}", show(got, 200) + ", then the end")
        step.saw = show(got, 200)
        return got

    def unread(self, number: int, told: int) -> tuple[int, int]:
        """Return how much of ``told`` bytes, not taken yet, the server keeps for a client.

        The kernel says how much it has: what the server has written and the
        client's side has not acknowledged, and what waits there to be read;
        a little may be counted twice, hence the least and the most.
        """
        self.server.wait_quiet()
        told -= len(self.here[number].received)
        address, port = self.here[number].sock.getsockname()
        ours = theirs = 0
        for _ in range(2):  # what moves meanwhile is seen at one end or at the other
            ends = self.stage.connections()
            one = sum(s.rqueue for s in ends if (s.address, s.port) == (address, port))
            other = sum(s.wqueue for s in ends if (s.peer, s.peer_port) == (address, port))
            ours, theirs = max(ours, one), max(theirs, other)
        return max(0, told - theirs - ours), told - theirs

    def require_kept(self, number: int, queued: int) -> None:
        """Require that a client who reads late has not been dropped.

        Args:
            number: the client.
            queued: how many bytes at most were queued for it.
        """
        require(
            end_of(self.server, self.here[number]) != -1,
            f"client {number} still connected, it only reads late",
            f"its connection is closed, and no more than {queued} bytes were queued",
            EARLY,
        )


# -- contract ---------------------------------------------------------------------


@check(
    points=1,
    kind="contract",
    hints=(
        "The listening socket is one more descriptor that select waits for.",
        "select(2) with the listening socket in the set for reading: FD_ZERO, FD_SET.",
        "In chat.c: wait_for_work().",
    ),
)
def test_listens(program):
    """listens on ADDR PORT, says so, and sleeps; port 0 too"""
    for port in (None, 0):
        begins.serve(program, port)


@check(
    points=2,
    kind="contract",
    after="test_listens",
    hints=(
        "A client that has come is announced to all who are there, not to itself.",
        "FD_ISSET of the listening socket, then accept(2); send(2) when a descriptor is writable.",
        "In chat.c: work(), arrive(), enqueue() and flush_queue().",
    ),
)
def test_joined(program):
    """gives its clients numbers from 0, and tells those who are there: * N joined"""
    room = Room(program, 4)
    room.nothing(NEWCOMER, *room.here)


@check(
    points=3,
    kind="contract",
    after="test_joined",
    hints=(
        "What one client says goes into the queue of every other.",
        "recv(2) from a descriptor that FD_ISSET calls readable, and say() at each newline.",
        "In chat.c: take(), which gets the bytes, and work(), which calls it.",
    ),
)
def test_lines(program):
    """sends a line of client N to all others as N: LINE, and not back to N"""
    room = Room(program, 3)
    for number in (0, 2, 1, 1, 0):
        room.say(number, room.word())
        room.nothing("its own line came back: tell all but the sender", number)
    for _ in range(2):
        room.join()
    for number in room.here:
        room.say(number, room.word())


@check(
    points=3,
    kind="contract",
    after="test_lines",
    hints=(
        "A stream has no messages: one recv may return half a line, or three.",
        "Keep what has come of a line with its client, and look at every byte for a newline.",
        "In chat.c: take(), the loop over what recv has returned.",
    ),
)
def test_fragments(program):
    """puts lines together that come in pieces, and takes apart what comes in one"""
    room = Room(program, 3)
    one, two = room.word(), room.word()
    whole = (
        "half a line is kept with its client until the newline comes: each client needs a buffer "
        "of its own, for others speak meanwhile"
    )
    room.here[1].send(one[:4])
    room.here[2].send(two[:6])
    room.nothing("a line is passed on when it is complete, not before", 0, 1, 2)
    room.say(0, room.word(), why=whole)
    room.here[1].send(one[4:] + b"\n")
    room.hear(b"1: %s\n" % one, but=(1,), why=whole)
    room.here[2].send(two[6:] + b"\n")
    room.hear(b"2: %s\n" % two, but=(2,), why=whole)
    one = room.word()
    room.stage.tape.add("send", f"client 1: {show(one)} and a newline, byte by byte")
    for byte in one + b"\n":
        room.server.wait_quiet()
        room.here[1].send(bytes([byte]), quiet=True)
    room.hear(b"1: %s\n" % one, but=(1,), why=whole)
    words = [room.word() for _ in range(4)]
    every = (
        "several lines came in one piece, and those after the first were not passed on: look at "
        "all that recv has returned"
    )
    room.here[0].send(b"\n".join(words))
    for one in words[:3]:
        room.hear(b"0: %s\n" % one, but=(0,), why=every)
    room.nothing("a line is passed on when it is complete, not before", 1, 2)
    room.here[0].send(b"\n")
    room.hear(b"0: %s\n" % words[3], but=(0,), why=whole)


@check(
    points=2,
    kind="contract",
    after="test_lines",
    hints=(
        "A client that has closed is readable for ever: recv returns 0.",
        "recv(2) returns 0 at end of file; end(), and the number is never given again.",
        "In chat.c: take(), what follows recv.",
    ),
)
def test_left(program):
    """tells the others * N left when a client leaves, and never uses a number again"""
    room = Room(program, 4)
    room.leave(2)
    room.join()
    room.say(3, room.word())
    room.leave(0)
    room.leave(4)
    room.join()
    for number in room.here:
        room.say(number, room.word())


@check(
    points=1,
    kind="contract",
    after=("test_fragments", "test_left"),
    hints=(
        "At end of file there may be something left of a line.",
        "When recv(2) returns 0, end() says what has come before it lets the client go.",
        "In chat.c: take(), and which bytes it has put into the line.",
    ),
)
def test_unfinished(program):
    """delivers an unfinished last line as if it were complete, then * N left"""
    room = Room(program, 3)
    word = room.word()
    for number, text in ((1, room.word() + b"\n" + word), (2, word)):
        client = room.here.pop(number)
        client.send(text)
        client.close()
        for line in text.split(b"\n"):
            why = "what has come of a line at end of file is a line, too"
            room.hear(b"%d: %s\n" % (number, line), why=why)
        room.hear(b"* %d left\n" % number)


@check(
    points=2,
    kind="contract",
    after="test_fragments",
    hints=(
        "A line is not shorter than a buffer because one would like it to be.",
        "When 4096 bytes of a line have come, and the next is no newline, they are a line.",
        "In chat.c: take(), the condition for say().",
    ),
)
def test_long_lines(program):
    """cuts a line into pieces of 4096 bytes, and one of just 4096 is not cut"""
    room = Room(program, 2)
    whole = "and no empty one after it: the newline after a full piece ends just that piece"
    for size in (LINE - 1, LINE, LINE + 1, 2 * LINE, 3 * LINE + 5):
        text = letters(room.stage, size)
        room.stage.tape.add("say", f"client 0: a line of {size} bytes")
        room.here[0].send(text + b"\n", quiet=True)
        for at in range(0, size, LINE):
            why = f"a line of {size} bytes goes out in pieces of {LINE}, the last one shorter"
            room.expect(1, b"0: %s\n" % text[at : at + LINE], why)
        room.say(0, room.word(), why=f"a line of {size} bytes, {whole}")


@check(
    points=1,
    kind="contract",
    after="test_fragments",
    hints=(
        "A line is a number of bytes, and any byte but a newline may be one of them.",
        "memcpy(3) and a length; no strlen(3), no %s, and never a format that a client has sent.",
        "In chat.c: take(), and how enqueue() copies.",
    ),
)
def test_any_byte(program):
    """passes on every byte as it is: empty lines, NUL, %s, carriage returns"""
    room = Room(program, 2)
    every = bytes(byte for byte in range(256) if byte != 10)
    for text in (b"", b"\0", b"a\0b", b"%s%d%n", b"ends in\r", b"\xff\xfe", every, b""):
        room.say(0, text)


@check(
    points=2,
    kind="contract",
    after="test_fragments",
    hints=(
        "Who says nothing, or only half a line, must not be waited for.",
        "Only select(2) waits; each recv(2) is for a descriptor that it has called ready.",
        "In chat.c: take(): one recv, and no loop until the line is complete.",
    ),
)
def test_in_any_order(program):
    """serves the last who came first, while one is silent and one is in the middle of a line"""
    room = Room(program, 6)
    half, rest = room.word(), room.word()
    room.here[1].send(half)
    room.server.wait_quiet()
    with room.explained():
        fds = {end_of(room.server, client) for client in room.here.values()}
        require_waits(room.server, fds | {room.server.listener_fd})
    for number in (5, 4, 3, 2, 5):
        room.say(number, room.word())
        with room.explained():
            require_waits(room.server, fds | {room.server.listener_fd})
    room.here[1].send(rest + b"\n")
    room.hear(b"1: %s\n" % (half + rest), but=(1,))
    room.say(0, room.word())


@check(
    points=1,
    kind="contract",
    after="test_fragments",
    hints=(
        "One return of select may speak of many descriptors, the listening socket among them.",
        "FD_ISSET(3) for every descriptor, after each select(2); not else, not break, no count.",
        "In chat.c: work(), the loop and what stands beside it.",
    ),
)
def test_one_wakeup(program):
    """serves newcomers and all who have spoken, when they are ready together"""
    room = Room(program, 5)
    words = {number: room.word() for number in (4, 1, 3, 2)}
    server = room.server
    room.here[2].send(words[2][:3])
    server.wait_quiet()
    server.freeze()
    new = [room.connect(), room.connect()]
    room.here[2].send(words[2][3:] + b"\n")
    for number in (4, 1, 3):
        room.here[number].send(words[number] + b"\n")
    server.thaw()
    lines = {number: b"%d: %s\n" % (number, word) for number, word in words.items()}
    joined = [b"* %d joined\n" % number for number in new]
    why = (
        "select has called several descriptors ready at once, and not all were served: ask "
        "FD_ISSET of each, the listening socket too, whatever was found ready before"
    )
    order = None
    for number in range(5):
        due = [*joined, *(line for other, line in lines.items() if other != number)]
        got = room.expect_lines(number, due, "the newcomers, and what the others have said", why)
        if order is None:
            order = got
        require(
            [line for line in order if line in due] == got,
            f"{show(b''.join(line for line in order if line in due), 200)} for client {number}",
            show(b"".join(got), 200),
            "all clients read the same events in the same order: tell everybody of one before the "
            "next",
        )
    last = room.word()
    room.here[0].send(last + b"\n")
    room.hear(b"0: %s\n" % last, but=(0, *new))
    for number in new:
        room.read_until(number, b"0: %s\n" % last)
    for number in (new[1], 3, new[0]):
        room.say(number, room.word())


# -- robust -----------------------------------------------------------------------


def speech(room: Room, size: int) -> list[bytes]:
    """Return lines that differ, of ``size`` bytes each as client 0 says them."""
    text = room.word() * (size // 9 + 1)
    count = iter(range(1 << 30))
    while True:
        yield b"0: " + (b"%06d " % next(count) + text)[: size - 4] + b"\n"


def read_all(room: Room, number: int, due: bytes, what: str) -> None:
    """Require that a client reads what was queued for it, byte for byte."""
    client = room.here[number]
    why = (
        "a part of what was queued got lost, or came twice: send may take less than it was given; "
        "just what it has taken leaves the queue"
    )
    step = room.stage.tape.add("read", f"{client.name}: {what}, {len(due)} bytes")
    with room.explained(why):
        got = client.read(len(due))
    if got != due:
        at = next((i for i, (a, b) in enumerate(zip(due, got, strict=False)) if a != b), len(got))
        fail(
            f"{show(due[at : at + 24])} at byte {at} for {client.name}",
            show(got[at : at + 24]) + (", then the end" if client.ended else ""),
            room.stage.diagnose(()) or why,
        )
    step.saw = "yes"


@check(
    points=2,
    kind="robust",
    after="test_lines",
    hints=(
        "A blocking send waits for the slowest reader, and everybody waits with it.",
        "O_NONBLOCK or MSG_DONTWAIT; keep what send(2) has not taken; FD_SET in the set for "
        "writing only while there is something to send.",
        "In chat.c: flush_queue(), and wait_for_work().",
    ),
)
def test_late_reader(program):
    """keeps what a client does not read yet, serves the others, and loses nothing of it"""
    room = Room(program, 2)
    late = room.join(**NARROW)
    server, lines = room.server, speech(room, 1000)
    told = bytearray()

    def fill():
        """Let client 0 speak until much of it is queued, beyond what the kernel takes."""
        text = f"client 0: lines, which client 1 reads and client {late} not"
        with room.stage.tape.one_step("say", text):
            while (queued := room.unread(late, len(told)))[0] < 150_000:
                room.require_kept(late, queued[1])
                some = [next(lines) for _ in range(50)]
                told.extend(b"".join(some))
                room.here[0].send(b"".join(line[3:] for line in some), quiet=True)
                room.expect(1, b"".join(some), UNREAD)

    def look():
        """Require that the server waits for room for the late one."""
        while True:
            fill()
            try:
                require_waits(server, {server.listener_fd, *fds.values()}, {fds[late]}, UNREAD)
                return
            except Failure:
                if room.unread(late, len(told))[0]:
                    raise
                # the kernel has found room for all of it, after a while

    def serve_others():
        with room.explained(UNREAD):
            look()
            text = room.word()
            told.extend(b"1: %s\n" % text)
            room.say(1, text, but=(late,))
            look()

    fill()
    with room.explained():
        fds = {number: end_of(server, client) for number, client in room.here.items()}
    serve_others()
    begun = 50_000
    read_all(room, late, bytes(told[:begun]), "the beginning of what the others have said")
    del told[:begun]
    serve_others()
    room.here[late].sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, QUEUE)  # faster
    read_all(room, late, bytes(told), "the rest")
    with room.explained():
        require_waits(server, {server.listener_fd, *fds.values()})


@check(
    points=2,
    kind="robust",
    after="test_lines",
    hints=(
        "Memory is not endless: a queue has a limit, and who exceeds it is dropped.",
        "Before a message is queued, compare its length with the room that is left of 1 MiB.",
        "In chat.c: enqueue().",
    ),
)
def test_slow(program):
    """keeps 1 MiB for a client who does not read, then drops it: * N left (slow)"""
    room = Room(program, 1)
    server = room.server
    slow = room.join(**NARROW)
    witness = room.join()
    lines = speech(room, LINE + 4)
    told = len(b"* 2 joined\n")
    gone = b"* %d left (slow)\n" % slow
    tape = room.stage.tape
    room.here[slow].send(room.word())
    with room.stage.tape.one_step("say", f"client 0: lines of {LINE} bytes, until 1 MiB is queued"):
        most = 0
        while most < QUEUE - 2 * LINE:
            size = min(16, max(1, (QUEUE - 2 * LINE - most) // (LINE + 4)))
            some = b"".join(next(lines) for _ in range(size))
            room.here[0].send(b"".join(line[3:] for line in some.splitlines(True)), quiet=True)
            client = room.here[witness]
            with room.explained(UNREAD):
                got = client.read(len(some))
            if got != some or client.received:
                at = got.find(b"* ")
                seen = got[at : at + 40] if got != some else bytes(client.received[:40])
                fail(
                    f"what client 0 says for {client.name}, and nothing else",
                    f"{show(seen) if seen else client.ended} when no more than "
                    f"{most + len(some)} bytes were queued for anybody",
                    EARLY,
                )
            told += len(some)
            _least, most = room.unread(slow, told)
            room.require_kept(slow, most)
    tape.add("look", "at the connections", f"{most} bytes at most are queued in the server")
    room.full.add(slow)
    least = 0
    while not room.here[witness].received and not room.here[witness]._pull():
        require(
            end_of(server, room.here[slow]) != -1,
            f"{show(gone)} for client {witness}",
            f"nothing, and the connection of client {slow} is closed",
            f"client {slow} was dropped, and nobody was told: {SLOW}",
        )
        require(
            least <= QUEUE + 2 * LINE,
            f"{show(gone)} for client {witness}",
            f"nothing, and {least} bytes are queued for client {slow}",
            "a client who does not read makes the server grow for ever: at 1 MiB it is dropped",
        )
        line = next(lines)
        room.here[0].send(line[3:], quiet=True)
        room.expect(witness, line, LATER)
        told += len(line)
        least, _most = room.unread(slow, told)
    dropped = room.here.pop(slow)
    room.hear(gone, why=SLOW)
    server.wait_quiet()
    fd = end_of(server, dropped)
    require(
        fd == -1,
        f"the connection of client {slow} closed",
        f"it is still open, as descriptor {fd}",
        "who is dropped is sent away: close(2) its connection, whatever was queued for it",
    )
    room.say(witness, room.word())
    room.join()


@check(
    points=1,
    kind="robust",
    after="test_lines",
    needs="notify",
    hints=(
        "What select has called ready may be ready no longer.",
        "fcntl(2) with O_NONBLOCK on the listening socket; accept(2) then fails with EAGAIN.",
        "In chat.c: arrive(), and what main() does to the listening socket.",
    ),
)
def test_stolen(program):
    """serves the others when a newcomer has gone between select and accept"""
    room = Room(program, 2, watch=ACCEPT | {"socket"})
    server = room.server
    server.freeze()
    peers.connect(room.stage, server.target, "a newcomer")
    server.thaw()
    held = server.breakpoints.hold(ACCEPT, "a server that calls accept for the newcomer")
    room.stage.tape.add("hold", f"{server.name} before {held.call}")
    with server.borrow(server.listener_fd) as listener:
        stolen = peers.steal(listener)
    room.stage.tape.add("steal", "the newcomer's connection, as another process could")
    held.let_go()
    room.say(0, room.word())
    stolen.close()
    room.join()


@check(
    points=1,
    kind="robust",
    after="test_unfinished",
    hints=(
        "A descriptor that is closed is the next one to be given out.",
        "What select has said of a number, and what was kept for it, holds for its old owner only.",
        "In chat.c: the order of take(), sweep() and arrive(), and what is left in a new client.",
    ),
)
def test_number_again(program):
    """is not confused when two leave and two come, who get their descriptors, at once"""
    room = Room(program, 4)
    halves = {1: room.word(), 3: room.word()}
    room.server.freeze()
    for number, half in halves.items():
        room.here[number].send(half)
        room.here.pop(number).close()
    new = [room.connect(), room.connect()]
    room.server.thaw()
    due = [b"%d: %s\n" % one for one in halves.items()] + [b"* 1 left\n", b"* 3 left\n"]
    due += [b"* %d joined\n" % number for number in new]
    why = (
        "descriptors that have become free were given to newcomers in the same pass: what select "
        "said of the number before is no longer true"
    )
    for number in (0, 2):
        got = room.expect_lines(number, due, "who has left, and who has come", why)
        require(
            got.index(due[0]) < got.index(due[2]) and got.index(due[1]) < got.index(due[3]),
            "the last line of a client before it has left",
            show(b"".join(got), 200),
        )
    last = room.word()
    room.here[0].send(last + b"\n")
    room.expect(2, b"0: %s\n" % last)
    for number in new:
        room.read_until(number, b"0: %s\n" % last)
    new.append(room.join())
    why = "what was kept of the line of a client who has left must not become another's"
    for number in (*new, 2):
        room.say(number, room.word(), why=why)


@check(
    points=1,
    kind="robust",
    after="test_left",
    hints=(
        "A client may go in any way at any moment; the others must not notice more than * N left.",
        "send(2) with MSG_NOSIGNAL, or SIGPIPE ignored; ECONNRESET and EPIPE concern one client.",
        "In chat.c: flush_queue(), what it does when send fails, and take(), when recv does.",
    ),
)
def test_gone(program):
    """survives clients that reset or have gone, and delivers what they said before"""
    room = Room(program, 5)
    server = room.server
    room.here.pop(2).reset()
    room.hear(b"* 2 left\n")
    text = room.word() * 100
    said = {number: [b"%02d " % at + text for at in range(50)] for number in (0, 4)}
    lines = {number: [b"%d: %s\n" % (number, one) for one in said[number]] for number in said}
    server.freeze()
    for number, some in said.items():
        room.stage.tape.add("say", f"client {number}: 50 lines, {50 * (len(text) + 4)} bytes")
        room.here[number].send(b"".join(one + b"\n" for one in some), quiet=True)
    room.here.pop(4).close()
    room.here.pop(3).reset()
    server.thaw()
    gone = [b"* 4 left\n", b"* 3 left\n"]
    why = (
        "client 4 had said something before it left: that a send to it fails does not mean that "
        "nothing of it is to be read any more, so let recv find the end"
    )
    due = [*lines[0], *lines[4], *gone]
    got = room.expect_lines(1, due, "what clients 0 and 4 have said, and who has left", why)
    for number in said:
        right = [line for line in got if line in lines[number]] == lines[number]
        require(right, f"the lines of client {number} in their order", "another order")
    require(got.index(gone[0]) > got.index(lines[4][-1]), "* 4 left after its last line", "before")
    room.expect_lines(0, [*lines[4], *gone], "what client 4 has said, and who has left", why)
    room.server.freeze()
    peers.connect(room.stage, server.target, "a newcomer").reset()
    room.server.thaw()
    for number in (0, 1):
        room.say(number, room.word(), but=(0, 1))
    room.server.wait_accepting()


@check(
    points=1,
    kind="robust",
    after="test_left",
    hints=(
        "accept fails when descriptors have run out, the newcomer stays in the queue, and select "
        "calls the listening socket ready again, at once.",
        "EMFILE of accept(2): leave the listening socket out of the next select(2).",
        "In chat.c: wait_for_work(), where it looks at full.",
    ),
)
def test_no_descriptor(program):
    """serves those who are here, without spinning, when a newcomer gets no descriptor"""
    room = Room(program, 3)
    server = room.server
    taken = set(server.descriptors())
    limit = next(number for number in range(1 << 16) if number not in taken)
    server.limit_descriptors(limit)
    room.stage.tape.add("limit", f"{server.name} to {limit} descriptors, which it has already")
    number = room.connect()
    why = (
        "descriptors have run out, so the newcomer waits in the queue: without the listening "
        "socket until somebody leaves or a second is over, select can sleep"
    )
    for speaker in (0, 2):
        with room.explained(why, sure=True):
            server.wait_quiet()
        room.say(speaker, room.word(), but=(number,))
    room.here.pop(1).close()
    due = [b"* 1 left\n", b"* %d joined\n" % number]
    for old in (0, 2):
        room.expect_lines(old, due, "who has left, and who has come instead", why)
    last = room.word()
    room.here[0].send(last + b"\n")
    room.expect(2, b"0: %s\n" % last)
    room.read_until(number, b"0: %s\n" % last)
    room.say(number, room.word())


# -- clean ------------------------------------------------------------------------


@check(
    points=2,
    kind="clean",
    after="test_left",
    hints=(
        "A server with nothing to do sleeps in one call that waits for everybody.",
        "select(2) without a time limit; a descriptor in the set for writing only while something "
        "is to be sent: a socket is nearly always writable.",
        "In chat.c: wait_for_work().",
    ),
)
def test_sleeps(program):
    """is one process that sleeps in select, for every client, with no room asked for"""
    room = Room(program, 0, note=TIMER if program.stage.can("notify") else ())
    server = room.server
    for number in (0, 1, 2, 3):
        room.join()
        if number == 2:
            room.leave(1)
            room.say(0, room.word())
        with room.explained():
            require_alone(server)
            fds = {end_of(server, client) for client in room.here.values()}
            require_waits(server, {server.listener_fd, *fds})


@check(
    points=2,
    kind="clean",
    after="test_left",
    hints=(
        "What was opened for a client is closed when it leaves, in whatever way.",
        "close(2) for each accept(2), and free(3) for each malloc(3).",
        "In chat.c: every way out of take(), and whom sweep() finds.",
    ),
)
def test_nothing_left(program):
    """has as many descriptors as before when forty clients have come and gone"""
    room = Room(program, 1)
    server = room.server
    server.wait_accepting()
    before = set(server.descriptors())
    for round_ in range(4):
        with room.stage.tape.one_step(
            "clients", "ten come, and leave by a close, a reset, or end of file alone"
        ):
            new = [room.join() for _ in range(10 if round_ < 3 else 9)]
            if round_ == 3:
                new.append(room.join(**NARROW))
            for number in new:
                client = room.here.pop(number)
                (client.half_close, client.close, client.reset)[number % 3]()
                room.hear(b"* %d left\n" % number)
    with room.explained():
        server.wait_accepting()
        require_alone(server)
    after = server.descriptors()
    room.stage.tape.add("look", f"at what {server.name} has open", f"{len(after)} descriptors")
    new = [f"{fd} ({after[fd]})" for fd in sorted(set(after) - before)][:3]
    require(
        len(after) == len(before),
        f"{len(before)} open descriptors, as before",
        f"{len(after)}; new: {', '.join(new)}",
        "the server does not close the connection of a client that has left",
    )
