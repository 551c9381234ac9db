"""A program that waits for datagrams, led from wait to wait without the time.

The program is held at each call in which it would sleep, so nothing depends on
how long anything takes: a check sees what was sent before, puts datagrams into
the socket's queue or not, lets the program's clocks advance, and then either
lets it go on (``go``) or lets the time of its wait pass by (``expire``).

How a program limits its wait is its own choice:

    kind       the limit stands in                     it ends by
    call       poll, select, epoll_wait ...            the call's own answer
    option     SO_RCVTIMEO of the socket               EAGAIN, socket(7)
    signal     alarm, setitimer, timer_settime         the signal, sent by us
    timerfd    a timerfd among the descriptors         the timer, set to now
    pause      nanosleep and the like                  the call's own answer
    none       nothing: it waits for ever

A call that would not sleep, for something is there or because it was asked not
to, is carried out at once.  The program needs the build "shim": its clocks
stand still but for what a check lets them advance, and no timer of its own ever
expires but by ``expire`` and ``elapse``.  And it needs the probe "notify".
"""

import contextlib
import ctypes
import errno
import math
import os
import select
import signal
import socket
import struct
import time
from dataclasses import dataclass

from . import blocked as blocking
from .breakpoints import Held
from .clock import Clock
from .failure import fail
from .kernel import netns, pidfd, proc
from .kernel.syscalls import MULTIPLEX, READ, SLEEP, WAIT_SIGNAL

_ARM = frozenset({"alarm", "setitimer", "timer_create", "timer_settime"})
_ARM |= {"timerfd_create", "timerfd_settime"}
# What to watch when the program is started.
CALLS = READ | MULTIPLEX | SLEEP | WAIT_SIGNAL | _ARM | {"socket"}
# Seconds by which a wait may differ from what is due: a program may count in
# milliseconds, and the kernel rounds SO_RCVTIMEO up to its own clock's ticks.
SLACK = 0.012

# Calls that leave in their fifth argument what is left of the time, select(2),
# and how many parts of a second that counts in.
_LEFT = {"select": 1e6, "pselect6": 1e9}
_ABSTIME = 1  # TIMER_ABSTIME, TFD_TIMER_ABSTIME
# Seconds after which a timerfd is set to expire.
_NOW, _NEVER = 1e-9, 1e9
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass
class Wait:
    """The program at the entry of a call in which it would sleep.

    Args:
        held: the call.
        kind: how the wait is limited; see the module.
        seconds: how long it would last, None for ever.
        timer: the timerfd's number, for that kind.
    """

    held: Held
    kind: str
    seconds: float | None
    timer: int = -1

    def __str__(self) -> str:
        """How a person would say it."""
        where = str(blocking.describe(self.held.tid, self.held.call, self.held.args))
        return f"{where}, for {self.seconds:.6g} s" if self.seconds is not None else where


