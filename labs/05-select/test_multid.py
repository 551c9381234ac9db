"""Checks of multid: several listening sockets, one process that waits for them all."""

import contextlib
import errno
import os

from harness import Failure, check, peers, require, strange
from harness.diagnosis import show
from harness.kernel import proc
from harness.kernel.syscalls import ACCEPT, EPOLL, POLL, SELECT, SLEEP, WAIT_CHILD
from harness.made_up import letters, word
from harness.multiplex import require_waits, why_busy, why_not_served
from harness.process import End
from harness.program import environment

OPEN = frozenset({"open", "openat"})
EINTR = (
    "the end of a child interrupts select, which returns -1 with EINTR; SA_RESTART does not "
    "change that. It is no reason to give up, and the sets say nothing then"
)


# -- what the checks share --------------------------------------------------------


class Ends:
    """A multid that listens at several ends, in the order of its arguments."""

    def __init__(self, program, count: int, *options: str, **how):
        stage = program.stage
        self.targets = [(stage.address, stage.port()) for _ in range(count)]
        *before, (_address, last) = self.targets
        more = [word for address, port in before for word in (address, str(port))]
        self.server = program.serve(*options, *more, port=last, **how)
        self.stage = stage
        self.count = 0

    def listener(self, index: int) -> int:
        """Return the descriptor of a listening socket, by its place; -1 where there is none."""
        found = self.stage.sockdiag.tcp_listener(*self.targets[index])
        inodes = proc.socket_inodes(self.server.pid)
        return next((fd for fd, inode in inodes.items() if found and inode == found.inode), -1)

    def connect(self, index: int) -> peers.Peer:
        """Return a new client of one end."""
        self.count += 1
        name = f"client {self.count}, of {ordinal(index)} end"
        return peers.connect(self.stage, self.targets[index], name)

    def serve(self, index: int, data: bytes, why="") -> None:
        """Require that a new client of one end reads ``data`` and end of file."""
        with self.explained(index, why):
            self.connect(index).expect_end(data)

    @contextlib.contextmanager
    def explained(self, index: int, why=""):
        """Give a failure in the block the diagnosis that fits this server.

        Args:
            index: the end whose client was to be served.
            why: the diagnosis where nothing else fits.
        """
        try:
            yield
        except Failure as failure:
            with contextlib.suppress(Failure):
                self.server.wait_quiet()
            found = why_busy(failure) or self.stage.diagnose(()) or self._why(index)
            end = self.server.how_it_ended()
            if os.strerror(errno.EINTR).encode() in self.server.stderr:
                found = EINTR
            failure.why = found or (end and f"the server {end}. {why}") or why or failure.why
            raise

    def _why(self, index: int) -> str:
        if self.server.asleep_in(WAIT_CHILD):
            return (
                "the server waits for a command to end, and serves nobody meanwhile: SIGCHLD "
                "tells when a child has ended"
            )
        found = self.server.asleep_in(ACCEPT)
        if found and found.call in ACCEPT | SELECT | POLL | EPOLL:
            here = self.listener(index)
            if found.call in ACCEPT and here not in found.reads:
                return (
                    f"it waits in accept at one listening socket, {show_fds(found.reads)}, and "
                    "looks at no other: only select or poll may wait, and accept must not, so "
                    "O_NONBLOCK on every listening socket"
                )
            if here not in found.reads:
                return (
                    f"it waits for {show_fds(found.reads)}, and the listening socket of "
                    f"{ordinal(index)} end is {here}: fill the set anew before every select; the "
                    "first argument is the highest descriptor plus 1"
                )
        return why_not_served(self.server)


def ordinal(index: int) -> str:
    """Return how a person calls an end."""
    return f"the {('first', 'second', 'third', 'fourth')[index]}"


def show_fds(fds) -> str:
    """Return descriptors as a person would list them."""
    return "{" + ", ".join(map(str, sorted(fds))) + "}"


def printing(program) -> tuple[str, bytes]:
    """Return a command, and what it prints."""
    text = word(program.stage).encode() + b"\n"
    path = program.stage.path("text")
    strange.write(path, text)
    return f"cat {path}", text


