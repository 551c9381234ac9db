"""``status RUN``: how many submissions are graded, and why others are not."""

from harness import report

from .. import manifest, results
from . import need, run_folder, say


def main(argv: list[str]) -> int:
    """Print it; exit status 1 when something is missing."""
    need(argv, 1, 1, "status RUN")
    run = run_folder(argv[0])
    entries = manifest.read(run)
    waiting = 0
    troubles = []
    for one in entries:
        if "error" in one:
            troubles.append(f"{report.escape(one['id'])}: {one['error']}")
        elif results.grade(run, one) is None:
            waiting += 1
            why = results.trouble(run, one)
            troubles += [f"{one['id']}: {why}; the next work tries again"] if why else []
    refused = len(entries) - len(manifest.gradable(entries))
    graded = len(entries) - refused - waiting
    say(f"{graded} of {len(entries)} graded, {waiting} to do, {refused} can't be graded")
    for line in troubles:
        say(line)
    return 0 if graded == len(entries) else 1
