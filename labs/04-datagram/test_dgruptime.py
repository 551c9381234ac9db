"""Checks of dgruptime: a question by datagram, asked until it is answered."""

import contextlib
import errno
import os
import select

from harness import Failure, check, diagnosis, fail, pacing, require
from harness.kernel.syscalls import READ
from harness.made_up import letters
from harness.pacing import SLACK
from harness.peers import Datagrams
from harness.program import NO_ADDRESS
from harness.relay import Relay

HEAD = 8
TEXT = 1400
# So that the first wait outlasts every check that does not cut it.
LONG = "60000"
HELD = {"needs": "notify", "build": "shim"}
INTERRUPTED = (
    "EINTR is neither an answer, nor the end of the time, nor a failure: a call was interrupted, "
    "so wait for what is left of the time, and send nothing"
)


# -- what the checks share --------------------------------------------------------


def reply_to(request: bytes, text: bytes) -> bytes:
    """Return the right answer to a request."""
    return b"RUP!" + request[4:] + text


def other_id(request: bytes) -> bytes:
    """Return an id that differs from a request's in its last byte only."""
    return request[4:7] + bytes([request[7] ^ 1])


class Asked:
    """A run of the program, and the server of ours that it asks.

    Args:
        program: the program.
        options: its options.
        server: whether somebody has the port that is asked.
        led: whether to lead it from wait to wait; see ``harness.pacing``.
        how: passed on to ``Program.start``.
    """

    def __init__(self, program, *options, server: bool = True, led: bool = False, **how):
        self.program = program
        self.stage = program.stage
        self.target = (program.stage.address, program.stage.port())
        self.server: Datagrams | None = None
        self.decoy: Datagrams | None = None
        if server:
            self.open()
        args = (*options, self.target[0], str(self.target[1]))
        self.pace = pacing.start(program, *args, **how) if led else None
        self.process = self.pace.process if led else program.start(*args, **how)
        self.client = None
        self.request = b""
        self.sent = 0

    def open(self) -> None:
        """Open our server, and one at the port whose bytes are swapped."""
        self.server = Datagrams(self.stage, self.target, name="server")
        with contextlib.suppress(OSError):
            port = diagnosis.swapped(self.target[1])
            self.decoy = Datagrams(self.stage, (self.target[0], port), name="decoy")

    def receive(self, due: str = "", why: str = "") -> bytes:
        """Return the next request, whoever sends it."""
        nth = "the first" if not self.sent else f"request {self.sent + 1}, after a silent wait"
        due = due or f"{nth} for the server"
        found = []

        def take():
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                found.append(self.server.sock.recvfrom(1 << 16))
            return found

        try:
            self.process.until(take, due, [self.server.sock.fileno()])
        except Failure as failure:
            gave_up = complaint(self.process) if self.process.end_status else ""
            failure.why = self._elsewhere() or failure.why or gave_up or why or self._waits_on()
            raise
        data, self.client = found[0]
        self.sent += 1
        self.stage.tape.add("receive", f"request {self.sent}", diagnosis.show(data))
        if self.sent == 1:
            self.request = data
        return data

    def _elsewhere(self) -> str:
        if self.decoy and select.select([self.decoy.sock], [], [], 0)[0]:
            return (
                f"the request went to port {diagnosis.swapped(self.target[1])}: that is "
                f"{self.target[1]} "
                "with its bytes swapped; htons() is missing"
            )
        return ""

    def _waits_on(self) -> str:
        if self.process.end_status is not None:
            return complaint(self.process)
        wait = self.pace.waits if self.pace else None
        if wait is None or wait.seconds is not None:
            return ""
        return (
            "the time of the wait is over, and the program waits on, now for ever: where an alarm "
            "is to end the call, its handler must be set without SA_RESTART, which signal() sets"
        )

    def receive_right(self) -> bytes:
        """Return the first request, and require that it is one."""
        data = self.receive()
        right = len(data) == HEAD and data[:4] == b"RUP?"
        why = diagnosis.difference(b"RUP?" + data[4:8], data)
        if len(data) == 4:
            why = 'after "RUP?" the id is missing'
        require(right, '"RUP?" and an id of four bytes', diagnosis.show(data), why)
        return data

    def same(self, data: bytes) -> None:
        """Require that a request is the first one, sent again."""
        if data == self.request:
            return
        new_id = data[:4] == self.request[:4] and len(data) == HEAD
        why = (
            "each try has an id of its own, so an answer to an earlier one, which was only slow, "
            "is taken for a stranger's: the same request is sent again, id and all"
            if new_id
            else diagnosis.difference(self.request, data)
        )
        fail(f"{diagnosis.show(self.request)} again", diagnosis.show(data), why)

    def answer(self, data: bytes, what: str = "", peer: Datagrams | None = None) -> None:
        """Send a datagram to the program, from our server or from elsewhere."""
        peer = peer or self.server
        step = self.stage.tape.add("send", f"{what or 'the answer'}: {diagnosis.show(data)}")
        try:
            peer.sock.sendto(data, self.client)
        except OSError as error:
            step.saw = error.strerror

    def prints(
        self,
        text: bytes,
        why: str = "",
        untaken: str = "the right answer has come, and is not taken",
    ) -> None:
        """Require that the program ends well, with exactly this on stdout.

        Args:
            text: what it shall print.
            why: the diagnosis of anything else there.
            untaken: the diagnosis of a program that waits on.
        """
        try:
            self.process.expect_exit(0)
        except Failure as failure:
            if self.process.end_status is None:
                failure.why = failure.why or untaken
            failure.why = failure.why or complaint(self.process) or why
            raise
        got = self.process.stdout
        self.stage.tape.add("look", "at stdout", diagnosis.show(got))
        if got != text:
            known = self.stage.diagnose(())
            if got.startswith(b"RUP!"):
                known = "the head is printed, too: the text is what comes after its 8 bytes"
            diagnosis.fail_bytes(text, got, "on stdout", known=known or why)
        err = self.process.stderr
        require(not err, "nothing on stderr", diagnosis.show(err))

    def silent_so_far(self, after: str, why: str) -> None:
        """Require that the program has printed nothing, and sent nothing more."""
        if self.process.end_status is not None:
            said = self.process.stdout or self.process.stderr
            got = f"{self.process.how_it_ended()}, {diagnosis.show(said)}"
            fail(f"a program that goes on waiting after {after}", got, why)
        more = select.select([self.server.sock], [], [], 0)[0]
        require(
            not more,
            f"a program that goes on waiting after {after}",
            "another request",
            f"{why}; a request is sent again when its time is over, and not before",
        )

    def settle(self, after: str, why: str) -> None:
        """Wait until the program waits again, and require that nothing changed."""
        try:
            self.process.wait_asleep(READ, "a program that waits for the answer")
        except Failure as failure:
            if self.process.end_status is None:
                failure.why = failure.why or why
                raise
            known = self.stage.diagnose(())
            if known and diagnosis.sanitizer(self.process.stderr):
                failure.why = known
                raise
        self.silent_so_far(after, why)

    # -- for a run that is led from wait to wait; see harness.pacing --

    def wait(self, why: str = ""):
        """Wait until the program waits, and require that it does not wait for ever."""
        due = "a program that waits for the answer"
        unlimited = why or (
            "nothing limits this wait: a request or its answer may be lost, and nobody tells; "
            "then the program waits for ever"
        )
        try:
            wait = self.pace.limited(due, unlimited)
        except Failure as failure:
            said = complaint(self.process) if self.process.how_it_ended() else unlimited
            failure.why = failure.why or why or said
            raise
        return wait

    def silence(self, lost: bool = False) -> float:
        """Let one wait pass in silence; return how long it was."""
        lost = self.wait().kind == "signal" and lost
        seconds = self.pace.expire(lost)
        what = "a wait in silence, the alarm an instant before the call" if lost else ""
        self.stage.tape.add("cut", what or "a wait in silence", f"{seconds:.6g} s")
        return seconds

    def go(self, why: str = "") -> None:
        """Let the program go on until it waits again, or ends."""
        self.wait(why)
        self.pace.go()

    def gives_up(self, tries: int) -> None:
        """Require that the program says that nobody answers, and ends."""
        try:
            did = self.pace.next(self.server)
        except Failure as failure:
            failure.why = failure.why or "after the last wait nothing is left to wait for"
            raise
        if did == "sent":
            fail(
                f"{tries} requests in all",
                f"request {tries + 1}",
                "N counts the requests, the first too: one less is sent again",
            )
        if did == "waits":
            why = "there is one wait for each request; after the last of them comes the end"
            fail("the end, for the last wait is over", "a further wait", why)
        self.process.expect_exit(1)
        line = b"dgruptime: timeout after %d tries\n" % tries
        got = self.process.stderr
        self.stage.tape.add("look", "at stderr", diagnosis.show(got))
        why = complaint(self.process) if b"timeout" not in got else diagnosis.difference(line, got)
        require(
            got == line,
            f"{diagnosis.show(line)} on stderr",
            diagnosis.show(got),
            why,
        )
        self.process.expect_stdout(b"")


