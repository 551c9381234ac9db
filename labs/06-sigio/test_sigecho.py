"""Checks of sigecho: no datagram without an answer, and no wait but for a signal."""

import contextlib
import errno
import fcntl
import os
import re
import select
import signal
import socket

from harness import Failure, check, datagrams, diagnosis, fail, require, sigio
from harness.handlers import Handlers
from harness.kernel import netns
from harness.kernel.syscalls import READ, TIMER, WRITE
from harness.made_up import letters
from harness.peers import Datagrams
from harness.sigio import ARMING, LOST, O_ASYNC, SOON, WAITS, Waits

MANY = 10

ONE_EACH = (
    "SIGIO is no counter: what comes while it is pending adds nothing to it. One signal may stand "
    "for many datagrams, so receive until there is nothing left (EAGAIN)"
)
HUP_ENDED = "SIGHUP ended it: that is its default action, where no handler is"
LOST_HUP = LOST.replace("Block SIGIO", "Block SIGHUP, too,")
ONCE = (
    "its handler was there for the first SIGIO, and gone for the next: SA_RESETHAND takes it away, "
    "and so does the signal() of System V. Use sigaction()"
)
EARLY = (
    "what has come before the socket was armed sends no signal any more: after arming, look once "
    "at what is there"
)
EARLY_ONE = (
    "it looked once, as it must, but did not take all that was there: one look, like one signal, "
    "may find many datagrams, so receive until there is nothing left (EAGAIN)"
)


class Echo:
    """A running sigecho, its socket, and a client.

    Args:
        program: the program.
        options: before ``-f``.
        before: datagrams that wait in the socket before the program starts.
        flags: of the socket that it is given.
        how: passed on to ``start``.
    """

    def __init__(self, program, *options, before=(), flags=0, **how):
        self.program = program
        self.stage = program.stage
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((self.stage.address, 0))
        self.sock.setblocking(True)
        if flags:
            fcntl.fcntl(self.sock, fcntl.F_SETFL, flags)
        self.flags = sigio.flags(self.sock)
        self.stage.closers.append(self.sock.close)
        self.inode = sigio.inode_of(self.sock)
        self.target = self.sock.getsockname()
        self.client = self.new_client("client")
        for data in before:
            self.client.send(data, self.target)
        show = f"./{' '.join([program.name, *options, '-f'])}, with a UDP socket as descriptor 0"
        self.process = program.start(*options, "-f", stdin=self.sock, show=show, **how)

    def new_client(self, name):
        """Return a further client."""
        return Datagrams(self.stage, (self.stage.address, 0), name=name)

    def ready(self):
        """Wait until it has come to rest."""
        self.process.wait_quiet()
        if self.process.end_status:
            fail("a server that waits", self.process.how_it_ended(), self.process.why_it_ended())

    def word(self):
        """Return made-up data."""
        return letters(self.stage)

    def send(self, data):
        """Send a datagram."""
        self.client.send(data, self.target)

    def expect(self, data, why=""):
        """Require an answer."""
        expect(self.client, data, why)

    def ask(self, why="", data=None):
        """Send a datagram to a program at rest, and require its answer."""
        self.process.wait_quiet()
        data = self.word() if data is None else data
        self.send(data)
        self.expect(data, why)

    def unread(self):
        """Whether something waits in the program's socket."""
        return bool(select.select([self.sock], [], [], 0)[0])

    def asleep(self):
        """Require that it sleeps until a signal comes."""
        sigio.expect_asleep(self.process, self.inode)

    def rest(self):
        """Require that it sleeps, and has left nothing unread."""
        self.asleep()
        require(not self.unread(), "nothing unread in the socket", "a datagram", LOST)


def expect(client, data, why="", wrong=None):
    """Require that a client's next datagram is ``data``; put another into the list ``wrong``."""
    wrong = [] if wrong is None else wrong
    step = client.stage.tape.add("expect", f"{client.name}: {diagnosis.show(data)}")
    try:
        got, _sender = client.receive()
    except Failure as failure:
        step.saw = "nothing"
        failure.expected = f"the answer {diagnosis.show(data)} for {client.name}"
        failure.why = failure.why or why
        raise
    step.saw = "yes" if got == data else diagnosis.show(got)
    if got != data:
        wrong.append(got)
        diagnosis.fail_bytes(data, got, f"for {client.name}", known=why)


