"""What this machine lets the harness do, tried out before any check.

Each probe does the real thing end to end with a program of the harness's own.
What it finds never depends on the student's program.
"""

import contextlib
import errno
import json
import os
import resource
import select
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import build, confine, machine, stage, waiting, warden
from .control import Control
from .kernel import cgroup, mounts, netns, notify, observer, pidfd, prctl, proc, sockdiag, syscalls


@dataclass(frozen=True)
class Probe:
    """One ability of the machine.

    ``lack`` says in words what is refused when the probe fails, ``mend`` what
    a person can do about it.  ``run`` gets the level at which programs are
    confined.  What ``limits`` is for strangers' programs, and no check needs it.
    """

    name: str
    lack: str
    mend: str
    run: Callable[[str], None]
    limits: bool


PROBES: dict[str, Probe] = {}


def _patience() -> float:
    """Return the seconds after which something that was started will never end."""
    return waiting.DEADLINE * machine.scale()


def _probe(name: str, lack: str, mend: str, limits: bool = False):
    def register(function):
        PROBES[name] = Probe(name, lack, mend, function, limits)
        return function

    return register


@_probe(
    "architecture",
    f"the system calls of {syscalls.architecture()} are not known",
    f"take a machine that is {' or '.join(syscalls.ARCHITECTURES)}",
)
def _try_architecture(level: str) -> None:
    if not syscalls.supported():
        raise OSError("harness/kernel/syscalls.py has no column for it")


@_probe(
    "netns",
    "network namespaces are refused",
    "allow unprivileged user namespaces, or run as root; on Ubuntu 24.04: "
    "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
)
def _try_netns(level: str) -> None:
    netns.enter()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 7))


@_probe(
    "sockdiag",
    "the kernel's socket list (sock_diag) is refused",
    "run outside of that sandbox",
)
def _try_sockdiag(level: str) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        found = sockdiag.SockDiag().tcp_listener(*sock.getsockname())
        assert found and found.inode == os.fstat(sock.fileno()).st_ino


@contextlib.contextmanager
def _sleeper(level: str):
    """Yield a process that sleeps as a program would, and its descriptor of a socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        if level != "none":
            with _launched(level, [str(build.native("restart"))], stdin=theirs) as run:
                yield run.await_pid(), 0
            return
        pid = os.fork()
        if pid == 0:
            try:
                prctl.show()  # as a program is that was just started
                theirs.recv(1)
            finally:
                os._exit(0)
        try:
            yield pid, theirs.fileno()
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


class _Launched:
    """A program of the harness's own, started as those of students are."""

    def __init__(self, control: Control, launcher: subprocess.Popen, watcher):
        self.control = control
        self.launcher = launcher
        self.watcher = watcher
        self.lines: list[tuple[str, int, int]] = []

    def await_line(self, *words: str) -> tuple[str, int, int]:
        """Wait for one of these lines.

        Raises:
            OSError: it does not come.
        """
        while True:
            for line in self.lines:
                if line[0] in words:
                    return line
            if self.control.ended:
                raise OSError("the launcher ended")
            if not select.select([self.control.fd], [], [], _patience())[0]:
                raise OSError("nothing came of a program that was started")
            self.lines += self.control.receive()

    def await_pid(self) -> int:
        """Wait until the program runs; return its number for us."""
        launcher = self.await_line("pid")[2]
        if self.watcher is not None:
            self.watcher.started(launcher)
        return self.await_line("child")[2]


@contextlib.contextmanager
def _launched(level: str, program: list[str], *options: str, etc=None, own=None, **how):
    """Start a program through the launcher, confined at a level; end it in the end."""
    control = Control()
    watcher = None if level == "none" else observer.Observer()
    command = [str(warden.launcher(level)), "-c", str(control.theirs.fileno())]
    command += [*warden.options(watcher), *options, "--", *program]
    passed = [control.theirs.fileno()]
    with contextlib.ExitStack() as stack:
        stack.callback(control.close)
        if watcher is not None:
            stack.callback(watcher.close)
            passed.append(watcher.theirs.fileno())
        if stage.apart(level):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sl-"))
            os.chmod(folder, 0o711)
            command[0] = confine.reachable(command[0], folder)
            if not program[0].startswith(("/usr/", "/bin/")):
                program = [confine.reachable(program[0], folder), *program[1:]]
                command[-len(program) :] = program
        if level != "none":
            inner = confine.reachable(confine.native(), folder)
            uid = confine.user() if confine.has_user(level) else None
            command = confine.command(
                level, command, readable=[program[0]], uid=uid, etc=etc, inner=inner
            )
            how["cwd"] = "/"
        how = {"stdout": subprocess.DEVNULL, **how}
        if own is not None:
            with open(os.devnull, "r+b", buffering=0) as null:
                launcher = own.start(command, [null.fileno()] * 3, passed, os.environ, "/")
        else:
            launcher = subprocess.Popen(
                command, pass_fds=passed, stderr=subprocess.DEVNULL, **how
            )
        control.theirs.close()
        stack.callback(launcher.wait)
        stack.callback(control.close)
        yield _Launched(control, launcher, watcher)


