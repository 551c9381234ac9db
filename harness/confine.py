"""Confinement of a stranger's program, in levels, best first.

namespaces: bubblewrap gives it namespaces of its own for processes, mounts,
System V IPC and names; in there ``native/confine.c`` closes all other files to
it (landlock(7)), takes odd system calls away (seccomp(2)) and, as root, makes
it another user.  The network is whatever the caller is in.  other uid: confine.c
alone, which only root can ask for another user.  same uid: the same without
another user.  none: nothing.

A level is never lowered here: what can't be had is said by ``probe``.
"""

import contextlib
import fcntl
import functools
import os
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from . import build
from .kernel import cgroup, mounts, netns

LEVELS = ("namespaces", "other uid", "same uid", "none")
# The variable that asks for a level.
VARIABLE = "LEVEL"

# No account of a distribution or of systemd is among these: systemd's users of
# its own begin at 61184 (systemd.exec(5), DynamicUser=).
FIRST_UID = 61000
LAST_UID = 61183
# The first bubblewrap that limits the size of a file system in memory (--size).
_OLDEST = (0, 7)
# Bytes of what a program may write to /tmp and to /dev/shm, and to its own
# folder, and how many files it may make there.
_TMP = 16 << 20
SIZE = 64 << 20
FILES = 4096
# In the root folder, these are links into /usr today, and were folders once.
_ROOT = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# What the loader and the C library read; nobody's secrets are among them.
_ETC = (
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "ld.so.preload",
    "nsswitch.conf",
    "host.conf",
    "gai.conf",
    "resolv.conf",
    "hosts",
    "networks",
    "protocols",
    "services",
    "localtime",
)
_DEVICES = ("null", "zero", "full", "random", "urandom")


class Unavailable(Exception):
    """A level that this machine does not offer; the sentence says why."""


def native() -> str:
    """Return the binary of ``native/confine.c``."""
    return str(build.native("confine"))


def bubblewrap() -> str | None:
    """Return the path of bubblewrap, if it is installed."""
    return shutil.which("bwrap", path="/usr/local/bin:/usr/bin:/bin")


def command(
    level: str,
    argv: list[str],
    readable=(),
    writable=(),
    uid: int | None = None,
    limits=(),
    etc: str | None = None,
    stdio: tuple[int, int, int] | None = None,
    env: dict[str, str] | None = None,
    inner: str | None = None,
    still: bool = False,
    started: int | None = None,
) -> list[str]:
    """Return the command that runs another one at a level.

    Args:
        level: one of LEVELS.
        argv: the command; its first word is an absolute path, which is readable.
        readable: absolute paths that it may read and execute, besides /usr and
            a few devices.
        writable: absolute paths that it may change; all that it leaves behind
            at level namespaces.  A pair (SOURCE, PATH) is SOURCE for us.
        uid: become this user; by default ``user()``, where the level has one.
        limits: (name, value) of resource limits, as native/confine.c knows them.
        etc: a folder to be found as /etc; where mounts of its own are not to be
            had, the caller has covered /etc with it.  By default some harmless
            files of the real one are there.
        stdio: descriptors to be its 0, 1 and 2; by default those of the caller.
            bubblewrap keeps its own 0, 1 and 2 open until the end: whoever waits
            for the end of a pipe passes it on here instead.
        env: variables that bubblewrap itself shall not get, such as LD_PRELOAD.
        inner: the binary of confine.c, if it is not ``native()``.
        still: it is a compiler or the like: it gets no /proc, no device but
            /dev/null, and at level namespaces no network; its working folder
            is the first of ``writable``.
        started: a descriptor to which a byte is written just before it is
            started, and which it does not get.

    The caller's descriptors are passed on, its environment too, and its working
    folder if that is among ``writable`` or ``readable``.
    """
    if level == "none":
        return list(argv)
    inner = inner or native()
    if uid is None and has_user(level):
        uid = user()
    readable = [*readable, argv[0]]
    sources = dict(one if isinstance(one, tuple) else (one, one) for one in writable)
    words = [inner]
    if uid is not None:
        words += ["-u", str(uid)]
    if stdio is not None:
        words += ["-f", ",".join(map(str, stdio))]
    if started is not None:
        words += ["-s", str(started)]
    for name, value in (env or {}).items():
        words += ["-e", f"{name}={value}"]
    if level == "namespaces":
        words += ["-e", "PWD"]  # bubblewrap sets it
    for name, value in limits:
        words += ["-l", f"{name}={value}"]
    if etc is not None:
        etc_paths = ["/etc"]
    else:
        etc_paths = [f"/etc/{name}" for name in _ETC]
    system = ["/usr", *_ROOT, *etc_paths, *([] if still else ["/proc"])]
    for path in dict.fromkeys([*system, *readable]):
        words += ["-r", path]
    devices = ["null"] if still else _DEVICES
    for path in [*(f"/dev/{name}" for name in devices), *sources.values()]:
        words += ["-w", path]
    if level == "namespaces":
        for path in ("/tmp", "/dev/shm"):
            words += ["-w", path]
    words += ["--", *argv]
    if level == "namespaces":
        # bubblewrap mounts nothing on a link, such as /usr/bin/sh
        others = [path for path in [*readable, inner] if not _place(path).startswith("/usr/")]
        around = _namespaces(["/usr", *others], sources, uid, etc)
        if still:
            around += ["--unshare-net", "--chdir", next(iter(sources))]
        words = [*around, "--", *words]
    return words


