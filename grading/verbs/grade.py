"""``grade SUBMISSIONS RUN [LAB...]``: plan, work and collect."""

from harness import labs

from . import run_folder, say, take_jobs
from .collect import main as collect
from .plan import plan, tell
from .work import work


def main(argv: list[str]) -> int:
    """Grade; exit status 1 when something is missing."""
    rest, jobs = take_jobs(argv)
    if len(rest) < 2 or not all(rest):
        raise labs.Unknown(
            "Say what to grade and where to: make grade SUBMISSIONS=folder RUN=folder, "
            "or python3 -m grading grade SUBMISSIONS RUN [LAB...] [-j J]."
        )
    run = run_folder(rest[1])
    entries = plan(run_folder(rest[0]), run, rest[2:])
    tell(entries)
    work(run, entries, jobs)
    say()
    return collect([str(run)])