def complaint(process) -> str:
    """Return what the program itself says about its end."""
    said = process.stderr.decode("utf-8", "replace").strip()
    if os.strerror(errno.EAGAIN) in said:
        return (
            "EAGAIN is how SO_RCVTIMEO says that the time is over: that is no error to be told, "
            "but a wait in which nothing came"
        )
    if "timeout after" in said:
        return (
            f'the program says "{said[:100]}", and that is too early: N requests are sent, the '
            "first one too, and a wait follows each of them, the last one too"
        )
    if os.strerror(errno.EINTR) in said:
        return INTERRUPTED
    return f'the program says "{said[:100]}"' if said and len(said) < 200 else ""


def led(program, *options: str, **how) -> Asked:
    """Start a run that is led from wait to wait."""
    return Asked(program, *options, led=True, **how)


# -- the question and its answer --------------------------------------------------


@check(
    points=3,
    kind="contract",
    hints=(
        "A datagram needs no connection: it is sent to an address, and so is its answer.",
        "socket(2) with SOCK_DGRAM, sendto(2), recvfrom(2); the port by htons(3).",
        "In dgruptime.c: ask(), and what wait_for() compares and returns.",
    ),
)
def test_asks(program):
    """sends one request, and prints the text of the answer"""
    text = letters(program.stage) + b"\n"
    run = Asked(program, "-t", LONG)
    request = run.receive_right()
    run.settle("its first request", "it has not waited for the answer")
    run.answer(reply_to(request, text))
    run.prints(text)
    program.refuse_address(NO_ADDRESS, str(run.target[1]))


