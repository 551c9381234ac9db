"""Checks of retrycli: attempts, pauses, and a new socket each time."""

import errno
import os
import signal
import socket
import struct
from dataclasses import dataclass, field

from harness import Failure, check, require
from harness.diagnosis import show
from harness.kernel import proc
from harness.kernel.syscalls import POLL, SELECT, SLEEP
from harness.peers import Door
from harness.program import NO_ADDRESS

PAUSE = SLEEP | POLL | SELECT
REFUSED = os.strerror(errno.ECONNREFUSED)
# A program that works out a pause from its clock asks for a little less.
SLACK = 0.3
# Who waits by a call that can't wait long makes many.
MOST_SHOWN = 24


@dataclass
class Attempt:
    """One call of connect: the socket, and all sockets open at that moment."""

    inode: int
    open: list[int]


@dataclass
class Run:
    """A run of the program whose pauses take no time."""

    process: object
    attempts: list[Attempt] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    # how many attempts were made before each pause
    after: list[int] = field(default_factory=list)
    # the calls whose time the kernel refuses
    refused: list[str] = field(default_factory=list)
    # inodes of the failed sockets that are open in a pause
    unclosed: list[set[int]] = field(default_factory=list)


def closed_door(program):
    """Return a server of ours that refuses until it listens."""
    return Door(program.stage, (program.stage.address, program.stage.port()), listen=False)


def is_attempt(held, door) -> bool:
    """Whether a call of connect goes to our server, and not to a name service."""
    data = proc.peek(held.tid, held.args[1], 28)
    family = struct.unpack_from("=H", data)[0] if len(data) >= 8 else 0
    # ::ffff:127.0.0.1 is 127.0.0.1, too
    mapped = family == socket.AF_INET6 and data[8:20] == bytes(10) + b"\xff\xff"
    if family != socket.AF_INET and not mapped:
        return False
    return struct.unpack_from("!H", data, 2)[0] == door.target[1]


def is_real_pause(held) -> bool:
    """Whether a call is a pause, and not the rest that a look at the clock finds."""
    return held.is_pause() and held.pause() > 0.005


def start(program, door, *options, errors=()):
    """Start the program; count its attempts, and cut its pauses short.

    Args:
        program: the program.
        door: the server it is to try.
        options: its options.
        errors: what the first attempts shall fail with.
    """
    address, port = door.target
    process = program.start(*options, address, str(port), watch=PAUSE | {"connect"})
    run = Run(process)
    left = list(errors)

    def connecting(held):
        if not is_attempt(held, door):
            return
        sockets = proc.socket_inodes(held.tid)
        inode = sockets.get(held.args[0] & 0xFFFFFFFF, 0)
        run.attempts.append(Attempt(inode, sorted(sockets.values())))
        if left:
            number = left.pop(0)
            program.stage.tape.add(
                "disturb", f"attempt {len(run.attempts)} fails", errno.errorcode[number]
            )
            held.fail(number)

    def pausing(held):
        if not is_real_pause(held):
            return
        failed = {attempt.inode for attempt in run.attempts}
        still = failed & set(proc.socket_inodes(held.tid).values())
        if not held.is_valid():
            run.refused.append(held.call)
        run.pauses.append(held.cut(program.clock))
        run.after.append(len(run.attempts))
        run.unclosed.append(still)
        if len(run.pauses) <= MOST_SHOWN:
            program.stage.tape.add("cut", f"pause {len(run.pauses)}", f"{run.pauses[-1]:g} s")

    process.breakpoints.on({"connect"}, connecting)
    process.breakpoints.on(PAUSE, pausing)
    return run


def failures(count) -> bytes:
    """Return what stands on stderr after so many refused attempts."""
    return b"".join(f"attempt {k}: {REFUSED}\n".encode() for k in range(1, count + 1))


def words(pauses) -> str:
    """Return pauses as a person would list them."""
    return ", ".join(f"{pause:g} s" for pause in pauses) or "none"


