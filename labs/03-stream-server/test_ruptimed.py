"""Checks of ruptimed: a process for each client, and a command in it."""

import contextlib
import errno
import os
import signal
import subprocess

from harness import Failure, announced, begins, check, fail, require, shortage, strange
from harness.blocked import describe
from harness.diagnosis import show
from harness.kernel import proc
from harness.kernel.syscalls import (
    ACCEPT,
    EPOLL,
    FORK,
    POLL,
    SELECT,
    SLEEP,
    TIMER,
    WAIT_CHILD,
    WAIT_SIGNAL,
    WRITE,
)
from harness.made_up import word
from harness.program import environment

OPEN = frozenset({"open", "openat"})

LIMIT_LOST = (
    "a command has ended, but no other was started: the end of every child must count, also of "
    "several that end together"
)


# -- what the checks share --------------------------------------------------------


def file_of(program, name: str, data: bytes, mode: int | None = None) -> str:
    """Write a file for commands to read; return its path."""
    path = program.stage.path(name)
    strange.write(path, data, mode)
    return path


@contextlib.contextmanager
def explained(server, why):
    """Give a failure in the block the diagnosis that fits this server.

    Args:
        server: the server, which may have ended.
        why: a sentence, or a function that looks at the server and returns one;
            empty where nothing fits.
    """
    try:
        yield
    except Failure as failure:
        with contextlib.suppress(Failure):
            server.wait_quiet()  # so that an end of the server is known
        found = server.stage.diagnose(()) or (why if isinstance(why, str) else why())
        failure.why = found or failure.why
        raise


def second_servers(server) -> list[int]:
    """Return the processes of the run that are still the server's program."""
    mine = proc.command_line(server.pid)
    return [pid for pid in server.others() if mine and proc.command_line(pid) == mine]


def why_no_end(server, client) -> str:
    """Explain why a client does not read end of file."""
    if second_servers(server):
        return (
            "a child of the server goes on as a second server: where exec fails, the child must "
            "end, with _exit(127)"
        )
    if client.ended == "ECONNRESET":
        return (
            "the connection was reset instead of closed, and what the client had not read yet is "
            "lost: SO_LINGER with a time of 0 does that"
        )
    holders = server.holders(client)
    if server.pid in holders:
        return (
            "the parent keeps the connection open after fork, so the client never reads end of "
            "file: it comes when the last copy is closed, so close the parent's"
        )
    if len(holders) > 1:
        return (
            "another client's command holds a copy of this connection: whatever the server has "
            "open at fork, the child inherits"
        )
    return ""


def why_not_run(server) -> str:
    """Explain why a client's command does not run."""
    end = server.how_it_ended()
    if end:
        return f"the server {end}, and a client never ends it"
    if server.asleep_in(WAIT_CHILD):
        return (
            "the server waits for a command to end before it takes the next client: SIGCHLD tells "
            "when a child has ended, so nothing but WNOHANG belongs into that waitpid"
        )
    return ""


def serve_one(server, data: bytes, why=lambda: "") -> None:
    """Require that one more client gets ``data`` and end of file.

    Args:
        server: the server.
        data: what the command writes.
        why: looks at the server and returns the diagnosis, or nothing.
    """
    with explained(server, why):
        client = server.connect()
    with explained(server, lambda: why() or why_no_end(server, client)):
        client.expect_end(data)


class Gate:
    """A command that sleeps until the check lets it go: cat of a FIFO.

    Its reader sleeps in open until somebody opens the FIFO for writing.  As
    soon as a command sleeps there, its FIFO is moved away and a new one takes
    the name, so each command can be let go on its own.
    """

    def __init__(self, program):
        self.path = program.stage.path("gate")
        self.command = f"cat {self.path}"
        self._tape = program.stage.tape
        self._known: set[int] = set()
        self._moved = 0
        strange.fifo(self.path)
        self._tape.add("mkfifo", f"{self.path}: a cat of it sleeps until the checker lets it go")

    def sleeping(self, server) -> list[int]:
        """Return the commands that sleep."""
        return [pid for pid in server.tree() if self._at_gate(server, pid)]

    def _at_gate(self, server, pid: int) -> bool:
        found = server.asleep_in(OPEN, pid)
        if found is None:
            return False
        wanted = self.path.encode() + b"\0"
        address = found.args[0 if found.call == "open" else 1]
        return proc.peek(pid, address, len(wanted)) == wanted

    def wait(self, server, due: str, count: int = 1, why="") -> list[int]:
        """Wait until so many more commands sleep; return them.

        Args:
            server: whose commands they are.
            due: whose command it is, in the words of a failure.
            count: how many.
            why: the diagnosis if they never come.
        """

        def there():
            new = [pid for pid in self.sleeping(server) if pid not in self._known]
            return new if len(new) >= count else None

        with explained(server, why or (lambda: why_not_run(server))):
            return server.until(there, f"{due} running")

    def take(self, server, due: str, count: int = 1, why="") -> "Sleeper":
        """Wait as ``wait`` does, and return the commands as one Sleeper."""
        pids = self.wait(server, due, count, why)
        self._known.update(pids)
        self._moved += 1
        path = f"{self.path}.{self._moved}"
        os.rename(self.path, path)
        strange.fifo(self.path)
        self._tape.add("look", f"at {due}", "running")
        return Sleeper(self._tape, due, path, pids)


