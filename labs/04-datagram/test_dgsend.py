"""Checks of dgsend: a file, one datagram at a time, over a network that loses some."""

import contextlib
import struct

from harness import Failure, check, diagnosis, fail, pacing, packets, require, strange
from harness.peers import Datagrams
from harness.relay import Relay

HELD = {"needs": "notify", "build": "shim", "challenge": True}


class Sending:
    """A run of the program, led from wait to wait, and a receiver of ours."""

    def __init__(self, program, content: bytes):
        self.program = program
        self.stage = program.stage
        self.target = (program.stage.address, program.stage.port())
        self.peer = Datagrams(self.stage, self.target, name="receiver")
        path = self.stage.path("file")
        strange.write(path, content)
        self.packets = packets.of(content)
        self.pace = pacing.start(program, self.target[0], str(self.target[1]), path)
        self.process = self.pace.process
        self.client = None
        self.sent: list[int] = []

    def receive(self, due: str, why: str = "") -> bytes:
        """Return the next packet that the program sends, which must be a right one."""
        found = []

        def take():
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                found.append(self.peer.sock.recvfrom(1 << 16))
            return found

        try:
            self.process.until(take, due, [self.peer.sock.fileno()])
        except Failure as failure:
            failure.why = failure.why or why
            raise
        data, self.client = found[0]
        self.stage.tape.add("receive", f"packet {len(self.sent) + 1}", diagnosis.show(data, 12))
        if data not in self.packets:
            near = min(len(self.sent), len(self.packets) - 1)
            seq = struct.unpack_from("!I", data, 1)[0] if len(data) >= 5 else near
            wanted = self.packets[seq if seq < len(self.packets) else near]
            diagnosis.fail_bytes(wanted, data, "in a packet", known=wrong_head(wanted, data))
        self.sent.append(self.packets.index(data))
        return data

    def answer(self, data: bytes, what: str, peer: Datagrams | None = None) -> None:
        """Send a datagram to the program."""
        self.stage.tape.add("send", f"{what}: {diagnosis.show(data)}")
        (peer or self.peer).sock.sendto(data, self.client)

    def silence(self) -> float:
        """Let one wait pass."""
        why = "nothing limits this wait: a packet or its answer may be lost"
        self.pace.limited("a program that waits for an answer", why)
        seconds = self.pace.expire()
        self.stage.tape.add("cut", "a wait in silence", f"{seconds:.6g} s")
        return seconds

    def drive(self, forward: Relay, back: Relay) -> None:
        """Play the network and the receiver until the program has ended."""
        answered = set()
        while True:
            did = self.pace.next(self.peer)
            if did == "ended":
                return
            if did == "waits":
                self.silence()
                continue
            data = self.receive("a packet")
            seq = self.sent[-1]
            if packets.ack(seq) in answered:
                fail(
                    f"packet {seq} no more, for it was answered",
                    f"packet {seq} again",
                    "an answer to an earlier packet, which has come twice or late, is no reason "
                    "to send again; only the time is",
                )
            arrive = [one for copy in forward.carry(data) for one in back.carry(ack_of(copy))]
            self.pace.wait("a program that waits for the answer to its packet")
            for one in arrive:
                self.answer(one, "an answer")
                answered.add(one)
            if arrive:
                self.pace.go()


def ack_of(packet: bytes) -> bytes:
    """Return the answer to a packet."""
    return packets.ack(struct.unpack_from("!I", packet, 1)[0])


def wrong_head(wanted: bytes, got: bytes) -> str:
    """Name what is wrong with the head of a packet, where that is known."""
    if got[:1] == b"D" and got[1:5] == wanted[1:5][::-1] and wanted[1:5] != got[1:5]:
        return "the number has its bytes turned round: htonl() is missing"
    if got[5:7] == wanted[5:7][::-1] and got[5:7] != wanted[5:7]:
        return "the length has its bytes turned round: htons() is missing"
    return ""


def right_order(count: int, forward: Relay, back: Relay) -> list[int]:
    """Return the packets that a right program sends, by number, over such a network."""
    sent = []
    seq = 0
    while seq < count:
        sent.append(seq)
        arrive = [one for copy in forward.carry(seq) for one in back.carry(copy)]
        if seq in arrive:
            seq += 1
    return sent


@check(
    points=2,
    kind="contract",
    **HELD,
    hints=(
        "One packet is under way at a time: the next one is sent when this one is answered.",
        "sendto(2), then recvfrom(2) until the answer with this number comes.",
        "In dgsend.c: deliver().",
    ),
)
def test_sends(program):
    """sends a file of any length in packets of 1024 bytes, each once, and the end"""
    for size in (2 * packets.SIZE + 300, 2 * packets.SIZE, 0):
        run = Sending(program, program.stage.random.randbytes(size))
        run.drive(Relay(), Relay())
        run.process.expect_exit(0)
        due = list(range(len(run.packets)))
        require(
            run.sent == due,
            f"packets {due}, each once",
            f"packets {run.sent}",
            "each packet was answered at once: none of them is sent again, and none left out",
        )