@_probe(
    "blocked",
    "the blocked call of a process (/proc/PID/syscall) is hidden",
    "set kernel.yama.ptrace_scope to 0 or 1, mount /proc without hidepid; of a container, take "
    "an image of the machine's own architecture",
)
def _try_blocked(level: str) -> None:
    with _sleeper(level) as (pid, _fd):
        for _ in range(100_000):
            if proc.state(pid) == "S":
                found = proc.current_call(pid, pid)
                if found and found[0] in syscalls.READ | syscalls.POLL:
                    return
        raise OSError("the call was not seen")


@_probe(
    "many_descriptors",
    "a process may not have more than 1200 descriptors",
    "raise the hard limit of open files: ulimit -Hn",
)
def _try_many_descriptors(level: str) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert most == resource.RLIM_INFINITY or most >= 1200


@_probe(
    "pidfd_getfd",
    "pidfd_getfd is refused",
    "allow the system call pidfd_getfd, or add CAP_SYS_PTRACE",
)
def _try_pidfd_getfd(level: str) -> None:
    with _sleeper(level) as (pid, fd):
        pidfd.borrow_socket(pid, fd).close()


@_probe(
    "notify",
    "seccomp user notification is refused",
    "run outside of that sandbox, on Linux 5.9 or newer",
)
def _try_notify(level: str) -> None:
    number = str(syscalls.NUMBER["exit_group"])
    # the launcher without arguments ends at once, with status 2
    with _launched(level, [str(build.native("launch"))], "-n", number) as run:
        listener = notify.Listener(run.control.listener())
        while (note := listener.receive()) is None:
            pass
        assert note.call == "exit_group"
        listener.let_go(note)
        assert run.await_line("exit", "signal")[:2] == ("exit", 2)


@_probe(
    "restart",
    "a signal can't be let in just before a held call (ERESTARTNOINTR is refused)",
    "run outside of that sandbox, on Linux 5.9 or newer",
)
def _try_restart(level: str) -> None:
    """Let a signal act before a held call, twice told of; see breakpoints."""
    number = str(syscalls.NUMBER["ppoll"])
    with _launched(level, [str(build.native("restart"))], "-n", number) as run:
        listener = notify.Listener(run.control.listener())

        calls = select.poll()
        calls.register(listener.fd, select.POLLIN)

        def entered():
            # when the program has ended there is POLLHUP alone
            while any(found & select.POLLIN for _fd, found in calls.poll(_patience() * 1000)):
                note = listener.receive()
                if note is not None:
                    return note
            raise OSError("the call was not made again")

        run.await_pid()
        note = entered()
        os.kill(note.tid, signal.SIGUSR1)
        listener.fail(note, notify.ERESTARTNOINTR)
        listener.fail(entered(), errno.ENOMEM)
        if run.await_line("exit", "signal")[:2] != ("exit", 0):
            raise OSError("the handler did not run before the call")


@_probe(
    "sanitizers",
    "a program with AddressSanitizer, which watches its memory, does not run",
    "lift the limit of virtual memory: ulimit -v unlimited; or take an older compiler (CC=gcc-12), "
    "for on aarch64 newer ones want a kernel with addresses of 48 bits",
)
def _try_sanitizers(level: str) -> None:
    from .program import environment

    try:
        program = str(build.native(*build.SANITIZED))
    except RuntimeError:
        return  # where there are none, programs are compiled without them
    with _launched(level, [program], env=environment()) as run:
        if run.await_line("exit", "signal")[:2] != ("exit", 0):
            raise OSError("it does not get to its end")


@_probe(
    "leaks",
    "the leak checker can't run (ptrace is refused)",
    "allow the system call ptrace: in a container, --cap-add SYS_PTRACE",
)
def _try_leaks(level: str) -> None:
    from .process import SANITIZER_STATUS
    from .program import environment

    # without symbols: looking them up takes ten times as long as the rest
    env = environment(leaks=True)
    env["ASAN_OPTIONS"] += ":symbolize=0"
    program = str(build.native(*build.SANITIZED))
    with _launched(level, [program, "leak"], "-x", env=env) as run:
        end = run.await_line("exit", "signal")[:2]
        if end != ("exit", SANITIZER_STATUS):
            raise OSError(f"no leak seen in a program that leaks: {end[0]} {end[1]}")
    with _launched(level, [program], "-x", env=env) as run:
        if run.await_line("exit", "signal")[1] != 0:
            raise OSError("a leak seen in a program without one")


@_probe(
    "privileged_ports",
    "ports below 1024 are free for everybody here",
    "sysctl -w net.ipv4.ip_unprivileged_port_start=1024",
)
def _try_privileged_ports(level: str) -> None:
    start = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii")
    if int(start) < 2:
        raise OSError("every port may be bound")


@_probe(
    "databases",
    "a made-up /etc can neither be mounted nor handed over (seccomp user notification)",
    "allow unprivileged user namespaces, or run on Linux 5.14 or newer, outside of that sandbox",
)
def _try_databases(level: str) -> None:
    if level == "namespaces":
        _read_a_file(level)
        return
    if not failing("netns", level):
        netns.enter()
        try:
            mounts.enter()
            mounts.cover("/etc", "/usr")
            return
        except OSError:
            pass
    _give_a_file(level)