class Sleeper:
    """Commands that sleep at a FIFO of their own."""

    def __init__(self, tape, name: str, path: str, pids: list[int]):
        self._tape = tape
        self._name = name
        self._path = path
        self._pids = pids
        self.pid = pids[0]

    def let_go(self, text: bytes = b"") -> None:
        """Wake them; one that is alone prints ``text``.  Then they end."""
        self._tape.add("let go", self._name + (f", to print {show(text)}" if text else ""))
        try:
            strange.wake(self._path, text)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            fail(f"{self._name} running", "it has gone", "somebody killed the command")

    def wait_end(self, server) -> None:
        """Wait until they have ended, as zombies or reaped."""
        server.until(
            lambda: all(proc.state(pid) in ("Z", "X", "") for pid in self._pids),
            f"the end of {self._name}",
        )


def require_no_timer(server, tasks) -> None:
    """Require that the server itself sleeps without a time limit."""
    for task in tasks:
        if task.pid == server.pid and task.blocked is not None:
            require(
                task.blocked.timeout is None,
                "a server that sleeps until something happens",
                f"asleep in {task.blocked} with a time limit of {task.blocked.timeout} s",
                "the server wakes by a timer to see whether a child has ended: that is polling; "
                "SIGCHLD comes by itself, and interrupts a call that waits",
            )


def require_nothing_left(server, before: set[int], why: str) -> None:
    """Require that nothing of the clients is left when the server is at rest.

    Args:
        server: the server.
        before: its descriptors before the first client.
        why: the diagnosis for a process that is left.
    """
    with explained(server, lambda: why_not_run(server)):
        server.wait_accepting()
    server.wait_quiet()
    require_no_zombie(
        server,
        "a child that has ended is not reaped: one SIGCHLD may stand for several children, so "
        "its handler calls waitpid with WNOHANG until there is nothing left",
    )
    others, after = server.others(), server.descriptors()
    server.stage.tape.add(
        "look",
        f"at what {server.name} has left",
        f"{len(after)} descriptors, {len(others)} processes",
    )
    require(not others, "no process but the server", f"{len(others)} more", why)
    new = [f"{fd} ({after[fd]})" for fd in sorted(set(after) - before)]
    if len(new) > 3:
        new = [*new[:3], "..."]
    require(
        len(after) == len(before),
        f"{len(before)} open descriptors, as before",
        f"{len(after)}; new: {', '.join(new)}",
        "the server opens something for a client and never closes it: look at every way from "
        "accept to the next accept",
    )


def require_no_zombie(server, why: str) -> None:
    """Require that every child that has ended is reaped, and nobody asks for it."""
    step = server.stage.tape.add("look", "at the children that have ended", "all reaped")
    due = "no child left that has ended"
    try:
        server.until(lambda: not server.zombies(), due)
    except Failure as failure:
        count = len(server.zombies())
        step.saw = f"{count} zombie{'s' * (count != 1)}"
        fail(due, f"{step.saw} under pid {server.pid}; {failure.got}", why)


# -- contract ---------------------------------------------------------------------


@check(
    points=1,
    kind="contract",
    hints=(
        "A server makes a socket, gives it an address, and asks the kernel to queue connections; "
        "with port 0 the kernel chooses the port.",
        "socket(2), bind(2), listen(2), then getsockname(2) for the line, and fflush(3).",
        "In ruptimed.c: listen_at().",
    ),
)
def test_listens(program):
    """listens on ADDR PORT and says so, in one line, at once; port 0 too"""
    for port in (None, 0):
        begins.serve(program, port)


@check(
    points=1,
    kind="contract",
    after="test_listens",
    hints=(
        "Whoever starts a server trusts its exit status and its line: both must be true.",
        "bind(2) and inet_pton(3) return something that must be looked at; listen(2) comes before "
        "printf(3).",
        "In ruptimed.c: listen_at(), the order of its calls, and the result of each.",
    ),
)
def test_starts_or_fails(program):
    """refuses a taken port and a wrong address; says LISTENING only when clients can connect"""
    begins.starts_or_fails(program)


@check(
    points=1,
    kind="contract",
    hints=(
        "A command writes to descriptor 1 and does not care what that is: make it the connection.",
        "accept(2), fork(2), in the child dup2(2) and execvp(3).",
        "In ruptimed.c: run(), and serve_all(), which calls it in the child.",
    ),
)
def test_runs_command(program):
    """sends what CMD writes to the client, byte for byte"""
    data = program.stage.random.randbytes(300) + b"\n"
    server = program.serve("-c", "cat " + file_of(program, "text", data))
    try:
        server.connect().expect(data)
    except Failure as failure:
        if "error: cat " in failure.got:
            failure.why = (
                "cat was not found, but it is there: only execvp and execlp look for a command "
                "in PATH"
            )
        raise


@check(
    points=1,
    kind="contract",
    after="test_runs_command",
    hints=(
        "A client reads end of file when the last copy of the server's end has been closed.",
        "close(2) the connection in the parent, after fork(2), too.",
        "In ruptimed.c: serve_all(), what the parent does after fork.",
    ),
)
def test_end_of_file(program):
    """lets the client read end of file when CMD ends, not when the server ends"""
    text = word(program.stage).encode() + b"\n"
    server = program.serve("-c", "cat " + file_of(program, "text", text))
    serve_one(server, text)


