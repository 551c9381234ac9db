"""The report of each submission as text, made from its result alone."""

import contextlib
import io
import os
from pathlib import Path

from harness import report


def folder(run: Path) -> Path:
    """Return where the reports are."""
    return run / "reports"


def text(entry: dict, document: dict) -> str:
    """Return what a student reads in the terminal, with the files that count."""
    lines = [f"{entry['id']}   {', '.join(entry['labs'])}", ""]
    for reason in (*entry["missing"].values(), *entry["refused"].values()):
        lines.append(report.escape(reason))
    for name in entry["ignored"]:
        lines.append(f"{report.escape(name)} was not asked for")
    # The harness colours what it thinks goes to a terminal.
    with contextlib.redirect_stdout(io.StringIO()):
        for lab in document["labs"]:
            for row in lab["programs"]:
                mine = [one for one in lab["checks"] if one["program"] == row["name"]]
                lines.append(report.program(lab, row, mine))
            lines += ["", report.score(lab)]
    return "\n".join([*lines, f"seed {document['seed']}", ""])


def write(run: Path, entry: dict, document: dict) -> None:
    """Write the report of a submission, atomically."""
    folder(run).mkdir(exist_ok=True)
    target = folder(run) / f"{entry['id']}.txt"
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    temporary.write_text(text(entry, document), encoding="utf-8")
    temporary.rename(target)