def _namespaces(
    readable: list[str], writable: dict[str, str], uid: int | None, etc: str | None
) -> list[str]:
    """Return the command that makes namespaces, without the command to run in them.

    The network stays that of the caller.  The first process is the command
    itself, not one of bubblewrap's: with its end the kernel ends all others.
    """
    words = [bubblewrap() or "bwrap"]
    for one in ("pid", "ipc", "uts", "cgroup-try"):
        words.append(f"--unshare-{one}")
    words.append("--as-pid-1")
    if os.geteuid() != 0:
        words.append("--unshare-user")
    else:
        # a user namespace would only widen what the program can try
        words += ["--cap-drop", "ALL"]
        if uid is not None:
            for name in ("SETUID", "SETGID", "SETPCAP"):
                words += ["--cap-add", f"CAP_{name}"]
    for path in _ROOT:
        if os.path.islink(path):
            words += ["--symlink", os.readlink(path), path]
        else:
            words += ["--ro-bind-try", path, path]
    words += ["--proc", "/proc", "--dev", "/dev"]
    for path in ("/tmp", "/dev/shm"):
        words += ["--perms", "1777", "--size", str(_TMP), "--tmpfs", path]
    # what is mounted later covers what is below it
    binds = {_place(path): ("--ro-bind-try", path) for path in readable}
    binds |= {_place(path): ("--bind", source) for source, path in writable.items()}
    if etc is None:
        paths = [f"/etc/{name}" for name in _ETC]
        binds |= {path: ("--ro-bind-try", path) for path in paths}
    # bubblewrap itself would close the folders that it makes to others
    above = {str(one) for path in [*binds, "/etc/x"] for one in Path(path).parents}
    for path in sorted(above - {"/", "/tmp"}):
        words += ["--perms", "0755", "--dir", path]
    if etc is not None:
        words += ["--ro-bind", etc, "/etc"]
    for path in sorted(binds):
        words += [*binds[path], path]
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/"]


def _place(path: str) -> str:
    """Return where a path lies when the links in the root folder are followed.

    There are no other links in there, and a mount can't go through one.
    """
    first, _slash, rest = path[1:].partition("/")
    if f"/{first}" in _ROOT and os.path.islink(f"/{first}"):
        return os.path.join("/", os.readlink(f"/{first}"), rest)
    return path


@functools.cache
def _uid_folder() -> str:
    where = "/run/socklab-uids"
    with contextlib.suppress(FileExistsError):
        os.mkdir(where, 0o700)
    found = os.lstat(where)
    if found.st_uid != os.geteuid() or found.st_mode & 0o170022 != 0o040000:
        raise Unavailable(f"{where} is not root's own folder: remove it")
    return where


class Uid:
    """A user that nobody else has at the same time.

    It is taken until this process and those that it has forked have ended, or
    ``release`` was called.

    Raises:
        Unavailable: there is none left, or we are not root.
    """

    def __init__(self):
        if os.geteuid() != 0:
            raise Unavailable("only root can become another user")
        try:
            folder = _uid_folder()
        except OSError as error:
            raise Unavailable(f"/run can't be written to ({error.strerror})") from None
        for number in range(FIRST_UID, LAST_UID + 1):
            path = os.path.join(folder, str(number))
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                continue
            self.number = number
            self._fd = fd
            return
        raise Unavailable(f"all users from {FIRST_UID} to {LAST_UID} are in use")

    def release(self) -> None:
        """Let others have it."""
        os.close(self._fd)


def reachable(path, folder: str) -> str:
    """Return the path of a copy, in a folder that others can reach, made at the first time.

    What the harness has built itself may lie where another user can't go.
    """
    where = os.path.join(folder, os.path.basename(path))
    if not os.path.exists(where):
        fd, temporary = tempfile.mkstemp(dir=folder)
        os.close(fd)
        shutil.copyfile(path, temporary)
        os.chmod(temporary, 0o755)
        os.rename(temporary, where)
    return where


def small_folder(where: str, parent: str | None) -> str:
    """Make a folder one of limited size in which we follow no link.

    We are in a mount namespace of our own.

    Args:
        where: the folder.
        parent: where to make another one, in which a program may follow its links.

    Returns:
        That one.  Both are the same, and to be uncovered in the end.
    """
    inside = tempfile.mkdtemp(prefix="in-", dir=parent)
    mounts.small(inside, SIZE, FILES)
    mounts.follow_no_link(where, inside)
    return inside