@check(
    points=1,
    kind="contract",
    after="test_end_of_file",
    hints=(
        "Without -c the command is uptime.",
        "execvp(3) finds a command by PATH, as the shell does.",
        "In ruptimed.c: run(), where it becomes the command, and main(), where -c is read.",
    ),
)
def test_default_command(program):
    """runs uptime where no -c says otherwise"""
    text = f"up {word(program.stage)}\n"
    folder = program.stage.path("bin")
    os.mkdir(folder)
    script = os.path.join(folder, "uptime")
    strange.write(script, f"#!/bin/sh\necho {text}".encode(), 0o755)
    program.stage.tape.add("write", f"an uptime of the checker's own, first in PATH: {script}")
    path = environment()["PATH"]
    server = program.serve(env={"PATH": f"{folder}:{path}"})
    client = server.connect()
    with explained(server, lambda: why_no_end(server, client)):
        got = client.read_to_end()
    require(
        got == text.encode(),
        show(text.encode()),
        show(got, 100),
        "the default command is uptime, and PATH says where it is",
    )


@check(
    points=1,
    kind="contract",
    after="test_runs_command",
    hints=(
        "Only a shell knows $, ; or quotes; without one a command is a list of words.",
        "execvp(3) takes the words as they are, and a null pointer after the last.",
        "In ruptimed.c: run(), the call that becomes the command.",
    ),
)
def test_words(program):
    """splits CMD at blanks, and leaves everything else to no shell"""
    one, two = word(program.stage), word(program.stage)
    words = ["echo", one, "$HOME;", two, "*", '"a', 'b"', "'c'", "|", "`date`", "&&", "#x"]
    command = "   ".join(words[:4]) + " " + " ".join(words[4:]) + " "
    server = program.serve("-c", command)
    with explained(
        server,
        "CMD went through a shell, or was not split at every run of blanks: its words, as they "
        "are, are the arguments of exec",
    ):
        server.connect().expect(" ".join(words[1:]).encode() + b"\n")


@check(
    points=1,
    kind="contract",
    after="test_runs_command",
    hints=(
        "A command complains on descriptor 2, and the client is the one who should read it.",
        "dup2(2) twice: to STDOUT_FILENO and to STDERR_FILENO.",
        "In ruptimed.c: run(), before exec.",
    ),
)
def test_stderr(program):
    """sends what CMD writes to stderr to the client as well"""
    words = [word(program.stage) for _ in range(3)]
    script = f"echo {words[0]}\necho {words[1]} >&2\necho {words[2]}\n"
    server = program.serve("-c", "sh " + file_of(program, "script", script.encode()))
    with explained(
        server,
        "the second line was written to standard error and did not reach the client: the "
        "connection must become descriptor 2 of the command, as it becomes 1",
    ):
        server.connect().expect("\n".join([*words, ""]).encode())


@check(
    points=2,
    kind="contract",
    after="test_end_of_file",
    hints=(
        "A server with a process for each client goes back to accept at once.",
        "fork(2), then accept(2) again; waitpid(2) only with WNOHANG, when SIGCHLD has come.",
        "In ruptimed.c: serve_all(), between fork and the next accept.",
    ),
)
def test_concurrent(program):
    """serves a client while the commands of others go on and on"""
    gate = Gate(program)
    server = program.serve("-c", gate.command)
    running = []
    for number in range(1, 4):
        client = server.connect()
        due = f"the command of client {number}"
        running.append((client, gate.take(server, due)))
    for client, command in reversed(running):
        text = word(program.stage).encode()
        command.let_go(text)
        with explained(server, lambda client=client: why_no_end(server, client)):
            client.expect_end(text)


@check(
    points=1,
    kind="contract",
    after="test_end_of_file",
    hints=(
        "When exec returns, it has failed, and the child is still a copy of the server.",
        "execvp(3), then the line with strerror(3) to the connection, then _exit(2) with 127.",
        "In ruptimed.c: the end of run(), after exec.",
    ),
)
def test_exec_fails(program):
    """tells the client why CMD can't be run, and stays one server"""
    gone, extra = word(program.stage), word(program.stage)
    no_right = file_of(program, "not-executable", b"#!/bin/sh\necho no\n", 0o644)
    cases = (
        (gone, errno.ENOENT),
        (f"{gone}  -{extra}  x", errno.ENOENT),
        (no_right, errno.EACCES),
    )
    for command, number in cases:
        server = program.serve("-c", command)
        line = f"error: {command}: {os.strerror(number)}\n".encode()
        for _ in range(2):
            client = server.connect()
            with explained(server, lambda s=server, c=client: _why_exec(s, c)):
                client.expect_end(line)
        server.wait_quiet()
        others = second_servers(server)
        program.stage.tape.add("look", "at the processes", f"{1 + len(others)} of ruptimed")
        require(not others, "one server", f"{1 + len(others)}", _why_exec(server, None))


def _why_exec(server, client) -> str:
    if client is not None:
        found = why_no_end(server, client)
        if found:
            return found
    if second_servers(server):
        return (
            "a child whose exec failed went on as a second server: _exit(127) is missing after "
            "the error line"
        )
    return (
        "when exec returns, the client must get one line, 'error: CMD: REASON': all of CMD, as it "
        "was given to -c, and strerror of the errno that exec has left"
    )