class Pace:
    """Leads one run of a program from wait to wait.

    Args:
        process: the run, started with ``watch=CALLS``.
        clock: the program's Clock, which stands still.
    """

    def __init__(self, process, clock):
        self.process = process
        self.clock = clock
        # how many waits it has come to
        self.count = 0
        self._timers: dict[int, float] = {}  # of timerfds: when they are due
        self._given: dict[int, int] = {}  # timerfds of ours that the program has
        self._wait: Wait | None = None
        self._alarm: float | None = None  # when it is due, by now()
        self._interval = 0.0
        self._rang = False
        self._number = signal.SIGALRM
        self._base = time.CLOCK_MONOTONIC
        process.breakpoints.on(_ARM, self._armed)
        process.breakpoints.on(CALLS - _ARM - {"socket"}, self._entered)

    def now(self) -> float:
        """Return the time by the program's monotonic clock."""
        return self.clock.now()

    @property
    def waits(self) -> Wait | None:
        """The wait that the program is held in at the moment, if it is."""
        return self._wait

    # -- what the program does --------------------------------------------------

    def _armed(self, held) -> None:
        """Set a timer in the kernel's place, which answers nothing but success."""
        args, tid = held.args, held.tid
        if held.call == "alarm":
            left = max(0.0, (self._alarm or 0.0) - self.now()) if self._alarm else 0.0
            self._set_alarm(args[0] & 0xFFFFFFFF, 0.0, signal.SIGALRM)
            held.answer(math.ceil(left))
        elif held.call == "setitimer" and args[0] == 0:  # ITIMER_REAL
            value, interval = _times(tid, args[1], 1e6)
            self._set_alarm(value, interval, signal.SIGALRM)
            self._answer(held, 2)
        elif held.call == "timer_create":
            # struct sigevent: a value of eight bytes, sigev_signo, sigev_notify
            data = proc.peek(tid, args[1] + 8, 4) if args[1] else b""
            self._number = struct.unpack("=i", data)[0] if data else signal.SIGALRM
            self._base = args[0] & 0xFFFFFFFF
        elif held.call == "timer_settime":
            value, interval = _times(tid, args[2], 1e9)
            if value and args[1] & _ABSTIME:
                value = max(value - self._clock(self._base), 1e-9)
            self._set_alarm(value, interval, self._number)
            self._answer(held, 3)
        elif held.call == "timerfd_create" and not self.process.stage.can("pidfd_getfd"):
            self._give_timer(held)
        elif held.call == "timerfd_settime":
            fd = args[0] & 0xFFFFFFFF
            value, _interval = _times(tid, args[2], 1e9)
            if value and args[1] & _ABSTIME:
                value = max(value - self.now(), 1e-9)
            self._timers.pop(fd, None)
            with contextlib.suppress(OSError):  # where nothing can be borrowed
                self._set_timer(fd, 0.0 if not value else _NEVER)
                if value:
                    self._timers[fd] = self.now() + value
                self._answer(held, 3)

    def _give_timer(self, held) -> None:
        """Hand the program a timerfd of ours, where its own can't be borrowed."""
        before = proc.descriptors(self.process.pid)
        ours = _libc.timerfd_create(held.args[0] & 0xFFFFFFFF, held.args[1] & 0xFFFFFFFF)
        if ours == -1:
            held.fail(ctypes.get_errno())
            return
        self.process.stage.closers.append(lambda: os.close(ours))
        held.give(ours, held.args[1] & os.O_CLOEXEC)
        for fd, what in proc.descriptors(self.process.pid).items():
            if fd not in before and "timerfd" in what:
                self._given[fd] = ours

    def _answer(self, held, old: int) -> None:
        """Answer a call that sets a timer; the old one, if asked for, was not set."""
        if held.args[old]:
            try:
                proc.poke(held.tid, held.args[old], bytes(32))
            except OSError:
                held.fail(errno.EFAULT)
                return
        held.answer(0)

    def _clock(self, number: int) -> float:
        realtime = number == time.CLOCK_REALTIME
        return self.clock.time_of_day() if realtime else self.clock.now()

    def _set_alarm(self, seconds: float, interval: float, number: int) -> None:
        self._rang = False
        self._alarm = self.now() + seconds if seconds else None
        self._interval = interval
        self._number = number

    def _entered(self, held):
        if self._wait is not None:
            return None
        wait = self._classify(held)
        if wait is None:
            return None
        self._wait = wait
        self.count += 1
        return "keep"

    def _classify(self, held) -> Wait | None:
        asked = blocking.describe(held.tid, held.call, held.args)
        if held.call in SLEEP:
            seconds = asked.timeout
            if held.call == "clock_nanosleep" and held.args[1] & _ABSTIME:
                seconds = max(0.0, seconds - self._clock(held.args[0] & 0xFFFFFFFF))
            return Wait(held, "pause", seconds)
        if held.call in READ:
            fd = min(asked.reads)
            if self._would_not_sleep(held, fd):
                return None
            limit = self._receive_limit(fd)
            if limit:
                return Wait(held, "option", limit)
            return self._by_signal(held)
        if held.call in MULTIPLEX:
            if asked.timeout == 0:
                return None
            ours = [fd for fd in asked.reads if self._is_ours(fd)]
            if any(self._readable(fd) for fd in ours):
                return None
            if asked.timeout is not None:
                return Wait(held, "call" if ours else "pause", asked.timeout)
            for fd in asked.reads & set(self._timers):
                seconds = self._timers[fd] - self.now()
                if seconds <= 0:
                    return None
                return Wait(held, "timerfd", seconds, fd)
            if not ours and asked.reads:
                return None
            return self._by_signal(held)
        if asked.timeout is not None:  # sigtimedwait
            return Wait(held, "call", asked.timeout)
        return self._by_signal(held)

    def _by_signal(self, held) -> Wait | None:
        if self._alarm is None and self._rang and self._signal_waits(held.tid):
            return None  # it ends the call, or never will: the program's own affair
        if self._alarm is None:
            return Wait(held, "none", None)
        return Wait(held, "signal", max(0.0, self._alarm - self.now()))

    def _signal_waits(self, tid: int) -> bool:
        """Whether the alarm was sent and has not acted yet."""
        waiting = proc.signals(tid, "SigPnd") | proc.signals(tid, "ShdPnd")
        return int(self._number) in waiting

    def _is_ours(self, fd: int) -> bool:
        """Whether a descriptor is a datagram socket of the Internet domain."""
        if not proc.descriptors(self.process.pid).get(fd, "").startswith("socket:"):
            return False
        with self.process.borrow(fd) as sock:
            inet = sock.family in (socket.AF_INET, socket.AF_INET6)
            return inet and sock.type & 0xF == socket.SOCK_DGRAM

    def _would_not_sleep(self, held, fd: int) -> bool:
        if not self._is_ours(fd) or self._readable(fd):
            return True
        return not held.may_sleep_on({fd})

    def _readable(self, fd: int) -> bool:
        netns.settle()
        with self.process.borrow(fd) as sock:
            return bool(select.select([sock], [], [], 0)[0])

    def _receive_limit(self, fd: int) -> float:
        with self.process.borrow(fd) as sock:
            data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)
        seconds, micro = struct.unpack("=qq", data)
        return seconds + micro / 1e6

    # -- what a check does ------------------------------------------------------

    def wait(self, due: str = "a program that waits for a datagram") -> Wait:
        """Wait until the program is held where it would sleep.

        Raises:
            Failure: it ends, or does anything else without end.
        """
        return self.process.until(lambda: self._wait, due, told=True)

    def limited(self, due: str, why: str = "") -> Wait:
        """The same, and require that the wait has a limit."""
        wait = self.wait(due)
        if wait.seconds is None:
            fail("a wait that ends by itself", f"{wait}, for ever", why)
        return wait

    def go(self) -> None:
        """Let the program go on, for what has come or what is to come."""
        wait, self._wait = self.wait(), None
        netns.settle()
        wait.held.let_go()

    def elapse(self, seconds: float) -> None:
        """Let the program's clocks advance while it waits, but not end its wait.

        An alarm that falls due meanwhile is sent; it then acts as soon as the
        program goes on.
        """
        wait = self.wait()
        self.clock.advance(seconds)
        if wait.kind == "timerfd" and self._timers[wait.timer] <= self.now():
            self._set_timer(wait.timer, _NOW)
        if wait.seconds is not None and wait.kind != "pause":
            wait.seconds = max(0.0, wait.seconds - seconds)
        if wait.kind == "call" and wait.held.call in _LEFT:
            fraction = wait.seconds % 1 * _LEFT[wait.held.call]
            rest = struct.pack("=qq", int(wait.seconds), int(fraction))
            proc.poke(wait.held.tid, wait.held.args[4], rest)
        if self._alarm is not None and self._alarm <= self.now():
            self._ring()

    def interrupt(self) -> float:
        """Let a signal end the wait by EINTR when half of its time has passed.

        What is left stands where the call leaves it, as ``Held.cut_in_two`` says.

        Returns:
            The seconds that passed.
        """
        wait = self.wait()
        half = wait.seconds / 2
        if wait.held.pause() is None:
            self.elapse(half)
            self._wait = None
            wait.held.fail(errno.EINTR)
        else:
            self._wait = None
            wait.held.cut_in_two(self.clock)
        return half

    def expire(self, lost: bool = False) -> float:
        """Let the rest of the wait pass by, with nothing coming in it.

        Args:
            lost: let an alarm come an instant before the call instead of in
                it, where it is the alarm that ends the wait.

        Returns:
            The seconds that passed.
        """
        wait = self.wait()
        if wait.seconds is None:
            fail("a wait that ends by itself", f"{wait}, for ever", "a datagram may be lost")
        self._wait = None
        if wait.kind == "option":
            self.clock.advance(wait.seconds)
            wait.held.fail(errno.EAGAIN)
        elif wait.kind == "signal":
            self.clock.advance(wait.seconds)
            self._ring()
            if lost:
                wait.held.interrupt()
            else:
                wait.held.let_go()
        elif wait.kind == "timerfd":
            self.clock.advance(wait.seconds)
            self._set_timer(wait.timer, _NOW)
            wait.held.let_go()
        elif wait.held.call in SLEEP:
            self.clock.advance(wait.seconds)
            wait.held.answer(0)
        else:
            self.clock.advance(wait.seconds)
            wait.held.cut()
        return wait.seconds

    def _ring(self) -> None:
        self._alarm = self.now() + self._interval if self._interval else None
        self._rang = True
        self.process._kill(self._number)

    def _set_timer(self, fd: int, seconds: float) -> None:
        """Set the program's timerfd; timerfd_settime(2)."""
        nanoseconds = round(seconds * 1e9)
        value = struct.pack("=qqqq", 0, 0, nanoseconds // 10**9, nanoseconds % 10**9)
        copy = os.dup(self._given[fd]) if fd in self._given else None
        copy = pidfd.borrow(self.process.pid, fd) if copy is None else copy
        try:
            _libc.timerfd_settime(copy, 0, value, None)
        finally:
            os.close(copy)

    def next(self, peer) -> str:
        """Wait until the program has sent to ``peer``, or waits, or has ended.

        Returns:
            "sent", "waits" or "ended", the first of these that holds.
        """

        def sent():
            return bool(select.select([peer.sock], [], [], 0)[0])

        def settled():
            if sent():
                return "sent"
            if self._wait is not None:
                return "sent" if sent() else "waits"
            if self.process.end_status is not None:
                return "sent" if sent() else "ended"
            return ""

        due = "a program that sends, or waits, or ends"
        return self.process.until(settled, due, [peer.sock.fileno()], told=True)


def _times(tid: int, address: int, divisor: float) -> tuple[float, float]:
    """Return the value and the interval of an itimerval or itimerspec."""
    data = proc.peek(tid, address, 32) if address else b""
    every, rest, first, more = struct.unpack("=qqqq", data.ljust(32, b"\0"))
    return first + more / divisor, every + rest / divisor


def start(program, *args: str, **how) -> Pace:
    """Start a program of the build "shim" with clocks that stand still.

    Args:
        program: the program.
        args: its arguments.
        how: passed on to ``Program.start``.
    """
    if program.clock is None:
        program.clock = Clock(program.stage.path("clock"))
        program.clock.stop()
    return Pace(program.start(*args, watch=CALLS, **how), program.clock)
