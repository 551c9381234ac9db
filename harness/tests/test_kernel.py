"""What the kernel says, asked for sockets and processes whose answers are known."""

import contextlib
import ctypes
import errno
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest

from harness import blocked, build, control, machine, probes, workers
from harness.kernel import netns, pidfd, prctl, proc, sockdiag, syscalls

TCP, UDP = socket.IPPROTO_TCP, socket.IPPROTO_UDP


def _inode(process, fd: int) -> int:
    return proc.socket_inodes(process.pid)[fd]


# -- sock_diag -------------------------------------------------------------------


def test_tcp_listener(world):
    """An exact look-up finds the one listener that would take the connection."""

    def work(stage, program):
        exact, every = stage.port(), stage.port()
        where = [stage.address, str(exact), "tcp", "0.0.0.0", str(every)]
        process = program("listens").start("tcp", *where)
        process.wait_asleep({"pause", "rt_sigsuspend", "ppoll"}, "all bound")
        ask = stage.sockdiag.tcp_listener
        found = ask(stage.address, exact)
        assert (found.inode, found.state) == (_inode(process, 3), sockdiag.LISTEN)
        assert (found.address, found.port) == (stage.address, exact)
        assert (found.rqueue, found.wqueue) == (0, 5)
        wild = ask(stage.address, every)
        assert (wild.inode, wild.address) == (_inode(process, 4), "0.0.0.0")
        assert ask(stage.address, stage.port()) is None
        assert ask("127.9.9.9", exact) is None

    world(work)


def test_tcp_queue(world):
    """Connections that wait for accept are counted."""

    def work(stage, program):
        port = stage.port()
        process = program("listens").start("tcp", stage.address, str(port))
        process.wait_asleep({"pause", "rt_sigsuspend", "ppoll"}, "bound")
        clients = [socket.create_connection((stage.address, port)) for _ in range(3)]
        assert stage.sockdiag.tcp_listener(stage.address, port).rqueue == 3
        clients[0].send(b"12345")
        name = clients[0].getsockname()
        (theirs,) = [
            s
            for s in stage.sockdiag.inet(TCP, 1 << sockdiag.ESTABLISHED)
            if (s.peer, s.peer_port) == name
        ]
        assert (theirs.rqueue, theirs.port, theirs.inode) == (5, port, 0)
        for client in clients:
            client.close()

    world(work)


def test_tcp_listener_of_both_families(world):
    """A dual-stack listener is found, and is told from an exact one."""

    def work(stage, program):
        port = stage.port()
        with socket.socket(socket.AF_INET6) as sock:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.bind(("::", port))
            sock.listen()
            found = stage.sockdiag.tcp_listener(stage.address, port)
            assert (found.inode, found.address) == (os.fstat(sock.fileno()).st_ino, "::")
            assert stage.sockdiag.tcp_listener("::1", port) == found

    world(work)


def test_tcp_listener_at_a_mapped_address(world):
    """::ffff:127.0.0.1 is 127.0.0.1: it is found, and called, by that name."""

    def work(stage, program):
        port = stage.port()
        with socket.socket(socket.AF_INET6) as sock:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.bind((f"::ffff:{stage.address}", port))
            sock.listen()
            found = stage.sockdiag.tcp_listener(stage.address, port)
            assert (found.inode, found.address) == (os.fstat(sock.fileno()).st_ino, stage.address)
            assert found in stage.sockdiag.inet(TCP, 1 << sockdiag.LISTEN)

    world(work)


def test_udp_receiver(world):
    """For UDP too, exact and wildcard."""

    def work(stage, program):
        exact, every = stage.port(), stage.port()
        where = [stage.address, str(exact), "udp", "0.0.0.0", str(every)]
        process = program("listens").start("udp", *where)
        process.wait_asleep({"pause", "rt_sigsuspend", "ppoll"}, "all bound")
        ask = stage.sockdiag.udp_receiver
        found = ask(stage.address, exact)
        assert (found.inode, found.port) == (_inode(process, 3), exact)
        assert ask(stage.address, every).inode == _inode(process, 4)
        assert ask(stage.address, stage.port()) is None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"123", (stage.address, exact))
        (waiting,) = [s for s in stage.sockdiag.inet(UDP) if s.port == exact]
        assert waiting.rqueue > 0

    world(work)