@check(
    points=1,
    kind="contract",
    after="test_sends",
    **HELD,
    hints=(
        "A receiver that is not there never answers; somewhere there must be an end.",
        "Count the tries of each packet; each wait takes 200 ms.",
        "In dgsend.c: deliver(), its loop, and what stands after it.",
    ),
)
def test_gives_up(program):
    """sends a packet ten times, 200 ms apart, and gives up"""
    run = Sending(program, program.stage.random.randbytes(packets.SIZE + 1))
    run.receive("packet 0")
    run.pace.wait()
    run.answer(packets.ack(0), "the answer")
    run.pace.go()
    for _ in range(10):
        run.receive("packet 1", "each packet is sent up to ten times before the program gives up")
        run.pace.limited("a program that waits for an answer")
        seconds = run.silence()
        require(
            abs(seconds - 0.2) <= pacing.SLACK,
            "a wait of 0.2 s",
            f"one of {seconds:.6g} s",
            "each wait takes 200 ms, however often the packet was sent",
        )
    did = run.pace.next(run.peer)
    if did != "ended":
        got = "one more packet" if did == "sent" else "a further wait"
        fail("the end after ten tries", got, "ten times in all, the first one too")
    require(
        run.sent == [0] + [1] * 10,
        "packet 0 once and packet 1 ten times",
        f"packets {run.sent}",
        "the count begins anew with each packet",
    )
    run.process.expect_exit(1)
    run.process.expect_stderr(b"dgsend: timeout after 10 tries\n")


@check(
    points=2,
    kind="robust",
    after="test_sends",
    **HELD,
    hints=(
        "An answer may come twice, or late: it may be the answer to an earlier packet.",
        "Send again only when the time is over; an answer with another number is passed over.",
        "In dgsend.c: deliver(), what it does with an answer that is not the one it waits for.",
    ),
)
def test_lossy(program):
    """sends again what was lost, and only that, over a network that loses and doubles"""
    plans = (
        ("drop 2,3; double 5", "double 3; drop 5"),
        ("delay 1:1; double 4; swap 6,7", "drop 1; double 4; delay 5:1; drop 6"),
    )
    for forward, back in plans:
        run = Sending(program, program.stage.random.randbytes(5 * packets.SIZE + 99))
        run.stage.tape.add("lose", f"packets: {forward}; answers: {back}")
        run.drive(Relay(forward), Relay(back))
        run.process.expect_exit(0)
        due = right_order(len(run.packets), Relay(forward), Relay(back))
        why = "what was lost is sent again, and nothing else"
        require(run.sent == due, f"packets {due}", f"packets {run.sent}", why)


@check(
    points=1,
    kind="robust",
    after="test_sends",
    **HELD,
    hints=(
        "Anybody may send a datagram: only HOST and PORT answer, and only with 5 bytes.",
        "recvfrom(2): compare the sender, the length, and all of the bytes; and measure the wait "
        "against a deadline.",
        "In dgsend.c: deliver(), the comparisons and the time limit.",
    ),
)
def test_strays(program):
    """ignores answers from elsewhere and what is no answer, and waits no longer for them"""
    run = Sending(program, program.stage.random.randbytes(10))
    stranger = Datagrams(program.stage, (program.stage.address, program.stage.port()), name="other")
    strays = (
        ("from another port", packets.ack(0), stranger),
        ("another number", packets.ack(1), None),
        ("4 bytes", packets.ack(0)[:4], None),
        ("6 bytes", packets.ack(0) + b"\0", None),
        ("another letter", b"a" + packets.ack(0)[1:], None),
        ("nothing", b"", None),
    )
    run.receive("packet 0")
    for count, (what, data, peer) in enumerate(strays, 1):
        run.pace.limited("a program that waits for an answer")
        for step in (1, 2):
            run.answer(data, what, peer)
            run.pace.elapse(0.12)  # twice, and the time is over
            run.pace.go()
            if step == 1:
                did = run.pace.next(run.peer)
                require(
                    did == "waits",
                    f"a program that waits on after a stray ({what})",
                    "a further packet" if did == "sent" else "its end",
                    "that was no answer to this packet: pass over it, and wait on",
                )
        why = (
            "the time of the wait is over, and the program still waits: strays make no wait "
            "longer, so measure it against a deadline"
        )
        run.receive("packet 0 again", why)
        require(run.sent == [0] * (count + 1), "packet 0 again", f"packets {run.sent}", "")
    run.pace.wait()
    run.answer(packets.ack(0), "the answer")
    run.pace.go()
    run.drive(Relay(), Relay())
    run.process.expect_exit(0)