@check(
    points=2,
    kind="contract",
    after="test_asks",
    hints=(
        "What comes by the network is bytes, and their number is what recvfrom returned.",
        "recvfrom(2) puts no NUL at the end, and a NUL in the middle is a byte like any other: "
        "fwrite(3), not printf(3) or strlen(3).",
        "In dgruptime.c: the size of the buffer in wait_for(), and how the length gets to show().",
    ),
)
def test_any_text(program):
    """prints any text as it is: without a newline, with NUL bytes, empty, 1400 bytes long"""
    source = program.stage.random
    texts = (
        (letters(program.stage), "no newline stands at the end, and no NUL"),
        (b"a\0" + letters(program.stage) + b"\0\n", "a NUL is a byte of the text like any other"),
        (b"", "an answer may have no text at all: its 8 bytes are enough"),
        (bytes(source.choices(range(1, 256), k=TEXT)), "a text may have 1400 bytes"),
    )
    for text, why in texts:
        run = Asked(program, "-t", LONG)
        run.answer(reply_to(run.receive_right(), text))
        run.prints(text, why, untaken=why)


@check(
    points=1,
    kind="contract",
    after="test_asks",
    hints=(
        "An id that the next run has too tells nobody which run an answer belongs to.",
        "getrandom(2) or /dev/urandom; the time in seconds is the same for runs that begin "
        "together.",
        "In dgruptime.c: where the id is made; the skeleton's make_id() does it.",
    ),
)
def test_random_id(program):
    """takes another id in each run, also within one second"""
    runs = [Asked(program, "-t", LONG) for _ in range(4)]
    ids = []
    for run in runs:
        ids.append(run.receive_right()[4:])
        run.answer(reply_to(run.request, b""))
        run.prints(b"")
    require(
        len(set(ids)) == len(ids),
        f"{len(ids)} different ids in {len(ids)} runs",
        ", ".join(map(diagnosis.show, ids)),
        "runs have the same id: a late answer to one of them passes for an answer to the next",
    )


