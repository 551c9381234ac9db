"""The scene of one attack: what is to be protected, and the program that attacks.

The level ``bare`` is none of ``confine``: the program is started as anybody
starts one.  There an attack must succeed, or it proves nothing elsewhere.
"""

import contextlib
import fcntl
import os
import pty
import secrets
import select
import signal
import socket
import subprocess
import tempfile
import termios
import time
from pathlib import Path

from harness import stage
from harness.failure import Failure
from harness.kernel import prctl, proc
from harness.program import Program

BARE = "bare"
# Seconds; an attack takes a fraction of one.
_LIMIT = 60.0
_SAID = b"tried\n"


class Scene:
    """What one attack is made on, at one level.

    Args:
        level: the level of confinement.
        binaries: the folder of the compiled attacks.
        folder: a folder for all scenes, which everybody may enter.
        lacks: what this machine does not have at that level; see ``probes``.
    """

    def __init__(self, level: str, binaries: Path, folder: Path, lacks=()):
        self.level = level
        self._lacks = lacks
        self.binaries = binaries
        self.word = f"word{secrets.token_hex(8)}"
        self.folder = Path(tempfile.mkdtemp(prefix="scene-", dir=folder))
        # nothing but confinement shall protect what is in it
        self.folder.chmod(0o755)
        self._parent = folder
        self._stage: stage.Stage | None = None
        self._work: Path | None = None
        self._attacks: list = []
        self._closing = contextlib.ExitStack()
        prctl.adopt_orphans()

    # -- what is to be protected ----------------------------------------------

    def file(self, name: str, mode: int = 0o644) -> Path:
        """Return a file of the harness's, which holds the secret word."""
        path = self.folder / name
        path.write_text(self.word, encoding="ascii")
        path.chmod(mode)
        return path

    def victim(self) -> "Victim":
        """Return a process that stands for the harness."""
        hidden = "open" if self.level == BARE else "hidden"
        return Victim(self, [str(self.binaries / "victim"), self.word, hidden])

    def listener(self, family: int, kind: int, address) -> socket.socket:
        """Return a service that is none of the program's business."""
        sock = self._closing.enter_context(socket.socket(family, kind))
        sock.bind(address)
        if kind == socket.SOCK_STREAM:
            sock.listen()
        sock.setblocking(False)
        return sock

    def terminal(self) -> int:
        """Return a terminal, which becomes that of this process and its children."""
        ours, theirs = pty.openpty()
        self._closing.callback(os.close, ours)
        self._closing.callback(os.close, theirs)
        os.setsid()
        # its end must not be ours
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
        os.set_blocking(theirs, False)
        settings = termios.tcgetattr(theirs)
        settings[3] &= ~termios.ICANON  # a byte can be read without a line's end
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
        return theirs

    # -- the attack -------------------------------------------------------------

    @property
    def stage(self) -> stage.Stage:
        """The check's world in which the program runs, made when it is needed.

        Only namespaces promise a network of its own.
        """
        if self._stage is None:
            private = self.level == "namespaces"
            parent = str(self._parent)
            where = (parent, parent, self.level)
            self._stage = stage.Stage("attack", "seed", private, self._lacks, *where)
        return self._stage

    @property
    def work(self) -> Path:
        """The program's working folder."""
        if self.level != BARE:
            return Path(self.stage.folder)
        if self._work is None:
            self._work = Path(tempfile.mkdtemp(prefix="bare-", dir=self._parent))
        return self._work

    def attack(self, name: str, *args, stdout: str = "pipe", prefix=()) -> "Attack":
        """Run an attack until it has tried everything, and return it.

        Args:
            name: that of its file.
            args: its arguments.
            stdout: a path to write to instead of a pipe, as in ``Program.start``.
            prefix: with ``bare``, a command before it.
        """
        words = [str(one) for one in args]
        binary = str(self.binaries / name)
        if self.level == BARE:
            started = _Bare([*prefix, binary, *words], self.work, stdout)
        else:
            program = Program(self.stage, name, binary, "plain")
            started = _Confined(program.start(*words, stdout=stdout))
        attack = Attack(started)
        self._attacks.append(attack)
        attack.wait()
        return attack

    def leave(self) -> None:
        """Close the check's world, as a check does at its end."""
        if self._stage is not None:
            self._stage.close()
            self._stage = None

    def close(self) -> list[str]:
        """End everything, remove everything; return what could not be removed."""
        for attack in self._attacks:
            attack.end()
        self._closing.close()
        self.leave()
        for pid in proc.descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for folder in filter(None, [self._work, self.folder]):
            stage.remove(str(folder))
        return [str(one) for one in [self._work, self.folder] if one and one.exists()]


