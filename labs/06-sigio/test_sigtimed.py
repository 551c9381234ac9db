"""Checks of sigtimed: clients served while it counts, and woken for afterwards."""

import contextlib
import errno
import math
import os
import signal

from harness import Failure, check, diagnosis, fail, require, sigio, strange
from harness.handlers import Handlers
from harness.kernel import netns, proc
from harness.kernel.syscalls import ACCEPT, FORK, TIMER, WAIT_CHILD, WRITE
from harness.made_up import letters
from harness.program import Server
from harness.sigio import ARMING, LOST, SOON, WAITS, Waits

MANY = 5
PRIMES = [n for n in range(300, 1500) if all(n % d for d in range(2, 40))]

NO_HANDLER = (
    "SIGIO came and ended the program: the handler must be there before the socket is armed"
)
ONE_EACH = "one SIGIO may stand for many clients: accept until there is nobody left (EAGAIN)"
FLUSH = "a line that is not flushed comes later, with the next ones, or never; fflush after each"
GOES_ON = "when accept or fork fails: one line on stderr, and it goes on, for the next client too"
SHELL = (
    "there are more processes than commands: CMD is split at blanks, and run by execvp in the "
    "child itself, without a shell or another fork in between"
)
CLEARED = (
    "the flag is cleared after the work: that forgets the signal that came meanwhile. Clear it "
    "first, then accept until EAGAIN"
)
EARLY = "who has come before the socket was armed sends no signal any more: look once after arming"


def below(most):
    """Return how many primes there are below a number: the sieve of Eratosthenes."""
    prime = bytearray([0, 0, *[1] * (most - 2)][:most])
    for n in range(2, math.isqrt(most) + 1):
        if prime[n : n + 1] == b"\1":
            prime[n * n :: n] = bytes(len(range(n * n, most, n)))
    return sum(prime)


class Timed:
    """A running sigtimed.

    Args:
        program: the program.
        most: what -w says.
        command: what -c says; by default one that prints a made-up text.
        how: passed on to ``start``.
    """

    def __init__(self, program, most=2, command=None, **how):
        self.program = program
        self.stage = program.stage
        self.text = letters(self.stage, 12)
        if command is None:
            path = self.stage.path("text")
            strange.write(path, self.text)
            # with a pipe as stdin: one that goes on until that is closed
            command = f"cat {path} -" if how.get("stdin") else f"cat {path}"
        target = (self.stage.address, self.stage.port())
        args = ["-c", command, "-w", str(most), target[0], str(target[1])]
        self.line = f"LISTENING {target[0]} {target[1]}\n".encode()
        self.most = most
        self.process = program.start(*args, **how)
        self.server = Server(program, self.process, target, args)

    def listening(self):
        """Wait until it listens, whatever it does besides."""
        self.process.until(self.server.listening, "sigtimed listening")

    def due(self):
        """Return all that it prints."""
        half = f"half {below(self.most // 2)}\n".encode()
        return self.line + half + f"primes {below(self.most)}\n".encode()

    def ready(self):
        """Wait until it has counted, and come to rest."""
        self.process.wait_quiet()
        if self.process.end_status:
            why = self.process.why_it_ended()
            if not why and b"primes" in self.process.stdout:
                why = (
                    "it counted, and ended: when it has counted it sleeps until a signal comes, "
                    "and serves on"
                )
            fail("a server that waits", self.process.how_it_ended(), why)
        self.listening()

    def connect(self):
        """Return a new client of a program at rest, or held, or frozen."""
        self.process.wait_quiet()
        try:
            return self.server.connect()
        except Failure as failure:
            failure.why = failure.why or self.why_not_served()
            raise

    def served(self, client, why=""):
        """Require that a client gets the text, and end of file."""
        self.gets(client, self.text, why)

    def gets(self, client, data, why=""):
        """Require that a client gets ``data``, and end of file."""
        try:
            client.expect_end(data, why)
        except Failure as failure:
            found = self.why_not_served()
            failure.why = found or failure.why
            raise

    def why_not_served(self):
        """Name a mistake that can be seen in the processes, if there is one."""
        with contextlib.suppress(Failure):
            self.process.wait_quiet()
        if self.process.end_status:
            return self.process.why_it_ended()
        for pid in self.process.others():
            if 0 in proc.socket_inodes(pid) and 0 not in proc.socket_inodes(self.process.pid):
                return (
                    "the command's descriptor 0 is the connection: it shall be the server's, and "
                    "the connection 1 and 2 only"
                )
        return ""

    def wrong_lines(self):
        """Explain what is wrong with all that it has printed; perhaps nothing."""
        got, due = self.process.stdout.splitlines(), self.due().splitlines()
        if len(got) > len(due) and [line for line in got if line in due] == due:
            more = next(line for line in got if line not in due)
            return (
                f"the numbers are right, but there is a line more, {diagnosis.show(more)}: nothing "
                "but LISTENING, half and primes is for stdout"
            )
        if len(got) < len(due) and self.process.asleep_in(ACCEPT):
            return (
                "it sleeps in accept instead of counting: the socket must not block (O_NONBLOCK), "
                "so that accept fails with EAGAIN when there is nobody"
            )
        if len(got) < len(due) and got == due[: len(got)] and not self.process.end_status:
            return f"the rest was not printed, or not flushed: {FLUSH}"
        return ""

    def asleep(self):
        """Require that it sleeps until a signal comes."""
        sigio.expect_asleep(self.process, self.server.listener_inode)

    def written(self, word):
        """Return a test of a held call: whether it writes a line that begins so."""

        def fits(held):
            if held.tid != self.process.pid or held.args[0] & 0xFFFFFFFF != 1:
                return False
            where, size = held.args[1], held.args[2]
            if held.call == "writev":
                found = b""
                for index in range(min(size, 8)):
                    vector = proc.peek(held.tid, where + 16 * index, 16)
                    base = int.from_bytes(vector[:8], "little")
                    found += proc.peek(held.tid, base, int.from_bytes(vector[8:], "little"))
            else:
                found = proc.peek(held.tid, where, min(size, 200))
            return found.startswith(word) or b"\n" + word in found

        return fits

    def hold_at(self, word):
        """Wait until it is about to print a line that begins so; keep it there."""
        due = f'the line "{word.decode()}..."'
        try:
            held = self.process.breakpoints.hold(WRITE, due, self.written(word))
        except Failure as failure:
            if self.process.asleep_in(WAIT_CHILD):
                failure.why = "it waits for a command to end, and does not count on meanwhile"
            elif not failure.why and self.process.asleep_in(ACCEPT):
                failure.why = self.wrong_lines()
            elif not self.process.end_status:
                failure.why = failure.why or f"it came to rest without that line: {FLUSH}"
            raise
        self.stage.tape.add("hold", f"sigtimed, about to print the line {word.decode()}...")
        return held


