"""Running the harness on submissions, several at a time.

There are no threads.  Each harness is a process in a session of its own, waited
for through its pidfd (pidfd_open(2)).  If this process is killed, the kernel
kills them: PR_SET_PDEATHSIG goes by the thread that forked, and there is one.
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import confine, workers
from harness.kernel import prctl
from harness.labs import ROOT
from harness.stage import remove

from .ground import Ground

# Seconds after which a harness is hung itself; it has much smaller limits.
LIMIT = 1800.0
# Seconds between two looks at the clock, for whoever watches.
_TICK = 1.0
_STDERR_SHOWN = 4000

# What a harness gets of our own environment, if it is set.
_PASSED_ON = ("PATH", "HOME", "CC", "SOCKLAB_BUILD", "PYTHONPYCACHEPREFIX")


@dataclass(frozen=True)
class Task:
    """A submission to grade.

    Args:
        entry: from the manifest.
        seed: of the made-up values.
        checks: the only checks to make, as ``program/check``; all without any.
        second: whether this was tried before.
    """

    entry: dict
    seed: str
    checks: tuple[str, ...] = ()
    second: bool = False


@dataclass
class Job:
    """A submission on its way through the harness."""

    task: Task
    process: subprocess.Popen
    pidfd: int
    result: Path
    stderr: Path
    temporary: Path
    began: float
    cpu: int | None

    def said(self) -> str:
        """Return the end of what the harness wrote to stderr."""
        return self.stderr.read_bytes()[-_STDERR_SHOWN:].decode("utf-8", "replace")


@dataclass(frozen=True)
class Place:
    """Where and how harnesses run.

    Args:
        run: the run.
        ground: what it stands on.
        scratch: a folder of ours in ``RUN/results``.
        temporary: a short one of ours: checks make UNIX sockets in there, whose
            paths have 107 bytes at most.
        inner_jobs: how many checks a harness makes at a time; 0 for as many as
            there are CPUs.
    """

    run: Path
    ground: Ground
    scratch: Path
    temporary: Path
    inner_jobs: int

    def environment(self, task: Task) -> dict[str, str]:
        """Return the environment of a harness: built from nothing."""
        env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        env.setdefault("SOCKLAB_BUILD", str(self.run / "build"))
        env.setdefault("PYTHONPYCACHEPREFIX", str(self.run / "build" / "pycache"))
        env |= {"LC_ALL": "C.UTF-8", "SRC": str(self.run / "intake" / task.entry["id"])}
        env |= {"SEED": task.seed, "LACKS": " ".join(self.ground.lacks)}
        env[confine.VARIABLE] = self.ground.level
        if self.inner_jobs:
            env["JOBS"] = str(self.inner_jobs)
        if task.checks:
            env["CHECK"] = " ".join(task.checks)
        return env


def command(entry: dict) -> list[str]:
    """Return the command that grades one submission."""
    return [sys.executable, "-m", "harness", "check", *(name[:2] for name in entry["labs"])]


def _start(place: Place, task: Task, number: int, cpu: int | None) -> Job:
    """Start a harness; its files have a number, as no path there names a student."""
    parent = os.getpid()

    def begin() -> None:
        prctl.die_with_parent(parent)
        workers.stay_on(cpu)

    target, said = place.scratch / f"{number}.result", place.scratch / f"{number}.stderr"
    temporary = place.temporary / str(number)
    temporary.mkdir()
    temporary.chmod(0o711)  # programs run below it, as other users
    env = place.environment(task) | {"RESULT": str(target), "TMPDIR": str(temporary)}
    with open(said, "wb") as stderr:
        process = subprocess.Popen(
            command(task.entry),
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=begin,
        )
    pidfd = os.pidfd_open(process.pid)
    return Job(task, process, pidfd, target, said, temporary, time.monotonic(), cpu)


def _kill(job: Job) -> None:
    """End a harness, if it has not ended; what its checks have started ends with it."""
    if job.process.poll() is None:
        os.killpg(job.process.pid, signal.SIGKILL)
        job.process.wait()


def _end(job: Job) -> None:
    _kill(job)
    os.close(job.pidfd)
    remove(str(job.temporary))


def run_all(
    place: Place,
    next_task: Callable[[], Task | None],
    jobs: int,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[Job]:
    """Run the harness on all there is to grade; yield each job when its harness has ended.

    Its files are there until the next one is asked for.  The exit status of a
    harness that took longer than LIMIT is that of SIGKILL.

    Args:
        place: where.
        next_task: returns what comes next; None when there is nothing more to
            do for now, and it is asked again when another one has ended.
        jobs: how many at a time.
        tick: is called now and then.
    """
    number = 0
    cpus = workers.own_cpus(jobs) if place.inner_jobs == 1 else []
    running: dict[int, Job] = {}
    try:
        while True:
            while len(running) < jobs and (task := next_task()) is not None:
                number += 1
                cpu = workers.least_used(cpus, (job.cpu for job in running.values()))
                job = _start(place, task, number, cpu)
                running[job.pidfd] = job
            if not running:
                return
            for pidfd in _wait(running, tick):
                job = running[pidfd]
                _kill(job)
                yield job
                _end(running.pop(pidfd))
                job.result.unlink(missing_ok=True)
                job.stderr.unlink(missing_ok=True)
    finally:
        for job in running.values():
            _end(job)


def _wait(running: dict[int, Job], tick: Callable[[], None]) -> list[int]:
    """Wait until a harness has ended, or one has run for too long."""
    poller = select.poll()
    for pidfd in running:
        poller.register(pidfd, select.POLLIN)
    oldest = min(running.values(), key=lambda job: job.began)
    while not (ended := [fd for fd, _event in poller.poll(_TICK * 1000)]):
        tick()
        if time.monotonic() - oldest.began > LIMIT:
            return [oldest.pidfd]
    return ended
