"""Cgroups of version 2: what a program takes with all that it starts.

The kernel counts what nobody sees in /proc, too: buffers of sockets and pipes.

Sources: cgroups(7), and admin-guide/cgroup-v2.rst in the kernel's documentation.
A cgroup that hands controllers on to others below it has no process itself; so
whoever was in ours goes to one called OURS, beside those of programs.
"""

import contextlib
import ctypes
import errno
import functools
import os
import select
import signal
import struct
import tempfile

OURS = "socklab"
_MOUNTS = "/proc/self/mountinfo"
# Seconds until those who were killed are given up.
_END_LIMIT = 20

_SYS_CLONE3 = 435
_CLONE_INTO_CGROUP = 0x200000000
# It keeps the interpreter's lock, of which the child gets a copy, as of all.
_libc = ctypes.PyDLL(None, use_errno=True)


def of(pid: int | str) -> str:
    """Return the path of a process's cgroup, as we see it; empty without version 2."""
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
        rows = [row.rstrip("\n").split(":", 2) for row in file]
    return next((path for number, _controllers, path in rows if number == "0"), "")


def _folder() -> str:
    """Return the folder that shows our own cgroup.

    Raises:
        OSError: there is none.
    """
    path = of("self")
    with open(_MOUNTS, encoding="utf-8") as file:
        for row in file:
            # proc_pid_mountinfo(5): fields 4 and 5 are what is mounted, and where
            mount, _dash, about = row.partition(" - ")
            if path and about.startswith("cgroup2 "):
                root, where = mount.split()[3:5]
                return os.path.normpath(os.path.join(where, os.path.relpath(path, root)))
    raise OSError("no cgroup of version 2 is mounted here")


def _write(folder: str, name: str, text: str) -> None:
    # one write, and nothing is made that is not there
    fd = os.open(os.path.join(folder, name), os.O_WRONLY)
    try:
        os.write(fd, text.encode("ascii"))
    finally:
        os.close(fd)


def _read(folder: str, name: str) -> list[str]:
    with open(os.path.join(folder, name), encoding="ascii") as file:
        return file.read().split()


def _hand_on(folder: str) -> None:
    """Let cgroups below a folder have limits.

    Raises:
        OSError: EBUSY if there are processes in it.
    """
    offered = _read(folder, "cgroup.controllers")
    if "memory" not in offered:
        raise OSError("the kernel does not count memory for our cgroup")
    _write(folder, "cgroup.subtree_control", "+memory")
    if "pids" in offered:
        _write(folder, "cgroup.subtree_control", "+pids")


def _is_ours(pid: int) -> bool:
    """Whether a process is in our process group, or has ended."""
    try:
        # whoever is in no namespace of ours has the number 0
        return pid != 0 and os.getpgid(pid) == os.getpgrp()
    except ProcessLookupError:
        return True


def _move_out(folder: str) -> None:
    """Move our process group, which has our cgroup for itself, to the one called OURS.

    Raises:
        OSError: somebody else is in it, whom we leave alone.
    """
    below = os.path.join(folder, OURS)
    while found := [int(pid) for pid in _read(folder, "cgroup.procs")]:
        if not all(map(_is_ours, found)):
            raise OSError("others are in our cgroup")
        os.makedirs(below, exist_ok=True)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                _write(below, "cgroup.procs", str(pid))


def _enter() -> str:
    folder = _folder()
    if os.path.basename(folder) == OURS:
        folder = os.path.dirname(folder)
    try:
        _hand_on(folder)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        _move_out(folder)
        _hand_on(folder)
    return folder


@functools.cache
def enter() -> tuple[str, str]:
    """Make our cgroup one below which programs have their own.

    Call it before anything is started; a second time it does nothing.

    Returns:
        The folder to make them in; or why it can't be.
    """
    try:
        return _enter(), ""
    except PermissionError:
        return "", "our cgroup is not ours to divide"
    except OSError as error:
        return "", error.strerror or str(error)


