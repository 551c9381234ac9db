"""A made-up /etc, mounted or handed over, and a name server for it."""

import os
import socket
import time

import pytest

from harness import build, dns, lookups, probes
from harness.etc import Etc
from harness.failure import Failure, Tape
from harness.kernel.syscalls import POLL
from harness.process import End
from harness.stage import Stage

MOUNTS = not probes.failing("netns")
NOTIFY = not probes.failing("notify")
WITH_DNS = "hosts: files dns\nservices: files\nprotocols: files\n"

# How a program comes to see the files: in a network of its own or not.
WAYS = [
    pytest.param((True, True), marks=pytest.mark.skipif(not MOUNTS, reason="no namespaces")),
    pytest.param((True, False), marks=pytest.mark.skipif(not MOUNTS, reason="no namespaces")),
    pytest.param((False, False), marks=pytest.mark.skipif(not NOTIFY, reason="no notification")),
]


@pytest.fixture(params=WAYS, ids=["mounted", "handed over", "handed over, shared network"])
def etc_world(request, world, small):
    """Run a function as ``world`` does, with a function that makes an Etc, too."""
    private, mounted = request.param
    small("asks")  # before /etc, which a compiler may need, is covered
    build.native("launch")

    def run(work):
        def within(stage, program):
            def make(files=None, dns_port=53):
                etc = Etc(stage, files, dns_port, mounted)
                assert etc.mounted == mounted
                return etc

            return work(stage, program, make)

        return world(within, private=private)

    return run


def _is(process, text):
    assert process.stdout.decode() == text, process.stderr


@pytest.mark.skipif(not MOUNTS, reason="no namespaces")
def test_uncovered_at_the_end(world):
    """The next check of the same process finds this machine's own /etc."""

    def work(stage, _program):
        before = os.stat("/etc").st_ino
        for _ in range(2):
            again = Stage("again", "seed", True)
            assert Etc(again).mounted
            assert os.stat("/etc").st_ino != before
            again.close()
            assert os.stat("/etc").st_ino == before

    world(work, private=True)


def test_files(etc_world):
    """Hosts and services are those of the files, and change with them."""

    def work(stage, program, make):
        etc = make({"hosts": "127.9.1.1 one\n", "services": "made 7777/tcp\n"})
        asks = program("asks")
        _is(etc.run(asks, "one", "made"), "127.9.1.1 7777\n")
        etc.write("hosts", "127.9.1.2 one\n127.9.1.1 one\n")
        _is(etc.run(asks, "-4", "one", "made"), "127.9.1.2 7777\n127.9.1.1 7777\n")
        etc.remove("services")
        _is(etc.run(asks, "one", "made"), f"error {socket.EAI_SERVICE}\n")
        _is(etc.run(asks, "two", "80"), f"error {socket.EAI_NONAME}\n")

    etc_world(work)


def test_the_rest_is_hidden(etc_world):
    """What the real folder has is not there; what is told of a file is true of it."""

    def work(stage, program, make):
        etc = make({"made-up": "line\n"})
        asks = program("asks")
        _is(etc.run(asks, "-f", "/etc/made-up"), "1 1 line\n")
        for name in ("passwd", "group", "fstab"):
            _is(etc.run(asks, "-f", f"/etc/{name}"), "")
        mine = stage.path("mine")
        with open(mine, "w", encoding="ascii") as file:
            file.write("other\n")
        _is(etc.run(asks, "-f", mine), "1 1 other\n")

    etc_world(work)


def test_nothing_leads_out(etc_world):
    """Neither dots nor a link of the program's lead to another file of ours."""

    def work(stage, program, make):
        etc = make({"hosts": "127.9.1.1 one\n"})
        asks = program("asks")
        mine = stage.path("mine")
        with open(mine, "w", encoding="ascii") as file:
            file.write("other\n")
        if not etc.mounted:  # where it is mounted, the kernel itself looks names up
            _is(etc.run(asks, "-f", "/etc/../mine"), "")
            _is(etc.run(asks, "-f", "/etc/../etc/passwd"), "")
            os.symlink(mine, os.path.join(etc.folder, "link"))
            _is(etc.run(asks, "-f", "/etc/link"), "")
            os.mkfifo(os.path.join(etc.folder, "pipe"))
            _is(etc.run(asks, "-f", "/etc/pipe"), "")
        _is(etc.run(asks, "one", "80"), "127.9.1.1 80\n")

    etc_world(work)


def test_others_see_nothing(etc_world):
    """Outside of the check's process everything is as it was."""
    before = sorted(os.listdir("/etc"))
    etc_world(lambda _stage, _program, make: make() and None)
    assert sorted(os.listdir("/etc")) == before


