"""Watching a program that is woken by signals: where it sleeps, how it arms.

Sources: fcntl(2), ioctl(2), socket(7), sigsuspend(2), signalfd(2).  Signals per
event differ between kernels, so nothing here counts them.
"""

import contextlib
import fcntl
import os
import signal
import socket
import struct

from . import blocked as blocking
from . import diagnosis
from .failure import Failure
from .kernel import netns, proc
from .kernel.syscalls import ACCEPT, MULTIPLEX, READ, SLEEP, TIMER, WAIT_SIGNAL

O_ASYNC = 0o20000

# Whatever may put a program to sleep until a signal comes.
WAITS = WAIT_SIGNAL | MULTIPLEX | READ
# Whatever may give a socket an owner, or let it send signals.
ARMING = frozenset({"fcntl", "ioctl"})

_OWNER = {
    ("fcntl", 8): "F_SETOWN",
    ("fcntl", 15): "F_SETOWN",  # F_SETOWN_EX, what some C libraries make of it
    ("ioctl", 0x8901): "FIOSETOWN",
    ("ioctl", 0x8902): "SIOCSPGRP",
}
_F_SETFL = 4
_F_GETOWN_EX = 16
_F_OWNER_PGRP = 2
# Why a program sleeps though its signal has come.
LOST = (
    "a lost wake-up: the signal came after the look at the flag and before the sleep, its handler "
    "ran, and then the program went to sleep all the same. Block SIGIO while you look, and let "
    "sigsuspend, or another call that takes a mask, open it and sleep in one step"
)
SOON = "LISTENING says that the socket is armed: print it after that, not before"
_POLLING = "polling: a timer wakes it again and again; only the signal itself shall wake it"
_FIOASYNC = 0x5452


def owner(sock: socket.socket) -> int:
    """Return who gets SIGIO for a socket: a process or thread, -group, or 0."""
    # struct f_owner_ex; F_GETOWN would say a group by a number that looks like an error
    data = fcntl.fcntl(sock, _F_GETOWN_EX, bytes(8))
    kind, who = struct.unpack("=ii", data)
    return -who if kind == _F_OWNER_PGRP else who


def flags(sock: socket.socket) -> int:
    """Return the file status flags of a socket."""
    return fcntl.fcntl(sock, fcntl.F_GETFL)


def flag_names(value: int) -> str:
    """Return the names of the file status flags that a program can change here."""
    names = {os.O_NONBLOCK: "O_NONBLOCK", os.O_APPEND: "O_APPEND", O_ASYNC: "O_ASYNC"}
    return " ".join(name for bit, name in names.items() if value & bit) or "none"


def way(held) -> tuple[str, int]:
    """Return which step towards SIGIO a held fcntl or ioctl is, and its value.

    Returns:
        F_SETOWN, FIOSETOWN or SIOCSPGRP with the owner, O_ASYNC or FIOASYNC with
        1 or 0, or an empty string.  A pointer that can't be read is -1.
    """
    request = held.args[1] & 0xFFFFFFFF
    value = held.args[2]
    if held.call == "ioctl":
        data = proc.peek(held.tid, value, 4)
        value = struct.unpack("=i", data)[0] if len(data) == 4 else -1
    else:
        value = (value & 0xFFFFFFFF) - ((value & 1 << 31) << 1)
    if (held.call, request) in _OWNER:
        return _OWNER[held.call, request], value
    if held.call == "fcntl" and request == _F_SETFL:
        return "O_ASYNC", int(bool(value & O_ASYNC))
    if held.call == "ioctl" and request == _FIOASYNC:
        return "FIOASYNC", value if value == -1 else int(bool(value))
    return "", 0


def arms(held, fd: int | None = None) -> bool:
    """Whether a held call is about to let a descriptor send signals."""
    name, value = way(held)
    fits = fd is None or held.args[0] & 0xFFFFFFFF == fd
    return fits and name in ("O_ASYNC", "FIOASYNC") and value == 1


def waits_for_signal(process, inode: int):
    """Return the Blocked of a program asleep until a signal comes, or None.

    Any call will do that a signal ends, or brings something to read (signalfd,
    a pipe from a handler); but not one that waits for the armed socket.

    Args:
        process: the run.
        inode: of the armed socket.
    """
    blocked = process.asleep_in(WAITS)
    if blocked is None:
        return None
    sockets = proc.socket_inodes(process.pid)
    if any(sockets.get(fd) == inode for fd in blocked.reads | blocked.writes):
        return None
    return blocked