# -- tries and waits --------------------------------------------------------------


@check(
    points=3,
    kind="contract",
    after="test_asks",
    **HELD,
    hints=(
        "A request or an answer may be lost. Nobody tells: only the time that passes does.",
        "A wait with a limit: poll(2), or SO_RCVTIMEO as in socket(7); then sendto(2) again.",
        "In dgruptime.c: wait_for() returns 0 when the time is over, and ask() sends again.",
    ),
)
def test_retransmits(program):
    """sends the very same request again when no answer has come"""
    text = letters(program.stage) + b"\n"
    run = led(program, "-t", LONG)
    lossy = Relay("drop 1,2")
    run.receive_right()
    while not lossy.carry(run.request):
        run.stage.tape.add("lose", f"request {run.sent}")
        run.silence()
        run.same(run.receive())
    run.wait()
    run.answer(reply_to(run.request, text))
    run.go()
    run.prints(text)


@check(
    points=2,
    kind="contract",
    after="test_retransmits",
    **HELD,
    hints=(
        "Somewhere there must be an end: a server that is not there never answers.",
        "Count the sends, the first one too; after the last one, wait once more.",
        "In dgruptime.c: the loop in ask(), and give_up() after it.",
    ),
)
def test_gives_up(program):
    """gives up after N requests, 4 by default, and says so"""
    for tries, options in ((1, ("-r", "1")), (4, ()), (6, ("-r", "6"))):
        run = led(program, *options)
        run.receive_right()
        for count in range(1, tries + 1):
            run.silence()
            if count < tries:
                run.same(run.receive(why=f"{tries} requests are due before it gives up"))
        run.gives_up(tries)


@check(
    points=2,
    kind="contract",
    after="test_retransmits",
    **HELD,
    hints=(
        "If the network is overloaded, who sends more makes it worse: wait longer each time.",
        "poll(2) takes milliseconds, SO_RCVTIMEO and setitimer(2) seconds and microseconds.",
        "In dgruptime.c: ms in ask(), and what wait_for() makes of it.",
    ),
)
def test_doubles(program):
    """waits MS milliseconds after the first request, and twice as long each further time"""
    milliseconds = 1000 * program.stage.random.randrange(2, 9) + 300
    for first, options in ((milliseconds / 1000, ("-t", str(milliseconds), "-r", "4")), (0.5, ())):
        run = led(program, *options)
        run.receive_right()
        before = 0.0
        for count in range(4):
            due = first * 2**count
            wait = run.wait()
            good = abs(wait.seconds - due) <= SLACK
            require(
                good,
                f"wait {count + 1} lasts {due:g} s",
                f"it lasts {wait.seconds:.6g} s",
                why_wait(wait.seconds, due, before),
            )
            before = wait.seconds
            run.silence()
            if count < 3:
                run.receive()
        run.gives_up(4)


def why_wait(got: float, due: float, before: float) -> str:
    """Name what is wrong with the length of a wait, where that is known.

    Args:
        got: its seconds.
        due: what they should be.
        before: the seconds of the wait before it, which were right; 0 for the first.
    """
    ratio = got / due
    if before and abs(got - before) <= SLACK:
        return "the wait does not grow: after each request, the last too, it is twice as long"
    if before and ratio > 0.002:
        return (
            f"the wait before it was {before:g} s, so this one is {got / before:.3g} times as "
            "long: each is twice as long as the one before, the last one too"
        )
    if abs(ratio - 2) < 0.1:
        return "the wait is doubled before the first one: MS milliseconds come first"
    if ratio > 500 or ratio < 0.002:
        return "MS are milliseconds: seconds, milliseconds and microseconds were mixed up"
    if got == int(got):
        return "the wait is cut to whole seconds: alarm() knows no parts of a second"
    if ratio < 0.5:
        return (
            "the wait is cut into pieces: one call that waits for the whole time is enough, and "
            "all else is polling"
        )
    return ""


# -- what is not the answer -------------------------------------------------------


