"""A program under test while it runs."""

import contextlib
import os
import resource
import select
import signal
import socket
import time
from dataclasses import dataclass

from . import blocked as blocking
from . import breakpoints, diagnosis, waiting, warden
from .failure import Broken, Failure
from .kernel import limits, netns, pidfd, proc, syscalls

# What a sanitizer is told to exit with; see ``program.environment``.
SANITIZER_STATUS = 99
# Bytes of output after which a program is said to print without end.
OUTPUT_LIMIT = 32 << 20
# Seconds until those who were killed are given up; SIGKILL takes far less.
_END_LIMIT = 20.0


@dataclass
class End:
    """How a process ended: by exit with a status, or by a signal."""

    kind: str
    number: int

    def __str__(self) -> str:
        if self.kind == "exit":
            return f"exited with status {self.number}"
        return f"was killed by {diagnosis.signal_name(self.number)}"


class Output:
    """What a program wrote to one of its pipes.

    ``guarded`` is a context in which to read; see ``stuck``.
    """

    def __init__(self, fd: int, guarded=contextlib.nullcontext):
        self.fd = fd
        self._guarded = guarded
        self.data = bytearray()
        self.total = 0
        self.ended = False

    def drain(self) -> None:
        """Take what is there; keep the first OUTPUT_LIMIT bytes.

        An empty pipe is not read: a program that sleeps in splice(2) holds its
        lock, and a read would wait for that, non-blocking or not.

        Raises:
            Failure: it holds the lock of a pipe that is not empty.
        """
        while not self.ended and select.select([self.fd], [], [], 0)[0]:
            try:
                with self._guarded():
                    chunk = os.read(self.fd, 1 << 18)
            except BlockingIOError:
                return
            except OSError:  # EIO: the last one has left the terminal
                chunk = b""
            if not chunk:
                self.ended = True
                return
            self.total += len(chunk)
            self.data += chunk[: max(0, OUTPUT_LIMIT - len(self.data))]
            if self.total > OUTPUT_LIMIT:
                return

    def close(self) -> None:
        """Take the rest, and close the pipe."""
        self.drain()
        self.ended = True
        os.close(self.fd)