def test_name_server(etc_world):
    """Every answer of the name server comes through to the program."""

    def work(stage, program, make):
        zone = {
            "many.test": [(dns.A, "127.200.1.3"), (dns.A, "127.200.1.1"), (dns.AAAA, "::1")],
            "alias.test": [(dns.CNAME, "many.test")],
            "text.test": [(dns.TXT, "none")],
            "broken.test": dns.SERVFAIL,
            "closed.test": dns.REFUSED,
        }
        server = dns.NameServer(stage, zone)
        etc = make({"nsswitch.conf": WITH_DNS, "resolv.conf": server.resolv_conf()}, server.port)
        asks = program("asks")
        for name in ("many.test", "alias.test"):
            process = etc.run(asks, "-4", name, "80", server=server)
            _is(process, "127.200.1.3 80\n127.200.1.1 80\n")
        assert "::1 80\n" in etc.run(asks, "many.test", "80", server=server).stdout.decode()
        for name, code in (
            ("text.test", socket.EAI_NODATA),
            ("nobody.test", socket.EAI_NONAME),
            ("broken.test", socket.EAI_AGAIN),
            ("closed.test", socket.EAI_AGAIN),
        ):
            _is(etc.run(asks, "-4", name, "80", server=server), f"error {code}\n")
        assert ("many.test", "A") in server.asked

    etc_world(work)


@pytest.mark.skipif(not NOTIFY, reason="no notification")
def test_silence_takes_no_time(etc_world):
    """A resolver's wait for an answer that never comes can be cut."""

    def work(stage, program, make):
        server = dns.NameServer(stage, {"silent.test": dns.SILENCE})
        etc = make({"nsswitch.conf": WITH_DNS, "resolv.conf": server.resolv_conf(1)}, server.port)
        began = time.monotonic()
        process = etc.start(program("asks"), "-4", "silent.test", "80", watch=POLL)
        process.breakpoints.on(POLL, lambda held: held.cut() if held.pause() else None)
        server.wait_end(process)
        _is(process, f"error {socket.EAI_AGAIN}\n")
        assert time.monotonic() - began < 4

    etc_world(work)


def test_rubbish_is_no_question(world):
    """What is no question gets no answer, and does no harm."""

    def work(stage, _program):
        server = dns.NameServer(stage, {"a.test": [(dns.CNAME, "a.test")]}, stage.port())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((stage.address, server.port))
            for data in (b"", b"x", bytes(12), b"\0\1" + bytes(3) + b"\1" + bytes(6) + b"\x3f"):
                client.send(data)
            question = b"\1a\4test\0\0\1\0\1"
            client.send(b"\7\7\1\0\0\1\0\0\0\0\0\0" + question)
            server.service()
            answer = client.recv(512, socket.MSG_DONTWAIT)
            assert answer.startswith(b"\7\7") and question in answer
            with pytest.raises(BlockingIOError):
                client.recv(512, socket.MSG_DONTWAIT)
        assert server.asked == [("a.test", "A")]

    world(work)


def test_reverse():
    """The names under which addresses are found: RFC 1035, RFC 3596."""
    assert dns.reverse("192.0.2.7") == "7.2.0.192.in-addr.arpa"
    assert dns.reverse("2001:db8::1").startswith("1.0.0.0.")
    assert dns.reverse("2001:db8::1").endswith("8.b.d.0.1.0.0.2.ip6.arpa")


class _Ended:
    """What a check sees of a program that has ended."""

    def __init__(self, stdout=b"", stderr=b"", status=0):
        self.name = "prog"
        self.stdout, self.stderr = stdout, stderr
        self.end_status = End("exit", status)
        self.stage = type("Stage", (), {"tape": Tape()})

    def why_it_ended(self):
        """Say that nothing is known."""
        return ""


@pytest.mark.parametrize(
    ("stderr", "status", "says"),
    [
        (b"prog: EAI_NONAME: Success\n", 1, "is no errno"),
        (b"prog: EAI_NONAME: Unknown error -2\n", 1, "is no errno"),
        (b"prog: EAI_SYSTEM: Success\n", 1, "return that number itself"),
        (b"prog: EAI_?: Unknown error\n", 1, "return that number itself"),
        (b"prog: EAI_BADFLAGS: Bad value for ai_flags\n", 1, "is not zero by itself"),
        (b"", 0, "because"),
    ],
)
def test_wrong_errors_are_named(stderr, status, says):
    """Each way to report the wrong error has its diagnosis."""
    with pytest.raises(Failure) as caught:
        process = _Ended(stderr=stderr, status=status)
        lookups.fails(process, lookups.message("prog", "EAI_NONAME"), "because")
    assert says in caught.value.why


def test_right_error():
    """The error itself, with status 1, is right."""
    line = lookups.message("prog", "EAI_NONAME")
    assert line.startswith(b"prog: EAI_NONAME: ")
    lookups.fails(_Ended(stderr=line, status=1), line)
    with pytest.raises(Failure, match="exit status 1"):
        lookups.fails(_Ended(stderr=line, status=0), line)