def half_way(program, **how):
    """Let three clients come in the middle of the count; return when it has counted.

    Their commands go on until ``finish`` lets them end: a SIGCHLD that came while
    the program is on its way into a watched write would interrupt that, which
    the kernel alone never does to a short write to a pipe (seccomp_unotify(2)).

    Returns:
        The run, held before its last line, and the clients.
    """
    most = 2 * program.stage.random.choice(PRIMES)
    timed = Timed(program, most, watch=WRITE, stdin=True, **how)
    held = timed.hold_at(b"half")
    timed.listening()
    line = timed.process.stdout
    program.stage.tape.add("look", "at stdout", diagnosis.show(line))
    require(
        line == timed.line,
        diagnosis.show(timed.line),
        diagnosis.show(line),
        "LISTENING comes first, and is flushed at once",
    )
    clients = [timed.connect() for _ in range(3)]
    netns.settle()
    held.let_go()
    held = timed.hold_at(b"primes")
    waiting = timed.server.queue()[0]
    program.stage.tape.add("look", "at the clients", f"{waiting} of 3 wait to be accepted")
    require(
        waiting == 0,
        "three clients accepted before the count is done",
        f"{waiting} of them still wait",
        "they came in the middle of the count, and it went on to the end without a look at them: "
        "that is not asynchronous"
        if waiting == 3
        else ONE_EACH,
    )
    return timed, held, clients


def finish(timed, held, clients, why=""):
    """Let the held program go on, and its commands end; require what they say."""
    held.let_go()
    timed.process.wait_quiet()
    timed.process.close_stdin()
    for client in clients:
        timed.served(client, why)