def why_said(said: bytes, why: str) -> str:
    """Explain what there is too much of on stderr; ``why`` where it is not EAGAIN."""
    if os.strerror(errno.EAGAIN).encode() in said:
        return (
            "EAGAIN says that nothing is there: that ends the loop, and is nothing to complain of"
        )
    return why


@check(
    points=2,
    kind="contract",
    hints=(
        "A datagram wakes the program by SIGIO; its sender is who gets the answer.",
        "recvfrom(2) tells the sender, sendto(2) answers; fcntl(2) F_SETOWN and O_ASYNC.",
        "In sigecho.c: arm, serve and echo_all.",
    ),
)
def test_echoes(program):
    """says LISTENING, and sends each datagram back to where it came from"""
    address, port = program.stage.address, program.stage.port()
    process = program.start(address, str(port))
    process.wait_quiet()
    process.expect_stdout(f"LISTENING {address} {port}\n".encode())
    one, two = (Datagrams(program.stage, (address, 0), name=f"client {n}") for n in (1, 2))
    for count, client in enumerate((one, two, one)):
        data = letters(program.stage)
        process.wait_quiet()
        client.send(data, (address, port))
        try:
            expect(client, data)
        except Failure as failure:
            end = process.end_status
            if count and end and (end.kind, end.number) == ("signal", signal.SIGIO):
                failure.why = ONCE
            failure.why = failure.why or datagrams.why_not_sent(process.stderr)
            failure.why = failure.why or sigio.why_not_woken(process)
            raise


@check(
    points=3,
    kind="contract",
    after="test_echoes",
    hints=(
        "With -f somebody else has made the socket and handed it over as descriptor 0.",
        "getsockname(2) tells its name; arm it as any other.",
        "In sigecho.c: arm, which gets whichever socket it is.",
    ),
)
def test_given_socket(program):
    """-f: serves the socket on descriptor 0, armed for itself, its other flags kept"""
    for given in (0, os.O_APPEND):
        echo = Echo(program, flags=given)
        before = echo.flags
        echo.ready()
        address, port = echo.target
        echo.process.expect_stdout(f"LISTENING {address} {port}\n".encode())
        owner, flags = sigio.owner(echo.sock), sigio.flags(echo.sock)
        step = program.stage.tape.add("look", "at the socket")
        step.saw = f"owner {owner}; flags: {sigio.flag_names(flags)}"
        echo.ask()
        pid = echo.process.pid
        why = "nobody gets the SIGIO: F_SETOWN is missing"
        if owner < 0:
            why = "a whole process group is the owner, so every process in it gets SIGIO, and most "
            why += "have no handler: the owner is getpid()"
        elif owner:
            why = "another process is the owner and gets the SIGIO"
        require(owner == pid, f"owner {pid}, the program itself", f"owner {owner}", why)
        for bit, name in ((O_ASYNC, "O_ASYNC"), (os.O_NONBLOCK, "O_NONBLOCK")):
            why = f"{name} is not set: F_SETFL sets all flags at once, so both belong in one value"
            require(flags & bit, f"{name} set", f"flags: {sigio.flag_names(flags)}", why)
        kept = flags & ~(O_ASYNC | os.O_NONBLOCK) == before
        why = (
            f"{sigio.flag_names(before ^ flags & ~(O_ASYNC | os.O_NONBLOCK))} was changed: F_SETFL "
            "sets all flags at once: read them with F_GETFL first, and keep what was there"
        )
        due = sigio.flag_names(before | O_ASYNC | os.O_NONBLOCK)
        require(kept, f"flags: {due}", f"flags: {sigio.flag_names(flags)}", why)
        echo.process.end()
        program.stage.processes.remove(echo.process)


@check(
    points=3,
    kind="clean",
    after="test_echoes",
    hints=(
        "Between two signals there is nothing to do, so there is nothing to wake up for.",
        "sigsuspend(2), or another call that opens the mask and sleeps; no timer, no descriptor.",
        "In sigecho.c: the innermost loop of serve.",
    ),
)
def test_asleep(program):
    """sleeps from the start, and after its work, until a signal comes, without a timer"""
    echo = Echo(program, note=TIMER if program.stage.can("notify") else ())
    echo.asleep()
    for _ in range(3):
        echo.ask()
        echo.asleep()