_mine: dict[int, Uid] = {}


def has_user(level: str) -> bool:
    """Whether a program is another user at a level."""
    return level == "other uid" or (level == "namespaces" and os.geteuid() == 0)


def user() -> int:
    """Return the user for programs of this process, which nobody else has while it lives.

    Raises:
        Unavailable: there is none.
    """
    pid = os.getpid()
    if pid not in _mine:
        _mine.clear()  # who has forked us keeps those
        _mine[pid] = Uid()
    return _mine[pid].number


# Writes into the folder that is given, and must not reach the one beside it.
# The first word it says is its pid.
_TRY = 'echo $$; echo here >"$1/made" || exit 3; cat "$2"; cat /etc/shadow; exit 0'


def probe(level: str) -> str:
    """Return why a level can't be had here; nothing if it works.

    A program of our own is run at it, in a process of its own, and must find
    what is promised.
    """
    if level == "none":
        return ""
    cgroup.enter()  # as long as nothing was started
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        try:
            os.write(write_end, _try(level).encode())
        except Exception as error:
            os.write(write_end, (str(error) or type(error).__name__).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        why = pipe.read().decode()
    os.waitpid(pid, 0)
    return why


def _no_bubblewrap() -> str:
    """Return what is wrong with the bubblewrap that is installed; nothing if it will do."""
    path = bubblewrap()
    if path is None:
        return "bubblewrap is not installed: sudo apt-get install bubblewrap"
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    if found and (int(found[1]), int(found[2])) < _OLDEST:
        return f"{said.strip()} is too old: {'.'.join(map(str, _OLDEST))} or newer is needed"
    return ""


def _try(level: str) -> str:
    if level == "namespaces" and (why := _no_bubblewrap()):
        return why
    if Path(__file__).resolve().is_relative_to("/usr"):
        return "this copy of socklab lies below /usr, where programs may read: put it elsewhere"
    try:
        netns.enter()  # where checks run, and where programs are started
    except OSError as error:
        if level == "namespaces":
            return f"network namespaces are refused ({error.strerror})"
    uid = user() if has_user(level) else None
    with contextlib.ExitStack() as stack:
        parent = stack.enter_context(tempfile.TemporaryDirectory(prefix="sl-"))
        os.chmod(parent, 0o711)
        for one in Path(parent).resolve().parents if level == "other uid" else ():
            if not one.stat().st_mode & stat.S_IXOTH:
                return f"{one} is closed to other users: open it, or let TMPDIR name another folder"
        mine, other = Path(parent) / "mine", Path(parent) / "other"
        mine.mkdir(mode=0o700)
        other.write_text("secret", encoding="ascii")
        inside = str(mine)
        if level == "namespaces":
            mounts.enter()
            inside = small_folder(str(mine), parent)
            stack.callback(mounts.uncover, inside)
            stack.callback(mounts.uncover, str(mine))
        inner = reachable(native(), parent)
        if uid is not None:
            os.chown(mine, uid, uid)
        done = subprocess.run(
            command(
                level,
                ["/bin/sh", "-c", _TRY, "sh", str(mine), str(other)],
                writable=[(inside, str(mine))],
                uid=uid,
                limits=[("core", 0)],
                inner=inner,
            ),
            cwd=mine,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            said = done.stderr.strip().split("\n")[0]
            return said or f"a program ended with status {done.returncode}"
        words = done.stdout.split()
        if len(words) != 1:
            return "a program can read files that are closed to it"
        if (words[0] == "1") != (level == "namespaces"):
            return "a program sees the processes of others"
        found = os.stat(mine / "made")
        if found.st_uid != (os.geteuid() if uid is None else uid):
            return "a program's files belong to somebody else"
    return ""


@functools.cache
def why_not(level: str) -> str:
    """Return what ``probe`` says, asked once."""
    return probe(level)


def best() -> tuple[str, dict[str, str]]:
    """Return the best level to be had, and why each higher one can't be had."""
    missed: dict[str, str] = {}
    for level in LEVELS:
        why = why_not(level)
        if not why:
            return level, missed
        missed[level] = why
    raise AssertionError("level none is always to be had")


def wanted() -> str:
    """Return the level that the environment names; nothing where it names none.

    Raises:
        Unavailable: there is no such level.
    """
    level = os.environ.get(VARIABLE, "").strip()
    if level and level not in LEVELS:
        raise Unavailable(f"There is no level {level!r}: say one of {', '.join(LEVELS)}.")
    return level


def asked() -> str:
    """Return the level that the environment asks for; ``none`` without one.

    Raises:
        Unavailable: there is no such level, or not here.
    """
    level = wanted() or "none"
    why = why_not(level)
    if why:
        raise Unavailable(
            f"{VARIABLE}={level} can't be had on this machine: {why}. "
            f"Mend that (make doctor says more), or leave {VARIABLE} out."
        )
    return level
