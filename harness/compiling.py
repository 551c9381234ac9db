"""Running the compiler on a stranger's source, as confined as what it makes.

A compiler reads every file that a source names, as large as it may be, and says
what was in it.  So it gets its own folder and the system's headers, libraries
and programs, and no network, no /proc and no device but /dev/null.  Like a program
it is started by the launcher, which ends all its parts when we end.
"""

import os
import re
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
_PARTS_ON_STDOUT = ("-wrapper", 'sh,-c,exec "$0" "$@" 2>&1')


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
    said, last = _call(command, where, level)
    if gcc and _KILLED.search(last):
        said, last = _call([command[0], *_PARTS_ON_STDOUT, *command[1:]], where, level)
        if _KILLED.search(last):
            raise Broken("the compiler was killed")
    return said


def _call(command: list[str], where: Path, level: str) -> tuple[bytes, bytes]:
    """Return what the compiler and its parts say, and the last that came on stderr."""
    path = os.environ.get("PATH", "/usr/bin:/bin")
    env = {"PATH": path, "LC_ALL": "C"}
    compiler = shutil.which(command[0], path=path)
    if compiler is None:
        raise FileNotFoundError(f"there is no compiler {command[0]}")
    control = Control()
    launcher = [str(warden.launcher(level)), "-c", str(control.theirs.fileno())]
    for name, value in {**LIMITS, **(_CONFINED_LIMITS if level != "none" else {})}.items():
        launcher += ["-l", f"{name}={value}"]
    command = [*launcher, "--", os.path.abspath(compiler), *command[1:]]
    # tells whether there was a compiler at all, in which no source has a say
    started = os.memfd_create("started")
    if level != "none":
        command = _confined(command, where, level, started)
        # the folders above need not be open to it
        env["TMPDIR"] = "."
    with (
        open(started, "rb") as marker,
        open(where / "parts.txt", "w+b") as output,
        open(where / "program.txt", "w+b") as errors,
    ):
        process = subprocess.Popen(
            command,
            cwd=where,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=env,
            pass_fds=[control.theirs.fileno(), *([started] if level != "none" else [])],
        )
        try:
            control.theirs.close()
            status = _wait(control)
        finally:
            control.close()
            process.wait()
        output.seek(0)
        errors.seek(0)
        own = errors.read(_MAX_SAID)
        said = output.read(_MAX_SAID) + own
        errors.seek(max(0, errors.seek(0, os.SEEK_END) - _MAX_SAID))
        last = errors.read(_MAX_SAID)
        marker.seek(0)
        was_started = marker.read() == b"s"
    ends = {status, process.returncode}
    if level != "none" and (not was_started or not ends.isdisjoint(_NOT_STARTED)):
        why = own.decode("utf-8", "replace").split("\n")[0]
        raise Broken(f"the compiler can't be confined: {why}")
    if status in (None, -signal.SIGKILL):
        raise Broken("the compiler was killed")
    if status < 0 and not said:
        said = f"the compiler was ended by signal {-status}\n".encode()
    if level != "none":
        # as the compiler itself names its temporary files elsewhere
        said = _TEMPORARY.sub(rb"/tmp/\1", said)
    return said, last


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
