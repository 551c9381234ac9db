"""The report of each submission as text, made from its result alone."""

import contextlib
import io
from pathlib import Path

from harness import report, result

from . import files


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
                lines.append(report.program(lab, _with_reason(entry, row), mine))
            lines += ["", report.score(lab)]
    lines += [f"seed {document['seed']}", *_graded_with(document)]
    for one in document.get("regraded", []):
        lines += [f"made again: {' '.join(one['checks'])}, seed {one['seed']}", *_graded_with(one)]
    return "\n".join([*lines, ""])


def _with_reason(entry: dict, row: dict) -> dict:
    """Return a program; of a file that came and was refused it says why, not "is missing"."""
    why = {f"{name.split('/')[-1]} is missing": text for name, text in entry["refused"].items()}
    build = row["build"]
    return {**row, "build": {**build, "text": why.get(build["text"], build["text"])}}


def _graded_with(about: dict) -> list[str]:
    """Say by which versions, and how confined, something was graded."""
    machine = about["machine"]
    versions = f"suite {about['suite']}, {machine['compiler']}, {machine['system']}"
    return [f"{versions}; level: {result.confinement(about)}"]


def write(run: Path, entry: dict, document: dict) -> None:
    """Write the report of a submission, atomically."""
    with files.whole(folder(run) / f"{entry['id']}.txt") as file:
        file.write(text(entry, document))
