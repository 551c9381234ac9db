"""``collect RUN``: the gradebook and the reports, from manifest and results."""

from pathlib import Path

from .. import gradebook, manifest, reports, results
from . import need, run_folder, say


def collect(run: Path, entries: list[dict]) -> int:
    """Write and print everything; return how many submissions have no grade."""
    rows = []
    for one in entries:
        document = results.grade(run, one)
        rows.append(gradebook.row(one, document, results.trouble(run, one)))
        if document is not None:
            reports.write(run, one, document)
    rows = gradebook.by_person(rows, entries)
    gradebook.write(run, rows)
    for line in gradebook.table(rows):
        say(line)
    return sum(not row["graded"] for row in rows)


def main(argv: list[str]) -> int:
    """Collect; exit status 1 when something is missing."""
    need(argv, 1, 1, "collect RUN")
    run = run_folder(argv[0])
    missing = collect(run, manifest.read(run))
    say()
    say(f"{gradebook.path(run)}, and a report for each submission in {reports.folder(run)}")
    return 1 if missing else 0