def test_unix_listener(world):
    """A UNIX listener is found by its path; a path without a listener is not."""

    def work(stage, program):
        path, other = stage.path("a path"), stage.path("other")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(other)
            process = program("listens").start("unix", path)
            process.wait_asleep({"pause", "rt_sigsuspend", "ppoll"}, "bound")
            listening = {s.address: s.inode for s in stage.sockdiag.unix(1 << sockdiag.LISTEN)}
            assert listening[path] == _inode(process, 3)
            assert other not in listening
            assert other in {s.address for s in stage.sockdiag.unix()}

    world(work)


def test_longest_unix_path(world):
    """A path of 107 bytes is seen whole."""

    def work(stage, program):
        path = stage.path("").ljust(107, "x")
        process = program("listens").start("unix", path)
        process.wait_asleep({"pause", "rt_sigsuspend", "ppoll"}, "bound")
        assert path in {s.address for s in stage.sockdiag.unix(1 << sockdiag.LISTEN)}

    world(work)


def test_many_sockets(world):
    """A list longer than one message comes whole."""

    def work(stage, program):
        with socket.create_server((stage.address, 0), backlog=400) as server:
            clients = [socket.create_connection(server.getsockname()) for _ in range(300)]
            found = stage.sockdiag.inet(TCP, 1 << sockdiag.ESTABLISHED)
            names = {(s.address, s.port) for s in found}
            assert names >= {client.getsockname() for client in clients}
            for client in clients:
                client.close()

    world(work)


# -- /proc -----------------------------------------------------------------------


def test_stat_of_an_odd_name(world):
    """Blanks and parentheses in a name don't shift the fields."""

    def work(stage, program):
        process = program("named").start()
        process.wait_asleep({"pause", "rt_sigsuspend", "ppoll"}, "asleep")
        found = proc.stat(process.pid)
        assert found == proc.Stat(") S 1 (a b", "S", process.launcher_pid, 1)

    world(work)


def test_nobody():
    """A process that has gone has no state, tasks, descriptors or time."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert proc.is_zombie(pid)
    assert proc.descriptors(pid) == {}
    assert proc.command_line(pid) == []
    os.waitpid(pid, 0)
    assert proc.stat(pid) is None
    assert proc.state(pid) == ""
    assert proc.tasks(pid) == proc.children(pid) == []
    assert proc.descriptors(pid) == proc.status(pid) == {}
    assert proc.cpu_seconds(pid) == 0.0
    assert proc.peek(pid, 4096, 1) == b""
    assert proc.current_call(pid, pid) is None


def test_signals_and_flags():
    """Masks and flags are read as the kernel has them."""
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGUSR1, lambda *a: 0)\n"
        "signal.signal(signal.SIGUSR2, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})\n"
        "os.kill(os.getpid(), signal.SIGHUP)\n"
        "os.set_blocking(0, False)\n"
        "print(flush=True)\n"
        "signal.sigwait({signal.SIGTERM})\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        child.stdout.readline()
        assert signal.SIGUSR1 in proc.signals(child.pid, "SigCgt")
        assert signal.SIGUSR2 in proc.signals(child.pid, "SigIgn")
        assert proc.signals(child.pid, "SigBlk") >= {signal.SIGHUP}
        assert proc.signals(child.pid, "ShdPnd") == {signal.SIGHUP}
        assert proc.flags(child.pid, 0) & proc.O_NONBLOCK
        assert not proc.flags(child.pid, 1) & proc.O_NONBLOCK
        assert proc.command_line(child.pid) == [sys.executable, "-c", code]
        assert child.pid in proc.children(os.getpid())
        child.kill()


def _ordinary(work):
    """Run a function in a process of an ordinary user's; return what it returns."""

    def become_and_work():
        if os.getuid() == 0:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            prctl.show()
        return work()

    answers = []
    limit = 60 * machine.scale()
    workers.run([workers.Task("ordinary", become_and_work, answers.append, limit=limit)], 1)
    assert answers[0] is not None
    return answers[0]


def _sleeper(before) -> int:
    pid = os.fork()
    if pid == 0:
        before()
        signal.pause()
    while proc.state(pid) != "S":
        pass
    return pid