class Gate:
    """A command that sleeps until the check lets it go: cat of a FIFO."""

    def __init__(self, program):
        self.path = program.stage.path("gate")
        self.command = f"cat {self.path}"
        self.tape = program.stage.tape
        strange.fifo(self.path)

    def wait(self, ends: Ends, count: int, index: int, why: str = "") -> list[int]:
        """Wait until so many commands sleep; return them."""

        def there():
            found = [pid for pid in ends.server.others() if ends.server.asleep_in(OPEN, pid)]
            return found if len(found) >= count else None

        with ends.explained(index, why):
            due = f"{count} command{'s' * (count > 1)} running"
            pids = ends.server.until(there, due)
        self.tape.add("look", "at the commands", f"{count} running")
        return pids

    def let_go(self, text: bytes) -> None:
        """Wake all who sleep; one prints ``text``."""
        self.tape.add("let go", f"the commands, one to print {show(text)}")
        strange.wake(self.path, text)

    def serve(self, ends: Ends, index: int, why: str = "") -> None:
        """Serve a client whose command ends while the server is provably asleep."""
        client = ends.connect(index)
        self.wait(ends, 1, index, why)
        with ends.explained(index, why):
            ends.server.wait_quiet()
        text = letters(ends.stage)
        self.let_go(text)
        with ends.explained(index, why):
            client.expect_end(text)
            ends.server.until(lambda: not ends.server.others(), "the end of the command")
            ends.server.wait_quiet()  # it has been told so, before another client comes

    def open(self, text: bytes) -> None:
        """Let every command from now on print ``text`` at once."""
        os.unlink(self.path)
        with open(self.path, "wb") as file:
            file.write(text)


# -- contract ---------------------------------------------------------------------


@check(
    points=2,
    kind="contract",
    hints=(
        "A server with three listening sockets waits for all three in one call.",
        "select(2), with FD_SET for each listening socket, in a loop.",
        "In multid.c: serve_all().",
    ),
)
def test_listens(program):
    """listens at every ADDR PORT and says so, a line each, in order; at all of them or none"""
    stage = program.stage
    ends = Ends(program, 3)
    ends.server.expect_listening_line(
        "".join(f"LISTENING {address} {port}\n" for address, port in ends.targets)
    )
    port = stage.port()
    args = [stage.address, "0", stage.address, str(port), stage.address, "0"]
    process = program.start(*args)
    process.wait_asleep(ACCEPT, "a server asleep, waiting for the next client")
    inodes = set(proc.socket_inodes(process.pid).values())
    found = [s for s in stage.sockdiag.inet(6, 1 << 10) if s.inode in inodes]
    chosen = sorted(s.port for s in found if s.port != port)
    got = process.stdout
    due = [b"LISTENING %s %d\n" % (stage.address.encode(), number) for number in (port, *chosen)]
    stage.tape.add("look", "at stdout", show(got, 120))
    require(
        sorted(got.splitlines(True)) == sorted(due) and got.splitlines(True)[1] == due[0],
        show(b"".join((due[1], due[0], due[2])), 120) if len(due) == 3 else "three lines",
        show(got, 120),
        "one line for each socket, with the port that getsockname tells of it",
    )
    taken = peers.Door(stage, (stage.address, stage.port()))
    process = program.start(stage.address, "0", *map(str, taken.target))
    end = process.wait_end()
    stage.tape.add("wait", f"for the end of {program.name}", process.how_it_ended())
    require(end == End("exit", 1), "exit status 1: one of the ends is taken", str(end))
    require(
        not process.stdout,
        "nothing on stdout",
        show(process.stdout),
        "the lines say that clients can connect: print them when all sockets listen, not before",
    )


@check(
    points=3,
    kind="contract",
    after="test_listens",
    hints=(
        "select says which listening sockets have a client; accept takes it from the right one.",
        "FD_ISSET(3) for each listening socket, accept(2) on that one, fork(2), dup2(2).",
        "In multid.c: serve_all() and start().",
    ),
)
def test_each_end(program):
    """serves the clients of every end, in whatever order they come, to end of file"""
    why = (
        "the client reads end of file when the last copy of its connection is closed: the "
        "server's own is one"
    )
    gate = Gate(program)
    ends = Ends(program, 4, "-c", gate.command)
    gate.serve(ends, 3, why)  # a child that ends while the server is asleep interrupts it
    text = word(program.stage).encode()
    gate.open(text)
    for index in (1, 2, 0, 0, 3, 2, 2, 1):
        ends.serve(index, text, why)


