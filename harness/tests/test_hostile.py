"""Programs that misbehave on purpose: named in words, and nothing of them left.

Each is the reference of incsrv with a constructor that does the mischief.  What
is unbounded by nature is bounded in the program itself.
"""

import os
from pathlib import Path

import pytest

from harness import labs, plugin, proof, report

LAB = labs.find("03")
PROGRAM = "incsrv"
PROGRAMS = Path(__file__).parent / "programs"
DECIDED = {"passed", "failed", "blocked", "unavailable"}
# What was compiled of them, and nowhere else.
BINARIES: set[str] = set()

# What a report must say; None where the mischief changes nothing that is seen.
SAYS = {
    "closed": "the program did that itself",
    "curious": "LISTENING",
    "daemon": "left a process behind that goes on",
    "deaf": "asleep in pause",
    "descriptors": None,
    "disk": "SIGXFSZ",
    "escapes": "exited with status",
    "forks": "fork without end",
    "group": "killed itself or its whole pro",
    "hops": "fork without end",
    "parent": None,
    "replaces": "replaced or removed the file that it was started from",
    "results": None,
    "stderr": "prints on stderr for ever",
    "stdout": "prints on stdout for ever",
    "stops": "the checker did not send",
    "traced": "SIGTRAP",
}


def _mixed(where: Path, name: str) -> labs.Lab:
    made = proof.overlay(LAB, where / name)
    mischief = (PROGRAMS / f"hostile-{name}.c").read_text(encoding="utf-8")
    reference = (LAB.solution / f"{PROGRAM}.c").read_text(encoding="utf-8")
    source = f"{mischief}\n{reference}"
    (made.source / f"{PROGRAM}.c").write_text(source, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def entries(tmp_path_factory):
    """All of them, checked side by side with a program that is right."""
    where = tmp_path_factory.mktemp("hostile")
    units = [plugin.Unit(_mixed(where, name), name, None, PROGRAM) for name in SAYS]
    units.append(plugin.Unit(proof.overlay(LAB, where / "good"), "good", None, "inccli"))
    document = proof.run(units, len(os.sched_getaffinity(0)))
    assert document["state"] == "complete"
    BINARIES.update(str(built.path) for unit in units[:-1] for built in unit.built.values())
    return {entry["name"]: entry for entry in document["labs"]}


@pytest.mark.parametrize("name", SAYS)
def test_is_named(entries, name):
    """The report says what the program did, and each check is decided."""
    entry = entries[name]
    assert {one["outcome"] for one in entry["checks"]} <= DECIDED
    failed = [one for one in entry["checks"] if one["outcome"] == "failed"]
    text = " ".join(" ".join(report.failure(one, "03").split()) for one in failed)
    if SAYS[name] is None:
        assert failed == [], text
    else:
        assert SAYS[name] in text


def test_report_obeys_no_escape(entries):
    """Whatever a program prints, a terminal is not given orders."""
    for entry in entries.values():
        for one in entry["checks"]:
            assert not set(report.failure(one, "03")) & set("\x1b\x07\x9b\x7f")


def test_neighbour_is_not_touched(entries):
    """A right program that is checked at the same time has full marks."""
    assert entries["good"]["points"] == entries["good"]["max"] > 0


def test_nothing_is_left_running(entries):
    """No process of a misbehaving program is alive afterwards."""
    assert entries and BINARIES
    alive = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            target = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
        except OSError:
            continue
        if target in BINARIES:
            alive.append(pid)
    assert not alive
