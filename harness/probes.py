"""What this machine lets the harness do, tried out before any check.

Each probe does the real thing end to end with a program of the harness's own.
What it finds never depends on the student's program.
"""

import errno
import json
import os
import resource
import select
import signal
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import build
from .kernel import mounts, netns, notify, pidfd, prctl, proc, sockdiag, syscalls


@dataclass(frozen=True)
class Probe:
    """One ability of the machine.

    ``lack`` says in words what is refused when the probe fails, ``mend`` what
    a person can do about it.
    """

    name: str
    lack: str
    mend: str
    run: Callable[[], None]


PROBES: dict[str, Probe] = {}

# What a held call is answered with, so that a signal acts and it begins anew.
ERESTARTNOINTR = 513


def _probe(name: str, lack: str, mend: str):
    def register(function):
        PROBES[name] = Probe(name, lack, mend, function)
        return function

    return register


@_probe(
    "netns",
    "network namespaces are refused",
    "allow unprivileged user namespaces, or run as root; on Ubuntu 24.04: "
    "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
)
def _try_netns() -> None:
    netns.enter()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 7))


@_probe(
    "sockdiag",
    "the kernel's socket list (sock_diag) is refused",
    "run outside of that sandbox",
)
def _try_sockdiag() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        found = sockdiag.SockDiag().tcp_listener(*sock.getsockname())
        assert found and found.inode == os.fstat(sock.fileno()).st_ino


def _child(work) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            prctl.show()  # as a program is that was just started
            work()
        finally:
            os._exit(0)
    return pid


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@_probe(
    "blocked",
    "the blocked call of a process (/proc/PID/syscall) is hidden",
    "set kernel.yama.ptrace_scope to 0 or 1, mount /proc without hidepid",
)
def _try_blocked() -> None:
    if not syscalls.supported():
        raise OSError("this architecture is not in the table")
    ours, theirs = socket.socketpair()
    pid = _child(lambda: theirs.recv(1))
    try:
        for _ in range(100_000):
            if proc.state(pid) == "S":
                found = proc.current_call(pid, pid)
                if found and found[0] in syscalls.READ:
                    return
        raise OSError("the call was not seen")
    finally:
        _end(pid)
        ours.close()


@_probe(
    "many_descriptors",
    "a process may not have more than 1200 descriptors",
    "raise the hard limit of open files: ulimit -Hn",
)
def _try_many_descriptors() -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert most == resource.RLIM_INFINITY or most >= 1200


@_probe(
    "pidfd_getfd",
    "pidfd_getfd is refused",
    "allow the system call pidfd_getfd, or add CAP_SYS_PTRACE",
)
def _try_pidfd_getfd() -> None:
    ours, theirs = socket.socketpair()
    pid = _child(lambda: theirs.recv(1))
    try:
        pidfd.borrow_socket(pid, theirs.fileno()).close()
    finally:
        _end(pid)
        ours.close()


def _launch(*options: str, program: list[str], **how) -> subprocess.CompletedProcess:
    from .program import _receive_listener

    ours, theirs = socket.socketpair()
    launcher = subprocess.Popen(
        [str(build.native("launch")), "-c", str(theirs.fileno()), *options, "--", *program],
        pass_fds=[theirs.fileno()],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **how,
    )
    theirs.close()
    try:
        if "-n" in options:
            listener = notify.Listener(_receive_listener(ours))
            while (note := listener.receive()) is None:
                pass
            assert note.call == "exit_group"
            listener.let_go(note)
        lines = b""
        while b"exit" not in lines and b"signal" not in lines:
            data = ours.recv(4096)
            if not data:
                raise OSError("the launcher ended")
            lines += data
        return subprocess.CompletedProcess([], int(lines.split()[-1]))
    finally:
        ours.close()
        launcher.wait()


@_probe(
    "notify",
    "seccomp user notification is refused",
    "run outside of that sandbox, on Linux 5.9 or newer",
)
def _try_notify() -> None:
    number = str(syscalls.NUMBER["exit_group"])
    # the launcher without arguments ends at once, with status 2
    done = _launch("-n", number, program=[str(build.native("launch"))])
    assert done.returncode == 2


