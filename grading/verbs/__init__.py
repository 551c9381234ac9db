"""The verbs of ``python3 -m grading``, one module for each, and their arguments."""

import os
from pathlib import Path

from harness import labs


def say(text: str = "") -> None:
    """Print a line, at once."""
    print(text, flush=True)


def need(argv: list[str], least: int, most: int | None, usage: str) -> None:
    """Require a number of arguments, none of them empty."""
    good = len(argv) >= least and (most is None or len(argv) <= most) and all(argv)
    if not good:
        raise labs.Unknown(f"Usage: python3 -m grading {usage}")


def run_folder(text: str) -> Path:
    """Return the folder of a run, as an absolute path."""
    return Path(text).absolute()


def take_jobs(argv: list[str]) -> tuple[list[str], int]:
    """Take ``-j J`` out of some arguments; return the others and J.

    Without it, JOBS in the environment counts, then the number of CPUs.  There
    are never more than CPUs: nothing would be done sooner.
    """
    cpus = len(os.sched_getaffinity(0))
    text = os.environ.get("JOBS", "").strip() or str(cpus)
    rest = list(argv)
    if "-j" in rest:
        at = rest.index("-j")
        rest.pop(at)
        text = rest.pop(at) if at < len(rest) else ""
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise labs.Unknown(f"{text!r} is no number of jobs. Give a number, such as -j 4.")
    if int(text) > cpus:
        say(f"{text} jobs are more than the CPUs here: {cpus} at a time.")
    return rest, min(int(text), cpus)
