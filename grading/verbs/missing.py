"""``missing RUN``: the ids of the submissions that have no valid result."""

import sys

from harness import report

from .. import manifest, results
from . import need, run_folder, say


def main(argv: list[str]) -> int:
    """Print them, one on each line; exit status 1 when there are any.

    What no ``work`` can grade is named on stderr.
    """
    need(argv, 1, 1, "missing RUN")
    run = run_folder(argv[0])
    status = 0
    for one in manifest.read(run):
        if "error" in one:
            print(f"{report.escape(one['id'])}: {report.escape(one['error'])}", file=sys.stderr)
            status = 1
        elif results.grade(run, one) is None:
            say(one["id"])
            status = 1
    return status
