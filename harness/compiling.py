"""Running the compiler on a stranger's source, as confined as what it makes.

A compiler reads every file that a source names, as large as it may be, and says
what was in it.  So it gets its own folder and the system's headers, libraries
and programs, and no network, no /proc and no device but /dev/null.  Like a program
it is started by the launcher, which ends all its parts when we end.

Where nothing is confined, the kernel ends gcc and the parts that it starts itself
(PR_SET_PDEATHSIG, prctl(2)), so that the first programs need not wait until the
launcher is compiled; a linker, or a part of another compiler's, comes to its own end.
"""

import contextlib
import os
import re
import resource
import select
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

from . import warden
from .control import Control
from .failure import Broken
from .kernel import prctl

# What it may use up, as native/launch.c knows it.  CPU time, so that a busy machine
# decides nothing.
LIMITS = {"cpu": 30, "fsize": 64 << 20, "as": 4 << 30, "core": 0}
# A class is compiled side by side.
_CONFINED_LIMITS = {"as": 1 << 30}
# Seconds; a compiler that uses no CPU time for so long is broken.
SECONDS = 600
# Bytes of what it says that are looked at.
_MAX_SAID = 16000
# As gcc and clang name what they make on the way.
_TEMPORARY = re.compile(rb"(?<![\w./])\./(cc\w{6}\.[os]|[\w-]+-[0-9a-f]{6}\.[os])")
# The exit status of confine.c and of launch.c, and of no compiler.
_NOT_STARTED = (125, 127)
# What gcc says when one of its parts was killed.  A source can bring the parts to say
# that, too, so it counts if they are told to say what they say on stdout and it still
# stands on stderr; which is rare, and a shell for each part costs time.
_KILLED = re.compile(rb"^[\w.+-]+: fatal error: Killed signal terminated program \S+$", re.M)
_ON_STDOUT = ("sh", "-c", 'exec "$0" "$@" 2>&1')
# Lets a part end with gcc: setpriv(1), of util-linux.
_TIED = ("setpriv", "--pdeathsig", "KILL")


def _limit() -> None:
    for name, value in LIMITS.items():
        kind = getattr(resource, f"RLIMIT_{name.upper()}")
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # the soft limit of CPU time ends with words, the hard one with SIGKILL
        resource.setrlimit(kind, (most, hard if name == "cpu" else most))


def _confined(command: list[str], where: Path, level: str, started: int) -> list[str]:
    """Return the command that runs a launcher and its compiler at a level above none."""
    from . import confine  # which compiles its own parts

    # the folders above may be closed to others; bubblewrap makes some of its own
    launcher = "./launch" if level != "namespaces" else str(where / "launch")
    shutil.copyfile(command[0], where / "launch")
    os.chmod(where / "launch", 0o755)
    compiler = command[command.index("--") + 1]
    uid = None
    if confine.has_user(level):
        uid = confine.user()
        os.chown(where, uid, uid)
        os.chmod(where, 0o711)  # bubblewrap goes there as root, without any privilege
    return confine.command(
        level,
        [launcher, *command[1:]],
        readable=["/etc/alternatives", compiler, *_installation(compiler)],
        writable=[str(where)],
        uid=uid,
        still=True,
        started=started,
    )


def _installation(compiler: str) -> list[str]:
    """Return the folder that holds a compiler, if it is none of the system's."""
    found = Path(os.path.realpath(compiler))
    if found.is_relative_to("/usr"):
        return []
    prefix = found.parent.parent
    homes = (Path("/"), Path.home(), Path.home().parent)
    return [str(found if prefix in homes else prefix)]


def call(command: list[str], where: Path, level: str, gcc: bool = False) -> bytes:
    """Run the compiler and all its parts; return what they say.

    Args:
        command: the compiler and its arguments.
        where: its folder, with the sources; paths are relative to it.
        level: how it is confined; one of ``confine.LEVELS``.
        gcc: whether it is gcc, whose parts are programs of their own.

    Raises:
        Broken: somebody killed it, or it can't be confined, which says nothing
            about the program.
        FileNotFoundError: there is no compiler.
    """
    wrapper = _TIED if gcc and level == "none" and shutil.which(_TIED[0]) else ()
    said, last = _call(command, wrapper, where, level)
    if gcc and _KILLED.search(last):
        said, last = _call(command, (*wrapper, *_ON_STDOUT), where, level)
        if _KILLED.search(last):
            raise Broken("the compiler was killed")
    return said


