"""The program under test, ready to be started: what a check is handed."""

import contextlib
import fcntl
import os
import pty
import shlex
import socket

from . import announced, build, diagnosis, machine, peers, strange, warden
from .clock import Clock
from .control import Control
from .failure import Failure, require
from .kernel import observer, proc, sockdiag, syscalls
from .process import Process

# Set in full, so that nothing in a program's own text can change them.
_SANITIZER_OPTIONS = (
    "detect_leaks={leaks}:exitcode=99:halt_on_error=1:abort_on_error=0:"
    "allocator_may_return_null=1:handle_segv=1:color=never:log_path=stderr"
)


def environment(leaks: bool = False) -> dict[str, str]:
    """Return the environment of a program under test: built from nothing."""
    options = _SANITIZER_OPTIONS.format(leaks=int(leaks))
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LC_ALL": "C",
        "ASAN_OPTIONS": options,
        "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99:print_stacktrace=0:log_path=stderr",
        "LSAN_OPTIONS": "exitcode=99",
    }


# What looks like an address, and is none.
NO_ADDRESS = "1.2.3.999"


class Program:
    """One of the student's programs, compiled.

    Args:
        stage: the check's world.
        name: the program's name.
        path: the binary.
        kind: how it was compiled.
    """

    def __init__(self, stage, name: str, path: str, kind: str):
        self.stage = stage
        self.name = name
        self.path = path
        self.kind = kind
        self.clock: Clock | None = None
        self._clients = 0

    def start(
        self,
        *args: str,
        watch=(),
        note=(),
        stdin: bool | socket.socket = False,
        stdout: str = "pipe",
        keep=(),
        ignore=(),
        limits: dict[str, int] | None = None,
        leaks: bool = False,
        env: dict[str, str] | None = None,
        show: str | None = None,
        occupied: int = 0,
        third: int | None = None,
        preload: str | None = None,
    ) -> Process:
        """Start the program and return it running.

        Args:
            args: its arguments.
            watch: names of system calls to hold it at; see ``breakpoints``.
            note: names of system calls to list in ``noted`` when they are made.
            stdin: whether the check will write to it, or a socket that it shall be;
                else it reads /dev/null.
            stdout: "pipe", "pty", or the path of a file to write to.
            keep: descriptors of ours that the program shall have too.
            ignore: numbers of signals that are ignored when the program starts.
            limits: resource limits by name, as native/launch.c knows them.
            leaks: whether a memory leak is to be reported at the end; then it may
                execute no file, not even its own, with another environment.
            env: what its environment shall have besides, or otherwise.
            show: how the step shows the arguments.
            occupied: leave it no descriptor below this number.
            third: a descriptor of ours that shall be its number 3.
            preload: a library to preload besides; with the build "shim".
        """
        self.stage.tape.add("start", show or shlex.join([f"./{self.name}", *args]))
        env = {**environment(leaks), **(env or {})}
        if self.kind == "shim":
            if self.clock is None:
                self.clock = Clock(self.stage.path("clock"))
            shims = [build.native("clock", "-shared", "-fPIC", "-fno-builtin")]
            env[Clock.VARIABLE] = self.clock.path
            if preload:
                shims.append(preload)
            env["LD_PRELOAD"] = ":".join(map(self.stage.tool, shims))
        control = Control()
        out_fd, out_child = _output(stdout)
        err_fd, err_child = _output("pipe")
        in_child, in_fd = _input(stdin)
        watch = {*watch, *note}
        watcher = None if self.stage.level == "none" else observer.Observer()
        launcher = self.stage.tool(warden.launcher(self.stage.level))
        own = self.stage.cgroup()
        command = [launcher, "-c", str(control.theirs.fileno()), *warden.options(watcher)]
        if watch:
            command += ["-n", ",".join(map(str, syscalls.numbers(watch)))]
        if keep:
            command += ["-k", ",".join(map(str, keep))]
        if ignore:
            command += ["-i", ",".join(str(int(one)) for one in ignore)]
        if occupied:
            command += ["-o", str(occupied)]
        if third is not None:
            command += ["-3", str(third)]
        if leaks:
            command += ["-x"]
        for key, value in {"core": 0, "fsize": 64 << 20, **(limits or {})}.items():
            command += ["-l", f"{key}={value}"]
        command += ["--", self.stage.own_copy(self.path, self.name), *args]
        others = [*keep, *([] if third is None else [third])]
        if watcher is not None:
            others.append(watcher.theirs.fileno())
        stdio = (in_child, out_child, err_child)
        launcher = self.stage.spawn(command, stdio, [control.theirs.fileno(), *others], env, own)
        control.theirs.close()
        if watcher is not None:
            watcher.theirs.close()
        for fd in stdio:
            os.close(fd)
        listener = control.listener() if watch else None
        process = Process(
            self.stage,
            self.name,
            launcher,
            control,
            listener,
            in_fd,
            out_fd,
            err_fd,
        )
        process.observer = watcher
        process.allowance = machine.leak_checker() if leaks else 0.0
        process.cgroup = own
        self.stage.processes.append(process)
        process.noted = process.breakpoints.note(note) if note else []
        if watch and "socket" in watch and not self.stage.can("pidfd_getfd"):
            process.breakpoints.share_sockets()
        if in_fd is not None:
            os.set_blocking(in_fd, False)
        process.await_pid()
        if watcher is not None:
            watcher.started(process.launcher_pid)
        return process

    def serve(
        self,
        *options: str,
        address: str | None = None,
        port: int | None = None,
        path: str | None = None,
        **how,
    ) -> "Server":
        """Start the program as a server and wait until it waits for clients.

        Args:
            options: arguments before the address.
            address: where it shall listen; by default the check's address.
            port: the port; by default one of the check's.
            path: a UNIX path to listen on instead.
            how: passed on to ``start``.
        """
        if path is not None:
            args = [*options, f"unix:{path}"]
            server = Server(self, self.start(*args, **how), path, args)
        else:
            address = address or self.stage.address
            port = self.stage.port() if port is None else port
            args = [*options, address, str(port)]
            server = Server(self, self.start(*args, **how), (address, port), args)
        server.wait_listening()
        return server

    def run(self, *args: str, **how) -> Process:
        """Start the program, wait for its end, and return it."""
        process = self.start(*args, **how)
        end = process.wait_end()
        self.stage.tape.add("wait", f"for the end of {self.name}", str(end))
        return process

    def refuse_address(self, *args: str) -> None:
        """Require that the program refuses NO_ADDRESS, which is among ``args``.

        Status 2 is due; 1 is right for a program that looks names up, too.  In
        a network that is shared with others it might ask a real name server,
        so nothing is tried there.
        """
        if not self.stage.private:
            return
        process = self.start(*args)
        why = f"{NO_ADDRESS} is no address: inet_pton returned 0, and nobody looked at that"
        try:
            end = process.wait_end()
        except Failure as failure:
            failure.why = why
            raise
        self.stage.tape.add("wait", f"for the end of {self.name}", process.how_it_ended())
        good = end.kind == "exit" and end.number in (1, 2) and not process.stdout
        require(good, "a usage error: exit status 2, nothing on stdout", str(end), why)

    def next_client(self) -> str:
        """Return a name for the next client."""
        self._clients += 1
        return f"client {self._clients}"