@check(
    points=2,
    kind="contract",
    after="test_end_of_file",
    hints=(
        "A child inherits every descriptor, and exec keeps those without close-on-exec.",
        "close(2) before exec, or SOCK_CLOEXEC, or FD_CLOEXEC of fcntl(2).",
        "In ruptimed.c: run(), between dup2 and exec.",
    ),
)
def test_descriptors(program):
    """gives the command descriptors 0, 1 and 2, and no others"""
    gate = Gate(program)
    server = program.serve("-c", gate.command)
    for _ in range(2):
        client = server.connect()
        command = gate.take(server, f"the command of {client.name}")
        server.wait_accepting()
        found = server.descriptors(command.pid)
        connection = server.holders(client).get(command.pid, [])
        names = {
            fd: "the connection" if fd in connection else _descriptor(server, target)
            for fd, target in found.items()
        }
        shown = ", ".join(f"{fd} is {names[fd]}" for fd in sorted(names))
        program.stage.tape.add("look", f"at the descriptors of the command of {client.name}", shown)
        expected = "0, 1 and 2, of which 1 and 2 are the connection"
        extra = [fd for fd in sorted(found) if fd > 2]
        why = "; ".join(_why_descriptor(fd, names[fd]) for fd in extra)
        require(not extra and len(found) == 3, expected, shown, why)
        require({1, 2} <= set(connection), expected, shown, "dup2 the connection to 1 and to 2")
        require(
            found[0] == server.descriptors()[0],
            "as descriptor 0 what the server has there",
            f"0 is {names[0]}",
            "descriptor 0 stays what it is in the server: dup2 the connection to 1 and 2 only",
        )


def _descriptor(server, target: str) -> str:
    if target == f"socket:[{server.listener_inode}]":
        return "the listening socket"
    return "another socket" if target.startswith("socket:") else target


def _why_descriptor(fd: int, name: str) -> str:
    if name == "the listening socket":
        return (
            f"the command holds the listening socket ({fd}): close it in the child before exec, "
            "or make it with SOCK_CLOEXEC"
        )
    if name == "the connection":
        return (
            f"the command holds a second copy of the connection ({fd}): close the number that "
            "accept returned, after dup2"
        )
    if name == "another socket":
        return f"the command holds a connection that is not its client's ({fd})"
    return f"the command inherited descriptor {fd}: close it before exec"


@check(
    points=1,
    kind="contract",
    after="test_runs_command",
    hints=(
        "exec resets handlers, but what is ignored stays ignored, and what is blocked, blocked.",
        "sigaction(2) or signal(2) with SIG_DFL, sigprocmask(2) with an empty set.",
        "In ruptimed.c: run(), before exec.",
    ),
)
def test_signals(program):
    """starts the command with default signals, none ignored, none blocked"""
    gate = Gate(program)
    before = (signal.SIGHUP, signal.SIGUSR1)
    server = program.serve("-c", gate.command, ignore=before)
    program.stage.tape.add("look", "at who started the server", f"it ignored {_names(set(before))}")
    server.connect()
    command = gate.take(server, "the command")
    # Not 32 and 33: the C library keeps them to itself, and posix_spawn ignores them.
    ignored = proc.signals(command.pid, "SigIgn") & signal.valid_signals()
    blocked = proc.signals(command.pid, "SigBlk") & signal.valid_signals()
    shown = f"ignored: {_names(ignored)}; blocked: {_names(blocked)}"
    program.stage.tape.add("look", "at the command's signals", shown)
    require(
        not ignored,
        "no signal ignored",
        f"{_names(ignored)} ignored",
        "whoever started the server had ignored them, and exec keeps that: set every signal, from "
        "1 to SIGRTMAX, to SIG_DFL in the child before exec"
        if ignored <= set(before)
        else "what the server ignores, the command ignores too, for exec resets handlers only: set "
        "the signal to SIG_DFL in the child before exec",
    )
    require(
        not blocked,
        "no signal blocked",
        f"{_names(blocked)} blocked",
        "the signal mask survives fork and exec: set it empty in the child before exec",
    )


def _names(numbers: set[int]) -> str:
    def name(number: int) -> str:
        try:
            return signal.Signals(number).name
        except ValueError:
            return str(number)

    if len(numbers) > 6:
        return f"{len(numbers)} signals"
    return ", ".join(name(number) for number in sorted(numbers)) or "none"


# -- robust -----------------------------------------------------------------------


@check(
    points=1,
    kind="robust",
    after="test_end_of_file",
    hints=(
        "The command writes as if to a file: its descriptor must wait where the client is slow, "
        "and what it wrote must arrive although it has ended.",
        "No O_NONBLOCK on the connection, no SO_LINGER with a time of 0.",
        "In ruptimed.c: how the connection is made, from accept to exec.",
    ),
)
def test_big_output(program):
    """loses nothing of a big output, even if the client reads late"""
    for count, late in ((200_000, False), (2_000_000, True)):
        server = program.serve("-c", f"seq {count}")
        client = server.connect()
        if late:
            server.wait_quiet()
            program.stage.tape.add("wait", "until nothing moves any more", _where(server))
        expected = subprocess.run(["seq", str(count)], capture_output=True, check=True).stdout
        why = (
            "the command could not write while the client was not reading: is the connection "
            "non-blocking? O_NONBLOCK belongs to the open socket, so the command gets it too"
        )
        with explained(server, lambda c=client, s=server, w=why: why_no_end(s, c) or w):
            client.expect_end(expected)


def _where(server) -> str:
    asleep = any(server.asleep_in(WRITE, pid) for pid in server.others())
    return "the command sleeps in write" if asleep else "the command does not wait in write"


@check(
    points=1,
    kind="robust",
    after="test_runs_command",
    hints=(
        "A signal whose handler runs while accept waits makes it return -1, with errno EINTR.",
        "accept(2) again after EINTR, or SA_RESTART in sigaction(2).",
        "In ruptimed.c: serve_all(), what follows a failed accept.",
    ),
)
def test_interrupted(program):
    """goes on when a child ends, or it is stopped and continued, while it waits in accept"""
    gate = Gate(program)
    server = program.serve("-c", gate.command)

    def why():
        end = server.how_it_ended()
        return end and (
            f"the server {end} when a child ended: SIGCHLD interrupts accept, which then returns "
            "-1 with EINTR, and that is no reason to give up"
        )

    server.connect()
    first = gate.take(server, "the command of client 1")
    server.wait_accepting()
    first.let_go()
    with explained(server, why):
        first.wait_end(server)
        server.wait_accepting()
        client = server.connect()
        second = gate.take(server, "the command of client 2", why=why)
        server.wait_accepting()
        server.freeze()
        second.let_go(b"still here\n")
        client.expect(b"still here\n")
        server.thaw()
        server.connect()
        gate.take(server, "the command of client 3", why=why)
    got = server.stderr
    program.stage.tape.add("look", "at stderr", show(got))
    why = "EINTR is no failure: say nothing, and call accept again"
    require(not got, "nothing on stderr", show(got, 100), why)


