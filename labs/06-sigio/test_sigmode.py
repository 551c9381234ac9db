"""Checks of sigmode: six ways to ask for SIGIO, and the way back."""

import contextlib
import errno
import fcntl
import os
import socket

from harness import Failure, check, diagnosis, require, sigio
from harness.kernel.syscalls import READ
from harness.sigio import ARMING, O_ASYNC

OWNERS = ("F_SETOWN", "FIOSETOWN", "SIOCSPGRP")
ENABLES = ("O_ASYNC", "FIOASYNC")
KINDS = ("tcp", "udp", "unix")


class Run:
    """One run of sigmode: its socket, which is ours too, and who sends to it."""

    def __init__(self, program, owner, enable, kind, watch=(), flags=os.O_NONBLOCK):
        self.program = program
        self.sock, self.peer = _pair(program.stage, kind)
        fcntl.fcntl(self.sock, fcntl.F_SETFL, flags)
        self.flags = sigio.flags(self.sock)
        self.ways = []
        orders, self.orders = os.pipe()
        program.stage.closers += [self.sock.close, self.peer.close, self.close_orders]
        self.line = f"armed {owner} {enable}\n".encode()
        self.process = program.start(
            owner,
            enable,
            kind,
            stdin=self.sock,
            third=orders,
            watch=watch,
            show=f"./sigmode {owner} {enable} {kind}, with a socket as descriptor 0",
        )
        os.close(orders)
        if watch:
            self.process.breakpoints.on(ARMING, self._note)

    def _note(self, held):
        if held.args[0] == 0 and sigio.way(held)[0]:
            self.ways.append((*sigio.way(held), held.call))

    def close_orders(self):
        """Close our end of descriptor 3."""
        if self.orders is not None:
            os.close(self.orders)
            self.orders = None

    def order(self):
        """Write a line to descriptor 3."""
        self.program.stage.tape.add("write", "a line to descriptor 3")
        os.write(self.orders, b"now\n")

    def finish(self):
        """Close descriptor 3, and require a good end."""
        self.program.stage.tape.add("close", "descriptor 3")
        self.close_orders()
        self.process.expect_exit(0)

    def wait(self):
        """Wait until it reads descriptor 3."""
        try:
            self.process.wait_asleep(READ, "sigmode asleep, waiting for a line at 3", fd=3)
        except Failure as failure:
            bad = [name for name, value, call in self.ways if call == "ioctl" and value == -1]
            if bad:
                failure.why = (
                    f"ioctl wants the address of an int: {bad[0]} got something that is no address"
                )
            raise

    def armed(self):
        """Wait until it is armed, and look at what it said."""
        self.wait()
        self.process.expect_stdout(self.line)

    def event(self):
        """Let something come for the socket."""
        self.program.stage.tape.add("send", "a byte to the socket")
        self.peer.send(b"x")

    def look(self):
        """Return owner and flags of the socket."""
        got = sigio.owner(self.sock), sigio.flags(self.sock)
        self.program.stage.tape.add("look", "at the socket", _words(*got))
        return got


def _pair(stage, kind):
    if kind == "unix":
        return socket.socketpair()
    if kind == "udp":
        sock, peer = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        sock.bind((stage.address, 0))
        peer.connect(sock.getsockname())
        return sock, peer
    with socket.socket() as listener:
        listener.bind((stage.address, 0))
        listener.listen()
        peer = socket.socket()
        peer.connect(listener.getsockname())
        return listener.accept()[0], peer


def _words(owner, flags):
    who = f"process {owner}" if owner > 0 else f"group {-owner}" if owner else "nobody"
    return f"owner: {who}; flags: {sigio.flag_names(flags)}"


def expect_owner(run):
    """Require that the program itself is the owner."""
    owner, flags = run.look()
    pid = run.process.pid
    why = "nobody is the owner, so SIGIO goes nowhere: set the owner, getpid(), before O_ASYNC"
    if owner < 0:
        why = "a negative owner is a process group: everybody in it gets SIGIO; use getpid()"
    elif owner:
        why = "another process is the owner, and gets the SIGIO"
    require(owner == pid, _words(pid, flags), _words(owner, flags), why)


