"""``make hint-NN``: the next hint for the first check that failed last time.

Three hints, one at each call: the concept, the system call, the place.
"""

import json

from .. import build, labs, marker, plugin, result
from . import say, variable


def _first_failing(lab: labs.Lab) -> dict | None:
    """Return the record of the first failed check of the last run."""
    try:
        document = result.read(result.last(lab.name))
    except (OSError, ValueError):
        raise labs.Unknown(
            f"There is no result of lab {lab.number} yet: make check-{lab.number}"
        ) from None
    entry = document["labs"][0]
    wanted = variable("CHECK")
    program, _slash, name = wanted.rpartition("/")
    checks = [
        one
        for one in entry["checks"]
        if (one["program"] == program or not program)
        and (not wanted or wanted == one["program"] or one["name"] in (name, f"test_{name}"))
    ]
    if wanted and not checks:
        raise labs.Unknown(f"There is no check {wanted} in lab {lab.number}.")
    failed = [one for one in checks if one["outcome"] == "failed"]
    rows = {row["name"]: row for row in entry["programs"]}
    # what somebody works on goes before what nobody has begun, challenges come last
    failed.sort(key=lambda one: (not rows[one["program"]]["begun"], one["challenge"]))
    broken = [
        row["name"]
        for row in entry["programs"]
        if row["build"]["text"]
        and not row["build"]["ok"]
        and (not wanted or row["name"] == program)
    ]
    if broken and not (failed and rows[failed[0]["program"]]["begun"]):
        raise labs.Unknown(
            f"{broken[0]}: there is no program yet; the compiler's own words are the hint: "
            f"make check-{lab.number} CHECK={broken[0]}"
        )
    if not failed and wanted and len(checks) == 1:
        return checks[0]
    return failed[0] if failed else None


def main(argv: list[str]) -> int:
    """Print one more hint for the first failing check of a lab."""
    lab = labs.find(argv[0])
    record = _first_failing(lab)
    if record is None:
        say(f"No check of lab {lab.number} failed last time. Check again: make check-{lab.number}")
        return 0
    checks = plugin.collect([lab])[lab.name]
    found = next(
        (one for one in checks if (one.program, one.name) == (record["program"], record["name"])),
        None,
    )
    if found is None:
        raise labs.Unknown(f"The checks changed since then: make check-{lab.number}")
    memory = build.folder() / "hints" / f"{lab.name}.json"
    try:
        given = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        given = {}
    key = f"{found.program}/{found.name}"
    count = min(given.get(key, 0) + 1, len(found.hints))
    say(f"{found.program}: {found.title}")
    for level, hint in list(zip(marker.HINT_LEVELS, found.hints, strict=True))[:count]:
        say(f"  {level + ':':<9} {hint}")
    if count < len(found.hints):
        say(f"For more: make hint-{lab.number} CHECK={key}")
    else:
        say(f"That was the last hint. To see the whole check again: {record['repeat']}")
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text(json.dumps({**given, key: count}), encoding="utf-8")
    return 0
