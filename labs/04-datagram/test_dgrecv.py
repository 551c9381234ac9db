"""Checks of dgrecv: a file that comes in datagrams, some of them twice."""

import contextlib

from harness import Failure, check, diagnosis, pacing, packets, require, strange
from harness.datagrams import DatagramServer
from harness.peers import Datagrams
from harness.relay import Relay

HELD = {"needs": "notify", "build": "shim", "challenge": True}


class Receiving:
    """A run of the program, led from wait to wait, and a sender of ours."""

    def __init__(self, program):
        self.program = program
        self.stage = program.stage
        self.target = (program.stage.address, program.stage.port())
        self.path = self.stage.path("out")
        args = (self.target[0], str(self.target[1]), self.path)
        self.pace = pacing.start(program, *args)
        self.process = self.pace.process
        self.server = DatagramServer(program, self.process, self.target, args)
        self.process.until(self.server.ready, f"dgrecv bound to port {self.target[1]}")
        self.pace.wait("a program that waits for the first packet")
        line = f"LISTENING {self.target[0]} {self.target[1]}\n".encode()
        self.process.expect_stdout(line)
        self.peer = self.another("sender")

    def another(self, name: str) -> Datagrams:
        """Return a socket with a port of its own."""
        return Datagrams(self.stage, (self.stage.address, self.stage.port()), name=name)

    def put(self, data: bytes, what: str, peer: Datagrams | None = None) -> list[bytes]:
        """Send a datagram, wait until the program waits again; return its answers."""
        peer = peer or self.peer
        self.stage.tape.add("send", f"{peer.name}, {what}: {diagnosis.show(data, 12)}")
        self.pace.wait("a program that waits for a packet")
        peer.sock.sendto(data, self.target)
        self.pace.go()
        why = "after the end the program answers for one more second; no datagram ends it"
        try:
            self.pace.wait("a program that waits for the next packet")
        except Failure as failure:
            failure.why = failure.why or why
            raise
        answers = []
        with contextlib.suppress(BlockingIOError):
            while True:
                answers.append(peer.sock.recv(1 << 16))
        return answers

    def expect(self, data: bytes, what: str, answers: list[bytes], why: str, peer=None) -> None:
        """Send a datagram and require what it is answered with."""
        got = self.put(data, what, peer)
        require(
            got == answers,
            f"{said(answers)} to {what}",
            said(got),
            why,
        )

    def ends(self, content: bytes, why: str = "") -> None:
        """Let the last second pass; require the end of the program, and the file."""
        wait = self.pace.limited(
            "a program that answers for one more second",
            "after the end packet the program waits one second and ends by itself",
        )
        require(
            abs(wait.seconds - 1) <= pacing.SLACK,
            "a wait of 1 s after the end packet",
            f"one of {wait.seconds:.6g} s",
            "after the end, packets that come again are answered for one second, and no longer",
        )
        self.stage.tape.add("cut", "the last second", f"{self.pace.expire():.6g} s")
        self.process.expect_exit(0)
        self.holds(content, why)

    def holds(self, content: bytes, why: str = "") -> None:
        """Require what is in the file."""
        got = strange.read(self.path)
        self.stage.tape.add("look", "at OUT", f"{len(got)} bytes")
        if got != content:
            diagnosis.fail_bytes(content, got, "in OUT", why)


def said(answers: list[bytes]) -> str:
    """Return answers in words."""
    return ", ".join(map(diagnosis.show, answers)) or "no answer"


@check(
    points=2,
    kind="contract",
    **HELD,
    hints=(
        "Each packet is answered with its number, and then the next one comes.",
        "recvfrom(2), fwrite(3), sendto(2); a length of 0 is the end.",
        "In dgrecv.c: receive().",
    ),
)
def test_receives(program):
    """receives a file, answers each packet, and ends a second after the end"""
    for size in (2 * packets.SIZE + 17, 0):
        content = program.stage.random.randbytes(size)
        run = Receiving(program)
        parts = [content[at : at + packets.SIZE] for at in range(0, size, packets.SIZE)]
        for seq, part in enumerate([*parts, b""]):
            what = f"packet {seq}" if part else "the end"
            why = 'each packet is answered: "A" and its number, in network byte order'
            run.expect(packets.data(seq, part), what, [packets.ack(seq)], why)
        run.ends(content)