def test_hidden():
    """Who hides is known for it; who is dead is not taken for somebody who hides."""

    def work():
        pid = _sleeper(prctl.hide)
        for look in (
            lambda: proc.current_call(pid, pid),
            lambda: proc.descriptors(pid),
            lambda: proc.flags(pid, 0),
        ):
            with pytest.raises(proc.Hidden, match="unobservable"):
                look()
        assert proc.stat(pid).state == "S"
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert proc.is_zombie(pid)
        assert proc.descriptors(pid) == {}
        assert proc.current_call(pid, pid) in (None, ("", ()))
        assert proc.flags(pid, 0) == 0
        return True

    assert _ordinary(work)


def test_ending_is_not_hiding():
    """While others end, looking at them is never refused for good."""

    def work():
        for _ in range(200):
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            state = ""
            while state != "Z":
                proc.current_call(pid, pid)
                proc.descriptors(pid)
                state = proc.state(pid)
            os.waitpid(pid, 0)
        return True

    assert _ordinary(work)


def test_time_of_the_dead():
    """The CPU time of children that were reaped is known, to a tick."""
    least = 0.2 * machine.scale()  # more than a fork takes
    pid = os.fork()
    if pid == 0:
        child = os.fork()
        if child == 0:
            while time.process_time() < least:
                pass
            os._exit(0)
        os.waitpid(child, 0)
        signal.pause()
    try:
        while proc.reaped_seconds(pid) == 0.0:
            assert proc.state(pid) not in ("", "Z")
        assert 0.75 * least < proc.reaped_seconds(pid) < 50 * least
        assert proc.cpu_seconds(pid) < 0.75 * least
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert proc.reaped_seconds(pid) == 0.0


