"""``make prove-NN``: shows what the checks make of the lab's wrong programs.

For maintainers.  Arguments after the number: names of mutants and variants;
all by default.  ``make test`` does the same, quietly.
"""

import difflib
import os
import tempfile
from pathlib import Path

from .. import labs, plugin, proof, report
from . import asked_level, say, variable


def main(argv: list[str]) -> int:
    """Prove a lab's checks; exit status 1 when one of them is wrong."""
    if not argv:
        raise labs.Unknown("Which lab? Say for example: make prove-01")
    lab = labs.find(argv[0], "solutions")
    names = set(argv[1:])
    _require_known(argv[1:], lab)
    jobs = int(variable("JOBS", str(len(os.sched_getaffinity(0)))))
    checks = plugin.collect([lab])
    mutants = [one for one in proof.mutants(lab) if not names or one.label in names]
    variants = [path for path in proof.variants(lab) if not names or path.name in names]
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="proof-") as folder:
        where = Path(folder)
        units = proof.mutant_units(mutants, checks, where)
        for path in variants:
            units.append(plugin.Unit(proof.overlay(lab, where / path.name, path), path.name))
        document = proof.run(units, jobs, level=asked_level())
    entries = {entry["name"]: entry for entry in document["labs"]}
    for one in mutants:
        problem = proof.verdict(one, entries[one.label])
        wrong += bool(problem)
        say(f"{'WRONG ' if problem else 'caught'} {one.label}  {problem}")
        if names and not problem:
            record = next(r for r in entries[one.label]["checks"] if r["name"] == one.caught_by)
            say(report.failure(record, lab.number))
    for path in variants:
        entry = entries[path.name]
        lost = [r for r in entry["checks"] if r["outcome"] not in ("passed", "unavailable")]
        wrong += bool(lost)
        say(f"{'WRONG ' if lost else 'full  '} variant {path.name}  {report.score(entry)}")
        for record in lost:
            say(report.failure(record, lab.number))
        for row in entry["programs"]:
            if not row["build"]["ok"]:
                say(row["build"]["text"])
    return 1 if wrong else 0


def _require_known(names: list[str], lab: labs.Lab) -> None:
    """Raise ``Unknown`` for the first name that is no wrong program, nor a variant, of a lab."""
    known = [one.label for one in proof.mutants(lab)] + [path.name for path in proof.variants(lab)]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 2) or [n for n in known if name in n][:2]
            hint = f"They are in solutions/{lab.name}/mutants."
            if near:
                hint = f"Did you mean {' or '.join(near)}?"
            raise labs.Unknown(f"There is no wrong program {name} in lab {lab.number}. {hint}")
