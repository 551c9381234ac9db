"""Waiting without sleeping: until something holds, or can't hold any more.

A wait ends in one of four ways.  What was waited for is there; or nothing can
happen any more (every process of the program is asleep without a timer, or has
ended, and nothing is on its way); or the program uses up CPU time without
getting on; or it wakes by a timer again and again.  Only the first depends on
the program being right, and none on how busy the machine is: the limits count
the program's own CPU time and wake-ups.
"""

import math
import select
import signal
import time
from dataclasses import dataclass

from . import machine
from .blocked import Blocked, hidden_timeout
from .failure import Broken, Failure
from .kernel import netns, proc, syscalls

# How much CPU time, in seconds, a program may use without getting on.
CPU_LIMIT = 1.0
# How often it may wake by a timer without getting on.
WAKE_LIMIT = 100
# The same for children, too, that have ended and were reaped meanwhile.
REAPED_LIMIT = 10.0
# A program that polls is given this many seconds, and three wake-ups, to get on.
POLLING_SECONDS = 10.0
# More processes than this at once are a fork without end.
PROCESS_LIMIT = 200
# So are more orphans than this, one after the other.
STRAY_LIMIT = 500
# A pause longer than this, in seconds, is no better than an endless one.
LONG_TIMER = 5.0
# Who sleeps undisturbed for so many seconds has no shorter timer, even where
# none can be seen; it is told by the clock, and on no machine too early, for a
# timer that expires wakes the program at once.
UNSEEN_TIMER = 1.2 * LONG_TIMER
# So many calls at which it was held, without getting on, are a loop.
CALL_LIMIT = 50_000
# Seconds; only for what all the other limits can't see.
DEADLINE = 60.0
# In one wait, whether it gets on or not: the CPU time, the wake-ups by a timer,
# and the seconds asleep until one, of a program that goes on for ever, bit by bit.
EVER_CPU = 30.0
EVER_WAKES = 10_000
EVER_ASLEEP = 60.0

# Steps of polling, in seconds: each twice the one before, up to the longest.
# Looking at a program slows it down (a sanitizer's start took 11 ms instead of
# 4 ms when looked at every 40 us), so the steps grow while it works; whatever
# comes in on a descriptor ends a step at once.
_FIRST_STEP = 0.00004
_LONGEST_STEP = 0.001
# The same where a descriptor tells of what is waited for: one looks at the
# program only to see that it does not come any more.
_FIRST_TOLD = 0.0005
_LONGEST_TOLD = 0.004
# The same while it sleeps, undisturbed, until a timer of its own expires.
_LONGEST_SLEEP = 0.004


@dataclass(frozen=True)
class Task:
    """One thread of the program in a snapshot."""

    pid: int
    tid: int
    state: str
    switches: int
    blocked: Blocked | None

    def __str__(self) -> str:
        """How a person would say it."""
        if self.state == "Z":
            return "a zombie"
        if self.state == "T":
            return "stopped"
        if self.state == "H":
            return f"held at {self.blocked}"
        return f"asleep in {self.blocked}"


def _has_timer(tasks: tuple[Task, ...], processes) -> bool:
    """Whether a timer may end one of these sleeps before a test would."""
    for task in tasks:
        if task.state == "S":
            limit = task.blocked.timeout
            if limit is None:
                limit = hidden_timeout(task.pid, task.blocked)
            if limit is not None and not limit > LONG_TIMER:  # so NaN counts as short
                return True
    return any(process.may_have_timer() for process in processes)