@check(
    points=1,
    kind="contract",
    after="test_each_end",
    hints=(
        "Without -c the command is uptime.",
        "become() runs the words that main() has split, found by PATH.",
        "In multid.c: start(), what it hands to become().",
    ),
)
def test_default_command(program):
    """runs uptime where no -c says otherwise, and says why if a command can't be run"""
    text = f"up {word(program.stage)}\n"
    folder = program.stage.path("bin")
    os.mkdir(folder)
    script = os.path.join(folder, "uptime")
    strange.write(script, f"#!/bin/sh\necho {text}".encode(), 0o755)
    path = environment()["PATH"]
    ends = Ends(program, 2, env={"PATH": f"{folder}:{path}"})
    program.stage.tape.add("write", f"an uptime of the checker's own, first in PATH: {script}")
    for index in (0, 1):
        ends.serve(index, text.encode(), "the default command is uptime, and PATH says where it is")
    command = word(program.stage)
    ends = Ends(program, 2, "-c", command + " x")
    line = f"error: {command} x: {os.strerror(errno.ENOENT)}\n".encode()
    for index in (1, 0):
        ends.serve(index, line, "CMD as -c has it, and strerror of what execvp left in errno")
    ends.server.wait_quiet()  # a child may answer before it has ended
    others = ends.server.others()
    require(not others, "one server", f"{1 + len(others)}", "where exec fails, the child must end")


@check(
    points=4,
    kind="contract",
    after="test_each_end",
    hints=(
        "One process can sleep for several sockets, but in one call only.",
        "select(2) with all listening sockets in its set and no time limit; FD_SET anew each time.",
        "In multid.c: serve_all(), what is done before each select.",
    ),
)
def test_waits_for_all(program):
    """is one process that sleeps in select for all its sockets, and serves all that are ready"""
    command, text = printing(program)
    ends = Ends(program, 4, "-c", command)
    for index in (2, 0, 3):
        ends.server.wait_quiet()
        others = ends.server.others()
        require(
            not others,
            "one process while nobody is there",
            f"{1 + len(others)}",
            "a process for each end is another design: here one waits for all, in select",
        )
        require_waits(ends.server, {ends.listener(number) for number in range(4)})
        ends.serve(index, text)
    ends.server.freeze()
    order = (1, 0, 3, 2, 1, 1)
    clients = [ends.connect(index) for index in order]
    ends.server.thaw()
    for index, client in zip(order, clients, strict=True):
        with ends.explained(index):
            client.expect_end(text)


# -- robust -----------------------------------------------------------------------


@check(
    points=2,
    kind="robust",
    after="test_each_end",
    hints=(
        "A command may take long; who waits for its end serves nobody else.",
        "fork(2) and back to select(2); reap() is called when a child has ended.",
        "In multid.c: start(), what the parent does.",
    ),
)
def test_concurrent(program):
    """never waits for a command, and goes on when the end of one interrupts select"""
    gate = Gate(program)
    ends = Ends(program, 3, "-c", gate.command)
    clients = []
    for count, index in enumerate((1, 1, 0, 2), 1):
        clients.append(ends.connect(index))
        gate.wait(ends, count, index, "a command that goes on must delay nobody")
    text = word(program.stage).encode()
    gate.let_go(text)
    got = b""
    for client in clients:
        with ends.explained(1):
            got += client.read_to_end()
    require(got == text, f"{show(text)} for one of the clients", show(got))
    ends.server.until(lambda: not ends.server.others(), "the end of the commands")
    for index in (1, 2, 1):
        gate.serve(ends, index)
        with ends.explained(index):
            ends.server.wait_accepting()


@check(
    points=1,
    kind="robust",
    after="test_each_end",
    needs="notify",
    hints=(
        "What select has called ready may be ready no longer.",
        "fcntl(2) with O_NONBLOCK on each listening socket; accept(2) then fails with EAGAIN.",
        "In multid.c: serve_all(), before the loop.",
    ),
)
def test_stolen(program):
    """serves the other ends when a client has gone between select and accept"""
    command, text = printing(program)
    ends = Ends(program, 3, "-c", command, watch=ACCEPT | {"socket"})
    server = ends.server
    server.freeze()
    ends.connect(1)
    server.thaw()
    held = server.breakpoints.hold(ACCEPT, "a server that calls accept for the client")
    ends.stage.tape.add("hold", f"{server.name} before {held.call}")
    with server.borrow(ends.listener(1)) as listener:
        stolen = peers.steal(listener)
    ends.stage.tape.add("steal", "the client's connection, as another process could")
    held.let_go()
    for index in (0, 2, 1):
        ends.serve(index, text)
    stolen.close()