def expect_async(run):
    """Require that the socket may send SIGIO."""
    owner, flags = run.look()
    why = "O_ASYNC is not set, so no SIGIO is sent"
    require(flags & O_ASYNC, "O_ASYNC set", _words(owner, flags), why)


def expect_flags(run, flags, why=""):
    """Require these flags of the socket."""
    owner, got = run.look()
    if not why and flags & O_ASYNC and not got & O_ASYNC:
        why = "O_ASYNC is not set, so no SIGIO is sent"
    elif not why:
        why = (
            "F_SETFL sets all flags at once: read them with F_GETFL, change the one bit, and "
            "write the rest back"
        )
    require(got == flags, _words(owner, flags), _words(owner, got), why)


def uses(program, owner=None, enable=None):
    """Require one way, together with each of the others, on each kind of socket."""
    names = OWNERS if owner else ENABLES
    wanted = owner or enable
    for kind in KINDS:
        for other in ENABLES if owner else OWNERS:
            start = len(program.stage.tape.steps)
            run = Run(program, owner or other, enable or other, kind, watch=ARMING)
            run.armed()
            used = [name for name, value, _call in run.ways if name in names and value]
            got = ", then ".join(dict.fromkeys(used)) or "none of " + " ".join(names)
            program.stage.tape.add("look", "at the calls", got)
            why = f"asked for {wanted}, it used {got}: the argument decides, and async_on gets it"
            require(set(used) == {wanted}, wanted, got, why)
            if owner:
                expect_owner(run)
            else:
                expect_async(run)
            run.process.end()
            program.stage.processes.remove(run.process)
            program.stage.tape.fold(start, "run", f"{owner or other} {enable or other} {kind}", got)


@check(
    points=2,
    kind="contract",
    hints=(
        "Two things make a socket send SIGIO: somebody who gets it, and a flag that lets it.",
        "fcntl(2): F_SETOWN with getpid(), then F_SETFL with O_ASYNC.",
        "In async.c: set_owner and set_async, which async_on calls one after the other.",
    ),
)
def test_armed(program):
    """says armed OWNER ENABLE, with the socket armed for itself, and waits at descriptor 3"""
    run = Run(program, "F_SETOWN", "O_ASYNC", "udp")
    run.armed()
    expect_owner(run)
    expect_async(run)


@check(
    points=2,
    kind="contract",
    after="test_armed",
    hints=(
        "The owner can be set in three ways that mean the same; the first is the usual one.",
        "fcntl(2) with F_SETOWN takes the process id itself.",
        "In async.c: set_owner, where it looks at how.",
    ),
    needs="notify",
)
def test_f_setown(program):
    """F_SETOWN sets the owner by fcntl, on tcp, udp and unix"""
    uses(program, owner="F_SETOWN")


@check(
    points=2,
    kind="contract",
    after="test_armed",
    hints=(
        "FIOSETOWN is a request of ioctl: the older way, from BSD.",
        "ioctl(2) with FIOSETOWN takes the address of an int that holds the process id.",
        "In async.c: set_owner, where it looks at how, and what async_on passes on.",
    ),
    needs="notify",
)
def test_fiosetown(program):
    """FIOSETOWN sets the owner by ioctl, on tcp, udp and unix"""
    uses(program, owner="FIOSETOWN")


@check(
    points=2,
    kind="contract",
    after="test_armed",
    hints=(
        "SIOCSPGRP is a request of ioctl, too; its name comes from process groups.",
        "ioctl(2) with SIOCSPGRP takes the address of an int; see socket(7).",
        "In async.c: set_owner: the request is not always the same.",
    ),
    needs="notify",
)
def test_siocspgrp(program):
    """SIOCSPGRP sets the owner by ioctl, on tcp, udp and unix"""
    uses(program, owner="SIOCSPGRP")


@check(
    points=2,
    kind="contract",
    after="test_armed",
    hints=(
        "O_ASYNC is one of the file status flags, which are read and written together.",
        "fcntl(2): F_GETFL, then F_SETFL.",
        "In async.c: set_async, where it looks at how.",
    ),
    needs="notify",
)
def test_o_async(program):
    """O_ASYNC lets the socket send SIGIO by fcntl, on tcp, udp and unix"""
    uses(program, enable="O_ASYNC")