def _call(command: list[str], wrapper, where: Path, level: str) -> tuple[bytes, bytes]:
    """Return what the compiler and its parts say, and the last that came on stderr.

    Args:
        command: the compiler and its arguments.
        wrapper: the words of a command with which gcc is to start its parts, if any.
        where: its folder.
        level: how it is confined.
    """
    path = os.environ.get("PATH", "/usr/bin:/bin")
    compiler = shutil.which(command[0], path=path)
    if compiler is None:
        raise FileNotFoundError(f"there is no compiler {command[0]}")
    parts = ["-wrapper", ",".join(wrapper)] if wrapper else []
    command = [os.path.abspath(compiler), *parts, *command[1:]]
    with open(where / "said.txt", "w+b") as output, open(where / "errors.txt", "w+b") as errors:
        how = {"cwd": where, "stdin": subprocess.DEVNULL, "stdout": output, "stderr": errors}
        how["env"] = {"PATH": path, "LC_ALL": "C"}
        status = _run(command, how) if level == "none" else _run_confined(command, level, how)
        output.seek(0)
        errors.seek(0)
        said = output.read(_MAX_SAID) + errors.read(_MAX_SAID)
        errors.seek(max(0, errors.seek(0, os.SEEK_END) - _MAX_SAID))
        last = errors.read(_MAX_SAID)
    if status in (None, -signal.SIGKILL):
        raise Broken("the compiler was killed")
    if status < 0 and not said:
        said = f"the compiler was ended by signal {-status}\n".encode()
    if level != "none":
        # as the compiler itself names its temporary files elsewhere
        said = _TEMPORARY.sub(rb"/tmp/\1", said)
    return said, last


def _run(command: list[str], how: dict) -> int:
    """Run a compiler that is not confined; return its status, or less than 0 for a signal."""
    parent = os.getpid()

    def begin() -> None:
        prctl.die_with_parent(parent)
        _limit()

    process = subprocess.Popen(command, preexec_fn=begin, start_new_session=True, **how)
    handle = os.pidfd_open(process.pid)
    try:
        if not select.select([handle], [], [], SECONDS)[0]:
            raise Broken(f"the compiler did not end within {SECONDS} s")
    finally:
        os.close(handle)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return process.returncode


def _run_confined(command: list[str], level: str, how: dict) -> int | None:
    """Run a compiler in confinement; return as ``_run`` does, or None if its end is unknown."""
    # the folders above need not be open to it
    how["env"]["TMPDIR"] = "."
    # the marker tells whether there was a compiler at all, in which no source has a say
    with contextlib.closing(Control()) as control, open(os.memfd_create("begun"), "rb") as marker:
        passed = control.theirs.fileno(), marker.fileno()
        words = [str(warden.launcher(level)), "-c", str(passed[0])]
        for name, value in {**LIMITS, **_CONFINED_LIMITS}.items():
            words += ["-l", f"{name}={value}"]
        words = _confined([*words, "--", *command], how["cwd"], level, marker.fileno())
        process = subprocess.Popen(words, pass_fds=passed, **how)
        try:
            control.theirs.close()
            status = _wait(control)
        finally:
            control.close()
            process.wait()
        marker.seek(0)
        was_started = marker.read() == b"s"
    if not was_started or not {status, process.returncode}.isdisjoint(_NOT_STARTED):
        how["stderr"].seek(0)
        why = how["stderr"].readline(_MAX_SAID).decode("utf-8", "replace").rstrip("\n")
        raise Broken(f"the compiler can't be confined: {why}")
    return status


def _wait(control: Control) -> int | None:
    """Return how the compiler ended: its status, or less than 0 for a signal; None if unknown.

    Raises:
        Broken: it does not end.
    """
    deadline = time.monotonic() + SECONDS
    while not control.ended:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([control.fd], [], [], left)[0]:
            raise Broken(f"the compiler did not end within {SECONDS} s")
        for word, number, _sender in control.receive():
            if word in ("exit", "signal"):
                return number if word == "exit" else -number
    return None


def read(made: Path) -> bytes | None:
    """Return what is in a file that the compiler made; None if there is none.

    Whatever else has its name is no file of the compiler's.
    """
    try:
        fd = os.open(made, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(fd, "rb") as source:
        return source.read() if stat.S_ISREG(os.fstat(fd).st_mode) else None


def take(made: Path, level: str) -> Path | None:
    """Return the file that the compiler made; None if there is none.

    What was confined may belong to another user, so a copy of it is returned.
    """
    if level == "none":
        return made if made.exists() else None
    data = read(made)
    if data is None:
        return None
    copy = made.with_name("program.mine")
    # our own from the beginning
    fd = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755)
    with open(fd, "wb") as target:
        target.write(data)
    return copy