class _Meter:
    """What the program used up since it last got on, and since the wait began."""

    def __init__(self, processes):
        self.processes = processes
        self.last_switches: dict[int, int] = {}
        self.pace_ever = LONG_TIMER
        self.wakes_ever = 0
        self.asleep_ever = 0.0
        self.began_ever = time.monotonic()
        self.cpu_ever: float | None = None
        self.spent_ever = 0.0
        self.got_on()

    def got_on(self) -> None:
        """Begin anew, but for what counts whether it gets on or not.

        CPU time counts from the next look at it on: most waits end before.
        """
        self.began = time.monotonic()
        self.cpu: tuple[float, float] | None = None
        self.orphans = self._orphans()
        self.calls = self._calls()
        self.wakes = 0
        self.pace = LONG_TIMER

    def _cpu(self) -> tuple[float, float]:
        spent = [process.cpu_seconds() for process in self.processes]
        return sum(alive for alive, _reaped in spent), sum(reaped for _alive, reaped in spent)

    def _orphans(self) -> int:
        return sum(process.orphans for process in self.processes)

    def _calls(self) -> int:
        return sum(process.breakpoints.answered for process in self.processes)

    def note(self, tasks: tuple[Task, ...] | None) -> None:
        for task in tasks or ():
            if task.state != "S" or task.blocked.timeout is None:
                continue
            if task.blocked.timeout < self.pace:
                self.pace = task.blocked.timeout
            self.pace_ever = min(self.pace_ever, self.pace)
            before = self.last_switches.get(task.tid)
            if before is not None and task.switches > before:
                self.wakes += task.switches - before
                self.wakes_ever += task.switches - before
            self.last_switches[task.tid] = task.switches

    def seconds(self) -> float:
        return time.monotonic() - self.began

    def used(self) -> tuple[float, float]:
        """Return the CPU time used since then by who lives, and by all that ever lived."""
        now = self._cpu()
        if self.cpu_ever is None:
            self.cpu_ever = sum(now)
        if self.cpu is None:
            self.cpu = now
        self.spent_ever = sum(now) - self.cpu_ever
        alive = now[0] - self.cpu[0]
        return alive, alive + now[1] - self.cpu[1]

    def polls(self) -> bool:
        """Whether a timer has woken it again and again.

        As often as that takes some ten seconds, but three times at least; and
        no timer wakes more often than its time allows, whatever else did.
        """
        most = min(WAKE_LIMIT, max(3, math.ceil(POLLING_SECONDS / max(self.pace, 0.001))))
        return self.wakes > most and self.seconds() > 0.9 * most * self.pace

    def strays(self) -> int:
        return self._orphans() - self.orphans

    def made(self) -> int:
        """Return how many calls it was held at."""
        return self._calls() - self.calls

    def goes_on(self) -> str:
        """Say what it had done for too long, bit by bit, when ``used`` looked; else nothing."""
        if self.spent_ever > EVER_CPU * machine.scale():
            return f"{self.spent_ever:.0f} s of CPU time"
        passed = time.monotonic() - self.began_ever
        if self.wakes_ever > EVER_WAKES and passed > 0.9 * EVER_WAKES * self.pace_ever:
            return f"{self.wakes_ever} wake-ups by a timer"
        if self.asleep_ever > EVER_ASLEEP * machine.scale():
            return f"{self.asleep_ever:.0f} s asleep until a timer ends"
        return ""


def until(stage, ready, due: str, fds=(), progress=None, told: bool = False):
    """Wait until ``ready()`` returns something true, and return that.

    Args:
        stage: the check's world, whose processes are watched.
        ready: called again and again; must not block.
        due: what is waited for, in the words of a failure.
        fds: descriptors of ours whose becoming readable may change ``ready``.
        progress: returns a value that changes whenever the program got on.
        told: whether ``ready`` changes only when a descriptor becomes readable:
            one of ``fds``, of the program's output, its end, a watched call.

    Raises:
        Failure: it can't become true any more, or the program spins.
    """
    processes = stage.processes
    meter: _Meter | None = None
    last = None
    previous = None
    since = 0.0
    moment = time.monotonic()
    rounds = 0
    first, longest = (_FIRST_TOLD, _LONGEST_TOLD) if told else (_FIRST_STEP, _LONGEST_STEP)
    step, news = first / 2, False
    while True:
        proc.barrier()
        for process in processes:
            process.service()
        _check_foul(processes)
        value = ready()
        if value:
            return value
        now = progress() if progress is not None else None
        got_on = now != last
        last = now
        meter = meter or _Meter(processes)
        # most of what is waited for comes before one could look at the program
        look = snapshot(processes) if rounds else None
        meter.note(look)
        if got_on:
            meter.got_on()
        if look != previous:
            since = time.monotonic()
        elif look is not None and (
            not _has_timer(look, processes) or time.monotonic() - since > UNSEEN_TIMER
        ):
            netns.flush_loopback()
            before = stage.connections()
            for process in processes:
                process.service()
            value = ready()
            if value:
                return value
            # what ready() took may have made room for more
            after = stage.connections()
            resting = snapshot(processes) == look and not any(p.has_news() for p in processes)
            if resting and before == after and not in_transit(after):
                raise Failure(due, describe(processes, look), stage.diagnose(look))
        asleep = look is not None and look == previous
        moment, before_that = time.monotonic(), moment
        if asleep and not got_on:
            meter.asleep_ever += moment - before_that
        previous = look
        rounds += 1
        _check_limits(processes, meter, due, rounds, look)
        # whoever has just told something is about to do the next thing; and who has
        # just come to rest is looked at once more
        soon = news or (look is not None and not asleep)
        step = first if soon else min(2 * step, _LONGEST_SLEEP if asleep else longest)
        watched = [*fds, *(fd for process in processes for fd in process.fds_to_watch())]
        news = bool(select.select(watched, [], [], step)[0])


def in_transit(connections) -> bool:
    """Whether bytes of a TCP connection are still on their way.

    They are where one end has bytes to deliver and the other has read all it
    got: the kernel waits for an acknowledgement (Nagle's algorithm) or for a
    timer of its own, and then goes on.
    """
    unread = {(s.address, s.port, s.peer, s.peer_port): s.rqueue for s in connections}
    return any(
        s.wqueue and unread.get((s.peer, s.peer_port, s.address, s.port)) == 0 for s in connections
    )


def _check_foul(processes) -> None:
    for process in processes:
        failure = process.foul()
        if failure is not None:
            raise failure


