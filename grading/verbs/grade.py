"""``grade SUBMISSIONS RUN [LAB...]``: plan, work and collect.

STUDENT=id grades one student again, CHECK=name makes one check again, for
everybody or for that student; see ``work.Again``.
"""

from harness import labs
from harness.doors import variable

from . import run_folder, say, take_jobs
from .collect import collect
from .collect import tell as tell_collected
from .plan import plan, tell
from .work import Again, work


def main(argv: list[str]) -> int:
    """Grade; exit status 1 when something is missing or needs a person."""
    rest, jobs = take_jobs(argv)
    if len(rest) < 2 or not all(rest):
        raise labs.Unknown(
            "Say what to grade and where to: make grade SUBMISSIONS=folder RUN=folder, "
            "or python3 -m grading grade SUBMISSIONS RUN [LAB...] [-j J]."
        )
    student, check = variable("STUDENT"), variable("CHECK")
    run = run_folder(rest[1])
    entries = plan(run_folder(rest[0]), run, rest[2:], student)
    tell(entries)
    again = Again(student, check) if student or check else None
    lost = work(entries, jobs, again=again)
    say()
    missing = collect(entries)
    return 1 if tell_collected(entries) or missing or lost else 0