def why_pauses(pauses, due) -> str:
    """Name what is wrong with the pauses, where that is known."""
    if not pauses:
        return "there is no pause by nanosleep, clock_nanosleep, usleep, poll or select"
    if len(pauses) == len(due) + 1:
        return "a pause after the last attempt: nothing comes after it, so it is time lost"
    if len(pauses) > len(due):
        return "each pause is one call, and there is none after the last attempt"
    first = pauses[0] / due[0]
    if len(due) > 1 and max(pauses) - min(pauses) < SLACK:
        return "the pause does not grow: it is twice as long after each further attempt"
    if abs(first - 2) < 0.01:
        return "the pause is doubled before the first one: MS milliseconds come first"
    if first > 900 or first < 0.0011:
        return "MS are milliseconds: seconds, milliseconds and microseconds were mixed up"
    if pauses[0] == int(due[0]):
        return "the pause is cut to whole seconds: sleep() knows no parts of a second"
    for k, (pause, later) in enumerate(zip(pauses, pauses[1:], strict=False), 2):
        if pause and abs(later / pause - 2) > 0.01:
            grown = f"{later / pause:.3g}"
            return f"pause {k} is {grown} times the one before it: twice is right"
    return ""


def expect_pauses(program, run, due):
    """Require the pauses that were asked for, in seconds."""
    program.stage.tape.add("look", "at the pauses", words(run.pauses))
    fits = len(run.pauses) == len(due) and all(
        want - SLACK <= pause <= want + 0.001 for want, pause in zip(due, run.pauses, strict=True)
    )
    require(
        fits,
        f"pauses: {words(due)}",
        words(run.pauses),
        why_refused(run) or why_pauses(run.pauses, due),
    )


def why_refused(run) -> str:
    """Name a pause whose time the kernel refuses."""
    if not run.refused:
        return ""
    return (
        f"{run.refused[0]} fails with EINVAL and does not pause: its nanoseconds must be at least "
        "0 and below 1000000000, its seconds at least 0"
    )


@check(
    points=1,
    kind="contract",
    hints=(
        "A server that is there is found at the first attempt.",
        "socket(2), connect(2); the address in network byte order, by htons(3) and inet_pton(3).",
        "In retrycli.c: attempt, and what it returns.",
    ),
)
def test_first_try(program):
    """finds a server that is there at the first attempt"""
    door = Door(program.stage, (program.stage.address, program.stage.port()), decoy=True)
    address, port = door.target
    for options in (("-n", "1"), ()):
        process = program.start(*options, address, str(port), leaks=program.stage.can("leaks"))
        server = door.accept()
        process.expect_exit(0)
        process.expect_stdout(b"connected after 1\n")
        process.expect_stderr(b"")
        server.expect_end()
        server.close()


@check(
    points=2,
    kind="contract",
    after="test_first_try",
    hints=(
        "A server that is not there yet may be there a moment later: try, pause, try again.",
        "connect(2) fails with ECONNREFUSED; say so on stderr, close(2), pause by nanosleep(2).",
        "In retrycli.c: attempt, what it returns when connect fails, and snooze.",
    ),
    needs="notify",
    build="shim",
)
def test_retries(program):
    """refused twice, finds the server at the third attempt, and says all that"""
    door = closed_door(program)
    address, port = door.target
    process = program.start("-i", "60000", address, str(port), watch=PAUSE)
    for attempt in (1, 2):
        held = process.breakpoints.hold(PAUSE, f"a pause after attempt {attempt}", is_real_pause)
        program.stage.tape.add("hold", f"retrycli in its pause, {held.call}")
        got = process.stderr
        program.stage.tape.add("look", "at stderr", show(got, 200))
        require(
            got == failures(attempt),
            f"{show(failures(attempt), 200)} on stderr by now",
            show(got, 200),
            "each failed attempt is told at once, before the pause; K counts from 1",
        )
        process.expect_stdout(b"")
        if attempt == 2:
            door.listen()
        held.cut(program.clock)
    process.expect_exit(0)
    process.expect_stdout(b"connected after 3\n")
    process.expect_stderr(failures(2))
    door.accept().expect_end()


