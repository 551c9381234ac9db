"""The world of one check: its place in the network, its files, its tape."""

import contextlib
import errno
import os
import random
import shutil
import socket
import subprocess
import tempfile

from . import build, confine, diagnosis, stuck, temporary, waiting, warden
from .failure import Failure, Tape
from .kernel import cgroup, mounts, netns, prctl, proc, sockdiag

# What a confined program may have.  Processes are counted by user, so only a
# user of its own, or one in a namespace of its own, has this limit.
_LIMITS = (("nofile", 4096), ("nproc", warden.PROCESSES))


def port_numbers(random_source: random.Random):
    """Yield ports that show a mistake: below the ephemeral range, and such
    that exchanging their bytes gives another port that anybody may bind.
    """
    seen = set()
    while True:
        port = random_source.randrange(5000, 32000)
        low, high = port & 0xFF, port >> 8
        if low > 20 and low != high and port not in seen:
            seen.add(port)
            yield port


class Stage:
    """What the processes and peers of one check share.

    Args:
        name: the check's name, which with the seed makes its random values.
        seed: of this run.
        private: whether to enter a network namespace of the check's own; else
            the check gets a loopback address of its own.
        lacks: the names of the probes that failed; see ``probes``.
        parent: where to make the check's folder; by default the system's.
        binaries: where to make the folder of the program's binary, and copies
            of what it needs.
        level: how programs are confined; see ``confine``.
    """

    def __init__(
        self,
        name: str,
        seed: str,
        private: bool,
        lacks=(),
        parent: str | None = None,
        binaries: str | None = None,
        level: str = "none",
    ):
        self.name = name
        self.level = level
        # A folder that programs shall find as /etc.
        self.etc: str | None = None
        self._said = -1
        self.lacks = lacks
        self.tape = Tape()
        self.processes: list = []
        self.closers: list = []
        self.guard = stuck.Guard()
        self.closers.append(self.guard.close)
        self.random = random.Random(f"{seed}/{name}")
        self.private = private
        prctl.adopt_orphans()
        if private:
            netns.enter()
            self.address = "127.0.0.1"
        else:
            pid = os.getpid()
            self.address = f"127.{64 + (pid >> 16) % 64}.{pid >> 8 & 255}.{1 + pid % 254}"
        prctl.hide()
        self._ports = port_numbers(self.random if private else random.Random())
        self.sockdiag = sockdiag.SockDiag()
        # Short, because the path of a UNIX socket has 107 bytes at most.
        self.folder = tempfile.mkdtemp(prefix="sl-", dir=parent)
        self._apart = apart(level)
        if self._apart and binaries is None:
            binaries = tempfile.mkdtemp(prefix="run-", dir=parent)
            os.chmod(binaries, 0o711)
            self.closers.append(lambda: remove(binaries))
        self._binaries = binaries
        self.uid = confine.user() if confine.has_user(level) else None
        # How the program finds that folder: we follow no link of its there.
        self._inside = self.folder
        if level == "namespaces":
            mounts.enter()
            self._inside = confine.small_folder(self.folder, parent)
        if self.uid is not None:
            os.chown(self.folder, self.uid, self.uid)
            os.chmod(self.folder, 0o711)
            # what we make in that folder is the program's, too
            os.umask(0)
        self._copies: dict[str, tuple[str, tuple[int, ...]]] = {}

    def can(self, probe: str) -> bool:
        """Whether this machine offers something; the names are in ``probes``."""
        return probe not in self.lacks

    def port(self) -> int:
        """Return a port that nobody uses and that no other call returned."""
        while True:
            port = next(self._ports)
            if self.private:
                return port
            with socket.socket() as sock:
                try:
                    sock.bind(("0.0.0.0", port))
                except OSError:
                    continue
                return port

    def path(self, name: str) -> str:
        """Return the path of a file in the check's own folder."""
        return os.path.join(self.folder, name)

    def own_copy(self, binary: str, name: str) -> str:
        """Return a copy of a binary for this check alone.

        A program may spoil its own file, but not what the next check runs.

        Raises:
            Failure: it has spoilt its copy already.
        """
        if binary not in self._copies:
            folder = tempfile.mkdtemp(prefix="run-", dir=self._binaries or build.folder())
            os.chmod(folder, 0o711)
            where = os.path.join(folder, name)
            shutil.copyfile(binary, where)
            os.chmod(where, 0o755)
            self._copies[binary] = (where, _stamp(where))
        spoilt = self.spoilt()
        if spoilt is not None:
            raise spoilt
        return self._copies[binary][0]

    def tool(self, path) -> str:
        """Return the path of something of the harness's that a program runs with.

        Where the build folder may be closed to the program, that is a copy which
        it can reach; the checks of a process share it.  Where none is needed the path
        may still have blanks, which end a path in LD_PRELOAD (ld.so(8)): then it
        is that of a link.
        """
        if not self._apart:
            return str(path) if temporary.PLAIN.fullmatch(str(path)) else self._link(str(path))
        return confine.reachable(path, self._binaries)

    def _link(self, path: str) -> str:
        folder = tempfile.mkdtemp(prefix="lib-", dir=os.path.dirname(self.folder))
        self.closers.append(lambda: remove(folder))
        link = os.path.join(folder, os.path.basename(path))
        os.symlink(path, link)
        return link

    def cgroup(self) -> cgroup.Group | None:
        """Return a cgroup for one more program; None where programs have none."""
        if self.level == "none" or not self.can("cgroup"):
            return None
        own = warden.group()
        self.closers.append(own.close)
        return own

    def spawn(self, command: list[str], stdio, others: list[int], env, own=None):
        """Start a launcher at this check's level; return the outermost process.

        Args:
            command: the launcher with its arguments, the program's binary last
                but for its arguments.
            stdio: its descriptors 0, 1 and 2.
            others: further descriptors that it gets, under the same numbers.
            env: its environment.
            own: the cgroup in which it starts, if any.
        """
        how = {"env": env, "cwd": self.folder, "start_new_session": True}
        if self.level == "none":
            stdin, stdout, stderr = stdio
            return subprocess.Popen(
                command, stdin=stdin, stdout=stdout, stderr=stderr, pass_fds=others, **how
            )
        if self._said == -1:
            self._said = os.memfd_create("said")
        preloaded = env.pop("LD_PRELOAD", "")
        words = confine.command(
            self.level,
            command,
            readable=[
                *(os.path.dirname(where) for where, _stamp in self._copies.values()),
                *filter(None, preloaded.split(":")),
            ],
            writable=[(self._inside, self.folder)],
            uid=self.uid,
            limits=_LIMITS if self.uid is not None or self.level == "namespaces" else _LIMITS[:1],
            etc=self.etc,
            stdio=stdio,
            env={"LD_PRELOAD": preloaded} if preloaded else None,
            inner=self.tool(confine.native()),
        )
        if own is not None:
            with open(os.devnull, "r+b", buffering=0) as null:
                nowhere = null.fileno()
                return own.start(
                    words, (nowhere, nowhere, self._said), [*stdio, *others], env, self.folder
                )
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            pass_fds=[*stdio, *others],
            umask=0o022,
            **how,
        )

    def complaints(self) -> bytes:
        """Return what bubblewrap said when it could not start a program."""
        return os.pread(self._said, 4096, 0) if self._said != -1 else b""

    def to_blame(self, raised: BaseException) -> Failure | None:
        """Return the failure of a program that has stood in the checker's way.

        Its user can have no more processes; or its folder, if that is of a fixed
        size, no more files; or something is in that folder that we have not put
        there, or no more; or a port is taken that only we use.

        Args:
            raised: what has ended the check, while the program was there.
        """
        count = sum(len(proc.tasks(pid)) for one in self.processes for pid in one.tree())
        if count > waiting.PROCESS_LIMIT:
            got = f"{count} processes and threads, so that no more can be started"
            why = "processes are started and not ended: fork without end, or without a wait"
            return Failure("a program that leaves room for another run of it", got, why)
        room = os.statvfs(self.folder)
        ours = os.stat(self.folder).st_dev != os.stat(tempfile.gettempdir()).st_dev
        if ours and not (room.f_bavail and room.f_ffree):
            got = "so many files, or so large ones, that no more fit in"
            why = "it fills the folder in which it runs: let it make only files that are asked for"
            return Failure("a program that leaves room in its folder", got, why)
        error = raised if isinstance(raised, OSError) else raised.__cause__
        path = getattr(error, "filename", None)
        if isinstance(path, str) and path.startswith(self.folder + "/"):
            got = f"{os.strerror(error.errno)}: {path}"
            why = "it has made, removed or closed a file there that the checker works with"
            return Failure("a program that leaves the other files in its folder alone", got, why)
        # no one else is in a network of the check's own
        if self.private and isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            why = "it has bound sockets to ports that it was not told to use"
            return Failure("a program that leaves other ports alone", str(raised), why)
        return None

    def spoilt(self) -> Failure | None:
        """Return the failure of a program that has changed its own file."""
        for where, stamp in self._copies.values():
            if _stamp(where) != stamp:
                return Failure(
                    "a program that leaves its own file alone",
                    f"the file of {os.path.basename(where)} was changed while it ran",
                    "the program replaced or removed the file that it was started from",
                )
        return None

    def program_sockets(self) -> list[tuple[bool, str, int]]:
        """Return (listens, address, port) of the program's TCP sockets."""
        mine = set()
        for process in self.processes:
            for pid in process.tree():
                mine |= set(proc.socket_inodes(pid).values())
        found = [s for s in self.sockdiag.inet(socket.IPPROTO_TCP) if s.inode in mine]
        listed = [(s.state == sockdiag.LISTEN, s.address, s.port) for s in found]
        # A socket that is neither connected nor listening is not listed.
        unlisted = len(mine - {s.inode for s in found})
        return listed or [(False, "", 0)] * bool(unlisted)

    def connections(self) -> list[sockdiag.Socket]:
        """Return both ends of every TCP connection, with what is in their queues."""
        found = self.sockdiag.inet(socket.IPPROTO_TCP, sockdiag.CONNECTED)
        if not self.private:  # there are others beside us
            found = [s for s in found if self.address in (s.address, s.peer)]
        return found

    def diagnose(self, tasks) -> str:
        """Explain why the program came to rest, where its end tells."""
        for process in self.processes:
            if process.end_status is not None:
                why = process.why_it_ended()
                if why:
                    return why
            found = diagnosis.sanitizer(process.stderr)
            if found:
                return found
            if process.end_status is not None and process.others():
                return (
                    f"{process.name} ended and left a process behind that goes on: it must stay "
                    "in the foreground, without daemon() or a fork and setsid of its own"
                )
        frozen = {process.pid for process in self.processes if process.frozen}
        if any(task.state == "T" and task.pid not in frozen for task in tasks):
            return "it was stopped by a signal such as SIGSTOP, which the checker did not send"
        return ""

    def foul(self) -> Failure | None:
        """Return the failure that stands before all others, whatever was seen."""
        found = (process.foul() for process in self.processes)
        return next((one for one in found if one is not None), None)

    def used(self) -> dict[str, float] | None:
        """Return what the programs used, once all have ended; None where nobody counts."""
        if self.level == "none" or not self.processes:
            return None
        cpu = round(sum(process.cpu for process in self.processes), 3)
        return {"cpu": cpu, "memory": max(process.peak for process in self.processes)}

    def close(self) -> Failure | None:
        """End every process, close every descriptor, remove every file.

        Returns:
            The failure of a program that has changed its own file meanwhile.
        """
        with contextlib.ExitStack() as stack:
            stack.callback(remove, self.folder)
            if self._said != -1:
                stack.callback(os.close, self._said)
            if self.level == "namespaces":
                stack.callback(os.rmdir, self._inside)
                stack.callback(mounts.uncover, self._inside)
                stack.callback(mounts.uncover, self.folder)
            for where, _before in self._copies.values():
                stack.callback(remove, os.path.dirname(where))
            stack.callback(self.sockdiag.close)
            for closer in self.closers:
                stack.callback(closer)
            for process in self.processes:
                process.order_end()  # all at once, before one is waited for
            with contextlib.ExitStack() as first:
                for process in self.processes:
                    first.callback(process.end)
            return self.spoilt()


