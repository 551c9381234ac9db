"""``collect RUN``: the gradebook and the reports, from manifest and results."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness import report

from .. import files, gradebook, ground, manifest, reports, results
from . import need, run_folder, say


def collect(entries: manifest.Manifest) -> int:
    """Write and print everything; return how many submissions have no grade.

    Rows wait in a file, so that memory does not grow with the class.
    """
    run = entries.run
    files.private(reports.folder(run))
    for folder in (run, reports.folder(run)):
        files.sweep(folder)
    people = gradebook.People()
    for one in entries:
        people.add(one)
    missing = 0
    about = gradebook.Columns()
    with tempfile.TemporaryFile("w+", dir=run, encoding="ascii") as spool:
        for one in entries:
            document = results.grade(run, one)
            if document is not None:
                reports.write(run, one, document)
            missing += document is None
            row = gradebook.row(one, document, results.trouble(run, one))
            for row in people.rows(one, row):
                about.add(row)
                spool.write(json.dumps(row) + "\n")
        gradebook.write(run, _again(spool), about)
        for line in gradebook.table(_again(spool), about):
            say(line)
    return missing


def _again(spool) -> Iterator[dict]:
    spool.seek(0)
    return map(json.loads, spool)


def tell(entries: manifest.Manifest) -> None:
    """Say where everything is, how it was graded, and what needs a person."""
    run = entries.run
    say()
    say(f"{gradebook.path(run)}, and a report for each submission in {reports.folder(run)}")
    found = ground.read(run)
    if found is not None:
        say(f"seed {entries.seed}, level: {found.level}")
    begun = False
    for one in entries:
        why = report.escape(one.get("error", "")) or _trouble(run, one)
        if why and not begun:
            say("These need a person:")
            begun = True
        if why:
            say(f"    {report.escape(one['id'])}: {why}")


def _trouble(run: Path, entry: dict) -> str:
    """Return why an entry could not be graded, though it was tried, and where to look."""
    why = results.trouble(run, entry)
    if why and results.grade(run, entry) is not None:
        why += ", when it was graded again; its grade is the one from before"
    return why and f"{why}; see {results.folder(run) / entry['id']}.error"


def main(argv: list[str]) -> int:
    """Collect; exit status 1 when something is missing."""
    need(argv, 1, 1, "collect RUN")
    entries = manifest.read(run_folder(argv[0]))
    missing = collect(entries)
    tell(entries)
    return 1 if missing else 0