@check(
    points=1,
    kind="contract",
    after="test_first_try",
    hints=(
        "After the last attempt there is nothing left to wait for.",
        "exit(3) with status 1 right after the last message, before any nanosleep(2).",
        "In retrycli.c: what connect's error becomes on its way out of attempt.",
    ),
    needs="notify",
    build="shim",
)
def test_gives_up(program):
    """gives up after TRIES attempts, 5 by default, without a pause after the last"""
    for tries, first, options in ((1, 60, "-n 1 -i 60000"), (3, 60, "-n 3 -i 60000"), (5, 1, "")):
        door = closed_door(program)
        run = start(program, door, *options.split())
        run.process.expect_exit(1)
        count = len(run.attempts)
        program.stage.tape.add("look", "at the attempts", str(count))
        require(
            count == tries, f"{tries} attempts", str(count), "TRIES attempts in all, the first too"
        )
        run.process.expect_stderr(failures(tries) + f"retrycli: connect: {REFUSED}\n".encode())
        run.process.expect_stdout(b"")
        expect_pauses(program, run, [first * 2.0**k for k in range(tries - 1)])
    address, port = door.target
    for options in (("-n", "0"), ("-n", "21"), ("-i", "0"), ("-i", "60001")):
        process = program.run(*options, address, str(port))
        process.expect_exit(2)
        process.expect_stdout(b"")
    port = program.stage.port()
    Door(program.stage, (address, port))  # where 0.0.0.0 would lead
    program.refuse_address("-n", "1", NO_ADDRESS, str(port))


@check(
    points=2,
    kind="contract",
    after="test_retries",
    hints=(
        "Who waits twice as long each time does not burden a server that is hard to reach.",
        "nanosleep(2) takes seconds and nanoseconds, usleep(3) microseconds, poll(2) "
        "milliseconds, select(2) seconds and microseconds.",
        "In retrycli.c: snooze, where milliseconds become what the call takes.",
    ),
    needs="notify",
    build="shim",
)
def test_pauses_double(program):
    """pauses for MS milliseconds at first, and twice as long each further time"""
    ms = 1000 * program.stage.random.randrange(50, 60) - program.stage.random.randrange(100, 600)
    run = start(program, closed_door(program), "-n", "6", "-i", str(ms))
    run.process.expect_exit(1)
    expect_pauses(program, run, [ms / 1000 * 2**k for k in range(5)])
    program.stage.tape.add("next", "a run whose last pause is 3932160000 ms, or 45 days")
    run = start(program, closed_door(program), "-n", "18", "-i", "60000")
    narrow = (
        "a time that doubles again and again needs more than 32 bits: as milliseconds in an int "
        "it ends at 24 days, as microseconds in usleep at 71 minutes"
    )
    try:
        run.process.expect_exit(1)
    except Failure as failure:
        failure.why = failure.why or narrow
        raise
    # One call may not be able to wait so long: all between two attempts count.
    pauses = [
        sum(pause for pause, after in zip(run.pauses, run.after, strict=True) if after == k)
        for k in range(1, 18)
    ]
    due = [60 * 2.0**k for k in range(17)]
    wrong = [
        k
        for k, (got, want) in enumerate(zip(pauses, due, strict=True), 1)
        if abs(got - want) > 2 * SLACK
    ]
    program.stage.tape.add("look", "at the pauses", words(pauses[-3:]))
    require(
        not wrong,
        f"pause {wrong[0]}: {due[wrong[0] - 1]:.15g} s" if wrong else "",
        f"{pauses[wrong[0] - 1]:.15g} s" if wrong else "",
        why_refused(run) or narrow,
    )


@check(
    points=1,
    kind="contract",
    after="test_first_try",
    hints=(
        "After a failed connect, POSIX leaves it open what the socket is good for.",
        "socket(2) before every connect(2).",
        "In retrycli.c: attempt, where the socket is made.",
    ),
    needs="notify",
    build="shim",
)
def test_new_socket(program):
    """uses a new socket for every attempt"""
    run = start(program, closed_door(program), "-i", "60000")
    run.process.expect_exit(1)
    inodes = [attempt.inode for attempt in run.attempts]
    different = len(set(inodes))
    program.stage.tape.add("look", "at the sockets", f"{different} for {len(inodes)} attempts")
    require(
        different == len(inodes) > 1,
        f"{len(inodes)} sockets for {len(inodes)} attempts",
        f"{different}",
        "the same socket is used again: Linux lets it pass, POSIX does not promise that; "
        "make a new one for every attempt",
    )


