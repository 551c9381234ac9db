"""Cgroups of version 2: what a program takes with all that it starts.

The kernel counts what nobody sees in /proc, too: buffers of sockets and pipes.

Sources: cgroups(7), and admin-guide/cgroup-v2.rst in the kernel's documentation.
A cgroup that hands controllers on to others below it has no process itself; so
whoever was in ours goes to one called OURS, beside those of programs.
"""

import contextlib
import errno
import functools
import os
import select
import tempfile

OURS = "socklab"
_MOUNTS = "/proc/self/mountinfo"
# Seconds until those who were killed are given up.
_END_LIMIT = 20


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
        # Who writes 0 to the first enters; the second tells whether somebody was killed.
        procs, events = (os.path.join(self.path, one) for one in ("cgroup.procs", "memory.events"))
        self.fds = os.open(procs, os.O_WRONLY), os.open(events, os.O_RDONLY)

    def close(self) -> None:
        """Remove it, when all in it have ended; kill whoever has not, from Linux 5.14 on."""
        for fd in self.fds:
            os.close(fd)
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