@check(
    points=2,
    kind="contract",
    hints=(
        "A listening socket sends SIGIO for each connection that is ready for accept.",
        "accept(2), fork(2), dup2(2), execvp(3); the parent closes the connection.",
        "In sigtimed.c: arm, serve and run.",
    ),
)
def test_serves(program):
    """says LISTENING, and gives each client the command's output and end of file"""
    timed = Timed(program)
    timed.ready()
    why = (
        "the client gets its end of file when nobody has the connection open any more: the parent "
        "closes it after fork"
    )
    for _ in range(3):
        client = timed.connect()
        try:
            timed.served(client, why)
        except Failure as failure:
            got = failure.got
            if got.startswith('"error'):
                failure.why = (
                    "the command could not be run: a name without a slash is looked for in PATH, "
                    "by execvp and not by execv"
                )
            elif "nothing" in got and client.ended == "end of file":
                failure.why = (
                    "the connection was closed, and the command has written nothing there: in the "
                    "child dup2 comes first, then close, then execvp; look at what each returns"
                )
            elif "nothing" in got and not timed.process.end_status:
                failure.why = sigio.why_not_woken(timed.process)
            raise
    line = timed.process.stdout[: len(timed.line)]
    require(line == timed.line, diagnosis.show(timed.line) + " on stdout", diagnosis.show(line))


@check(
    points=1,
    kind="contract",
    after="test_serves",
    hints=(
        "Where the command can't be run, there is still the client to be told.",
        "execvp(3) returns only if it failed; strerror(3), and _exit(2).",
        "In sigtimed.c: the end of run.",
    ),
)
def test_exec_fails(program):
    """tells the client when the command can't be run"""
    command = "/nonexistent/command -x word"
    timed = Timed(program, command=command)
    timed.ready()
    for _ in range(2):
        client = timed.connect()
        due = f"error: {command}: No such file or directory\n".encode()
        try:
            client.expect_end(due)
        except Failure as failure:
            with contextlib.suppress(Failure):
                timed.process.wait_quiet()  # who is ending closes its connection first
            if failure.got.startswith(('"sh: ', '"/bin/sh: ')):
                failure.why = SHELL
            elif client.ended == "end of file" and not failure.got.startswith("nothing"):
                failure.why = (
                    "the client was told, but in other words than these: error: CMD: REASON and a "
                    "newline, with the whole of CMD and what strerror says"
                )
            elif client.ended == "end of file" and not timed.process.others():
                failure.why = (
                    "execvp has failed, and the child ended without a word to the client: what "
                    "printf keeps in its buffer is lost at _exit; dprintf and write keep nothing"
                )
            else:
                failure.why = (
                    "execvp has failed, and the child went on, or said nothing to the client"
                )
            raise
    timed.process.wait_quiet()
    others = timed.process.others()
    require(not others, "one server", f"{len(others) + 1} of them", "the child must _exit(127)")


@check(
    points=2,
    kind="contract",
    hints=(
        "The count is the program's own work; half-way it says how far it is.",
        "is_prime and say are given.",
        "In sigtimed.c: work, the loop, from where to where it goes, and when it says half.",
    ),
)
def test_counts(program):
    """prints how many primes are below N / 2, and below N"""
    for most in (2, 3, 2 * program.stage.random.choice(PRIMES) + 1):
        timed = Timed(program, most)
        timed.ready()
        got = timed.process.stdout
        program.stage.tape.add("look", "at stdout", diagnosis.show(got))
        require(
            got == timed.due(),
            diagnosis.show(timed.due(), 200),
            diagnosis.show(got, 200),
            timed.wrong_lines()
            or "half is said once, when all below N / 2 is counted and nothing else, however small "
            "N is; primes at the end, of all below N; N itself does not count",
        )
        timed.process.end()
        program.stage.processes.remove(timed.process)


@check(
    points=5,
    kind="contract",
    after=("test_serves", "test_counts"),
    hints=(
        "The signal comes while the program counts; that is what it is for.",
        "The handler says that it was here; the loop looks at that between two numbers.",
        "In sigtimed.c: work, inside the loop.",
    ),
    needs="notify",
)
def test_middle(program):
    """serves clients that come in the middle of its count before it has counted on"""
    finish(*half_way(program), ONE_EACH)


@check(
    points=2,
    kind="contract",
    after="test_middle",
    hints=(
        "A client in the middle must not change the result: every number counts once.",
        "After serving, go on with the number that was due.",
        "In sigtimed.c: work, what follows the call of serve in the loop.",
    ),
    needs="notify",
)
def test_count_kept(program):
    """counts right though clients came in the middle"""
    timed, held, clients = half_way(program)
    finish(timed, held, clients)
    timed.process.wait_quiet()
    got = timed.process.stdout
    program.stage.tape.add("look", "at stdout", diagnosis.show(got, 200))
    require(
        got == timed.due(),
        diagnosis.show(timed.due(), 200),
        diagnosis.show(got, 200),
        timed.wrong_lines()
        or "the count is wrong when clients come meanwhile: a number was left out, counted twice, "
        "or the count began anew",
    )


