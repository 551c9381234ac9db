"""Running the verbs as an instructor does, with accidents."""

import os
import select
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from harness import labs, skeleton

_OURS = {"SRC", "LABS", "RESULT", "CHECK", "STUDENT", "SEED", "JOBS", "YES", "SOCKLAB_BUILD"}
_OURS |= {"LEVEL", "LACKS", "ALLOW_WEAK"}


@dataclass
class Class:
    """The class, its run, and what was seen while it was graded.

    ``kept`` are the result files that an accident left, with their inodes: a
    file that is written again is another one.  ``ended`` says whether the
    harnesses of a killed ``work`` have ended.
    """

    submissions: Path
    run: Path
    build: Path
    kept: dict[str, int] = field(default_factory=dict)
    ended: bool = False
    stopped: tuple[int, str] = (0, "")
    shard: subprocess.CompletedProcess | None = None
    missing: list[str] = field(default_factory=list)
    finished: subprocess.CompletedProcess | None = None


def command(*args) -> list[str]:
    """Return the command line of a verb."""
    return [sys.executable, "-m", "grading", *map(str, args)]


def environment(build: Path, **variables: str) -> dict[str, str]:
    """Return the environment of a verb; compiled programs go to ``build``."""
    env = {name: value for name, value in os.environ.items() if name not in _OURS}
    strict = {"PYTHONWARNINGS": "error::DeprecationWarning"}
    return {**env, **strict, "SOCKLAB_BUILD": str(build), **variables}


def verb(
    build: Path, *args, limit: float | None = 300, **variables: str
) -> subprocess.CompletedProcess:
    """Run a verb as an instructor does; return the finished process."""
    return subprocess.run(
        command(*args),
        cwd=labs.ROOT,
        env=environment(build, **variables),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=limit,
        check=False,
    )


def small(folder: Path, name: str, *programs: str) -> Path:
    """Make a submission with few programs, which is graded soon; return its folder."""
    lab = labs.find("03")
    (folder / name).mkdir(parents=True)
    for program in programs or ("bindto",):
        source = (lab.solution / f"{program}.c").read_text(encoding="utf-8")
        text = skeleton.derive_solution(source)
        (folder / name / f"{program}.c").write_text(text, encoding="utf-8")
    return folder / name


def inodes(run: Path) -> dict[str, int]:
    """Return the inode of each result, by id."""
    return {path.stem: path.stat().st_ino for path in (run / "results").glob("*.json")}


def accident(made: Class, number: int) -> tuple[int, str, bool]:
    """Start a ``work``, and send it a signal when its first submission is graded.

    Returns:
        Its exit status, its stderr, and whether its harnesses have ended.
    """
    work = subprocess.Popen(
        command("work", made.run, "-j", "2"),
        cwd=labs.ROOT,
        env=environment(made.build),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with work:
        while not work.stdout.readline().startswith("1/"):
            assert work.poll() is None
        children = Path(f"/proc/{work.pid}/task/{work.pid}/children").read_text(encoding="ascii")
        pidfds = [os.pidfd_open(int(pid)) for pid in children.split()]
        work.send_signal(number)
        stderr = work.stderr.read()
        work.wait()
        ended = bool(pidfds) and all(_has_ended(pidfd) for pidfd in pidfds)
        for pidfd in pidfds:
            os.close(pidfd)
    return work.returncode, stderr, ended


def _has_ended(pidfd: int) -> bool:
    poller = select.poll()
    poller.register(pidfd, select.POLLIN)
    return bool(poller.poll(60_000))