@check(
    points=1,
    kind="robust",
    after="test_end_of_file",
    hints=(
        "Connections wait in the queue of the listening socket until the server accepts them.",
        "The second argument of listen(2) is the length of that queue.",
        "In ruptimed.c: listen_at().",
    ),
)
def test_queue(program):
    """lets five clients wait in its queue, and serves them all"""
    text = word(program.stage).encode() + b"\n"
    server = program.serve("-c", "cat " + file_of(program, "text", text))
    server.freeze()
    with program.stage.tape.one_step("connect", "5 clients"):
        clients = [server.connect() for _ in range(5)]
    server.thaw()
    for client in clients:
        with explained(server, lambda client=client: why_no_end(server, client)):
            client.expect_end(text)


@check(
    points=1,
    kind="robust",
    after="test_end_of_file",
    hints=(
        "A command that writes to a client who has gone gets an error or SIGPIPE, and ends.",
        "The command must have the connection itself, and SIGPIPE at its default: signal(7).",
        "In ruptimed.c: run(), what is between the command and the client.",
    ),
)
def test_client_leaves(program):
    """survives a client that leaves in the middle, and its command ends too"""
    text = word(program.stage).encode()
    server = program.serve("-c", "yes " + text.decode())
    before = set(server.descriptors())
    for leave in ("reset", "close"):
        client = server.connect()
        client.expect((text + b"\n") * 1000)
        getattr(client, leave)()
        why = (
            "the client has gone, but its command goes on for ever, writing to nobody: the "
            "connection must be the command's own stdout, and SIGPIPE must be at its default"
        )
        with explained(server, why):
            server.until(lambda: not server.others(), f"the end of the command of {client.name}")
    require_nothing_left(server, before, "the command of a client that left is still there")


@check(
    points=1,
    kind="robust",
    after="test_end_of_file",
    hints=(
        "A client may be gone before it is accepted; then calls on its connection fail.",
        "getpeername(2), setsockopt(2), write(2) on a connection: a failure is that client's end.",
        "In ruptimed.c: serve_all(), what is done with a connection, and which errors exit.",
    ),
)
def test_client_gone(program):
    """survives clients that have gone before they are accepted"""
    text = word(program.stage).encode() + b"\n"
    server = program.serve("-c", "cat " + file_of(program, "text", text))
    before = set(server.descriptors())
    server.freeze()
    server.connect().reset()
    server.connect().close()
    half = server.connect()
    half.half_close()
    server.thaw()

    def why():
        end = server.how_it_ended()
        return end and (
            f"the server {end} because a client had gone before it was accepted: a call on a "
            "connection may fail, and that concerns this client only"
        )

    with explained(server, lambda: why() or why_no_end(server, half)):
        half.expect_end(text)
    serve_one(server, text, why)
    require_nothing_left(server, before, "something of a client that had gone is left")


@check(
    points=1,
    kind="robust",
    after="test_end_of_file",
    needs="notify",
    hints=(
        "accept can fail for a reason that has gone a moment later.",
        "accept(2): ECONNABORTED and EMFILE cost a line on stderr, then it is called again.",
        "In ruptimed.c: serve_all(), what follows a failed accept.",
    ),
)
def test_accept_fails(program):
    """goes on when accept fails with ECONNABORTED or EMFILE"""
    text = word(program.stage).encode() + b"\n"
    command = "cat " + file_of(program, "text", text)
    server = program.serve("-c", command, watch=shortage.WATCH)

    def cut(held):
        held.cut()

    server.breakpoints.on(SLEEP, cut)

    def why():
        end = server.how_it_ended()
        return end and f"the server {end} because accept failed once: say so on stderr, and go on"

    for number in (errno.ECONNABORTED, errno.EMFILE):
        name = errno.errorcode[number]
        step = program.stage.tape.add("disturb", f"the next accept fails with {name}")
        server.breakpoints.fail_next(ACCEPT, number, step)
        # An accept that waits already is past its entry: the one after it fails.
        for _ in range(2):
            serve_one(server, text, why)
        server.wait_accepting()
    require_lines(server, 2, "each failure of accept")
    server.breakpoints.off(cut)
    clients = []
    shortage.endure(server, lambda: clients.extend(server.connect() for _ in range(2)))
    for client in clients:
        with explained(server, lambda client=client: why() or why_no_end(server, client)):
            client.expect_end(text)


def require_lines(server, most: int, of_what: str, least: int = 0) -> None:
    """Require between ``least`` and ``most`` lines on stderr by now."""
    lines = server.stderr.count(b"\n")
    server.stage.tape.add("look", "at stderr", f"{lines} lines")
    wanted = f"{most} line{'s' * (most != 1)}" + (" at most" if least < most else "")
    require(
        least <= lines <= most,
        f"{wanted} on stderr",
        f"{lines}",
        "EINTR is no failure: say nothing, and call accept again"
        if os.strerror(errno.EINTR).encode() in server.stderr
        else f"{of_what} is worth one line on stderr, 'ruptimed: call: reason'",
    )