class Victim:
    """A process of the harness's: what became of it?"""

    def __init__(self, scene: Scene, command: list[str]):
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"SECRET": f"in the environment: {scene.word}"},
            start_new_session=True,
        )
        self.pid = self.process.pid
        self.address = self.process.stdout.readline().decode().strip()

    def end(self) -> str:
        """Let it end; return the word as it is now, or nothing if it was killed."""
        try:
            return self.process.communicate(timeout=_LIMIT)[0].decode("utf-8", "replace").strip()
        except BrokenPipeError:
            return ""
        finally:
            self.process.kill()
            self.process.wait()


class _Bare:
    """A program started as anybody starts one, and ended by one kill."""

    def __init__(self, command: list[str], folder: Path, stdout: str):
        with contextlib.ExitStack() as stack:
            to = subprocess.PIPE
            if stdout != "pipe":
                to = stack.enter_context(open(stdout, "wb"))
            self.process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=to, stderr=subprocess.DEVNULL
            )
        self.pipe = self.process.stdout
        self.out = b""
        if self.pipe:
            os.set_blocking(self.pipe.fileno(), False)

    def look(self) -> bool:
        """Take in what it has printed; return whether it has ended."""
        ended = self.process.poll() is not None
        if self.pipe:
            select.select([self.pipe], [], [], 0.01)
            self.out += self.pipe.read() or b""
        return ended

    def pids(self) -> list[int]:
        return [self.process.pid, *proc.descendants(self.process.pid)]

    def descriptors(self, pid: int) -> dict[int, str]:
        return proc.descriptors(pid)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


class _Confined:
    """A program started as a check starts it."""

    def __init__(self, process):
        self.process = process
        self.out = b""

    def look(self) -> bool:
        self.process.service()
        self.out = self.process.stdout
        try:
            self.process.check_output_limit("an attack that comes to its end")
        except Failure:
            return True
        if self.process.end_status or self.process.gone:
            return True
        select.select(self.process.fds_to_watch(), [], [], 0.01)
        return False

    def pids(self) -> list[int]:
        return proc.descendants(self.process.launcher_pid)

    def descriptors(self, pid: int) -> dict[int, str]:
        return self.process.descriptors(pid)

    def end(self) -> None:
        self.process.end()


class Attack:
    """An attack that was started."""

    def __init__(self, started: _Bare | _Confined):
        self._started = started

    def wait(self) -> None:
        """Wait until it says that it has tried, or ends."""
        deadline = time.monotonic() + _LIMIT
        while not self._started.look() and _SAID not in self._started.out:
            if time.monotonic() > deadline:
                raise TimeoutError("the attack says nothing")
        self._started.look()

    @property
    def out(self) -> str:
        """What it has printed."""
        return self._started.out.decode("utf-8", "replace")

    @property
    def process(self):
        """The run, as a check has it."""
        return self._started.process

    def pids(self) -> list[int]:
        """Return its processes that exist, in no order."""
        return self._started.pids()

    def descriptors(self) -> list[dict[int, str]]:
        """Return what each of its processes has open."""
        return [self._started.descriptors(pid) for pid in self.pids()]

    def end(self) -> None:
        """End it, as a check does."""
        self._started.end()
