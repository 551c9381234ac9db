"""Holding a program at the entry of a system call.

A filter reports the watched calls; the thread that made one waits until it is
answered.  By default it is let go at once.  ``on`` sets a handler that decides
otherwise, ``hold`` waits until somebody is there and gives the check the say.
"""

import contextlib
import errno
import math
import os
import socket
import struct
import time

from . import blocked as blocking
from .kernel import notify, proc, syscalls

# How many calls are answered before somebody looks at the program again.
_AT_A_TIME = 256

# What some calls fail with when their time is over; all others return 0.
_AFTER_THE_TIME = {"rt_sigtimedwait": errno.EAGAIN, "futex": errno.ETIMEDOUT}
# Which argument of a multiplexing call points to its time limit.
_TIMESPEC = {"select": 4, "pselect6": 4, "ppoll": 2, "epoll_pwait2": 3}
# More descriptors than any program here may have: EINVAL of poll(2).
_MOST_POLLED = 65536
# Which argument of a call that receives may hold MSG_DONTWAIT.
_FLAGS = {"recvfrom": 3, "recvmsg": 2, "recvmmsg": 3}


class Held:
    """A thread of the program, held at the entry of a call.

    It stays there until one of the methods below is called.
    """

    def __init__(self, owner, note: notify.Notification):
        self._owner = owner
        self.call = note.call
        self.args = note.args
        self.tid = note.tid
        self._note = note

    def _done(self) -> None:
        self._owner.held.pop(self.tid, None)

    def let_go(self) -> None:
        """Let the kernel carry the call out."""
        self._done()
        self._owner.listener.let_go(self._note)

    def fail(self, error: int) -> None:
        """Let the call fail with an errno instead."""
        self._done()
        self._owner.listener.fail(self._note, error)

    def answer(self, value: int) -> None:
        """Let the call return a value without being carried out."""
        self._done()
        self._owner.listener.answer(self._note, value)

    def give(self, fd: int, flags: int = 0) -> bool:
        """Let the call return a duplicate of a descriptor of ours instead.

        Args:
            fd: the descriptor, which stays ours.
            flags: O_CLOEXEC, or nothing.

        Returns:
            Whether the thread was still there to take it.
        """
        self._done()
        return self._owner.listener.give(self._note, fd, flags)

    def interrupt(self) -> bool:
        """Let a signal that has come meanwhile act just before the call.

        A thread with such a signal runs its handler and then makes the call,
        as if the signal had come an instant before it: this is how a wake-up
        gets lost.  Without one, or where the thread blocks it, the kernel
        carries the call out at once.

        Returns:
            Whether there was a signal to act.
        """
        waiting = proc.signals(self.tid, "SigPnd") | proc.signals(self.tid, "ShdPnd")
        found = proc.stat(self.tid)
        acts = bool(waiting - proc.signals(self.tid, "SigBlk")) and found and found.threads == 1
        if acts:
            self.fail(notify.ERESTARTNOINTR)
        else:
            self.let_go()
        return bool(acts)

    def pause(self) -> float | None:
        """Return the time limit or pause, in seconds, that the call asks for."""
        return blocking.describe(self.tid, self.call, self.args).timeout

    def is_pause(self) -> bool:
        """Whether the call waits for nothing but the time."""
        asked = blocking.describe(self.tid, self.call, self.args)
        return asked.timeout is not None and not asked.reads | asked.writes

    def is_on_socket(self) -> bool:
        """Whether the call is one on a socket, or on several descriptors."""
        return self.call in syscalls.MULTIPLEX or self.args[0] in proc.socket_inodes(self.tid)

    def may_sleep_on(self, fds) -> bool:
        """Whether the call waits until one of some descriptors can be read.

        It does not wait where it is asked not to: by MSG_DONTWAIT, by O_NONBLOCK, by a time of 0.

        Args:
            fds: numbers of the program's descriptors.
        """
        asked = blocking.describe(self.tid, self.call, self.args)
        mine = asked.reads & set(fds)
        if self.call in syscalls.MULTIPLEX:
            return bool(mine) and asked.timeout != 0
        if self.call in _FLAGS and self.args[_FLAGS[self.call]] & socket.MSG_DONTWAIT:
            return False
        return any(not proc.flags(self.tid, fd) & os.O_NONBLOCK for fd in mine)

    def is_valid(self) -> bool:
        """Whether the kernel would take the time that the call asks for.

        The nanoseconds of a struct timespec must lie below a billion, and
        nothing may be negative: EINVAL of nanosleep(2) and select(2).
        """
        if self.call == "clock_nanosleep" and not self._has_clock():
            return False
        index = {**_TIMESPEC, "nanosleep": 0, "clock_nanosleep": 2}.get(self.call)
        if index is None or self.call == "select" or not self.args[index]:
            return True
        data = proc.peek(self.tid, self.args[index], 16)
        if len(data) < 16:
            return False
        seconds, nanoseconds = struct.unpack("=qq", data)
        return seconds >= 0 and 0 <= nanoseconds < 1_000_000_000

    def _has_clock(self) -> bool:
        try:
            time.clock_gettime(self.args[0])
        except (OSError, OverflowError, TypeError):  # the last is Python 3.13's word for too large
            return False
        return True

    def _asked(self, clock) -> float:
        """Return the seconds from now on that a pause asks for."""
        asked = self.pause()
        if self.call == "clock_nanosleep" and self.args[1] & 1:  # TIMER_ABSTIME
            now = time.clock_gettime(self.args[0]) + (clock.offset if clock else 0.0)
            asked = max(0.0, asked - now)
        return asked

    def cut_in_two(self, clock=None) -> float:
        """Let a signal end a pause when half of its time has passed.

        The call fails with EINTR, and what is left stands where the call leaves
        it: the second argument of nanosleep, the fourth of clock_nanosleep, the
        time of select itself.  poll leaves nothing.

        Returns:
            The seconds that are left.
        """
        half = self._asked(clock) / 2
        left = {"nanosleep": 1, "clock_nanosleep": 3, "select": 4, "pselect6": 4}.get(self.call)
        relative = self.call != "clock_nanosleep" or not self.args[1] & 1  # TIMER_ABSTIME
        if left is not None and relative and self.args[left]:
            fraction = 1_000_000 if self.call == "select" else 1_000_000_000
            rest = struct.pack("=qq", int(half), int(half % 1 * fraction))
            with contextlib.suppress(OSError):  # its own mistake
                proc.poke(self.tid, self.args[left], rest)
        if clock is not None:
            clock.advance(half)
        self.fail(errno.EINTR)
        return half

    def cut(self, clock=None) -> float:
        """Cut a pause short, and advance the program's clocks by it.

        A pause gets the answer that the kernel gives after the whole time.  A
        multiplexing call with descriptors is carried out with no time left;
        only poll and epoll_wait, whose time stands in a register, get the
        answer that nothing was ready.  A call without a limit is let go.

        Args:
            clock: the program's Clock, where it has one.

        Returns:
            The seconds that were asked for.
        """
        asked = self.pause()
        if asked is None or math.isnan(asked) or not self.is_valid():
            self.let_go()
            return 0.0
        asked = self._asked(clock)
        if clock is not None:
            clock.advance(asked)
        if self.call in _AFTER_THE_TIME:
            self.fail(_AFTER_THE_TIME[self.call])
        elif self.call in _TIMESPEC and not self.is_pause():
            with contextlib.suppress(OSError):  # it is read only: the time passes
                proc.poke(self.tid, self.args[_TIMESPEC[self.call]], bytes(16))
            self.let_go()
        elif self.call == "poll" and not self._clear_events():
            self.let_go()
        else:
            self.answer(0)
        return asked

    def _clear_events(self) -> bool:
        """Say of no descriptor of a poll that it is ready; return whether that can be said."""
        if self.args[1] > _MOST_POLLED:
            return False
        try:
            for index in range(self.args[1]):
                proc.poke(self.tid, self.args[0] + 8 * index + 6, b"\0\0")
        except OSError:
            return False
        return True