@check(
    points=2,
    kind="contract",
    after="test_asks",
    hints=(
        "Anybody may send a datagram to a socket; who has sent it, recvfrom tells.",
        "recvfrom(2): compare address and port, and nothing else of the sockaddr; or connect(2) "
        "the socket, and the kernel does it.",
        "In dgruptime.c: the comparisons in wait_for().",
    ),
)
def test_wrong_sender(program):
    """ignores an answer from another port or another address"""
    text = letters(program.stage) + b"\n"
    address, _, last = program.stage.address.rpartition(".")
    neighbour = f"{address}.{int(last) % 250 + 2}"
    run = Asked(program, "-t", LONG)
    request = run.receive_right()
    forged = reply_to(request, b"forged\n")
    port = run.target[1]
    where = {
        "another port": (program.stage.address, program.stage.port()),
        "another address": (neighbour, port),
    }
    for what, place in where.items():
        peer = Datagrams(program.stage, place, name=what)
        run.answer(forged, f"from {what}", peer)
        run.settle(
            f"an answer from {what}",
            f"an answer is taken from {what}: only HOST and PORT are asked, and only they answer",
        )
    run.answer(reply_to(request, text))
    run.prints(text)


@check(
    points=2,
    kind="contract",
    after="test_asks",
    hints=(
        "An answer to an earlier run, or to nobody, is no answer to this request.",
        "memcmp(3), not strcmp(3), for all 4 bytes of the magic and all 4 of the id, after a look "
        "at the length.",
        "In dgruptime.c: the comparisons in wait_for().",
    ),
)
def test_wrong_content(program):
    """ignores a wrong magic, a wrong id, and what is too short for an answer"""
    text = letters(program.stage) + b"\n"
    run = Asked(program, "-t", LONG)
    request = run.receive_right()
    magic = "the first four bytes of an answer are RUP! and nothing else"
    other = "the id is not compared in full: an answer to another request is taken for this one's"
    short = "less than 8 bytes are no answer: look at the length before you look at the bytes"
    for what, data, why in (
        ("the request itself", request + b"echo\n", magic),
        ("another magic", b"RUP." + request[4:] + b"magic\n", magic),
        ("another id", b"RUP!" + other_id(request) + b"stale\n", other),
        (
            "an id with its first byte changed",
            b"RUP!" + bytes([request[4] ^ 1]) + request[5:],
            other,
        ),
        ("7 bytes", reply_to(request, b"")[:7], short),
        ("nothing", b"", "a datagram may be empty: that is no end of file, and no error"),
    ):
        run.answer(data, what)
        run.settle(what, why)
    run.answer(reply_to(request, text))
    run.prints(text)


# -- robust -----------------------------------------------------------------------


@check(
    points=3,
    kind="robust",
    after="test_retransmits",
    **HELD,
    hints=(
        "Who starts the whole wait again after each stray can be kept waiting for ever.",
        "Fix the end of the wait once, by clock_gettime(2), and wait each time for what is left "
        "of it; SO_RCVTIMEO of 0 means no limit at all.",
        "In dgruptime.c: the loop in wait_for(), what it passes as the time limit.",
    ),
)
def test_deadline(program):
    """strays do not make a wait longer"""
    run = led(program, "-t", "40000", "-r", "3")
    stray = letters(program.stage)
    run.receive_right()
    for count in range(3):
        total = run.wait().seconds  # whether it is what it should be, test_doubles tells
        end = run.pace.now() + total
        for part in (0.35, 0.35):
            run.stage.tape.add("advance", "the clock", f"by {part * total:g} s")
            run.answer(stray, "a stray")
            run.pace.elapse(part * total)
            run.go()
            wait = run.wait(
                "after a stray the wait has no limit any more: a limit of 0 in SO_RCVTIMEO, or "
                "below 0 in poll, means to wait for ever"
            )
            run.silent_so_far("a stray", "a stray ends no wait")
            require(
                run.pace.now() + wait.seconds <= end + SLACK,
                f"{end - run.pace.now():.4g} s left of {total:g} s",
                f"a wait for {wait.seconds:.4g} s",
                "each stray begins the whole wait again: whoever sends one now and then keeps the "
                "program waiting for ever; measure against a deadline",
            )
        # this one comes, and the time is over when the program sees it
        run.stage.tape.add("advance", "the clock", f"by {0.4 * total:g} s")
        run.answer(stray, "a stray")
        run.pace.elapse(0.4 * total)
        run.go()
        if count < 2:
            why = (
                "the time of the wait is over, and the program still waits: after a stray, look "
                "at the clock before you wait on (a time limit of 0 in SO_RCVTIMEO, or below 0 in "
                "poll, is no limit at all)"
            )
            run.same(run.receive(why=why))
    run.gives_up(3)


