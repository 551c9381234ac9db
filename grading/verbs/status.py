"""``status RUN``: how many submissions are graded, and why others are not."""

from harness import report

from .. import ground, manifest, results
from . import need, run_folder, say


def main(argv: list[str]) -> int:
    """Print it; exit status 1 when something is missing."""
    need(argv, 1, 1, "status RUN")
    run = run_folder(argv[0])
    entries = manifest.read(run)
    total = waiting = refused = 0
    for one in entries:
        total += 1
        refused += "error" in one
        waiting += "error" not in one and results.grade(run, one) is None
    graded = total - refused - waiting
    say(f"{graded} of {total} graded, {waiting} to do, {refused} can't be graded")
    found = ground.read(run)
    say(f"seed {entries.seed}" + (f", level: {found.level}" if found else ""))
    for one in entries if graded < total else ():
        if "error" in one:
            say(f"{report.escape(one['id'])}: {report.escape(one['error'])}")
        elif results.grade(run, one) is None and (why := results.trouble(run, one)):
            say(f"{one['id']}: {why}; the next work tries again")
    return 0 if graded == total else 1