class Breakpoints:
    """The watched calls of one run, and what is to happen at them."""

    def __init__(self, process, listener: int | None):
        self._process = process
        self.listener = notify.Listener(listener) if listener is not None else None
        self.held: dict[int, Held] = {}
        self.early: list[notify.Notification] = []
        # how many calls it was held at so far
        self.answered = 0
        self._expects_exec = True
        self._handlers: list = []
        self._shared: dict[int, socket.socket] = {}

    @property
    def fd(self) -> int:
        """The listener's descriptor; -1 if there is none."""
        return self.listener.fd if self.listener is not None else -1

    def held_by(self, tid: int) -> Held | None:
        """Return the Held of a thread, if it is held."""
        return self.held.get(tid)

    def on(self, calls, handler) -> None:
        """Call ``handler(held)`` whenever a thread enters one of ``calls``.

        A handler that answers nothing leaves the thread to the next handler,
        and in the end it is let go.
        """
        self._handlers.append((frozenset(calls), handler))

    def off(self, handler) -> None:
        """Forget a handler."""
        self._handlers = [entry for entry in self._handlers if entry[1] is not handler]

    def note(self, calls) -> list[str]:
        """Return a list of the names of those ``calls`` that are made from now on."""
        made: list[str] = []
        self.on(calls, lambda held: made.append(held.call))
        return made

    def interrupt_each(self, calls, where=lambda held: True) -> list[str]:
        """Let the next call of each name fail with EINTR; return a list of those that did.

        Args:
            calls: names of system calls, watched since the start.
            where: picks which calls count.
        """
        done: list[str] = []

        def refuse(held):
            if held.call not in done and where(held):
                done.append(held.call)
                held.fail(errno.EINTR)

        self.on(calls, refuse)
        return done

    def fail_next(self, calls, error: int, step) -> None:
        """Let the next of some calls fail.

        Args:
            calls: names of system calls, watched since the start.
            error: the number that errno gets.
            step: of the tape, which then says that it did.
        """

        def refuse(held):
            self.off(refuse)
            step.saw = "it did"
            held.fail(error)

        self.on(calls, refuse)

    def let_exec_go(self) -> None:
        """Let the launcher become the program; keep for later whoever comes then."""
        note = self.listener.receive() if self.listener is not None else None
        if note is not None and note.call == "execve" and self._expects_exec:
            self.listener.let_go(note)
        elif note is not None:
            self.early.append(note)
        self._expects_exec = self._expects_exec and note is None

    def service(self) -> None:
        """Answer or keep who has come to a watched call.

        Of many threads that come again and again there is always one; whoever
        is left after so many is taken the next time, when limits were looked at.
        """
        for _turn in range(_AT_A_TIME):
            if self.listener is None:
                return
            note = self.early.pop(0) if self.early else self.listener.receive()
            if note is None:
                return
            held = Held(self, note)
            self.answered += 1
            self.held[held.tid] = held
            for calls, handler in list(self._handlers):
                if held.call in calls:
                    keep = handler(held)
                    if keep == "keep" or held.tid not in self.held:
                        break
            else:
                held.let_go()

    def hold(self, calls, due: str, where=lambda held: True) -> Held:
        """Wait until a thread enters one of ``calls``, and keep it there.

        Args:
            calls: names of system calls, watched since the start.
            due: what is waited for, in the words of a failure.
            where: picks the right one among those that come.
        """
        found: list[Held] = []

        def keep(held):
            if not found and where(held):
                found.append(held)
                return "keep"
            return None

        self.on(calls, keep)
        try:
            self._process.until(lambda: found, due, told=True)
        finally:
            self.off(keep)
        return found[0]

    def share_sockets(self) -> None:
        """Make the program's sockets ours too, where they can't be borrowed.

        Each socket that the program asks for is made here, in the same network
        namespace, and handed to it: seccomp_unotify(2), SECCOMP_ADDFD.
        """

        def give(held):
            domain, kind, protocol = held.args[:3]
            try:
                sock = socket.socket(domain, kind & 0xF, protocol)
            except OSError as error:
                held.fail(error.errno)
                return
            sock.setblocking(not kind & socket.SOCK_NONBLOCK)
            if held.give(sock.fileno(), kind & socket.SOCK_CLOEXEC):
                self._shared[os.fstat(sock.fileno()).st_ino] = sock

        self.on({"socket"}, give)

    def shared_socket(self, pid: int, fd: int) -> socket.socket | None:
        """Return our duplicate of a shared socket, by the program's number."""
        inode = proc.socket_inodes(pid).get(fd)
        sock = self._shared.get(inode)
        # not sock.dup(): that sets the flag O_NONBLOCK of both, as of ours
        return socket.socket(fileno=os.dup(sock.fileno())) if sock is not None else None

    def close(self) -> None:
        """Give up the listener; whoever is held is about to be killed."""
        for sock in self._shared.values():
            sock.close()
        if self.listener is not None:
            with contextlib.suppress(OSError):
                os.close(self.listener.fd)
            self.listener = None