@check(
    points=5,
    kind="contract",
    after="test_echoes",
    hints=(
        "Ten datagrams that come while the program can't run make one pending signal.",
        "recvfrom(2) again and again, until it fails with EAGAIN.",
        "In sigecho.c: the loops of echo_all.",
    ),
)
def test_frozen(program):
    """answers ten datagrams that came with one signal"""
    echo = Echo(program, "-q", "64")
    echo.ready()
    clients = [echo.client, echo.new_client("client 2")] * (MANY // 2)
    echo.process.freeze()
    sent = [echo.word() for _ in clients]
    for client, data in zip(clients, sent, strict=True):
        client.send(data, echo.target)
    netns.settle()
    echo.process.thaw()
    wrong: list[bytes] = []
    for index, (client, data) in enumerate(zip(clients, sent, strict=True)):
        try:
            expect(client, data, ONE_EACH, wrong)
        except Failure as failure:
            echo.process.wait_quiet()
            rest = {one: [] for one in clients[:2]}
            rest[client] += wrong
            for one, answers in rest.items():
                while select.select([one.sock], [], [], 0)[0]:
                    answers.append(one.receive()[0])
            due = {}
            for one in rest:
                due[one] = [sent[n] for n in range(index, MANY) if clients[n] is one]
            if all(sorted(rest[one]) == sorted(due[one]) for one in rest):
                failure.why = (
                    "every answer went to the right client, but in the wrong order: answer the "
                    "datagrams in the order in which they came"
                )
            elif index + sum(map(len, rest.values())) >= MANY:
                failure.why = (
                    "the answers went to the wrong client: each belongs to its own sender, so keep "
                    "the address that recvfrom tells together with the datagram"
                )
            raise


@check(
    points=2,
    kind="contract",
    after="test_given_socket",
    hints=(
        "The signal tells of an arrival, not of a state: what is there already sends none.",
        "After F_SETFL, one round of recvfrom(2) as if a signal had come.",
        "In sigecho.c: serve, before its loop.",
    ),
)
def test_queued_before(program):
    """answers what waited in the socket before it started"""
    sent = [letters(program.stage) for _ in range(3)]
    echo = Echo(program, before=sent)
    for index, data in enumerate(sent):
        echo.expect(data, EARLY_ONE if index else EARLY)


@check(
    points=3,
    kind="robust",
    after="test_queued_before",
    hints=(
        "A datagram may come at the very moment of arming: the handler must be there before, and "
        "the first look at the socket comes after.",
        "sigaction(2), then fcntl(2), then recvfrom(2).",
        "In sigecho.c: arm, the order of its calls, and the beginning of serve.",
    ),
    needs="notify",
)
def test_arming(program):
    """has its handler before it arms the socket, and misses nothing that comes meanwhile"""
    echo = Echo(program, watch=ARMING)
    held = echo.process.breakpoints.hold(
        ARMING, "a call that lets the socket send SIGIO", lambda held: sigio.arms(held, 0)
    )
    program.stage.tape.add("hold", "sigecho, which is about to let its socket send SIGIO")
    data = echo.word()
    echo.send(data)
    netns.settle()
    caught = sigio.catches(held.tid)
    said = echo.process.stdout
    held.let_go()
    require(not said, "nothing on stdout before the socket is armed", diagnosis.show(said), SOON)
    why = "the socket is armed before the handler is there: what comes in between kills the program"
    require(caught, "SIGIO handled or blocked by then", "neither: SIGIO ends the program", why)
    echo.expect(data, EARLY)


def _why_no_line(echo):
    """Explain why SIGHUP, which came just before the sleep, has made no line."""
    if echo.process.end_status:
        return HUP_ENDED
    size = len(echo.process.stdout)
    echo.process.signal(signal.SIGHUP)
    with contextlib.suppress(Failure):
        echo.process.until(lambda: len(echo.process.stdout) > size, "a line")
        return LOST_HUP
    if echo.process.end_status:
        return HUP_ENDED
    return (
        "SIGHUP makes no line at all, whenever it comes: is its flag set in the handler and looked "
        "at in the loop, and is the line printed and flushed (fflush)?"
    )


@check(
    points=6,
    kind="robust",
    after=("test_asleep", "test_echoes"),
    hints=(
        "Between the look at the flag and the sleep a signal may come; then the sleep is too long.",
        "sigprocmask(2) blocks it while you look; sigsuspend(2) opens the mask and sleeps in one.",
        "In sigecho.c: what is blocked from arm on, and how serve sleeps.",
    ),
    needs=("notify", "restart"),
)
def test_lost_wakeup(program):
    """loses no signal that comes between its look at the flag and its sleep"""
    echo = Echo(program, watch=WAITS)
    waits = Waits(echo.process)
    waits.watch()
    for again in range(3):
        sent = []
        if again:
            echo.rest()
            waits.watch()
            sent.append(echo.word())
            echo.send(sent[0])
        sent.append(echo.word())
        waits.strike(lambda data=sent[-1]: echo.send(data))
        for data in sent:
            echo.expect(data, LOST)
    echo.rest()
    waits.watch()
    before = echo.process.stdout
    data = echo.word()
    echo.send(data)
    waits.strike(lambda: echo.process.signal(signal.SIGHUP))
    echo.expect(data, LOST)
    try:
        echo.process.until(
            lambda: len(echo.process.stdout) > len(before), "a line with the numbers, after SIGHUP"
        )
    except Failure as failure:
        failure.why = failure.why or _why_no_line(echo)
        raise
    echo.rest()


@check(
    points=3,
    kind="robust",
    after="test_lost_wakeup",
    hints=(
        "A flag that is cleared after the work also forgets the signal that came during the work.",
        "Clear first, then receive until EAGAIN.",
        "In sigecho.c: serve, where io becomes 0.",
    ),
    needs="notify",
)
def test_flag(program):
    """forgets no signal that comes right after the last look at the socket"""
    echo = Echo(program, watch=READ)
    echo.ready()
    second: list[bytes] = []

    def at_empty(held):
        if second or held.args[0] & 0xFFFFFFFF or echo.unread():
            return
        # the call finds nothing, and just then there is something
        second.append(echo.word())
        program.stage.tape.add("hold", "sigecho, whose call finds nothing (EAGAIN)")
        echo.send(second[0])
        netns.settle()
        held.fail(errno.EAGAIN)

    echo.process.breakpoints.on(READ, at_empty)
    echo.ask()
    echo.process.wait_quiet()
    why = (
        "the flag is cleared after the work: that forgets the signal that came meanwhile. Clear "
        "it first, then receive until EAGAIN"
    )
    for data in second:
        echo.expect(data, why)
    echo.rest()


@check(
    points=2,
    kind="robust",
    after="test_asleep",
    hints=(
        "SIGIO says that something may have happened; perhaps nothing has.",
        "recvfrom(2) with EAGAIN at once is no error; O_NONBLOCK keeps it from waiting.",
        "In sigecho.c: echo_all, what is complained of; arm, the flags.",
    ),
)
def test_spurious(program):
    """takes a SIGIO without a datagram for what it is"""
    echo = Echo(program)
    echo.ready()
    for _ in range(2):
        echo.process.signal(signal.SIGIO)
        echo.process.wait_quiet()
        if echo.process.end_status:
            why = "SIGIO without a datagram ended it: EAGAIN at the first call is no error"
            if echo.process.end_status.kind == "signal":
                why = ONCE
            fail("a program that goes on", echo.process.how_it_ended(), why)
        echo.asleep()
        echo.ask()
    got = echo.process.stderr
    why = why_said(got, "nothing has failed: a line on stderr is for what has")
    require(not got, "nothing on stderr", diagnosis.show(got), why)


@check(
    points=3,
    kind="contract",
    after="test_frozen",
    hints=(
        "When the queue is full, the rest waits in the kernel, and no signal will tell of it.",
        "Answer what is in the queue, then recvfrom(2) again, until EAGAIN.",
        "In sigecho.c: echo_all, when it begins again.",
    ),
)
def test_queue_full(program):
    """-q 4: answers twenty datagrams that came at once"""
    size = program.stage.random.randrange(3, 7)
    echo = Echo(program, "-q", str(size))
    echo.ready()
    echo.process.freeze()
    sent = [echo.word() for _ in range(4 * size)]
    for data in sent:
        echo.send(data)
    netns.settle()
    echo.process.thaw()
    why = (
        f"the queue holds {size}, and more had come: the rest waits in the kernel, and no further "
        "signal tells of it, so go back for it when the queue is empty"
    )
    for data in sent:
        echo.expect(data, why)
    echo.ask(why)
    echo.asleep()


@check(
    points=2,
    kind="contract",
    after="test_queue_full",
    hints=(
        "What is not taken yet is safe in the kernel, so take no more than there is room for.",
        "Count the datagrams between two rounds of sendto(2); if that fails, complain and go on.",
        "In sigecho.c: echo_all, its inner loop.",
    ),
    needs="notify",
)
def test_queue_limit(program):
    """-q 4: takes no more than four before it answers, and survives an answer that fails"""
    size = program.stage.random.randrange(3, 7)
    echo = Echo(program, "-q", str(size), watch=WRITE)
    echo.ready()
    echo.process.freeze()
    many = 5 * size
    sent = [echo.word() for _ in range(many)]
    for data in sent:
        echo.send(data)
    netns.settle()
    echo.process.thaw()
    held = echo.process.breakpoints.hold(
        WRITE, "an answer", lambda held: held.args[0] & 0xFFFFFFFF == 0
    )
    left = 0
    while echo.unread():
        echo.sock.recv(1 << 16, socket.MSG_DONTWAIT)
        left += 1
    program.stage.tape.add("look", "at what is left in the kernel", f"{left} of {many}")
    if many - left > size:
        held.let_go()
    require(
        many - left <= size,
        f"at most {size} datagrams taken before the first answer",
        f"{many - left} were taken",
        f"-q {size} says how many may be taken off the socket before they are answered",
    )
    program.stage.tape.add("fail", "the first answer: Network is unreachable (ENETUNREACH)")
    held.fail(errno.ENETUNREACH)
    echo.process.wait_quiet()
    goes_on = "an answer that can't be sent is no reason to end: one line on stderr, and go on"
    if echo.process.end_status:
        fail("a server that goes on", echo.process.how_it_ended(), goes_on)
    for data in sent[1 : many - left]:
        echo.expect(data, goes_on)
    echo.ask(goes_on)
    said = echo.process.stderr
    program.stage.tape.add("look", "at stderr", diagnosis.show(said))
    why = why_said(said, "one failure, one line on stderr, and nothing else there")
    require(said.count(b"\n") == 1, "one line on stderr", diagnosis.show(said), why)


@check(
    points=2,
    kind="contract",
    after="test_echoes",
    hints=(
        "A second signal asks for numbers; it wakes the same sleep, with a flag of its own.",
        "sigaction(2) for SIGHUP; report is called by the program, not by the handler.",
        "In sigecho.c: on_signal, and what serve does when hup is set.",
    ),
)
def test_report(program):
    """at SIGHUP prints how many signals and datagrams there were"""
    echo = Echo(program, "-q", "2")
    echo.ready()
    head = echo.process.stdout
    count = 0
    for more in (0, program.stage.random.randrange(2, 6), 1):
        for _ in range(more):
            echo.ask()
        count += more
        echo.process.wait_quiet()
        echo.process.signal(signal.SIGHUP)
        due = f"a line with {count} datagrams"
        size = len(head)
        try:
            echo.process.until(lambda size=size: echo.process.stdout.endswith(b"\n", size), due)
        except Failure as failure:
            pending = sigio.why_pending(echo.process, signal.SIGHUP)
            failure.why = HUP_ENDED if echo.process.end_status else pending or failure.why
            raise
        echo.process.wait_quiet()
        got = echo.process.stdout[len(head) :]
        head += got
        program.stage.tape.add("look", "at stdout", diagnosis.show(got))
        match = re.fullmatch(rb"signals (\d+) datagrams (\d+)\n", got)
        require(match, 'one line "signals S datagrams D"', diagnosis.show(got))
        right = int(match[2]) == count
        require(
            right, f"datagrams {count}", got.decode(), "every datagram counts, not every signal"
        )
        seen = int(match[1])
        why = "S counts the SIGIO that came: there was one at least if a datagram was answered"
        require(bool(seen) == bool(count), f"signals {'> 0' if count else 0}", got.decode(), why)


@check(
    points=2,
    kind="contract",
    after="test_echoes",
    hints=(
        "A datagram may be empty, may hold any byte, and may be as large as the buffer.",
        "recvfrom(2) returns -1 for nothing there, and 0 for an empty datagram.",
        "In sigecho.c: the conditions of the loops in echo_all, and the length in sendto.",
    ),
)
def test_any_datagram(program):
    """answers empty datagrams too, and such of any bytes, up to 8192 of them"""
    echo = Echo(program)
    echo.ready()
    whole = program.stage.random.randbytes(8192)
    why = "an empty datagram is a datagram: recvfrom returns 0, and that is no end"
    echo.process.freeze()
    first = [echo.word(), echo.word()]
    for data in (*first, b"", b"after"):
        echo.send(data)
    netns.settle()
    echo.process.thaw()
    for data in first:
        echo.expect(data, ONE_EACH)
    echo.expect(b"", why)
    echo.expect(b"after", why)
    for data in (b"a\0b", whole):
        wrong: list[bytes] = []
        echo.process.wait_quiet()
        echo.send(data)
        try:
            expect(echo.client, data, "the length is what recvfrom returned", wrong)
        except Failure as failure:
            size = len(wrong[0]) if wrong else 0
            if wrong and data.startswith(wrong[0]) and size < len(data):
                failure.why = (
                    "the length is what recvfrom returned: a datagram is no string"
                    if data[size] == 0
                    else f"its buffer holds {size} bytes, and a datagram has up to 8192: recvfrom "
                    "throws away what does not fit"
                )
            raise


def _with_handlers(program):
    """Return a server that is looked at in its handlers, and what was found."""
    handlers = Handlers(program.stage.path("handlers"))
    echo = Echo(program, "-q", "3", **handlers.how())
    echo.ready()
    for _ in range(2):
        echo.ask()
    echo.process.freeze()
    sent = [echo.word() for _ in range(MANY)]
    for data in sent:
        echo.send(data)
    netns.settle()
    echo.process.thaw()
    for data in sent:
        echo.expect(data, ONE_EACH)
    echo.process.signal(signal.SIGIO)
    echo.process.wait_quiet()
    echo.process.signal(signal.SIGHUP)
    echo.process.until(lambda: b"datagrams" in echo.process.stdout, "the line after SIGHUP")
    found = handlers.found()
    program.stage.tape.add(
        "look",
        "into the handlers",
        f"{found.runs} runs, {found.unsafe or 'nothing'} unsafe, errno "
        f"{'changed' if found.spoilt else 'kept'}",
    )
    return found


@check(
    points=2,
    kind="robust",
    after="test_report",
    hints=(
        "A handler runs between any two instructions, also between a failed call and its errno.",
        "Keep errno in a local variable at the handler's beginning, and put it back at its end.",
        "In sigecho.c: on_signal, and whatever it calls.",
    ),
    build="shim",
)
def test_handler_errno(program):
    """leaves errno alone in its signal handlers"""
    found = _with_handlers(program)
    require(
        not found.spoilt,
        "errno as it was before the handler",
        errno.errorcode.get(found.spoilt, str(found.spoilt)),
        "the handler changes errno, which the program may be about to look at: save it first, and "
        "put it back",
    )


@check(
    points=2,
    kind="robust",
    after="test_report",
    hints=(
        "A handler may interrupt malloc or printf half-way, and must not call them again then.",
        "signal-safety(7) lists what a handler may call.",
        "In sigecho.c: on_signal: a flag is enough; serve does the work.",
    ),
    build="shim",
)
def test_handler_safe(program):
    """calls nothing in its signal handlers that is not safe there"""
    found = _with_handlers(program)
    require(
        not found.unsafe,
        "only functions that signal-safety(7) lists",
        f"{found.unsafe}()",
        f"{found.unsafe} is not async-signal-safe: it may have been interrupted half-way by this "
        "very signal. Set a flag in the handler, and do the work outside of it",
    )