@check(
    points=2,
    kind="clean",
    after="test_serves",
    hints=(
        "After the count there is nothing to do but wait, and a wait needs no timer.",
        "sigsuspend(2), or another call that opens the mask and sleeps.",
        "In sigtimed.c: the end of work; and arm: the listening socket must never block.",
    ),
)
def test_asleep(program):
    """after its count sleeps until a signal comes, without a timer"""
    timed = Timed(program, note=TIMER if program.stage.can("notify") else ())
    timed.ready()
    timed.asleep()
    for _ in range(2):
        timed.served(timed.connect())
        timed.asleep()
    timed.process.signal(signal.SIGIO)
    timed.asleep()
    timed.served(timed.connect())


def _failing_calls(program):
    """Let accept and fork fail, each in turn; require that the next clients are served.

    The commands go on until all is over, for a SIGCHLD would interrupt the calls.
    """
    for calls, error, name in (
        (ACCEPT, errno.ECONNABORTED, "accept"),
        (ACCEPT, errno.ENOMEM, "accept"),
        (FORK, errno.EAGAIN, "fork"),
    ):
        start = len(program.stage.tape.steps)
        timed = Timed(program, stdin=True, watch=calls)
        timed.ready()
        quiet = len(timed.process.stderr)
        failed = []

        def refuse(held, timed=timed, failed=failed, error=error):
            if not failed and held.tid == timed.process.pid:
                failed.append(held.call)
                held.fail(error)

        timed.process.breakpoints.on(calls, refuse)
        what = errno.errorcode[error]
        program.stage.tape.add("fail", f"the next {name}: {os.strerror(error)} ({what})")
        timed.process.freeze()
        clients = [timed.connect()]
        netns.settle()
        timed.process.thaw()
        timed.process.wait_quiet()
        why = GOES_ON
        if error == errno.ECONNABORTED:
            why = (
                "accept failed with ECONNABORTED: one client has given up, and others may wait: "
                "accept again, until EAGAIN"
            )
        else:
            said = timed.process.stderr[quiet:]
            program.stage.tape.add("look", "at stderr", diagnosis.show(said))
            if timed.process.end_status:
                fail("a server that goes on", timed.process.how_it_ended(), why)
            require(said.count(b"\n") == 1, "one line on stderr", diagnosis.show(said), why)
            clients.append(timed.connect())
        timed.process.wait_quiet()
        timed.process.close_stdin()
        # what the client gets for whom fork failed is nobody's promise
        for client in clients[name == "fork" :]:
            timed.served(client, why)
        timed.process.end()
        program.stage.processes.remove(timed.process)
        program.stage.tape.fold(start, "fail", f"{name}: {what}", "served on")


@check(
    points=3,
    kind="contract",
    after="test_serves",
    hints=(
        "Five clients that come while the program can't run make one pending signal; and one that "
        "can't be served is no reason to leave the others alone.",
        "accept(2) until it fails with EAGAIN; after ECONNABORTED again; other errors make a line.",
        "In sigtimed.c: the loop of serve.",
    ),
    needs="notify",
)
def test_frozen(program):
    """serves five clients that came with one signal, and survives accept and fork that fail"""
    timed = Timed(program)
    timed.ready()
    timed.process.freeze()
    clients = [timed.connect() for _ in range(MANY)]
    netns.settle()
    timed.process.thaw()
    for client in clients:
        timed.served(client, ONE_EACH)
    _failing_calls(program)


@check(
    points=2,
    kind="robust",
    after="test_serves",
    hints=(
        "A client may come at the very moment of arming: handler first, a first look after.",
        "sigaction(2), then fcntl(2), then accept(2).",
        "In sigtimed.c: arm, the order of its calls, and the beginning of work.",
    ),
    needs="notify",
)
def test_arming(program):
    """has its handler before it arms the socket, and misses nobody who comes meanwhile"""
    timed = Timed(program, watch=ARMING)
    held = timed.process.breakpoints.hold(
        ARMING, "a call that lets the socket send SIGIO", lambda held: sigio.arms(held)
    )
    program.stage.tape.add("hold", "sigtimed, which is about to let its socket send SIGIO")
    timed.listening()
    client = timed.connect()
    netns.settle()
    caught = sigio.catches(held.tid)
    said = timed.process.stdout
    held.let_go()
    require(not said, "nothing on stdout before the socket is armed", diagnosis.show(said), SOON)
    require(caught, "SIGIO handled or blocked by then", "neither: SIGIO ends it", NO_HANDLER)
    timed.served(client, EARLY)