class Born:
    """A process that was born in a cgroup, as ``subprocess.Popen`` would have it."""

    def __init__(self, pid: int):
        self.pid = pid
        self._ended = False

    def kill(self) -> None:
        """Kill it, if nobody has waited for it yet."""
        if not self._ended:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> None:
        """Wait for its end."""
        if not self._ended:
            os.waitpid(self.pid, 0)
            self._ended = True


def _fork_into(folder: int) -> int:
    """Fork this single-threaded process into the cgroup of an open folder: clone3(2)."""
    # flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls,
    # set_tid, set_tid_size, cgroup
    args = struct.pack("=11Q", _CLONE_INTO_CGROUP, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, folder)
    pid = _libc.syscall(ctypes.c_long(_SYS_CLONE3), args, ctypes.c_size_t(len(args)))
    if pid == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return pid


def _become(words: list[str], stdio, others, env, cwd: str) -> None:
    os.setsid()
    os.chdir(cwd)
    os.umask(0o022)
    for number in signal.SIGPIPE, signal.SIGXFSZ:  # Python has them ignored
        signal.signal(number, signal.SIG_DFL)
    for number, fd in enumerate(stdio):
        os.dup2(fd, number)
    free = 3
    for fd in sorted(set(others)):
        os.closerange(free, fd)
        os.set_inheritable(fd, True)
        free = fd + 1
    os.closerange(free, os.sysconf("SC_OPEN_MAX"))
    os.execve(words[0], words, env)


class Group:
    """A cgroup for one program.

    Args:
        folder: where, from ``enter``.
        memory: bytes that all in it may take together; whoever takes more is
            killed, with all the others in it.
        processes: how many it may have, threads counted.

    Raises:
        OSError: the machine refuses.
    """

    def __init__(self, folder: str, memory: int, processes: int):
        self.path = tempfile.mkdtemp(prefix="run-", dir=folder)
        _write(self.path, "memory.max", str(memory))
        _write(self.path, "memory.oom.group", "1")
        for name, value in ("memory.swap.max", "0"), ("pids.max", str(processes)):
            with contextlib.suppress(FileNotFoundError):  # a kernel without
                _write(self.path, name, value)

    def start(self, words: list[str], stdio, others, env, cwd: str) -> "Born":
        """Start a command in it, in a session of its own.

        It is born there: a process that moves waits some 20 ms for the kernel.

        Args:
            words: the command; the first one is a path.
            stdio: descriptors to be its 0, 1 and 2.
            others: further ones that it gets, under the same numbers.
            env: its environment.
            cwd: its working folder.

        Raises:
            OSError: the machine refuses; before Linux 5.7, for one.
        """
        where = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            pid = _fork_into(where)
        finally:
            os.close(where)
        if pid == 0:
            try:
                _become(words, stdio, others, env, cwd)
            except BaseException as error:
                os.write(2, f"{words[0]}: {error}\n".encode())
            finally:
                os._exit(127)
        return Born(pid)

    def overrun(self) -> bool:
        """Whether the kernel has killed somebody in it for the memory of all."""
        return self._number("memory.events", "oom_kill") > 0

    def cpu(self) -> float:
        """Return the CPU seconds that were used in it."""
        return self._number("cpu.stat", "usage_usec") / 1e6

    def _number(self, name: str, key: str) -> int:
        found = _read(self.path, name)
        return int(found[found.index(key) + 1])

    def close(self) -> None:
        """Remove it, when all in it have ended; kill whoever has not, from Linux 5.14 on."""
        with open(os.path.join(self.path, "cgroup.events"), "rb", buffering=0) as events:
            poller = select.poll()
            poller.register(events, select.POLLPRI)
            while b"populated 1" in os.pread(events.fileno(), 4096, 0):
                with contextlib.suppress(FileNotFoundError):
                    _write(self.path, "cgroup.kill", "1")
                if not poller.poll(_END_LIMIT * 1000):
                    break
        with contextlib.suppress(OSError):
            os.rmdir(self.path)