@check(
    points=1,
    kind="robust",
    after="test_end_of_file",
    needs="notify",
    hints=(
        "fork can fail, when there are too many processes, and then there is no child.",
        "fork(2) returns -1: perror(3), close(2) the connection, and back to accept(2).",
        "In ruptimed.c: serve_all(), the three things that fork can return.",
    ),
)
def test_fork_fails(program):
    """closes the connection and goes on when no child can be made"""
    text = word(program.stage).encode() + b"\n"
    command = "cat " + file_of(program, "text", text)
    server = program.serve("-c", command, watch=FORK)
    before = set(server.descriptors())

    def why():
        end = server.how_it_ended()
        if end:
            return f"the server {end} because fork failed: only this client can't be served"
        if server.pid in server.holders(client):
            return (
                "fork failed, and the server keeps the connection open: the client waits for ever; "
                "close it in this case too"
            )
        return ""

    with no_children(server):
        client = server.connect()
        with explained(server, why):
            client.expect_end()
            server.wait_accepting()
    require_lines(server, 1, "a failed fork", 1)
    serve_one(server, text, why)
    require_nothing_left(server, before, "something of the client without a child is left")


@contextlib.contextmanager
def no_children(server):
    """Let every fork of the server fail within the block."""
    server.stage.tape.add("disturb", "from now on fork fails with EAGAIN")

    def refuse(held):
        held.fail(errno.EAGAIN)

    server.breakpoints.on(FORK, refuse)
    yield
    server.breakpoints.off(refuse)
    server.stage.tape.add("disturb", "from now on fork works")


@check(
    points=1,
    kind="robust",
    after="test_end_of_file",
    hints=(
        "A port stays taken while a connection of an earlier run lives, or is remembered, and "
        "while anybody has the old listening socket.",
        "setsockopt(2) with SO_REUSEADDR before bind(2); close the listener in the child.",
        "In ruptimed.c: listen_at(), and the start of the child.",
    ),
)
def test_restart(program):
    """can be started again at once on its port, while a command of the first run goes on"""
    gate = Gate(program)
    first = program.serve("-c", gate.command)
    client = first.connect()
    command = gate.take(first, "the command of client 1")
    command.let_go(b"over\n")
    with explained(first, lambda: why_no_end(first, client)):
        client.expect_end(b"over\n")
    client.close()
    first.connect()
    gate.take(first, "the command of client 2")
    first.wait_accepting()
    first.signal(signal.SIGTERM)
    first.wait_end()
    text = word(program.stage).encode() + b"\n"

    def why():
        held = [pid for pid in first.tree() if first.listener_inode in _inodes(pid)]
        if held:
            return (
                "the command of the first run still holds the listening socket, so the port is "
                "taken: the child must close it before exec"
            )
        return "the port is taken by what is left of old connections: set SO_REUSEADDR before bind"

    try:
        second = program.serve("-c", "cat " + file_of(program, "text", text), port=first.target[1])
    except Failure as failure:
        failure.why = why()
        raise
    second.connect().expect(text)


def _inodes(pid: int) -> set[int]:
    return set(proc.socket_inodes(pid).values())


@check(
    points=1,
    kind="robust",
    after="test_exec_fails",
    needs="notify",
    hints=(
        "127 is what a shell, too, makes of a command that can't be run.",
        "_exit(2) with 127, not exit(3): the child must not flush the server's buffers.",
        "In ruptimed.c: the last line of run().",
    ),
)
def test_exit_status(program):
    """ends a child that can't run CMD with status 127"""
    no_right = file_of(program, "not-executable", b"#!/bin/sh\necho no\n", 0o644)
    for command, number in ((word(program.stage), errno.ENOENT), (no_right, errno.EACCES)):
        server = program.serve("-c", command, watch=("exit", "exit_group"))
        statuses = []

        def note(held, server=server, statuses=statuses):
            if held.tid != server.pid:
                statuses.append(held.args[0] & 0xFF)

        server.breakpoints.on({"exit", "exit_group"}, note)
        client = server.connect()
        client.expect_end(f"error: {command}: {os.strerror(number)}\n".encode())
        server.wait_quiet()
        shown = ", ".join(map(str, statuses)) or "no child"
        program.stage.tape.add("look", "at the status of the child", shown)
        require(
            not statuses or 127 in statuses,
            "status 127 of the child",
            shown,
            "after the error line the child must say _exit(127), whatever the reason",
        )


# -- clean ------------------------------------------------------------------------


@check(
    points=1,
    kind="clean",
    after="test_runs_command",
    hints=(
        "A child that has ended stays as a zombie until its parent asks for its status.",
        "sigaction(2) for SIGCHLD, and waitpid(2) with WNOHANG in the handler; or SA_NOCLDWAIT.",
        "In ruptimed.c: reap(), and where it is made the handler of SIGCHLD.",
    ),
)
def test_reaped_at_once(program):
    """reaps a child when it ends, not when the next client comes"""
    gate = Gate(program)
    server = program.serve("-c", gate.command)
    client = server.connect()
    command = gate.take(server, "the command")
    server.wait_accepting()
    text = word(program.stage).encode()
    command.let_go(text)
    client.expect(text)
    command.wait_end(server)
    require_no_zombie(
        server,
        "the child has ended, the server sleeps on and nobody reaps it: SIGCHLD comes at that "
        "moment, and its handler is the place for waitpid",
    )