def test_descendants():
    """A tree is listed parents first; of a forest only so many."""
    pid = os.fork()
    if pid == 0:
        for _ in range(5):
            if os.fork() == 0:
                signal.pause()
        signal.pause()
    while len(proc.children(pid)) < 5:
        pass
    found = proc.descendants(os.getpid())
    assert found[0] == pid
    assert sorted(found[1:]) == sorted(proc.children(pid))
    assert len(proc.descendants(os.getpid(), 2)) == 3
    for one in reversed(found):
        os.kill(one, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_memory():
    """Bytes of another process are read and written in place."""
    import ctypes

    buffer = ctypes.create_string_buffer(b"before")
    pid = os.fork()
    if pid == 0:
        while buffer.value == b"before":
            signal.sigtimedwait([], 0.001)
        os._exit(0 if buffer.value == b"after!" else 1)
    address = ctypes.addressof(buffer)
    assert proc.peek(pid, address, 6) == b"before"
    proc.poke(pid, address, b"after!")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert buffer.value == b"before"
    assert proc.peek(os.getpid(), 1, 4) == b""


# -- blocked calls ------------------------------------------------------------------

THREE, FOUR, FIVE = frozenset({3}), frozenset({4}), frozenset({5})
NONE = frozenset()
MINUTE = pytest.approx(60)


@pytest.mark.parametrize(
    ("word", "calls", "reads", "writes", "timeout", "text"),
    [
        ("accept", syscalls.ACCEPT, THREE, NONE, None, "accept(3)"),
        ("accept4", syscalls.ACCEPT, THREE, NONE, None, "accept4(3)"),
        ("read", {"read"}, FOUR, NONE, None, "read(4)"),
        ("recv", {"recvfrom"}, FOUR, NONE, None, "recvfrom(4)"),
        ("recvmsg", {"recvmsg"}, FIVE, NONE, None, "recvmsg(5)"),
        ("select", syscalls.SELECT, THREE | FIVE, NONE, MINUTE, "select({3, 5})"),
        ("pselect", syscalls.SELECT, THREE | FIVE, NONE, MINUTE, "select({3, 5})"),
        ("poll", syscalls.POLL, THREE | FOUR, NONE, MINUTE, "poll({3, 4})"),
        ("poll for ever", syscalls.POLL, THREE | FOUR, NONE, None, "poll({3, 4})"),
        ("ppoll", syscalls.POLL, THREE | FOUR, NONE, pytest.approx(60.5), "poll({3, 4})"),
        ("epoll", syscalls.EPOLL, THREE | FOUR, NONE, MINUTE, "epoll_wait({3, 4})"),
        ("nanosleep", syscalls.SLEEP, NONE, NONE, pytest.approx(60.5), "nanosleep"),
        ("pause", {"pause", "ppoll"}, NONE, NONE, None, "pause"),
        ("sigtimedwait", {"rt_sigtimedwait"}, NONE, NONE, pytest.approx(60.5), "rt_sigtimedwait"),
    ],
)
def test_blocked(world, word, calls, reads, writes, timeout, text):
    """A blocked call is resolved to what it waits for, and how long."""

    def work(stage, program):
        process = program("asleep").start(word)
        found = process.wait_asleep(frozenset(calls), f"asleep in {word}")
        assert (found.reads, found.writes) == (reads, writes)
        assert found.timeout == timeout
        # accept may end in accept4, nanosleep in clock_nanosleep
        assert text in str(found) or text.split("(")[0] in str(found)

    world(work)


def test_describe_select():
    """The three forms of a time limit mean the same."""
    import ctypes

    sets = (ctypes.c_uint64 * 16)(1 << 3 | 1 << 40, 1 << 5)
    reads = ctypes.addressof(sets)
    micro = struct.pack("=qq", 2, 500_000)
    nano = struct.pack("=qq", 2, 500_000_000)
    for call, data in (("select", micro), ("pselect6", nano)):
        limit = ctypes.create_string_buffer(data, 16)
        args = (64, reads, reads + 8, 0, ctypes.addressof(limit), 0)
        found = blocked.describe(os.getpid(), call, args)
        assert (found.reads, found.writes) == (frozenset({3, 40}), FIVE)
        assert found.timeout == 2.5
        assert str(found) == "select({3, 5, 40})"
    assert blocked.describe(os.getpid(), "pselect6", (0, 0, 0, 0, 0, 0)).timeout is None


def test_describe_poll_by_its_other_names():
    """POLLRDNORM is POLLIN, POLLWRNORM is POLLOUT."""
    fds = struct.pack("=ihhihh", 3, 0x040, 0, 4, 0x100, 0)
    where = ctypes.create_string_buffer(fds, len(fds))
    args = (ctypes.addressof(where), 2, 0xFFFFFFFF, 0, 0, 0)
    found = blocked.describe(os.getpid(), "poll", args)
    assert (found.reads, found.writes, found.timeout) == (THREE, FOUR, None)


def test_describe_splice():
    """splice waits for either end."""
    found = blocked.describe(os.getpid(), "splice", (3, 0, 4, 0, 100, 0))
    assert (found.reads, found.writes) == (THREE, FOUR)


# -- seccomp -----------------------------------------------------------------------

needs_notify = pytest.mark.skipif(bool(probes.failing("notify")), reason="no notification here")


def _ask(program, word: str, call: str):
    """Start a program that makes one call; return (process, held)."""
    process = program("calls").start(word, watch=syscalls.FORK if call == "fork" else (call,))
    calls = syscalls.FORK if call == "fork" else {call}
    return process, process.breakpoints.hold(calls, f"a call of {word}")


@needs_notify
def test_hold_and_let_go(world):
    """A held call has not happened; let go, it happens."""

    def work(stage, program):
        process, held = _ask(program, "listen", "listen")
        assert (held.call, held.args[:2]) == ("listen", (0, 5))
        assert held.tid == process.pid
        assert process.held_call(held.tid).call == "listen"
        process.expect_stdout(b"")
        held.let_go()
        process.expect_exit(0)
        process.expect_stdout(b"-1: Socket operation on non-socket\n")

    world(work)


@needs_notify
def test_fail_and_answer(world):
    """A held call fails or succeeds as told, without being carried out."""

    def work(stage, program):
        process, held = _ask(program, "listen", "listen")
        held.fail(errno.EACCES)
        process.expect_exit(0)
        process.expect_stdout(b"-1: Permission denied\n")
        process, held = _ask(program, "listen", "listen")
        held.answer(77)
        process.expect_exit(0)
        process.expect_stdout(b"77: Success\n")
        process, held = _ask(program, "fork", "fork")
        held.fail(errno.EAGAIN)
        process.expect_exit(0)
        process.expect_stdout(b"-1: Resource temporarily unavailable\n")

    world(work)


@needs_notify
def test_give_a_descriptor(world):
    """A held call returns a duplicate of a descriptor of ours."""

    def work(stage, program):
        process, held = _ask(program, "socket", "socket")
        kind = held.args[1]
        assert kind == socket.SOCK_STREAM | socket.SOCK_CLOEXEC
        with socket.socket() as mine:
            held._done()
            listener = process.breakpoints.listener
            assert listener.give(held._note, mine.fileno(), kind & socket.SOCK_CLOEXEC)
            assert not listener.valid(held._note)
        process.expect_exit(0)
        process.expect_stdout(b"family 2, cloexec 1, 3: Success\n")

    world(work)


@needs_notify
def test_held_thread_that_is_killed(world):
    """An answer to somebody who has gone is no error."""

    def work(stage, program):
        process, held = _ask(program, "listen", "listen")
        process.signal(signal.SIGKILL)
        assert str(process.wait_end()) == "was killed by SIGKILL"
        held.let_go()
        listener = process.breakpoints.listener
        assert not listener.valid(held._note)
        assert not listener.fail(held._note, errno.EINTR)
        assert listener.receive() is None

    world(work)


# -- namespaces, descriptors of others -------------------------------------------------

needs_netns = pytest.mark.skipif(bool(probes.failing("netns")), reason="no namespaces here")


@needs_netns
def test_namespace_is_private(world):
    """In the private network, nobody else's port is taken or reachable."""
    with socket.create_server(("127.0.0.1", 0)) as outside:
        port = outside.getsockname()[1]

        def work(stage, program):
            refused = socket.socket().connect_ex(("127.0.0.1", port))
            with socket.create_server(("127.0.0.1", port)):
                away = socket.socket().connect_ex(("192.0.2.1", 9))
            return [refused, away, os.readlink("/proc/self/ns/net")]

        refused, away, name = world(work, private=True)
        assert refused == errno.ECONNREFUSED
        assert away == errno.ENETUNREACH
        assert name != os.readlink("/proc/self/ns/net")
        outside.setblocking(False)
        with pytest.raises(BlockingIOError):
            outside.accept()


def test_user_stays_the_same(world):
    """Whoever runs the harness is the same user in there."""
    assert world(lambda stage, program: [os.getuid(), os.getgid()]) == [os.getuid(), os.getgid()]


def test_flush_loopback(world):
    """After the flush, what was sent before has arrived; affinity is as it was."""

    def work(stage, program):
        before = os.sched_getaffinity(0)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((stage.address, 0))
            for _ in range(100):
                sock.sendto(b"x", sock.getsockname())
                netns.flush_loopback()
                assert sock.recv(2, socket.MSG_DONTWAIT) == b"x"
        assert os.sched_getaffinity(0) == before

    world(work)


def test_flush_goes_beyond_our_own_cpu(world, monkeypatch):
    """Who stays on one CPU flushes the queues of the others, too."""
    cpus = os.sched_getaffinity(0)

    def work(stage, program):
        real, seen = os.sched_setaffinity, []
        monkeypatch.setattr(os, "sched_setaffinity", lambda p, c: (seen.append(set(c)), real(p, c)))
        os.sched_setaffinity(0, {min(cpus)})
        netns.flush_loopback()
        assert all({cpu} in seen for cpu in cpus)
        assert os.sched_getaffinity(0) == {min(cpus)}

    world(work)


def test_settle(world):
    """To settle what is on its way takes nothing away, and ends."""

    def work(stage, program):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((stage.address, 0))
            sock.sendto(b"x", sock.getsockname())
            assert netns.settle() in (False, True)
            assert sock.recv(2, socket.MSG_DONTWAIT) == b"x"

    world(work)


# -- the launcher ------------------------------------------------------------------------


@needs_notify
@pytest.mark.parametrize("limit", [20, 64, 1000, 1001])
def test_launcher_with_few_descriptors(limit):
    """The filter is handed over however few descriptors there may be."""
    with contextlib.closing(control.Control()) as talk:
        number = str(syscalls.NUMBER["exit_group"])
        command = [str(build.native("launch")), "-c", str(talk.theirs.fileno()), "-n", number]
        shell = ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh"]
        launcher = subprocess.Popen(
            [*shell, *command, str(build.native("leak"))], pass_fds=[talk.theirs.fileno()]
        )
        talk.theirs.close()
        os.close(talk.listener())
    assert launcher.wait() == 0


@needs_notify
def test_process_leaves_no_descriptor(world):
    """A process that has been ended has given back all that it took of ours."""

    def work(stage, program):
        def once():
            process = program("asleep").start("read", watch=("read",))
            process.breakpoints.hold({"read"}, "a read").let_go()
            process.end()

        once()
        before = sorted(os.listdir("/proc/self/fd"))
        once()
        assert sorted(os.listdir("/proc/self/fd")) == before

    world(work)


@pytest.mark.skipif(bool(probes.failing("many_descriptors")), reason="too low a limit here")
@pytest.mark.parametrize("occupied", [20, 1050])
def test_launcher_leaves_no_low_descriptor(world, occupied):
    """The program's first descriptor is the one that the check chose."""

    def work(stage, program):
        port = stage.port()
        process = program("listens").start(
            "tcp",
            stage.address,
            str(port),
            occupied=occupied,
            limits={"nofile": occupied + 2},
            watch=["bind"] if stage.can("notify") else [],
        )
        process.wait_asleep({"pause", "rt_sigsuspend", "ppoll"}, "bound")
        found = process.descriptors()
        assert sorted(found) == list(range(occupied + 1))
        assert set(list(found.values())[3:occupied]) == {"/dev/null"}
        assert set(proc.socket_inodes(process.pid)) == {occupied}

    world(work)


def test_launcher_defaults_every_signal(world):
    """Whoever starts the harness may ignore even the C library's own signals."""

    def work(stage, program):
        ignore = (ctypes.c_ulong * 4)(1)
        for number in (signal.SIGUSR1, 32, 33):
            found = ctypes.CDLL(None).syscall(
                syscalls.NUMBER["rt_sigaction"], int(number), ignore, None, 8
            )
            assert found == 0
        assert proc.signals(os.getpid(), "SigIgn") >= {signal.SIGUSR1, 32, 33}
        process = program("asleep").start("read")
        process.wait_reading()
        assert proc.signals(process.pid, "SigIgn") == set()

    world(work)


def test_launcher_ignores_what_it_is_told(world):
    """A check can play somebody who had ignored signals before."""

    def work(stage, program):
        process = program("asleep").start("read", ignore=(signal.SIGHUP, signal.SIGUSR1))
        process.wait_reading()
        assert proc.signals(process.pid, "SigIgn") == {signal.SIGHUP, signal.SIGUSR1}

    world(work)


def test_launcher_without_privilege(world):
    """The program has no capability, whoever runs the harness."""

    def work(stage, program):
        process = program("asleep").start("read")
        process.wait_reading()
        found = proc.status(process.pid)
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(found[name], 16) == 0, name
        assert found["NoNewPrivs"] == "1"
        assert proc.signals(process.pid, "SigIgn") == proc.signals(process.pid, "SigBlk") == set()
        assert os.getsid(process.pid) == process.pid

    world(work)


@pytest.mark.skipif(bool(probes.failing("pidfd_getfd")), reason="pidfd_getfd is refused here")
def test_borrow(world):
    """A borrowed socket is the program's own, under another number."""

    def work(stage, program):
        port = stage.port()
        process = program("listens").start("tcp", stage.address, str(port))
        process.wait_asleep({"pause", "rt_sigsuspend", "ppoll"}, "bound")
        with process.borrow(3) as sock:
            assert sock.getsockname() == (stage.address, port)
            assert os.fstat(sock.fileno()).st_ino == _inode(process, 3)
            with socket.create_connection((stage.address, port)) as client:
                assert select.select([sock], [], [], 0)[0]
                sock.accept()[0].close()
                assert client.recv(1) == b""
        for fd in (1, 99):
            with pytest.raises(OSError, match="socket|pidfd_getfd"):
                process.borrow(fd)
        process.signal(signal.SIGKILL)
        process.wait_end()
        with pytest.raises(OSError):
            pidfd.borrow(process.pid, 3)

    world(work)


@needs_notify
def test_probe_of_a_program_that_makes_no_call(monkeypatch):
    """A filter whose program has ended has no news any more: the probe fails at once."""
    real = build.native
    other = {"restart": "/bin/true"}
    monkeypatch.setattr(build, "native", lambda *args: other.get(args[0]) or real(*args))
    with pytest.raises(OSError, match="not made again|launcher ended"):
        probes.PROBES["restart"].run("none")