class Server:
    """A running server of the student's: where it listens, and who connects.

    ``process`` is the run itself; what is not found here is looked up there.
    """

    def __init__(self, program: Program, process: Process, target, args=()):
        self.program = program
        self.process = process
        self.target = target
        self.args = args
        self.stage = program.stage
        self.listener_fd = -1
        self.listener_inode = -1

    def __getattr__(self, name):
        """Hand everything else to the process."""
        return getattr(self.process, name)

    # -- readiness --------------------------------------------------------------

    def listening(self) -> bool:
        """Whether a socket of the program listens at the target.

        An exact look-up in the kernel; nothing is sent.
        """
        if isinstance(self.target, str):
            inodes = {
                s.inode
                for s in self.stage.sockdiag.unix(1 << sockdiag.LISTEN)
                if s.address == self.target
            }
        elif self.target[1] == 0:
            inodes = {
                s.inode
                for s in self.stage.sockdiag.inet(socket.IPPROTO_TCP, 1 << sockdiag.LISTEN)
                if s.address == self.target[0]
            }
        else:
            found = self.stage.sockdiag.tcp_listener(*self.target)
            good = found is not None and found.address == self.target[0]
            inodes = {found.inode} if good else set()
        for pid in self.process.tree() if inodes else ():
            for fd, inode in proc.socket_inodes(pid).items():
                if inode in inodes:
                    self.listener_fd = fd
                    self.listener_inode = inode
                    return True
        return False

    def wait_listening(self) -> None:
        """Wait until the program listens and sleeps, waiting for a client."""
        step = self.stage.tape.steps[-1]
        where = (
            f"unix:{self.target}"
            if isinstance(self.target, str)
            else f"{self.target[0]} port {self.target[1]}"
        )
        try:
            self.process.until(self.listening, f"{self.program.name} listening on {where}")
            if not isinstance(self.target, str) and self.target[1] == 0:
                for found in self.stage.sockdiag.inet(socket.IPPROTO_TCP, 1 << sockdiag.LISTEN):
                    if found.inode == self.listener_inode:
                        self.target = (self.target[0], found.port)
            blocked = self.wait_accepting()
        except Failure as failure:
            step.saw = failure.got
            if not failure.why and not isinstance(self.target, str):
                failure.why = diagnosis.listening_elsewhere(
                    self.stage.program_sockets(), *self.target
                )
            raise
        step.saw = f"listening, asleep in {blocked}"

    def wait_accepting(self):
        """Wait until the program sleeps, waiting for the next client."""
        return self.process.wait_asleep(
            syscalls.ACCEPT,
            "a server asleep, waiting for the next client",
            inode=self.listener_inode,
        )

    def expect_listening_line(self, line: str) -> None:
        """Require that stdout holds the LISTENING line, and nothing else."""
        announced.expect(self, line.encode(), self._ready_again)

    def _ready_again(self, process: Process) -> None:
        target = self.target
        if not isinstance(target, str):
            target = (target[0], int(self.args[-1]))
        Server(self.program, process, target).wait_listening()

    def queue(self) -> tuple[int, int]:
        """Return how many connections wait for accept, and the backlog."""
        found = self.stage.sockdiag.tcp_listener(*self.target)
        return (found.rqueue, found.wqueue) if found else (0, 0)

    def holders(self, client: peers.Peer) -> dict[int, list[int]]:
        """Return who has the server's end of a client's connection open.

        Returns:
            The descriptors of each process; nobody has a connection that waits
            in the queue.
        """
        address, port = client.sock.getsockname()[:2]
        inodes = {
            found.inode
            for found in self.stage.sockdiag.inet(socket.IPPROTO_TCP)
            if (found.port, found.peer, found.peer_port) == (self.target[1], address, port)
        }
        held = {
            pid: [fd for fd, inode in proc.socket_inodes(pid).items() if inode in inodes]
            for pid in self.process.tree()
        }
        return {pid: fds for pid, fds in held.items() if fds}

    # -- clients ----------------------------------------------------------------

    def connect(self, **how) -> peers.Peer:
        """Return a new client, connected."""
        return peers.connect(self.stage, self.target, self.program.next_client(), **how)


def _input(stdin: bool | socket.socket) -> tuple[int, int | None]:
    """Return the program's end of its stdin and ours, if there is one."""
    if isinstance(stdin, socket.socket):
        return os.dup(stdin.fileno()), None
    return os.pipe() if stdin else (os.open(os.devnull, os.O_RDONLY), None)


def _output(kind: str) -> tuple[int | None, int]:
    """Return our reading end, if any, and the program's end of an output."""
    if kind == "pipe":
        ours, child = os.pipe()
        with contextlib.suppress(OSError):
            fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, 1 << 16)
    elif kind == "pty":
        ours, child = pty.openpty()
    else:
        return None, strange.output(kind)
    os.set_blocking(ours, False)
    return ours, child