@check(
    points=1,
    kind="clean",
    after="test_reaped_at_once",
    hints=(
        "Signals are not counted: twenty that come while one is pending are one.",
        "waitpid(2) with -1 and WNOHANG, again and again until it returns 0 or -1.",
        "In ruptimed.c: reap().",
    ),
)
def test_reaps_all(program):
    """leaves no zombie when twenty children end together"""
    gate = Gate(program)
    server = program.serve("-c", gate.command)
    with program.stage.tape.one_step("connect", "20 clients"):
        for number in range(5, 25, 5):
            for _ in range(5):  # no more than its queue must hold
                server.connect()
            gate.wait(server, f"{number} commands", number, "without -m there is no limit")
    commands = gate.take(server, "twenty commands", 20)
    server.wait_accepting()
    server.freeze()
    commands.let_go()
    commands.wait_end(server)
    server.thaw()
    require_no_zombie(
        server,
        "twenty SIGCHLD became one: the handler must call waitpid in a loop until there is "
        "nothing left to reap",
    )


@check(
    points=1,
    kind="clean",
    after="test_reaped_at_once",
    hints=(
        "Whatever the server opens for a client it must close, on every way to the next accept.",
        "close(2); ls -l /proc/PID/fd shows what is open.",
        "In ruptimed.c: serve_all(), from accept to the next accept, in the parent.",
    ),
)
def test_nothing_left(program):
    """has as many descriptors and children after thirty clients as before"""
    text = word(program.stage).encode() + b"\n"
    # On a terminal even a line that is never flushed shows.
    server = program.serve("-c", "cat " + file_of(program, "text", text), stdout="pty")
    before = set(server.descriptors())
    tape = program.stage.tape
    with tape.one_step("connect", "30 clients, of which 10 reset and 20 read and close"):
        for number in range(30):
            with tape.one_step("connect", f"client {number + 1}: served"):
                client = server.connect()
                if number % 3 == 0:
                    client.reset()
                else:
                    client.expect(text)
                    client.close()
    require_nothing_left(server, before, "a child of a client that has gone is still there")
    announced.nothing_more(server)


@check(
    points=1,
    kind="clean",
    after="test_runs_command",
    hints=(
        "A server that looks every now and then whether something has happened is polling.",
        "SIGCHLD interrupts accept(2) or poll(2) without a time limit, so no limit is needed.",
        "In ruptimed.c: serve_all(), the call that waits.",
    ),
)
def test_sleeps(program):
    """sleeps without a timer while commands run and after they end"""
    gate = Gate(program)
    server = program.serve("-c", gate.command, note=TIMER if program.stage.can("notify") else ())
    commands = []
    for number in (1, 2):
        server.connect()
        commands.append(gate.take(server, f"the command of client {number}"))
    for command in (*commands, None):
        server.wait_accepting()
        tasks = server.wait_quiet()
        mine = [str(task) for task in tasks if task.pid == server.pid]
        program.stage.tape.add("look", f"at {server.name}", "; ".join(mine))
        require_no_timer(server, tasks)
        if command is not None:
            command.let_go()
            command.wait_end(server)
    timers = ", ".join(sorted(set(server.noted)))
    why = "that is polling: SIGCHLD comes by itself when a child has ended, and needs no timer"
    require(not timers, "no timer", f"a call of {timers}", why)


# -- challenge: -m N --------------------------------------------------------------


def limited(program, gate, count: int, clients: int, **how):
    """Start a server with -m ``count`` and connect clients, one by one.

    Returns the server, its clients, and the commands that run: one for each
    client up to the limit.
    """
    server = program.serve("-m", str(count), "-c", gate.command, **how)
    peers, commands = [], []
    for number in range(1, clients + 1):
        peers.append(server.connect())
        if number <= count:
            commands.append(gate.take(server, f"the command of client {number}"))
    return server, peers, commands


def require_running(gate, server, most: int) -> None:
    """Require that ``most`` commands run, all at rest, and no more."""
    server.wait_quiet()
    count = len(gate.sleeping(server))
    server.stage.tape.add("look", "at the commands", f"{count} running")
    require(
        count <= most,
        f"{most} command{'s' * (most != 1)} at once, with -m {most}",
        f"{count}",
        f"{count} commands run: count those that run, and take the next client only while there "
        "are fewer than N",
    )


@check(
    points=3,
    kind="contract",
    challenge=True,
    after=("test_end_of_file", "test_concurrent"),
    hints=(
        "Count the commands that run; while there are N, do not start another.",
        "Count up after fork(2), down where waitpid(2) reaps; wait with sigsuspend(2) when full.",
        "In ruptimed.c: the top of the loop in serve_all(), and reap().",
    ),
)
def test_limit(program):
    """-m 2: a third client waits, connected, and is served when a command ends"""
    gate = Gate(program)
    server, clients, commands = limited(program, gate, 2, 4)
    require_running(gate, server, 2)
    for index in (1, 0, 2, 3):
        started = len(commands)
        for waiting in clients[started:]:
            with explained(server, "a client over the limit waits, connected: it is not refused"):
                waiting.expect_nothing()
        text = word(program.stage).encode()
        commands[index].let_go(text)
        with explained(server, lambda client=clients[index]: why_no_end(server, client)):
            clients[index].expect_end(text)
        if started < len(clients):
            due = f"the command of client {started + 1}"
            commands.append(gate.take(server, due, why=LIMIT_LOST))
            require_running(gate, server, 2)