def expect_asleep(process, inode: int) -> None:
    """Require a program that is asleep until a signal comes, without a timer.

    Args:
        process: the run; with its calls of TIMER noted, if those can be.
        inode: of the armed socket.
    """
    step = process.stage.tape.add("wait", f"until {process.name} is asleep")
    due = "a program asleep in sigsuspend or the like, until a signal comes"
    try:
        tasks = process.wait_quiet()
    except Failure as failure:
        failure.expected = due
        raise
    step.saw = "; ".join(map(str, tasks))
    blocked = waits_for_signal(process, inode)
    if blocked is None:
        if process.end_status:
            raise Failure(due, f"{process.name} {process.how_it_ended()}", process.why_it_ended())
        mine = [task.blocked for task in tasks if task.pid == process.pid and task.blocked]
        sockets = proc.socket_inodes(process.pid)
        held = any(sockets.get(fd) == inode for one in mine for fd in one.reads)
        why = "it sleeps where no SIGIO is waited for"
        if any(one.call in SLEEP for one in mine):
            why = _POLLING
        if held and any(one.call in MULTIPLEX for one in mine):
            why = "it waits for the socket itself; here SIGIO is what tells of input"
        elif held:
            why = (
                "it sleeps in a call on the armed socket, which must never block: O_NONBLOCK is "
                "missing, so the last call that finds nothing does not return with EAGAIN"
            )
        raise Failure(due, step.saw, why)
    limit = blocked.timeout
    if limit is None:
        limit = blocking.hidden_timeout(process.pid, blocked)
    if limit is not None or process.catches_timer():
        raise Failure(
            due,
            f"asleep in {blocked}" + (f", for {limit:g} s at most" if limit else ", with a timer"),
            _POLLING,
        )
    timers = ", ".join(sorted(TIMER.intersection(process.noted)))
    if timers:
        raise Failure(due, f"asleep in {blocked}, after a call of {timers}", _POLLING)


def why_pending(process, number: int) -> str:
    """Explain why a signal has not come to a program that sleeps; empty if it has."""
    if number not in proc.signals(process.pid, "ShdPnd"):
        return ""
    return (
        f"{diagnosis.signal_name(number)} is pending, and blocked even while the program sleeps: "
        "the call that sleeps gets the mask that lets it through"
    )


def why_not_woken(process) -> str:
    """Explain why input at its first socket makes a sleeping program do nothing."""
    if process.end_status:
        return process.why_it_ended()
    if process.others():
        return (
            "the owner is the process that called F_SETOWN; a child that it has forked since gets "
            "no SIGIO: do both in the process that serves"
        )
    fd = min(proc.socket_inodes(process.pid), default=None)
    if fd is None:
        return ""
    asleep = process.asleep_in(READ | ACCEPT)
    if asleep and fd in asleep.reads and asleep.call in READ | ACCEPT:
        return (
            f"it sleeps in {asleep}, a call on the socket, which must never block: O_NONBLOCK is "
            "not set, or was cleared again, for F_SETFL sets all flags at once"
        )
    if not proc.flags(process.pid, fd) & O_ASYNC:
        return "O_ASYNC is not set, so the socket sends no SIGIO"
    if signal.SIGIO in proc.signals(process.pid, "SigIgn"):
        return (
            "SIGIO is ignored (SIG_IGN): the kernel throws it away, and it wakes nobody; give it "
            "a handler"
        )
    if pending := why_pending(process, signal.SIGIO):
        return pending
    with contextlib.suppress(OSError), process.borrow(fd) as sock:
        if owner(sock) == 0:
            return "nobody is the owner of the socket, so SIGIO goes nowhere: F_SETOWN is missing"
        if owner(sock) == process.pid:
            return (
                "the socket is armed, and SIGIO came: after it the program must take what is "
                "there, until EAGAIN, and answer it"
            )
    return "SIGIO does not wake it: is this process the owner (F_SETOWN)?"


class Waits:
    """Holds a program at the entry of its waits for a signal.

    What comes while it is held has come after its look at its flag and before
    its sleep.
    """

    def __init__(self, process):
        self.process = process
        self._held: list = []
        self._handler = self._keep  # one object, to be forgotten by

    def _is_wait(self, held) -> bool:
        if held.tid != self.process.pid:
            return False
        if held.call not in READ:
            return True
        target = proc.descriptors(held.tid).get(held.args[0] & 0xFFFFFFFF, "")
        return "signalfd" in target or target.startswith("pipe:")

    def _keep(self, held):
        if self._held or not self._is_wait(held):
            return None
        self._held.append(held)
        return "keep"

    def watch(self) -> None:
        """From now on, hold the program at its next wait."""
        self.process.breakpoints.on(WAITS, self._handler)

    def strike(self, event) -> None:
        """Wait until the program is held, let ``event()`` happen, let it go on.

        A signal that is not blocked acts before the call, which then begins
        anew: it came exactly between the check and the wait.
        """
        due = "a program that goes to sleep until a signal comes"
        self.process.until(lambda: self._held, due, told=True)
        held = self._held[0]
        asked = blocking.describe(held.tid, held.call, held.args)
        self.process.stage.tape.add("hold", f"{self.process.name}, about to sleep in {asked}")
        event()
        netns.settle()  # its signal shall be pending by now
        self.process.breakpoints.off(self._handler)
        self._held.clear()
        held.interrupt()


def inode_of(sock: socket.socket) -> int:
    """Return the inode number of a socket of ours."""
    return os.fstat(sock.fileno()).st_ino


def catches(pid: int) -> bool:
    """Whether SIGIO would not end a process now: handled, blocked or ignored."""
    return any(signal.SIGIO in proc.signals(pid, field) for field in ("SigCgt", "SigBlk", "SigIgn"))