def _check_limits(processes, meter, due, rounds, look) -> None:
    for process in processes:
        process.check_output_limit(due)
        if process.count > PROCESS_LIMIT:
            process.end()
            got = f"more than {PROCESS_LIMIT} processes, and more all the time"
            raise Failure(due, got, "fork without end")
        if process.lost:
            raise process.foul() or Broken(f"somebody killed the launcher of {process.name}")
    if rounds % 8:
        return
    if meter.strays() > STRAY_LIMIT:
        for process in processes:
            process.end()
        got = f"more than {STRAY_LIMIT} processes, one after the other"
        raise Failure(due, got, "fork without end: each ends when it has started the next")
    alive, ever = meter.used()
    allowed = sum(process.allowance for process in processes)
    most_alive, most_ever = CPU_LIMIT + allowed, REAPED_LIMIT + allowed
    if alive > most_alive * machine.scale() or ever > most_ever * machine.scale():
        raise Failure(
            due,
            f"{processes[-1].name} keeps the CPU busy ({ever:.1f} s of CPU time, no progress)",
            "busy instead of asleep: a loop goes round without a call that waits, or one whose "
            "call fails or returns 0 each time",
        )
    if meter.polls():
        raise Failure(
            due,
            f"a program that woke {meter.wakes} times by a timer and did nothing",
            "polling: wait in the call that the event itself ends, without a time limit",
        )
    if meter.made() > CALL_LIMIT:
        got = f"{processes[-1].name} makes calls without end ({meter.made()}, no progress)"
        raise Failure(due, got, "a loop goes round in which each call returns at once")
    too_much = meter.goes_on()
    if too_much:
        got = f"{processes[-1].name} goes on bit by bit, without an end ({too_much})"
        raise Failure(due, got, "a loop prints or sends a little each time it goes round")
    if meter.seconds() > DEADLINE * machine.scale():
        look = look or snapshot(processes, vfork=True)
        if look is None:
            raise Broken(f"nothing decided after {DEADLINE * machine.scale():.0f} s: {due}")
        raise Failure(due, describe(processes, look) + ", with a timer that did not end", "")


def snapshot(processes, vfork: bool = False) -> tuple[Task, ...] | None:
    """Return all threads of the program if all sleep or have ended.

    None as long as one of them runs, or is just being woken.

    Args:
        processes: the runs to look at.
        vfork: count who is in a call like vfork, undisturbed, as asleep, too.
            It waits there for its child; but a mere fork may look the same.
    """
    tasks: list[Task] = []
    for process in processes:
        if process.has_news():
            return None
        tree = process.threads()
        if not process.gone and process.end_status is None and process.pid not in tree:
            return None  # it was reaped, and we are about to be told
        for pid, threads in tree.items():
            for tid in threads:
                task = _look(process, pid, tid, "SD" if vfork else "S")
                if task is None:
                    return None
                tasks.append(task)
        if process.has_news():
            return None
    return tuple(tasks)


def _look(process, pid: int, tid: int, asleep: str) -> Task | None:
    found = proc.stat(pid, tid)
    if found is None or found.state == "X":
        return None
    if found.is_zombie and found.ppid == process.launcher_pid:
        return None  # the launcher is about to reap it, and to tell us
    if found.state in "ZTt":
        return Task(pid, tid, found.state.upper(), 0, None)
    held = process.held_call(tid)
    if held is not None:
        # nothing but a deadly signal wakes it, and that may be on its way
        deadly = signal.SIGKILL in proc.signals(tid, "SigPnd") | proc.signals(tid, "ShdPnd")
        return None if deadly else Task(pid, tid, "H", 0, held)
    if found.state not in asleep:
        return None
    blocked = process.blocked(pid, tid)
    if blocked is None or (found.state == "D" and blocked.call not in syscalls.FORK):
        return None
    status = proc.status(pid, tid)
    if pid == tid:
        pending = int(status.get("SigPnd", "0"), 16) | int(status.get("ShdPnd", "0"), 16)
        if pending & ~int(status.get("SigBlk", "0"), 16):
            return None
    # how often it gave up the CPU of its own will
    switches = int(status.get("voluntary_ctxt_switches", "0"))
    return Task(pid, tid, "S", switches, blocked)


def describe(processes, tasks: tuple[Task, ...]) -> str:
    """Say in words where the program is.

    A run whose end the check has waited for already is told only if there is
    nothing else to tell.
    """
    words = []
    for process in processes:
        end = process.how_it_ended()
        if end and not process.end_told:
            words.append(f"{process.name} {end}")
    for task in tasks:
        owner = next((p for p in processes if task.pid == p.pid), None)
        if owner is not None and not owner.how_it_ended():
            words.append(f"{owner.name} {task}")
        elif owner is None:
            words.append(f"its child {task}")
    if not words:
        words = [f"{one.name} {one.how_it_ended()}" for one in processes if one.how_it_ended()][-1:]
    counted: list[str] = []
    for word in words:
        if word not in counted:
            counted.append(word)
    times = [f" ({words.count(word)} times)" if words.count(word) > 1 else "" for word in counted]
    return "; ".join(map(str.__add__, counted, times)) or "nothing running"