@check(
    points=1,
    kind="clean",
    challenge=True,
    after="test_limit",
    hints=(
        "A full server waits for one thing: that a child ends. The kernel tells it by SIGCHLD.",
        "sigsuspend(2), sigwaitinfo(2) or a blocking waitpid(2); not sleep(3), not WNOHANG again "
        "and again.",
        "In ruptimed.c: the waiting at the top of the loop in serve_all().",
    ),
)
def test_limit_sleeps(program):
    """-m 1: sleeps without a timer while it is full and a client waits"""
    gate = Gate(program)
    server, clients, commands = limited(program, gate, 1, 2)
    for _ in range(2):
        tasks = server.wait_quiet()
        mine = [str(task) for task in tasks if task.pid == server.pid]
        program.stage.tape.add("look", f"at {server.name}", "; ".join(mine))
        require_no_timer(server, tasks)
        server.connect()
    commands[0].let_go()
    gate.take(server, "the command of client 2", why=LIMIT_LOST)


@check(
    points=2,
    kind="robust",
    challenge=True,
    after="test_limit",
    hints=(
        "One SIGCHLD may stand for several children, so signals are the wrong thing to count.",
        "Each success of waitpid(2) is one command less.",
        "In ruptimed.c: reap().",
    ),
)
def test_limit_together(program):
    """-m 3: keeps the limit, and loses no place, when commands end together"""
    gate = Gate(program)
    server = program.serve("-m", "3", "-c", gate.command)
    with program.stage.tape.one_step("connect", "3 clients"):
        clients = [server.connect() for _ in range(3)]
    commands = gate.take(server, "3 commands", 3, LIMIT_LOST)
    with program.stage.tape.one_step("connect", "5 clients more"):
        clients += [server.connect() for _ in range(5)]
    for count in (3, 2, 0):
        require_running(gate, server, 3)
        server.freeze()
        commands.let_go()
        commands.wait_end(server)
        server.thaw()
        if count:
            commands = gate.take(server, f"{count} commands", count, LIMIT_LOST)
    for client in clients:
        with explained(server, lambda client=client: why_no_end(server, client)):
            client.expect_end()
    for _ in range(4):
        server.connect()
    gate.take(server, "3 commands", 3, LIMIT_LOST)
    require_running(gate, server, 3)


@check(
    points=2,
    kind="robust",
    challenge=True,
    after="test_limit",
    needs="notify",
    hints=(
        "Between the look at a counter and the call that waits, the signal may come: then nobody "
        "wakes the sleeper.",
        "Block SIGCHLD with sigprocmask(2), look, and wait with sigsuspend(2), which unblocks it.",
        "In ruptimed.c: the waiting at the top of the loop in serve_all().",
    ),
)
def test_limit_race(program):
    """-m 1: notices a command that ends just before the server would sleep"""
    gate = Gate(program)
    waits = WAIT_SIGNAL | WAIT_CHILD | POLL | SELECT | EPOLL
    server = program.serve("-m", "1", "-c", gate.command, watch=waits)
    kept = []

    def keep(held):
        fds = describe(held.tid, held.call, held.args).reads
        looks_only = held.call in WAIT_CHILD and held.args[2 if held.call == "wait4" else 3] & 1
        if kept or held.tid != server.pid or server.listener_fd in fds or looks_only:
            return None
        kept.append(held)
        return "keep"

    server.breakpoints.on(waits, keep)
    server.connect()
    command = gate.take(server, "the command of client 1")
    client = server.connect()
    server.wait_quiet()
    place = f"at the entry of {kept[0].call}" if kept else "where it waits"
    program.stage.tape.add("hold", f"{server.name} {place}")
    command.let_go()
    command.wait_end(server)
    if kept:
        kept[0].interrupt()
    why = (
        "the command ended after the server had looked at its counter and before it slept, and "
        "the wake-up was lost: SIGCHLD must be blocked from the look until sigsuspend lets it in"
    )
    text = word(program.stage).encode()
    gate.take(server, "the command of client 2", why=why).let_go(text)
    client.expect(text)


@check(
    points=1,
    kind="robust",
    challenge=True,
    after=("test_limit", "test_exec_fails"),
    hints=(
        "A child that could not run its command has ended like any other.",
        "Count down for every child that waitpid(2) reaps, whatever its status.",
        "In ruptimed.c: reap(), and what is counted where exec fails.",
    ),
)
def test_limit_exec(program):
    """-m 2: loses no place to commands that can't be run"""
    command = word(program.stage)
    server = program.serve("-m", "2", "-c", command)
    line = f"error: {command}: {os.strerror(errno.ENOENT)}\n".encode()
    why = (
        "a child that could not run its command still counts as running: its place is free as "
        "soon as it ends, with whatever status"
    )
    for _ in range(5):
        client = server.connect()
        with explained(server, lambda client=client: why_no_end(server, client) or why):
            client.expect_end(line)


@check(
    points=1,
    kind="robust",
    challenge=True,
    after=("test_limit", "test_fork_fails"),
    needs="notify",
    hints=(
        "Where fork fails, nothing runs, and no SIGCHLD will ever come for it.",
        "Count up only when fork(2) has returned a process id.",
        "In ruptimed.c: serve_all(), where the counter goes up.",
    ),
)
def test_limit_fork(program):
    """-m 2: loses no place to children that could not be made"""
    gate = Gate(program)
    server = program.serve("-m", "2", "-c", gate.command, watch=FORK)
    why = (
        "the server counts a command that was never started, because fork failed: nobody will "
        "ever count it down"
    )
    with no_children(server):
        for _ in range(3):
            client = server.connect()
            with explained(server, why):
                client.expect_end()
    for number in (4, 5, 6):
        server.connect()
        if number < 6:
            gate.take(server, f"the command of client {number}", why=why)
    require_running(gate, server, 2)