@check(
    points=1,
    kind="robust",
    after="test_each_end",
    needs="notify",
    hints=(
        "accept and fork can fail for a reason that has gone a moment later.",
        "accept(2): ECONNABORTED, EMFILE; fork(2): EAGAIN; a line on stderr, and on.",
        "In multid.c: serve_all(), what follows a failed accept, and start(), a failed fork.",
    ),
)
def test_failures(program):
    """goes on when accept fails with ECONNABORTED or EMFILE, or fork with EAGAIN"""
    command, text = printing(program)
    forks = {"fork", "vfork", "clone", "clone3"}
    ends = Ends(program, 2, "-c", command, watch=ACCEPT | SLEEP | SELECT | POLL | EPOLL | forks)
    server = ends.server
    before = set(server.descriptors())
    server.breakpoints.on(SLEEP | SELECT | POLL | EPOLL, lambda held: held.cut())
    for calls, number in (
        (ACCEPT, errno.ECONNABORTED),
        (forks, errno.EAGAIN),
        (ACCEPT, errno.EMFILE),
    ):
        what = f"{'accept' if calls == ACCEPT else 'fork'} fails with {errno.errorcode[number]}"
        step = program.stage.tape.add("disturb", f"the next {what}")
        server.breakpoints.fail_next(calls, number, step)
        why = f"that {what} concerns one client only, if any: say so on stderr, and go on"
        if calls == forks:
            with ends.explained(0, why):
                ends.connect(0).expect_end()
        for index in (1, 0):
            ends.serve(index, text, why)
            with ends.explained(index, why):
                # a SIGCHLD would interrupt a fork that is watched, which no kernel does
                server.wait_quiet()
        with ends.explained(0, why):
            server.wait_accepting()
    after = set(server.descriptors())
    require(
        len(after) == len(before),
        f"{len(before)} open descriptors, as before",
        f"{len(after)}",
        "the connection of a client for whom fork failed stays open in the server",
    )


# -- clean ------------------------------------------------------------------------


@check(
    points=1,
    kind="clean",
    after="test_each_end",
    hints=(
        "A child inherits all listening sockets, not only the one its client came by.",
        "close(2) each of them in the child, or FD_CLOEXEC of fcntl(2), or SOCK_CLOEXEC.",
        "In multid.c: start(), what the child does before become().",
    ),
)
def test_descriptors(program):
    """gives a command descriptors 0, 1 and 2, and none of its listening sockets"""
    gate = Gate(program)
    ends = Ends(program, 3, "-c", gate.command)
    seen: set[int] = set()
    for count, index in enumerate((1, 2), 1):
        ends.connect(index)
        pids = set(gate.wait(ends, count, index)) - seen
        ends.server.wait_accepting()
        seen |= pids
        (pid,) = pids
        found = ends.server.descriptors(pid)
        names = {
            f"socket:[{_inode(ends, i)}]": f"a listening socket, {ordinal(i)}" for i in range(3)
        }
        shown = ", ".join(f"{fd} is {names.get(what, what)}" for fd, what in sorted(found.items()))
        program.stage.tape.add("look", "at the descriptors of the command", shown)
        left = [names[what] for what in found.values() if what in names]
        why = (
            f"the command holds {len(left)} of the listening sockets: after the server's end the "
            "port stays taken. Close every one of them in the child"
            if left
            else "whatever the child inherits and does not need is closed before exec"
        )
        require(set(found) == {0, 1, 2}, "0, 1 and 2, the last two the connection", shown, why)
        require(found[1] == found[2], "1 and 2 the connection", shown, "dup2 it to 1 and to 2")


def _inode(ends: Ends, index: int) -> int:
    return ends.stage.sockdiag.tcp_listener(*ends.targets[index]).inode


@check(
    points=1,
    kind="clean",
    after="test_each_end",
    hints=(
        "What was opened for a client is closed again, and a child that has ended is reaped.",
        "close(2) in the parent; sigaction(2) for SIGCHLD is in main().",
        "In multid.c: start(), the parent's close.",
    ),
)
def test_nothing_left(program):
    """has no child and no more descriptors when its clients have come and gone"""
    command, text = printing(program)
    ends = Ends(program, 3, "-c", command)
    server = ends.server
    before = set(server.descriptors())
    server.freeze()
    ends.connect(0).reset()
    ends.connect(1).close()
    server.thaw()
    for index in (2, 0, 1, 2, 1, 0):
        ends.serve(index, text)
    server.wait_accepting()
    with ends.explained(0):
        due = "no child left"
        why = "a child that has ended stays as a zombie until it is reaped: waitpid, in reap()"
        try:
            server.until(lambda: not server.children(), due)
        except Failure as failure:
            raise Failure(due, failure.got, why) from None
        server.wait_quiet()
    after = server.descriptors()
    ends.stage.tape.add("look", f"at what {server.name} has open", f"{len(after)} descriptors")
    new = [f"{fd} ({after[fd]})" for fd in sorted(set(after) - before)][:3]
    require(
        len(after) == len(before),
        f"{len(before)} open descriptors, as before",
        f"{len(after)}; new: {', '.join(new)}",
        "the server keeps a copy of the connection",
    )