@check(
    points=2,
    kind="robust",
    after="test_asleep",
    hints=(
        "Between the look at the flag and the sleep a client may come; then nobody wakes.",
        "sigprocmask(2) blocks SIGIO while you look; sigsuspend(2) opens the mask and sleeps.",
        "In sigtimed.c: the end of work.",
    ),
    needs=("notify", "restart"),
)
def test_lost_wakeup(program):
    """loses no client who comes between its look at the flag and its sleep"""
    timed = Timed(program, watch=WAITS)
    waits = Waits(timed.process)
    waits.watch()
    for again in range(2):
        clients = []
        if again:
            timed.asleep()
            waits.watch()
            clients.append(timed.connect())
        else:
            timed.listening()
        waits.strike(lambda clients=clients: clients.append(timed.connect()))
        for client in clients:
            timed.served(client, LOST)
    timed.asleep()


@check(
    points=1,
    kind="robust",
    after="test_middle",
    hints=(
        "While you serve, the next signal may come: it says that you are not done yet.",
        "The flag becomes 0 before the first accept(2), not after the last one.",
        "In sigtimed.c: work, where io becomes 0.",
    ),
    needs="notify",
)
def test_flag(program):
    """forgets no client who comes right after the last accept, in the middle of its count"""
    most = 2 * program.stage.random.choice(PRIMES)
    timed = Timed(program, most, watch=WRITE | ACCEPT, stdin=True)
    held = timed.hold_at(b"half")
    timed.listening()
    clients = [timed.connect()]
    netns.settle()
    held.let_go()
    empty = []

    def at_empty(held):
        if not empty and held.tid == timed.process.pid and not timed.server.queue()[0]:
            empty.append(held)
            return "keep"
        return None

    timed.process.breakpoints.on(ACCEPT, at_empty)
    timed.process.wait_quiet()  # held there, or done without such a call
    if empty:
        # it finds nobody, and just then there is somebody
        program.stage.tape.add("hold", "sigtimed, whose accept finds nobody (EAGAIN)")
        clients.append(timed.connect())
        netns.settle()
        empty[0].fail(errno.EAGAIN)
    timed.process.wait_quiet()
    timed.process.close_stdin()
    for client in clients:
        timed.served(client, CLEARED)


@check(
    points=2,
    kind="robust",
    after="test_serves",
    hints=(
        "The signal is for the server; a command has no handler, and SIGIO would end it.",
        "F_SETOWN with getpid(), in the parent: a negative number is a process group.",
        "In sigtimed.c: arm, the owner.",
    ),
)
def test_command_lives(program):
    """runs commands side by side, and none is hurt by the SIGIO that the next client makes"""
    timed = Timed(program, command="cat", stdin=True)
    timed.ready()
    first = timed.connect()
    timed.process.wait_quiet()
    second = timed.connect()
    timed.process.wait_quiet()
    why = (
        "the command of client 1 was ended by the SIGIO that client 2 made: the owner is a whole "
        "process group, to which commands belong, and exec takes the handler away"
    )
    first.expect_nothing(why)
    second.expect_nothing()
    running = len(timed.process.others())
    require(
        running == 2,
        "two commands at once",
        f"{running} processes",
        SHELL
        if running > 2
        else "the server waits for one command to end before it serves the next client",
    )
    timed.process.write(b"")
    timed.process.close_stdin()
    timed.gets(first, b"", why)
    timed.gets(second, b"", why)