def _read_a_file(level: str) -> None:
    """Let a program read a file of a made-up /etc.

    Raises:
        OSError: it did not get ours.
    """
    with tempfile.TemporaryDirectory(prefix="sl-") as folder:
        os.chmod(folder, 0o755)
        with open(os.path.join(folder, "made-up"), "w", encoding="ascii") as file:
            file.write("made up")
        os.chmod(file.name, 0o644)
        cat = ["/bin/cat", "/etc/made-up"]
        with _launched(level, cat, etc=folder, stdout=subprocess.PIPE) as run:
            run.await_line("exit", "signal")
            said = run.launcher.stdout.read1(100)
    if said != b"made up":
        raise OSError("a program did not get the file that was put there")


def _give_a_file(level: str) -> None:
    """Hand a file over to a program that opens another one.

    Raises:
        OSError: it did not get ours.
    """
    file = os.memfd_create("probe")
    os.write(file, b"made up")
    os.lseek(file, 0, os.SEEK_SET)
    number = ",".join(map(str, syscalls.numbers({"open", "openat"})))
    cat = ["/bin/cat", "/etc/made-up"]
    said = b""
    with _launched(level, cat, "-n", number, stdout=subprocess.PIPE) as run:
        listener = notify.Listener(run.control.listener())
        output = run.launcher.stdout
        poller = select.poll()
        poller.register(listener.fd, select.POLLIN)
        poller.register(output, select.POLLIN)
        while not said and (ready := dict(poller.poll(1000 * _patience()))):
            note = listener.receive()
            if note is not None:
                path = proc.peek(note.tid, note.args[note.call == "openat"], 14)
                if path.startswith(b"/etc/made-up"):
                    listener.give(note, file)
                else:
                    listener.let_go(note)
            if output.fileno() in ready:
                said = output.read1(100)
                break
    if said != b"made up":
        raise OSError("a program did not get the file that was handed over")


@_probe(
    "ipv6",
    "there is no IPv6 here",
    "load the module ipv6, or start the kernel without ipv6.disable=1",
)
def _try_ipv6(level: str) -> None:
    with socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 0))
        sock.listen()
        with socket.socket(socket.AF_INET6) as client:
            client.connect(sock.getsockname())


@_probe(
    "cgroup",
    "no cgroup limits the memory of strangers' programs",
    "begin by systemd-run --user --scope -p Delegate=yes make ..., as root without --user",
    limits=True,
)
def _try_cgroup(level: str) -> None:
    why = cgroup.enter()[1]
    if why:
        raise OSError(why)
    program = [str(build.native("restart"))]
    with contextlib.closing(warden.group()) as own, _launched(level, program, own=own) as run:
        if os.path.basename(cgroup.of(run.await_pid())) != os.path.basename(own.path):
            raise OSError("a program was not born in its cgroup")


_found: dict[tuple[str, str], str] = {}


def _try(name: str, level: str) -> str:
    """Run a probe in this process; return why it failed, or nothing."""
    try:
        if name in ("privileged_ports", "ipv6") and not failing("netns", level):
            netns.enter()
        PROBES[name].run(level)
    except Exception as error:
        return str(error) or type(error).__name__
    return ""


def _find_out(names, level: str) -> None:
    """Run the probes that were not run yet, all at the same time.

    Each has a process of its own, whose namespaces and limits end with it.
    """
    running = {}
    for name in names:
        if (name, level) not in _found:
            read_end, write_end = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.write(write_end, json.dumps(_try(name, level)).encode())
                os._exit(0)
            os.close(write_end)
            running[name] = pid, read_end
    for name, (pid, fd) in running.items():
        with os.fdopen(fd, "rb") as pipe:
            data = pipe.read()
        os.waitpid(pid, 0)
        _found[name, level] = json.loads(data) if data else "the probe died"


def failing(name: str, level: str = "none") -> str:
    """Return why a probe fails, an empty string when it works.

    Args:
        name: of the probe.
        level: at which the programs are confined that it starts.
    """
    _find_out([name], level)
    return _found[name, level]


def limits(level: str) -> list[str]:
    """Return the names of what limits programs at a level, where the machine has it."""
    if level == "none" or not syscalls.supported():
        return []
    return [name for name, one in PROBES.items() if one.limits]


def abilities() -> list[str]:
    """Return the names of what checks may need: of an unknown architecture, but one."""
    if not syscalls.supported():
        return ["architecture"]
    return [name for name, one in PROBES.items() if not one.limits]


def lacking(names=None, level: str = "none") -> dict[str, str]:
    """Return the probes that fail, by name, and what is refused.

    Args:
        names: which to try; all by default.
        level: at which programs are confined; see ``confine``.
    """
    if names is None or not syscalls.supported():
        names = [*abilities(), *limits(level)]
    _find_out(names, level)
    return {name: PROBES[name].lack for name in names if failing(name, level)}