@check(
    points=2,
    kind="contract",
    after="test_armed",
    hints=(
        "FIOASYNC is a request of ioctl that changes the one flag and no other.",
        "ioctl(2) with FIOASYNC takes the address of an int, 1 or 0.",
        "In async.c: set_async, where it looks at how.",
    ),
    needs="notify",
)
def test_fioasync(program):
    """FIOASYNC lets the socket send SIGIO by ioctl, on tcp, udp and unix"""
    uses(program, enable="FIOASYNC")


@check(
    points=3,
    kind="contract",
    after="test_armed",
    hints=(
        "The flags of a socket belong to all who share it: change only the one that is yours.",
        "F_GETFL first; then F_SETFL with all that was there, and one bit more or less.",
        "In async.c: set_async, the value that F_SETFL gets.",
    ),
)
def test_flags_kept(program):
    """changes no other flag of the socket"""
    for flags in (os.O_NONBLOCK, 0, os.O_APPEND | os.O_NONBLOCK):
        for enable in ENABLES:
            run = Run(program, "F_SETOWN", enable, "udp", flags=flags)
            run.armed()
            expect_flags(run, run.flags | O_ASYNC)
            run.process.end()
            program.stage.processes.remove(run.process)


@check(
    points=3,
    kind="contract",
    after="test_armed",
    hints=(
        "Disarming takes both steps back: no flag, and nobody who would get the signal.",
        "F_SETFL without O_ASYNC, or FIOASYNC with 0; F_SETOWN with 0.",
        "In async.c: async_off; in sigmode.c: wait_line, which tells a line from end of file.",
    ),
)
def test_disarms(program):
    """at a line at descriptor 3 disarms the socket, says so, and ends at end of file"""
    run = Run(program, "F_SETOWN", "O_ASYNC", "udp")
    run.armed()
    run.order()
    due = run.line + b"disarmed\n"
    try:
        run.process.until(lambda: run.process.stdout.count(b"\n") > 1, "the line disarmed")
    except Failure as failure:
        failure.why = failure.why or "the line at descriptor 3 has come, and it goes on waiting"
        raise
    run.wait()
    run.process.expect_stdout(due)
    expect_flags(
        run,
        run.flags,
        "after async_off the socket has the flags that it had before, without O_ASYNC",
    )
    owner, flags = run.look()
    why = "the owner is still there: async_off takes it away, with F_SETOWN and 0"
    require(owner == 0, _words(0, flags), _words(owner, flags), why)
    run.event()
    run.finish()
    run.process.expect_stdout(due)


@check(
    points=2,
    kind="contract",
    after="test_armed",
    hints=(
        "What happens while nobody is the owner is told to nobody, not even later.",
        "F_SETOWN or its like first, then O_ASYNC or FIOASYNC.",
        "In async.c: async_on, the order of its two steps.",
    ),
    needs="notify",
)
def test_owner_first(program):
    """sets the owner before the socket may send SIGIO"""
    for kind in KINDS:
        run = Run(program, "F_SETOWN", "O_ASYNC", kind, watch=ARMING)
        held = run.process.breakpoints.hold(
            ARMING, "a call that lets the socket send SIGIO", lambda held: sigio.arms(held, 0)
        )
        program.stage.tape.add("hold", "sigmode, which is about to let the socket send SIGIO")
        owner, flags = run.look()
        held.let_go()
        why = "O_ASYNC before the owner: a byte that comes in between sends its SIGIO to nobody"
        require(owner == run.process.pid, _words(run.process.pid, flags), _words(owner, flags), why)
        run.armed()