@check(
    points=1,
    kind="robust",
    after="test_retries",
    hints=(
        "There are many reasons for a connect to fail, and each may pass.",
        "connect(2) returns -1; keep errno before another call, such as close(2), changes it.",
        "In retrycli.c: attempt, which errors it returns, and what it calls before it does.",
    ),
    needs="notify",
    build="shim",
)
def test_any_failure(program):
    """takes any error of connect for a failed attempt, and Ctrl-Z and fg for nothing"""
    door = closed_door(program)
    process = program.start("-i", "60000", door.target[0], str(door.target[1]))
    process.wait_asleep(PAUSE, "a pause after attempt 1")
    process.freeze()
    process.thaw()
    process.wait_asleep(PAUSE, "the rest of the pause after attempt 1")
    process.expect_stderr(failures(1))
    process.signal(signal.SIGKILL)
    process.wait_end()
    makes_up_for_a_signal(program)
    errors = [
        errno.EADDRNOTAVAIL,
        errno.ETIMEDOUT,
        errno.ECONNREFUSED,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
    ]
    program.stage.random.shuffle(errors)
    run = start(program, closed_door(program), "-n", "5", errors=errors)
    run.process.expect_exit(1)
    names = [os.strerror(number) for number in errors]
    text = "".join(f"attempt {k}: {name}\n" for k, name in enumerate(names, 1))
    text += f"retrycli: connect: {names[-1]}\n"
    got = run.process.stderr
    program.stage.tape.add("look", "at stderr", show(got, 200))
    require(
        got == text.encode(),
        f"{show(text.encode(), 300)} on stderr",
        show(got, 300),
        "every error of connect is a failed attempt, with a reason of its own; when no attempt "
        "is left, the last one's is told again",
    )


def makes_up_for_a_signal(program):
    """Require that a pause that a signal has ended is made up for."""
    door = closed_door(program)
    process = program.start(
        "-n", "2", "-i", "60000", door.target[0], str(door.target[1]), watch=PAUSE
    )
    held = process.breakpoints.hold(PAUSE, "a pause after attempt 1", is_real_pause)
    left = held.cut_in_two(program.clock)
    program.stage.tape.add("disturb", f"a signal ends {held.call} (EINTR) after half of its time")
    lost = "a signal ended the pause early (EINTR), and the rest of it is due: nanosleep's second "
    lost += "argument, or a clock, tells how much that is"
    try:
        held = process.breakpoints.hold(PAUSE, "the rest of the pause", is_real_pause)
    except Failure as failure:
        failure.why = failure.why or lost
        raise
    asked = held.cut(program.clock)
    program.stage.tape.add("cut", "the rest of the pause", f"{asked:g} s")
    again = "the whole pause was made again after a signal: only the rest of it is due"
    require(left - SLACK <= asked <= left + 0.01, f"the rest, {left:g} s", f"{asked:g} s", again)
    process.expect_exit(1)


@check(
    points=1,
    kind="clean",
    after="test_retries",
    hints=(
        "A socket that could not be connected still takes a descriptor.",
        "close(2) after a failed connect(2), before the pause.",
        "In retrycli.c: attempt, the way out after an error.",
    ),
    needs="notify",
    build="shim",
)
def test_closes(program):
    """closes the socket of a failed attempt before it pauses"""
    run = start(program, closed_door(program), "-n", "6", "-i", "60000")
    run.process.expect_exit(1)
    kept = max((len(still) for still in run.unclosed), default=0)
    program.stage.tape.add("look", "at the sockets in the pauses", f"{kept} of failed attempts")
    require(
        kept == 0,
        "in a pause, no socket of a failed attempt is open",
        f"{kept} of them",
        "the socket of a failed attempt stays open: close it, before the pause",
    )
    most = max(len(attempt.open) for attempt in run.attempts)
    require(most == 1, "one socket open at each attempt", f"{most}", "close each failed socket")