@check(
    points=1,
    kind="robust",
    after="test_receives",
    **HELD,
    hints=(
        "A packet that comes again means that its answer was lost.",
        "Compare its number with the one that is due: lower means to answer it, and not to write.",
        "In dgrecv.c: receive(), what it does for each of the three cases.",
    ),
)
def test_lossy(program):
    """writes each packet once, in order, and answers all that come again, the end too"""
    content = program.stage.random.randbytes(4 * packets.SIZE + 5)
    sent = packets.of(content)
    run = Receiving(program)
    network = Relay("double 1; delay 2:1; drop 4; double 5,7")
    seq = 0
    while seq < len(sent):
        arrive = network.carry(sent[seq])
        for data in arrive:
            number = sent.index(data)
            why = "a packet that comes again is answered again: its answer may have been lost"
            run.expect(data, f"packet {number}", [packets.ack(number)], why)
        if sent[seq] in arrive:
            seq += 1
    last = len(sent) - 1
    why = "after the end, packets that come again are answered for one more second"
    for number in (last, 0):
        run.expect(sent[number], f"packet {number} again", [packets.ack(number)], why)
    run.ends(content, "a packet that comes again is not written again")


@check(
    points=1,
    kind="robust",
    after="test_receives",
    **HELD,
    hints=(
        "Anybody may send a datagram: what is not whole, not due, or not from the sender is none.",
        "recvfrom(2): look at the length, the letter, the number and the address; and fix the end "
        "of the last second by clock_gettime(2).",
        "In dgrecv.c: receive(), before it writes and answers.",
    ),
)
def test_strangers(program):
    """ignores other senders, packets out of turn and what is no packet, to the last second"""
    first, second = program.stage.random.randbytes(100), program.stage.random.randbytes(50)
    run = Receiving(program)
    other = run.another("stranger")
    early = "packet 0 begins: nothing else is taken before it"
    run.expect(packets.data(1, b"early"), "packet 1 too early", [], early, other)
    run.expect(packets.data(0, first), "packet 0", [packets.ack(0)], "packet 0 is answered")
    whole = "a packet is whole, with as many bytes as its length says: else it is none"
    strays = (
        (
            "packet 1 from elsewhere",
            packets.data(1, b"x"),
            other,
            "only the sender of packet 0 is heard: everybody else is a stranger",
        ),
        (
            "packet 2 too early",
            packets.data(2, b"x"),
            None,
            "packet 1 is due: a later one can't be written yet, so it is not answered",
        ),
        ("a length that is too long", packets.data(1, b"xyz")[:-1], None, whole),
        ("a length that is too short", packets.data(1, b"xyz") + b"!", None, whole),
        ("1025 bytes", packets.data(1, bytes(packets.SIZE + 1)), None, "1024 bytes are the most"),
        ("6 bytes", packets.data(1, b"")[:6], None, whole),
        ("another letter", b"d" + packets.data(1, b"x")[1:], None, whole),
        ("nothing", b"", None, "an empty datagram is no end of file"),
    )
    for what, data, peer, why in strays:
        run.expect(data, what, [], why, peer)
    why = "packet 1 is due, and is answered"
    run.expect(packets.data(1, second), "packet 1", [packets.ack(1)], why)
    run.expect(packets.data(2, b""), "the end", [packets.ack(2)], "the end is answered")
    for what, data in (("a packet after the end", packets.data(3, b"x")), ("nothing", b"")):
        run.pace.elapse(0.3)
        run.expect(data, what, [], "after the end nothing is new")
    wait = run.pace.limited("a program that answers for one more second")
    require(
        abs(wait.seconds - 0.4) <= pacing.SLACK,
        "0.4 s left of the last second",
        f"a wait of {wait.seconds:.6g} s",
        "each datagram begins the last second again: measure it against a deadline",
    )
    run.pace.expire()
    run.process.expect_exit(0)
    run.holds(first + second)