@check(
    points=1,
    kind="robust",
    after="test_asks",
    hints=(
        "A datagram longer than the buffer is cut, and the rest is gone.",
        "recvfrom(2) into a buffer of one byte more than is allowed, or with MSG_TRUNC.",
        "In dgruptime.c: the size of the buffer in wait_for(), and the comparison with it.",
    ),
)
def test_truncated(program):
    """ignores an answer with more than 1400 bytes of text instead of printing a part of it"""
    text = letters(program.stage) + b"\n"
    run = Asked(program, "-t", LONG)
    request = run.receive_right()
    for size in (TEXT + 1, 20000):
        run.answer(reply_to(request, b"x" * size), f"a text of {size} bytes")
        run.settle(
            f"a text of {size} bytes",
            "the answer was longer than its buffer, and what fitted in is taken for the whole: "
            "recvfrom cuts a datagram without an error",
        )
    run.answer(reply_to(request, text))
    run.prints(text)


@check(
    points=1,
    kind="robust",
    after="test_retransmits",
    **HELD,
    hints=(
        "An answer that was only slow is an answer: it is for the same question.",
        "The same socket for all tries: a new one has a new port, where no late answer arrives.",
        "In dgruptime.c: ask(), what is made once and what is done for each try.",
    ),
)
def test_late_answer(program):
    """takes an answer to the first request that comes after the second one"""
    text = letters(program.stage) + b"\n"
    run = led(program, "-t", LONG)
    slow = Relay("delay 1:1; drop 2")
    run.receive_right()
    first = run.client
    late = slow.carry(reply_to(run.request, text))
    run.silence()
    run.same(run.receive())
    run.wait()
    run.client = first
    for data in late + slow.carry(b""):
        run.answer(data, "the answer to request 1")
    run.go()
    run.prints(
        text,
        untaken="the late answer is right, and is not taken; it went to the port that the first "
        "request came from: use one socket for all tries",
    )


@check(
    points=1,
    kind="robust",
    after="test_retransmits",
    **HELD,
    hints=(
        "A connected socket is told when nobody had the port that a datagram was sent to.",
        "ECONNREFUSED from recv(2) or send(2) tells of an earlier datagram; go on.",
        "In dgruptime.c: what wait_for() and ask() do with an error.",
    ),
)
def test_refused(program):
    """asks on when nobody has the port yet, and is answered when somebody has"""
    text = letters(program.stage) + b"\n"
    run = led(program, "-t", LONG, server=False)
    why = (
        "ECONNREFUSED says that an earlier datagram found nobody, not that the next one will: "
        "the wait goes on, and the request is sent again"
    )
    run.wait(why)
    run.open()
    run.silence()
    try:
        run.receive("the second request", why)
    except Failure as failure:
        if run.process.end_status is not None:
            failure.why = why
        raise
    run.wait()
    run.answer(reply_to(run.request, text))
    run.go()
    run.prints(text)