@_probe(
    "restart",
    "a signal can't be let in just before a held call (ERESTARTNOINTR is refused)",
    "run outside of that sandbox, on Linux 5.9 or newer",
)
def _try_restart() -> None:
    """Let a signal act before a held call, twice told of; see breakpoints."""
    from .program import _receive_listener

    ours, theirs = socket.socketpair()
    command = [str(build.native("launch")), "-c", str(theirs.fileno())]
    command += ["-n", str(syscalls.NUMBER["ppoll"]), "--", str(build.native("restart"))]
    launcher = subprocess.Popen(
        command,
        pass_fds=[theirs.fileno()],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    theirs.close()
    ours.settimeout(20)
    try:
        listener = notify.Listener(_receive_listener(ours))

        def entered():
            ready = select.select([listener.fd, ours], [], [], 20)[0]
            while listener.fd in ready:
                note = listener.receive()
                if note is not None:
                    return note
            raise OSError("the call was not made again")

        lines = ours.recv(64)
        while b"\n" not in lines:
            lines += ours.recv(64)
        note = entered()
        os.kill(note.tid, signal.SIGUSR1)
        listener.fail(note, ERESTARTNOINTR)
        listener.fail(entered(), errno.ENOMEM)
        lines = b""
        while b"exit" not in lines and b"signal" not in lines:
            data = ours.recv(64)
            if not data:
                raise OSError("the launcher ended")
            lines += data
        if lines.split()[-2:] != [b"exit", b"0"]:
            raise OSError("the handler did not run before the call")
    finally:
        ours.close()
        launcher.wait()


@_probe(
    "leaks",
    "the leak checker can't run (ptrace is refused)",
    "allow the system call ptrace: in a container, --cap-add SYS_PTRACE",
)
def _try_leaks() -> None:
    from .program import environment

    # without symbols: looking them up takes ten times as long as the rest
    env = environment(leaks=True)
    env["ASAN_OPTIONS"] += ":symbolize=0"
    program = str(build.native("leak", "-fsanitize=address"))
    done = _launch(program=[program, "leak"], env=env)
    if done.returncode != 99:
        raise OSError("no leak seen in a program that leaks")
    done = _launch(program=[program], env=env)
    if done.returncode != 0:
        raise OSError("a leak seen in a program without one")


@_probe(
    "privileged_ports",
    "ports below 1024 are free for everybody here",
    "sysctl -w net.ipv4.ip_unprivileged_port_start=1024",
)
def _try_privileged_ports() -> None:
    start = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii")
    if int(start) < 2:
        raise OSError("every port may be bound")


@_probe(
    "databases",
    "a made-up /etc can neither be mounted nor handed over (seccomp user notification)",
    "allow unprivileged user namespaces, or run on Linux 5.14 or newer, outside of that sandbox",
)
def _try_databases() -> None:
    if not failing("netns"):
        netns.enter()
        try:
            mounts.enter()
            mounts.cover("/etc", "/usr")
            return
        except OSError:
            pass
    _give_a_file()


def _give_a_file() -> None:
    """Hand a file over to a program that opens another one.

    Raises:
        OSError: it did not get ours.
    """
    from .program import _receive_listener

    file = os.memfd_create("probe")
    os.write(file, b"made up")
    os.lseek(file, 0, os.SEEK_SET)
    ours, theirs = socket.socketpair()
    number = ",".join(map(str, syscalls.numbers({"open", "openat"})))
    command = [str(build.native("launch")), "-c", str(theirs.fileno()), "-n", number, "--"]
    launcher = subprocess.Popen(
        [*command, "/bin/cat", "/etc/made-up"],
        pass_fds=[theirs.fileno()],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    theirs.close()
    listener = notify.Listener(_receive_listener(ours))
    poller = select.poll()
    poller.register(listener.fd, select.POLLIN)
    poller.register(launcher.stdout, select.POLLIN)
    said = b""
    while not said and (ready := dict(poller.poll(20_000))):
        note = listener.receive()
        if note is not None:
            path = proc.peek(note.tid, note.args[note.call == "openat"], 14)
            if path.startswith(b"/etc/made-up"):
                listener.give(note, file)
            else:
                listener.let_go(note)
        if launcher.stdout.fileno() in ready:
            said = launcher.stdout.read1(100)
            break
    ours.close()
    launcher.wait()
    if said != b"made up":
        raise OSError("a program did not get the file that was handed over")


@_probe(
    "ipv6",
    "there is no IPv6 here",
    "load the module ipv6, or start the kernel without ipv6.disable=1",
)
def _try_ipv6() -> None:
    with socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 0))
        sock.listen()
        with socket.socket(socket.AF_INET6) as client:
            client.connect(sock.getsockname())


_found: dict[str, str] = {}


def _try(name: str) -> str:
    """Run a probe in this process; return why it failed, or nothing."""
    try:
        if name in ("privileged_ports", "ipv6") and not failing("netns"):
            netns.enter()
        PROBES[name].run()
    except Exception as error:
        return str(error) or type(error).__name__
    return ""


def _find_out(names) -> None:
    """Run the probes that were not run yet, all at the same time.

    Each has a process of its own, whose namespaces and limits end with it.
    """
    running = {}
    for name in names:
        if name not in _found:
            read_end, write_end = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.write(write_end, json.dumps(_try(name)).encode())
                os._exit(0)
            os.close(write_end)
            running[name] = pid, read_end
    for name, (pid, fd) in running.items():
        with os.fdopen(fd, "rb") as pipe:
            data = pipe.read()
        os.waitpid(pid, 0)
        _found[name] = json.loads(data) if data else "the probe died"


def failing(name: str) -> str:
    """Return why a probe fails, an empty string when it works."""
    _find_out([name])
    return _found[name]


def lacking(names=None) -> dict[str, str]:
    """Return the probes that fail, by name, and what is refused.

    Args:
        names: which to try; all by default.
    """
    names = list(names or PROBES)
    _find_out(names)
    return {name: PROBES[name].lack for name in names if failing(name)}
