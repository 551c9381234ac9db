"""``collect RUN``: the gradebook and the reports, from manifest and results."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness import report

from .. import files, gradebook, ground, manifest, reports, results, shapes
from . import need, run_folder, say


def collect(entries: manifest.Manifest) -> int:
    """Write and print everything; return how many submissions have no grade.

    Rows wait in a file, so that memory does not grow with the class.
    """
    run = entries.run
    files.private(reports.folder(run))
    for folder in (run, reports.folder(run)):
        files.sweep(folder)
    people = gradebook.People(entries)
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


def tell(entries: manifest.Manifest) -> bool:
    """Say where everything is and how it was graded; return whether something needs a person."""
    run = entries.run
    say()
    say(f"{gradebook.path(run)}, and a report for each submission in {reports.folder(run)}")
    found = ground.read(run)
    if found is not None:
        say(f"seed {entries.seed}, level: {found.level}")
    begun = False
    for who, why in _for_a_person(entries):
        if not begun:
            say("These need a person:")
        begun = True
        say(f"    {report.escape(who)}: {why}")
    return begun


def _for_a_person(entries: manifest.Manifest) -> Iterator[tuple[str, str]]:
    """Yield what no grader can settle: a submission or a person, and what is to do."""
    for one in entries:
        why = report.escape(one.get("error", "")) or _trouble(entries.run, one)
        if why:
            yield one["id"], why
    for person, names in gradebook.People(entries).undecided():
        yield (
            person,
            f"has {len(names)} rows, {' and '.join(names)}, for nothing says which is newer: "
            f"take all but one away from what was handed in, or, if they are several people, name "
            f"each in {shapes.GROUPS}; then say the same command again",
        )


def _trouble(run: Path, entry: dict) -> str:
    """Return why an entry could not be graded, though it was tried, and where to look."""
    why = results.trouble(run, entry)
    if why and results.grade(run, entry) is not None:
        why += ", when it was graded again; its grade is the one from before"
    return why and f"{why}; see {results.folder(run) / entry['id']}.error"


def main(argv: list[str]) -> int:
    """Collect; exit status 1 when something is missing or needs a person."""
    need(argv, 1, 1, "collect RUN")
    entries = manifest.read(run_folder(argv[0]))
    missing = collect(entries)
    return 1 if tell(entries) or missing else 0