@check(
    points=1,
    kind="robust",
    after="test_asks",
    **HELD,
    hints=(
        "Ctrl-Z and fg interrupt some calls: they return early, though nothing has come.",
        "EINTR, as signal(7) tells: recv(2) does so where SO_RCVTIMEO is set, and epoll_wait(2); "
        "and with a handler for any signal, poll(2) and select(2) do.",
        "In dgruptime.c: wait_for(), what it does with an error of the call that waits.",
    ),
)
def test_interrupted(program):
    """is interrupted while it waits, and waits for the rest of the time"""
    text = letters(program.stage) + b"\n"
    run = led(program, "-t", "40000", "-r", "2")
    request = run.receive_right()
    left = run.wait().seconds
    for _ in range(2):
        left -= run.pace.interrupt()
        run.stage.tape.add("disturb", "the wait is interrupted", f"{left:g} s are left")
        try:
            wait = run.wait()
        except Failure as failure:
            failure.why = failure.why or INTERRUPTED
            raise
        run.silent_so_far("its wait was interrupted", INTERRUPTED)
        require(
            abs(wait.seconds - left) <= SLACK,
            f"a wait for the {left:g} s that are left",
            f"one for {wait.seconds:g} s",
            f"{INTERRUPTED}; the end of a wait is fixed when its request is sent",
        )
    run.answer(reply_to(request, text))
    run.go()
    run.prints(text)
    run = Asked(program, "-t", LONG)
    request = run.receive_right()
    why = (
        "EINTR is neither an answer nor the end of the time: after Ctrl-Z and fg, wait for what "
        "is left of it"
    )
    for _ in range(2):
        run.settle("its request", why)
        run.process.freeze()
        run.process.thaw()
        run.settle("it was stopped and continued", why)
    run.answer(reply_to(request, text))
    run.prints(text)


@check(
    points=1,
    kind="robust",
    after="test_retransmits",
    **HELD,
    hints=(
        "Between the look at a flag and the call that waits, the alarm may come: then nobody "
        "wakes the sleeper.",
        "poll(2) with a time limit or SO_RCVTIMEO has no such gap; with SIGALRM, block it and let "
        "ppoll(2) open it.",
        "In dgruptime.c: wait_for(), what ends its wait.",
    ),
)
def test_alarm_race(program):
    """notices that the time is over just before it would wait"""
    run = led(program, "-t", LONG, "-r", "2")
    run.receive_right()
    why = (
        "the alarm came an instant before the call that waits, and was lost: nobody wakes the "
        "program now; let the call itself end by the time, or let ppoll unblock the signal"
    )
    wait = run.wait()
    kind = wait.kind
    run.silence(lost=True)
    try:
        did = run.pace.next(run.server)
    except Failure as failure:
        failure.why = failure.why or why
        raise
    if did == "waits" and kind == "signal":
        wait = run.pace.wait()
        require(wait.seconds is not None, "a second request", f"{wait}, for ever", why)
        run.silence()  # an alarm that repeats itself
    run.receive(why=why)
    run.silence()
    run.gives_up(2)


# -- clean ------------------------------------------------------------------------


@check(
    points=2,
    kind="clean",
    after="test_asks",
    hints=(
        "Who looks every now and then whether something has come is polling.",
        "One poll(2), or one recv(2) with SO_RCVTIMEO, for all of the time that is left.",
        "In dgruptime.c: wait_for(), the call that waits.",
    ),
)
def test_sleeps(program):
    """sleeps in one call while it waits, and does not look now and then"""
    run = Asked(program, "-t", LONG)
    request = run.receive_right()
    why = "that is polling: wait once, in a call that an answer or the end of the time ends"
    for what in ("its request", "a stray"):
        try:
            run.process.wait_asleep(READ, "a program asleep until an answer comes")
            tasks = run.process.wait_quiet("a program asleep until an answer comes")
        except Failure as failure:
            failure.why = why
            raise
        short = [t.blocked for t in tasks if t.blocked and (t.blocked.timeout or 60) < 5]
        got = ", ".join(f"{one} for {one.timeout:g} s" for one in short)
        program.stage.tape.add("look", "at dgruptime", "; ".join(map(str, tasks)))
        require(not short, f"one wait for 60 s after {what}", got, why)
        run.answer(b"RUP!", "a stray")
    run.answer(reply_to(request, b""))
    run.prints(b"")


@check(
    points=1,
    kind="clean",
    after="test_asks",
    needs="leaks",
    hints=(
        "What was allocated is freed, also for datagrams that were passed over.",
        "free(3), for each malloc(3).",
        "In dgruptime.c: what wait_for() allocates, on each way out.",
    ),
)
def test_no_leak(program):
    """has freed what it allocated, also for strays"""
    text = letters(program.stage) + b"\n"
    run = Asked(program, "-t", LONG, leaks=True)
    request = run.receive_right()
    for _ in range(3):
        run.answer(b"RUP!" + letters(program.stage), "a stray")
        run.settle("a stray", "a stray is no answer")
    run.answer(reply_to(request, text))
    run.prints(text)