def _stamp(path: str) -> tuple[int, ...]:
    """Return what no program can leave as it was when it changes a file."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def apart(level: str) -> bool:
    """Whether a program and what it runs with may not stay in the build folder.

    A confined one may be another user.
    """
    return level != "none" or build.closed()


@contextlib.contextmanager
def scratch(prefix: str, parent=None):
    """Yield a new folder that strangers may fill, and remove it with all that is in it."""
    folder = tempfile.mkdtemp(prefix=prefix, dir=parent)
    try:
        yield folder
    finally:
        remove(folder)


def into_memory(*folders: str) -> None:
    """Let what this process puts into empty folders be in memory, if the machine allows it.

    Files come and go with each check; on a disk that takes a good part of its time.
    """
    with contextlib.suppress(OSError):
        netns.enter()  # for the privilege
        mounts.enter()
        for folder in folders:
            mounts.small(folder, confine.SIZE, confine.FILES)


def remove(folder: str) -> None:
    """Remove a folder of a stranger's, however deep and closed it may be.

    Every folder is moved to the top before it is opened, so no path grows.  Its
    programs may still be about, and put links in the place of folders; so what
    is opened, and made open, is a folder itself and never what a link leads to.
    """
    count = 0
    todo = [folder]
    while todo:
        where = todo.pop()
        with contextlib.suppress(OSError):
            _open_up(where)
        try:
            fd = os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(where)  # a link that was moved here
            fd = -1
        for entry in _entries(fd):
            try:
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.name, dir_fd=fd)
                    continue
                with contextlib.suppress(OSError):
                    _open_up(entry.name, fd)
                count += 1
                moved = f"{folder}.{count}"
                os.rename(entry.name, moved, src_dir_fd=fd)
                todo.append(moved)
            except OSError:
                continue
        if fd != -1:
            os.close(fd)
        with contextlib.suppress(OSError):
            os.rmdir(where)


def _entries(fd: int) -> list[os.DirEntry]:
    try:
        return list(os.scandir(fd)) if fd != -1 else []
    except OSError:
        return []


def _open_up(name: str, parent: int | None = None) -> None:
    """Let us go into a folder; OSError if it is none."""
    flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, flags, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{fd}", 0o700)
    finally:
        os.close(fd)