class Process:
    """One run of the student's program, its children included.

    Checks get one from ``Program.start`` or ``Program.serve``.
    """

    def __init__(self, stage, name, launcher, control, listener, stdin, stdout, stderr):
        self.stage = stage
        self.name = name
        # The program, by its number for us; and as it knows itself, which is
        # another one in a pid namespace of its own.
        self.pid = 0
        self.inner_pid = 0
        # The launcher, which is the parent of the program and of orphans.
        self.launcher_pid = 0
        self.end_status: End | None = None
        self.gone = False
        self.lost = False
        self.end_told = False
        self.noted: list[str] = []
        self.breakpoints = breakpoints.Breakpoints(self, listener)
        self.stdin = stdin
        self._launcher = launcher
        self._control = control
        self._stdout = None if stdout is None else Output(stdout, self.guarded)
        self._stderr = Output(stderr, self.guarded)
        self._watched: list[int] = []
        self._poll = select.poll()
        self._before_freeze: dict[int, tuple[str, tuple[int, ...]]] = {}
        self.frozen = False
        self.orphans = 0
        self.count = 0
        # CPU seconds of the reference machine that are not the program's own doing.
        self.allowance = 0.0
        self._handle = -1
        self._launcher_handle = -1
        self._sent: set[int] = set()
        # Who looks at the program where we may not; see ``kernel.observer``.
        self.observer = None
        # What it is in with all that it starts, where there is such a thing.
        self.cgroup = None
        # Megabytes, if it was ended because it took more.
        self.most_memory = 0
        # What was used in all, CPU seconds and bytes at a time; 0 until the end.
        self.cpu = 0.0
        self.peak = 0

    def guarded(self):
        """Return a context for a call on a pipe that the program might keep locked."""
        return self.stage.guard.over(self._control.order_end)

    # -- what the waiting loop asks ------------------------------------------

    def fds_to_watch(self) -> list[int]:
        """Return our descriptors that tell when something happened."""
        fds = [] if self.gone else [self._control.fd]
        if self.breakpoints.fd != -1:
            fds.append(self.breakpoints.fd)
        for output in (self._stdout, self._stderr):
            if output is not None and not output.ended:
                fds.append(output.fd)
        return fds

    def service(self) -> None:
        """Take in what is there: lines of the launcher, calls held, output."""
        ready = self._ready()
        if not self.gone and self._control.fd in ready:
            self._read_control()
        if self.breakpoints.fd in ready or self.breakpoints.early:
            self.breakpoints.service()
        for output in (self._stdout, self._stderr) if ready else ():
            if output is not None and output.fd in ready:
                output.drain()

    def has_news(self) -> bool:
        """Whether something came in that ``service`` has not taken yet."""
        if self.breakpoints.early:
            return True
        ready = self._ready()
        mine = (-1 if self.gone else self._control.fd, self.breakpoints.fd)
        return any(ready.get(fd, 0) & select.POLLIN for fd in mine)

    def _ready(self) -> dict[int, int]:
        """Return those of ``fds_to_watch`` that have something, with the events of poll(2)."""
        watched = self.fds_to_watch()
        if watched != self._watched:
            self._watched, self._poll = watched, select.poll()
            for fd in watched:
                self._poll.register(fd, select.POLLIN)
        return dict(self._poll.poll(0))

    def threads(self) -> dict[int, list[int]]:
        """Return the processes of this run that exist, zombies included, with their threads.

        Of a fork without end, only so many that it is known for one.
        """
        most = waiting.PROCESS_LIMIT
        found = {} if self.gone else proc.threads_below(self.launcher_pid, most)
        self.count = len(found)
        return found

    def tree(self) -> list[int]:
        """Return the processes of this run that exist; see ``threads``."""
        return list(self.threads())

    def cpu_seconds(self) -> tuple[float, float]:
        """Return the CPU time used by who lives, and by who was reaped."""
        tree = self.tree()
        reaped = [] if self.gone else [self.launcher_pid, *tree]
        return sum(map(proc.cpu_seconds, tree)), sum(map(proc.reaped_seconds, reaped))

    def held_call(self, tid: int) -> blocking.Blocked | None:
        """Return the call that a thread is held at by a breakpoint of ours."""
        note = self.breakpoints.held_by(tid)
        return blocking.describe(tid, note.call, note.args) if note else None

    def blocked(self, pid: int, tid: int | None = None) -> blocking.Blocked | None:
        """Return the call that a thread known to sleep is blocked in."""
        try:
            found = proc.current_call(pid, tid or pid)
        except proc.Hidden as error:
            raise unobservable(error) from error
        if found is None:
            return None
        call, args = found
        if call == "restart_syscall":
            # After SIGCONT, poll and nanosleep go on under this name.
            call, args = self._before_freeze.get(tid or pid, found)
        return blocking.describe(pid, call, args)

    def time_limit(self, blocked: blocking.Blocked, pid: int | None = None) -> float | None:
        """Return the seconds after which a sleep ends by itself, or None.

        It may stand in the call or, as SO_RCVTIMEO and SO_SNDTIMEO, at its socket.
        """
        limit = blocked.timeout
        return blocking.hidden_timeout(pid or self.pid, blocked) if limit is None else limit

    def catches_timer(self) -> bool:
        """Whether the program would notice a timer that can't be seen; it may have none."""
        return any(
            signal.SIGALRM in proc.signals(pid, "SigCgt") or proc.has_posix_timers(pid)
            for pid in self.tree()
        )

    def may_have_timer(self) -> bool:
        """Whether an alarm that can't be seen may still wake the program.

        Who blocks its signal may wait for that by sigwait or a signalfd.
        """
        blocks = any(signal.SIGALRM in proc.signals(pid, "SigBlk") for pid in self.tree())
        return blocks or self.catches_timer()

    def check_output_limit(self, due: str) -> None:
        """Fail the check when the program prints without end."""
        for name, output in (("stdout", self._stdout), ("stderr", self._stderr)):
            if output is not None and output.total > OUTPUT_LIMIT:
                self.end()
                got = f"more than {OUTPUT_LIMIT >> 20} MB on {name}"
                raise Failure(due, got, f"it prints on {name} for ever")

    def foul(self) -> Failure | None:
        """Return the failure of a program that nothing can be said about any more.

        It has ended who watches over it, or was ended because of its memory.
        """
        if self.most_memory:
            got = f"{self.name} used more than {self.most_memory} MB"
            why = "memory is taken again and again: look for a loop or a number without a limit"
            return Failure(f"at most {self.most_memory} MB of memory", got, why)
        # before it is the program, it could not
        if self.observer is not None and self.pid and (self.lost or self.observer.silent):
            got = f"{self.name} killed its observer"
            why = "the process that watches over the program was ended or stopped meanwhile"
            return Failure("a program that leaves others alone", got, why)
        return None

    def how_it_ended(self) -> str:
        """Return in words how the program ended; empty while it lives."""
        if self.end_status == End("exit", SANITIZER_STATUS) and diagnosis.sanitizer(self.stderr):
            return "was stopped by the sanitizer"
        return str(self.end_status) if self.end_status else ""

    def stdout_elsewhere(self) -> str:
        """Return what the program did to its stdout; empty where that is as it was."""
        if self.end_status or self._stdout is None:
            return ""
        given = os.readlink(f"/proc/self/fd/{self._stdout.fd}")
        now = proc.descriptors(self.pid).get(1)
        if now == given or given.startswith("/dev/"):
            return ""
        what = f"leads to {now}" if now else "was closed"
        return f"its stdout, descriptor 1, {what}: the program did that itself"

    def why_it_ended(self) -> str:
        """Return the mistake that an end speaks of; nothing where a check ended it."""
        end = self.end_status
        if end is None or (end.kind == "signal" and end.number in self._sent):
            return ""
        return diagnosis.ended(end, self.stderr)

    # -- what checks ask -----------------------------------------------------

    @property
    def stdout(self) -> bytes:
        """What the program has written to stdout so far."""
        if self._stdout is None:
            return b""
        self._stdout.drain()
        return bytes(self._stdout.data)

    @property
    def stderr(self) -> bytes:
        """What the program has written to stderr so far."""
        if self._stderr is None:
            return b""
        self._stderr.drain()
        return bytes(self._stderr.data)

    def until(self, ready, due: str, fds=(), progress=None, told: bool = False):
        """Wait until ``ready()``; see ``waiting.until``."""
        return waiting.until(self.stage, ready, due, fds, progress, told)

    def asleep_in(
        self, calls, pid: int | None = None, fd: int | None = None, inode: int | None = None
    ):
        """Return the Blocked of a process asleep in one of ``calls``, or None.

        Args:
            calls: names of system calls.  A multiplexing call counts for the
                read and accept classes when it waits for a fitting descriptor.
            pid: one of the processes of this run; by default the program.
            fd: the descriptor that must be waited for, if that matters.
            inode: the same for a socket, whatever numbers it has by now.
        """
        pid = pid or self.pid
        if pid == self.pid and self.end_status:
            return None  # its number may be a stranger's by now
        for tid in proc.tasks(pid):
            found = proc.stat(pid, tid)
            if found is None or found.state != "S" or self.breakpoints.held_by(tid):
                continue
            blocked = self.blocked(pid, tid)
            if blocked is None or self.has_news():
                continue
            if blocked.call not in calls and not (
                blocked.call in syscalls.MULTIPLEX
                and blocked.reads  # without any, it is a mere pause
                and calls & (syscalls.READ | syscalls.ACCEPT)
            ):
                continue
            waited = blocked.reads | blocked.writes
            if fd is not None and fd not in waited:
                continue
            if inode is not None:
                sockets = proc.socket_inodes(pid)
                if all(sockets.get(one) != inode for one in waited):
                    continue
            return blocked
        return None

    def wait_asleep(
        self,
        calls,
        due: str,
        pid: int | None = None,
        fd: int | None = None,
        inode: int | None = None,
    ):
        """Wait until a process of this run sleeps in one of ``calls``; see ``asleep_in``."""

        def asleep():
            found = self.asleep_in(calls, pid, fd, inode)
            # what it may wake up for must not be on its way
            return self.asleep_in(calls, pid, fd, inode) if found and netns.settle() else found

        return self.until(asleep, due)

    def wait_reading(self, pid: int | None = None):
        """Wait until the program sleeps, waiting for input from a client."""
        return self.wait_asleep(syscalls.READ, "a program asleep, waiting for input", pid)

    def wait_quiet(self, due: str = "a program that comes to rest"):
        """Wait until every process of this run is asleep or has ended.

        Returns the snapshot, taken twice and equal both times.
        """
        last = None

        def still():
            nonlocal last
            look = waiting.snapshot([self])
            if look is not None and look == last and netns.settle():
                look = waiting.snapshot([self])  # what was on its way has come
            same = look is not None and look == last
            last = look
            return (look,) if same else None

        return self.until(still, due)[0]

    def wait_end(self) -> End:
        """Wait until the program itself has ended; return how."""
        due = f"{self.name} comes to its end"
        self.until(lambda: self.end_status, due, progress=self._output_so_far, told=True)
        self.end_told = True
        self.service()
        return self.end_status

    def _output_so_far(self) -> int:
        return sum(out.total for out in (self._stdout, self._stderr) if out)

    def expect_exit(self, status: int) -> None:
        """Wait for the program's end and require an exit status."""
        end = self.wait_end()
        self.stage.tape.add("wait", f"for the end of {self.name}", str(end))
        if end != End("exit", status):
            raise Failure(f"exit status {status}", str(end), self.why_it_ended())

    def expect_stdout(self, expected: bytes) -> None:
        """Require that stdout holds exactly ``expected`` by now."""
        self._expect_output(expected, self.stdout, "stdout")

    def expect_stderr(self, expected: bytes) -> None:
        """Require that stderr holds exactly ``expected`` by now."""
        self._expect_output(expected, self.stderr, "stderr")

    def _expect_output(self, expected: bytes, got: bytes, name: str) -> None:
        self.stage.tape.add("look", f"at {name}", diagnosis.show(got))
        if got != expected:
            known = self.stage.diagnose(())
            diagnosis.fail_bytes(expected, got, f"on {name}", known=known)

    def children(self) -> list[int]:
        """Return the children of the program itself, zombies included."""
        return [] if self.end_status else proc.children(self.pid)

    def zombies(self) -> list[int]:
        """Return the processes that have ended and were not reaped.

        Orphans that wait for the harness are not the program's fault.
        """
        return [
            pid
            for pid in self.tree()
            if (found := proc.stat(pid)) and found.is_zombie and found.ppid != self.launcher_pid
        ]

    def others(self) -> list[int]:
        """Return the live processes of this run besides the program itself."""
        return [
            pid
            for pid in self.tree()
            if pid != self.pid
            and (found := proc.stat(pid))
            and not (found.is_zombie or found.state == "X")
        ]

    def descriptors(self, pid: int | None = None) -> dict[int, str]:
        """Return the open descriptors of a process of this run."""
        pid = pid or self.pid
        return {} if pid == self.pid and self.end_status else proc.descriptors(pid)

    def borrow(self, fd: int, pid: int | None = None) -> socket.socket:
        """Return a duplicate of one of the program's sockets."""
        shared = self.breakpoints.shared_socket(pid or self.pid, fd)
        return shared or pidfd.borrow_socket(pid or self.pid, fd)

    # -- what checks do ------------------------------------------------------

    def signal(self, number: int) -> None:
        """Send a signal to the program."""
        self.stage.tape.add("signal", f"{diagnosis.signal_name(number)} to {self.name}")
        self._sent.add(number)
        self._kill(number)

    def _kill(self, number: int) -> None:
        """Send a signal; never to a stranger who has got the same number since."""
        if self._handle != -1:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def freeze(self) -> None:
        """Stop the program, as Ctrl-Z does, and wait until it has stopped."""
        for tid in proc.tasks(self.pid):
            try:
                found = proc.current_call(self.pid, tid)
            except proc.Hidden as error:
                raise unobservable(error) from error
            if found is not None and found[0] != "restart_syscall":
                self._before_freeze[tid] = found
        self._kill(signal.SIGSTOP)
        self.frozen = True
        self.stage.tape.add("freeze", self.name)

        def stopped():
            found = [proc.stat(self.pid, tid) for tid in proc.tasks(self.pid)]
            states = {one.state for one in found if one is not None}
            return self.end_status or ("T" in states and states <= set("TZX"))

        self.until(stopped, "a program that can be stopped")

    def thaw(self) -> None:
        """Let a frozen program go on."""
        self.stage.tape.add("thaw", self.name)
        self.frozen = False
        self._kill(signal.SIGCONT)

    def limit_descriptors(self, count: int) -> None:
        """Set how many descriptors the program may have, from outside.

        Never more than its hard limit, which it may have lowered itself.
        """
        with contextlib.suppress(ProcessLookupError):
            hard = proc_hard_limit(self.pid)
            soft = count if hard == resource.RLIM_INFINITY else min(count, hard)
            limits.prlimit(self.pid, resource.RLIMIT_NOFILE, (soft, hard))

    def write(self, data: bytes) -> None:
        """Write to the program's stdin."""
        self.stage.tape.add("write", f"{diagnosis.show(data)} to stdin")
        view = memoryview(data)
        while view:
            _r, ready, _x = select.select([], [self.stdin], [], 0)
            if not ready:
                self.until(
                    lambda: select.select([], [self.stdin], [], 0)[1], "a program that reads stdin"
                )
            try:
                with self.guarded():
                    written = os.write(self.stdin, view[:4096])
            except BrokenPipeError:
                with contextlib.suppress(Failure):
                    self.wait_quiet()  # its stdin is closed before it has ended
                got = f"{self.name} {self.how_it_ended() or 'has closed its stdin'}"
                why = self.stage.diagnose(())
                raise Failure("a program that reads its stdin", got, why) from None
            view = view[written:]

    def close_stdin(self) -> None:
        """Close the program's stdin: it reads end of file."""
        if self.stdin is not None:
            os.close(self.stdin)
            self.stdin = None
            self.stage.tape.add("close", "stdin")

    def order_end(self) -> None:
        """Tell the launcher to end the program and all that it started."""
        if self._control.fd != -1:
            with contextlib.suppress(OSError):
                self._control.order_end()
            self._signal_launcher(signal.SIGCONT)  # who stopped it can't gain by that

    def end(self) -> None:
        """End the program and all that it started; nothing survives.

        Raises:
            Broken: somebody can't be ended.
        """
        if self._control.fd == -1:
            return
        self.order_end()
        deadline = time.monotonic() + _END_LIMIT
        while not self.gone and time.monotonic() < deadline:
            poller = select.poll()
            poller.register(self._control.fd, select.POLLIN)
            poller.poll(1000)
            self._read_control()
        self.breakpoints.close()  # not before: whoever is held would go on, and complain
        if self.lost or not self.gone:
            self._signal_launcher(signal.SIGKILL)
            if self._launcher_handle == -1:
                self._launcher.kill()
        self._launcher.wait()
        left = self._end_strays() if self.lost or not self.gone else []
        self.gone = True
        self._control.close()
        for handle in (self._handle, self._launcher_handle):
            if handle != -1:
                os.close(handle)
        self._handle = self._launcher_handle = -1
        if self.stdin is not None:
            os.close(self.stdin)
            self.stdin = None
        if self.observer is not None:
            self.observer.close()
        for output in (self._stdout, self._stderr):
            if output is not None:
                output.close()
        if left:
            raise Broken(f"{len(left)} processes of {self.name} can't be ended")

    def _end_strays(self) -> list[int]:
        """End what a launcher that was killed has left to us; return the rest."""
        launchers = {one._launcher.pid for one in self.stage.processes}
        deadline = time.monotonic() + _END_LIMIT
        while True:
            strays = [pid for pid in proc.children(os.getpid()) if pid not in launchers]
            if not strays or time.monotonic() > deadline:
                return strays
            # only we can reap them, so a number stays theirs; the first to end may
            # leave children of its own to us
            first = os.pidfd_open(strays[0])
            for pid in strays:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            select.select([first], [], [], max(0.0, deadline - time.monotonic()))
            os.close(first)
            for pid in strays:
                with contextlib.suppress(OSError):
                    os.waitpid(pid, os.WNOHANG)

    # -- the launcher's lines ------------------------------------------------

    def _read_control(self) -> bool:
        if self.gone:
            return False
        lines = self._control.receive()
        for word, number, sender in lines:
            if word == "child":
                self.pid, self.inner_pid = sender, number
            elif word == "pid":
                self.launcher_pid = sender
            elif word in ("exit", "signal"):
                self.end_status = End(word, number)
            elif word == "orphans":
                self.orphans = number
            elif word == "memory":
                self.most_memory = number
            elif word == "cpu":
                self.cpu = number / 1000
            elif word == "peak":
                self.peak = number << 10
            elif word == "gone":
                self.gone = True
        if self._control.ended and not self.gone:
            self.gone = self.lost = True
        if (self.lost or self.end_status) and self.cgroup and self.cgroup.overrun():
            self.most_memory = warden.MEMORY >> 20
            # its launcher was killed with it, and says nothing more
            self.peak, self.cpu = max(self.peak, warden.MEMORY), self.cgroup.cpu()
        return bool(lines)

    def _signal_launcher(self, number: int) -> None:
        """Send a signal to the launcher itself, not to what it may run in.

        bubblewrap's own process must not be killed: its child would live on.
        """
        if self._launcher_handle != -1:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._launcher_handle, number)

    def await_pid(self) -> None:
        """Wait until the launcher says which process the program is."""
        while self.launcher_pid == 0:
            poller = select.poll()
            for fd in (self._control.fd, self.breakpoints.fd):
                if fd != -1:
                    poller.register(fd, select.POLLIN)
            poller.poll()
            # calls held meanwhile wait: a check sets its handlers after start
            self.breakpoints.let_exec_go()
            self._read_control()
            if self.gone:
                said = self.stderr + self.stage.complaints()
                if self.most_memory:
                    raise self.foul()
                raise Broken(f"the launcher ended: {said.decode('utf-8', 'replace')}")
        with contextlib.suppress(OSError):  # it may have ended already
            self._handle = os.pidfd_open(self.pid)
        with contextlib.suppress(OSError):
            self._launcher_handle = os.pidfd_open(self.launcher_pid)


def unobservable(error: proc.Hidden) -> Failure:
    """Return the failure of a program that hides itself."""
    why = "the program called prctl(PR_SET_DUMPABLE, 0) or the like; take that out"
    return Failure("a program that can be observed", str(error), why)


def proc_hard_limit(pid: int) -> int:
    """Return the hard limit of open files of a process."""
    return limits.prlimit(pid, resource.RLIMIT_NOFILE)[1]
