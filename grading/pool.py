"""Running the harness on submissions, several at a time.

There are no threads.  Each harness is a process in a session of its own, waited
for through its pidfd (pidfd_open(2)).  If this process is killed, the kernel
kills them: PR_SET_PDEATHSIG goes by the thread that forked, and there is one.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.labs import ROOT

# Seconds after which a harness is hung itself; it has much smaller limits.
LIMIT = 1800.0
_STDERR_SHOWN = 4000
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)

# What a harness gets of our own environment, if it is set.
_PASSED_ON = ("PATH", "HOME", "CC", "SOCKLAB_BUILD", "PYTHONPYCACHEPREFIX")


@dataclass
class Job:
    """A submission on its way through the harness."""

    entry: dict
    process: subprocess.Popen
    pidfd: int
    result: Path
    stderr: Path
    temporary: str
    began: float

    def said(self) -> str:
        """Return the end of what the harness wrote to stderr."""
        return self.stderr.read_bytes()[-_STDERR_SHOWN:].decode("utf-8", "replace")


def environment(run: Path, entry: dict, inner_jobs: int) -> dict[str, str]:
    """Return the environment of a harness: built from nothing.

    Args:
        run: the run.
        entry: the submission's entry in the manifest.
        inner_jobs: how many checks run at a time; 0 for as many as there are CPUs.
    """
    env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    env.setdefault("SOCKLAB_BUILD", str(run / "build"))
    env.setdefault("PYTHONPYCACHEPREFIX", str(run / "build" / "pycache"))
    env |= {"LC_ALL": "C.UTF-8", "SRC": str(run / "intake" / entry["id"])}
    if inner_jobs:
        env["JOBS"] = str(inner_jobs)
    return env


def command(entry: dict) -> list[str]:
    """Return the command that grades one submission."""
    return [sys.executable, "-m", "harness", "check", *(name[:2] for name in entry["labs"])]


def _tie_to(parent: int) -> None:
    """In the child: die when the pool dies, which may be now."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _start(run: Path, entry: dict, inner_jobs: int, scratch: Path) -> Job:
    parent = os.getpid()
    target = scratch / f"{entry['id']}.result"
    said = scratch / f"{entry['id']}.stderr"
    # Short: checks make UNIX sockets there, whose paths have 107 bytes at most.
    temporary = tempfile.mkdtemp(prefix="slg-")
    env = environment(run, entry, inner_jobs) | {"RESULT": str(target), "TMPDIR": temporary}
    with open(said, "wb") as stderr:
        process = subprocess.Popen(
            command(entry),
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=lambda: _tie_to(parent),
        )
    pidfd = os.pidfd_open(process.pid)
    return Job(entry, process, pidfd, target, said, temporary, time.monotonic())


def _kill(job: Job) -> None:
    """End a harness, if it has not ended; what its checks have started ends with it."""
    if job.process.poll() is None:
        os.killpg(job.process.pid, signal.SIGKILL)
        job.process.wait()


def _end(job: Job) -> None:
    _kill(job)
    os.close(job.pidfd)
    shutil.rmtree(job.temporary, ignore_errors=True)


def run_all(run: Path, entries: list[dict], jobs: int, scratch: Path) -> Iterator[Job]:
    """Run the harness on all entries; yield each job when its harness has ended.

    Its files are there until the next one is asked for.  The exit status of a
    harness that took longer than LIMIT is that of SIGKILL.

    Args:
        run: the run.
        entries: what to grade.
        jobs: how many at a time.  With one only, the harness has all CPUs.
        scratch: a folder of our own in ``RUN/results``.
    """
    waiting = list(reversed(entries))
    inner_jobs = 1 if min(jobs, len(entries)) > 1 else 0
    running: dict[int, Job] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                job = _start(run, waiting.pop(), inner_jobs, scratch)
                running[job.pidfd] = job
            for pidfd in _wait(running):
                job = running[pidfd]
                _kill(job)
                yield job
                _end(running.pop(pidfd))
                job.result.unlink(missing_ok=True)
                job.stderr.unlink(missing_ok=True)
    finally:
        for job in running.values():
            _end(job)


def _wait(running: dict[int, Job]) -> list[int]:
    """Wait until a harness has ended, or one has run for too long."""
    poller = select.poll()
    for pidfd in running:
        poller.register(pidfd, select.POLLIN)
    oldest = min(running.values(), key=lambda job: job.began)
    left = oldest.began + LIMIT - time.monotonic()
    return [fd for fd, _event in poller.poll(max(0.0, left) * 1000)] or [oldest.pidfd]