@check(
    points=3,
    kind="robust",
    after="test_armed",
    hints=(
        "By default SIGIO ends a process; and a signal that is handled interrupts a read.",
        "sigaction(2) for SIGIO; read(2) fails with EINTR, which is no end of the line.",
        "In sigmode.c: catch_sigio and wait_line.",
    ),
)
def test_caught(program):
    """goes on when SIGIO comes, also while it waits for the line"""
    for kind in KINDS:
        run = Run(program, "F_SETOWN", "FIOASYNC", kind)
        run.armed()
        why = "a signal that is handled interrupts read, with EINTR: read again"
        times = 0
        try:
            for _ in range(2):
                run.event()
                run.process.wait_quiet()
                run.wait()
                times += 1
            program.stage.tape.add("write", "bytes without a newline to descriptor 3")
            os.write(run.orders, b"a longer ")
            run.process.wait_quiet()
            got = run.process.stdout
            require(
                got == run.line,
                diagnosis.show(run.line) + " on stdout",
                diagnosis.show(got),
                "the bytes without a newline were taken for a line: what one read returns is any "
                "number of bytes, and the line ends at its newline",
            )
            run.event()
            run.process.wait_quiet()
            run.process.expect_stdout(run.line)
            run.order()
            run.process.until(
                lambda run=run: run.process.stdout == run.line + b"disarmed\n",
                "the line disarmed after the line at descriptor 3",
            )
            run.wait()
        except Failure as failure:
            end = run.process.end_status
            if end and end.kind == "signal":
                why = run.process.why_it_ended()
                if times:
                    failure.why = (
                        "its handler was there for the first SIGIO, and gone for the next: "
                        "SA_RESETHAND takes it away, and so does the signal() of System V"
                    )
            failure.why = failure.why or why
            raise
        run.finish()


@check(
    points=2,
    kind="robust",
    after="test_caught",
    hints=(
        "SIGIO may come the moment that the socket is armed, so somebody must be there.",
        "sigaction(2) before fcntl(2).",
        "In sigmode.c: main calls catch_sigio first; what does catch_sigio do?",
    ),
    needs="notify",
)
def test_caught_first(program):
    """has its handler before the socket is armed"""
    run = Run(program, "F_SETOWN", "O_ASYNC", "udp", watch=ARMING)
    held = run.process.breakpoints.hold(
        ARMING, "a call that lets the socket send SIGIO", lambda held: sigio.arms(held, 0)
    )
    program.stage.tape.add("hold", "sigmode, which is about to let the socket send SIGIO")
    caught = sigio.catches(held.tid)
    held.let_go()
    require(
        caught,
        "SIGIO handled by then",
        "SIGIO would end the program: no handler yet",
        "the socket is armed before the handler is there: a byte that comes in between kills it",
    )
    run.armed()


@check(
    points=4,
    kind="robust",
    after="test_armed",
    hints=(
        "Who fails halfway leaves things as they were: the first step must be taken back.",
        "F_GETOWN before the first step tells what to go back to; keep errno over the way back.",
        "In async.c: async_on, what it does when set_async fails.",
    ),
    needs="notify",
)
def test_failure(program):
    """when the second step fails, puts the old owner back, and says why it failed"""
    for enable, stranger in (("O_ASYNC", True), ("FIOASYNC", False)):
        run = Run(program, "F_SETOWN", enable, "udp", watch=ARMING)
        before = 0
        with contextlib.ExitStack() as stack:
            if stranger:
                # somebody else has the socket already; he takes no harm from a SIGIO
                before = run.process.launcher_pid
                held = run.process.breakpoints.hold(ARMING, "a call of fcntl or ioctl")
                fcntl.fcntl(run.sock, fcntl.F_SETOWN, before)
                program.stage.tape.add("own", f"the socket by another process, {before}")
                stack.callback(held.let_go)
        held = run.process.breakpoints.hold(
            ARMING, "a call that lets the socket send SIGIO", lambda held: sigio.arms(held, 0)
        )
        program.stage.tape.add("fail", f"{enable}: no memory (ENOMEM)")
        held.fail(errno.ENOMEM)
        ignored = "a call in async_on failed, and nobody looked at what it returned"
        try:
            run.process.until(
                lambda run=run: run.process.end_status, "sigmode, which can't arm, comes to its end"
            )
        except Failure as failure:
            failure.why = failure.why or ignored
            raise
        end = run.process.how_it_ended()
        owner, flags = run.look()
        require(
            end == "exited with status 1" and not run.process.stdout,
            "exit status 1, nothing on stdout",
            f"{end}; {diagnosis.show(run.process.stdout)}",
            ignored,
        )
        require(
            (owner, flags) == (before, run.flags),
            _words(before, run.flags),
            _words(owner, flags),
            "async_on failed in its second step and left the first one done: put the old owner, "
            "which F_GETOWN told before, back",
        )
        run.process.expect_stderr(b"sigmode: async_on: Cannot allocate memory\n")