@check(
    points=2,
    kind="clean",
    after="test_serves",
    hints=(
        "A command inherits descriptors, blocked signals and ignored signals; handlers go.",
        "dup2(2) to 1 and 2; close(2) the listening socket, or FD_CLOEXEC; sigprocmask(2).",
        "In sigtimed.c: run, before execvp; and how arm treats SIGCHLD.",
    ),
)
def test_child_clean(program):
    """gives a command descriptors 0, 1 and 2 alone, and its signals as they were"""
    timed = Timed(program, command="cat", stdin=True)
    timed.ready()
    client = timed.connect()
    timed.process.wait_quiet()
    children = timed.process.others()
    require(len(children) == 1, "one command running", f"{len(children)} processes", SHELL)
    child = children[0]
    found = timed.process.descriptors(child)
    inodes = proc.socket_inodes(child)
    step = program.stage.tape.add("look", "at the command")
    step.saw = f"descriptors {' '.join(map(str, sorted(found)))}"
    for fd in sorted(found):
        if fd > 2:
            armed = inodes.get(fd) == timed.server.listener_inode
            fail(
                "descriptors 0, 1 and 2",
                f"{fd}, too, which is {'the armed socket' if armed else found[fd]}",
                "the command inherits the armed listening socket: it keeps the port when the "
                "server has gone. Close it before exec, or set FD_CLOEXEC"
                if armed
                else "it inherits a second descriptor of the connection: close it after dup2",
            )
    theirs = inodes.get(1)
    connection = theirs if theirs and theirs != timed.server.listener_inode else None
    for fd in (1, 2):
        why = f"stdout and stderr of a command are both for the client: dup2 to {fd}, too"
        require(
            connection and inodes.get(fd) == connection,
            f"the connection as descriptor {fd}",
            found.get(fd, "none"),
            why,
        )
    require(
        found.get(0) == timed.process.descriptors().get(0),
        "the server's descriptor 0",
        found.get(0, "none"),
        "descriptor 0 of the command is the server's own, not the connection",
    )
    for field, word in (("SigBlk", "blocked"), ("SigIgn", "ignored")):
        names = sorted(
            diagnosis.signal_name(n) for n in proc.signals(child, field) if n not in (32, 33)
        )
        why = f"the command begins with {', '.join(names)} {word}: exec keeps that; undo it before"
        require(not names, f"no signal {word} in the command", ", ".join(names), why)
    timed.process.close_stdin()
    timed.gets(client, b"")


@check(
    points=2,
    kind="clean",
    after="test_frozen",
    hints=(
        "A child that has ended stays as a zombie until its parent says that it knows.",
        "waitpid(2) with WNOHANG in a loop, or SA_NOCLDWAIT.",
        "In sigtimed.c: arm, what it says about SIGCHLD; serve, what it closes.",
    ),
)
def test_nothing_left(program):
    """leaves no zombie and no descriptor behind"""
    timed = Timed(program)
    timed.ready()
    before = timed.process.descriptors()
    for _ in range(2):
        timed.process.freeze()
        clients = [timed.connect() for _ in range(MANY)]
        netns.settle()
        timed.process.thaw()
        for client in clients:
            timed.served(client)
    timed.process.wait_quiet()
    zombies = timed.process.zombies()
    why = "children that have ended are reaped by waitpid, in a loop, or not kept: SA_NOCLDWAIT"
    require(not zombies, "no zombie", f"{len(zombies)} of them", why)
    after = timed.process.descriptors()
    why = "the parent closes each connection when the child has it"
    require(len(after) == len(before), f"{len(before)} descriptors", f"{len(after)}", why)


@check(
    points=1,
    kind="robust",
    after="test_middle",
    hints=(
        "A handler interrupts the count, or printf, anywhere: it must leave no trace.",
        "signal-safety(7) lists what it may call; errno must be as it was.",
        "In sigtimed.c: on_sigio, and whatever it calls.",
    ),
    build="shim",
    needs="notify",
)
def test_handler(program):
    """calls nothing unsafe in its handlers, and leaves errno alone there"""
    handlers = Handlers(program.stage.path("handlers"))
    timed, held, clients = half_way(program, **handlers.how())
    finish(timed, held, clients)
    timed.process.wait_quiet()
    timed.served(timed.connect())
    timed.process.wait_quiet()
    found = handlers.found()
    step = program.stage.tape.add("look", "into the handlers")
    step.saw = f"{found.runs} runs"
    require(
        not found.unsafe,
        "only functions that signal-safety(7) lists",
        f"{found.unsafe}()",
        f"{found.unsafe} is not async-signal-safe: the signal may have interrupted it half-way. "
        "Set a flag in the handler, and do the work outside of it",
    )
    require(
        not found.spoilt,
        "errno as it was before the handler",
        os.strerror(found.spoilt),
        "the handler changes errno: save it first, and put it back",
    )
