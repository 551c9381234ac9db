"""The checks are right: wrong programs caught, correct ones full, skeletons 0."""

import os

import pytest

from harness import labs, plugin, proof, report, skeleton

LABS = [labs.find(name) for name in labs.all_names()]
MUTANTS = [one for lab in LABS for one in proof.mutants(lab)]
VARIANTS = [(lab, path) for lab in LABS for path in proof.variants(lab)]
TEXTBOOK = (50, 70)


@pytest.fixture(scope="session")
def entries(tmp_path_factory):
    """Every wrong and every correct program, checked in one run."""
    where = tmp_path_factory.mktemp("proof")
    checks = plugin.collect(LABS)
    units = proof.mutant_units(MUTANTS, checks, where)
    for lab in LABS:
        units.append(plugin.Unit(proof.overlay(lab, where / lab.name), f"{lab.name} reference"))
        textbook = proof.overlay(lab, where / "textbook", lab.solution / "textbook")
        units.append(plugin.Unit(textbook, f"{lab.name} textbook"))
        units.append(plugin.Unit(_skeleton(lab, where / "skeleton"), f"{lab.name} skeleton"))
    for lab, path in VARIANTS:
        units.append(plugin.Unit(proof.overlay(lab, where / path.name, path), path.name))
    document = proof.run(units, len(os.sched_getaffinity(0)))
    return {entry["name"]: entry for entry in document["labs"]}


def _skeleton(lab, where):
    made = proof.overlay(lab, where)
    for name in lab.files():
        text = (made.source / name).read_text(encoding="utf-8")
        (made.source / name).write_text(skeleton.derive_skeleton(text), encoding="utf-8")
    return made


def _lost(entry):
    """Return the reports of all checks that did not pass."""
    lost = [r for r in entry["checks"] if r["outcome"] not in ("passed", "unavailable")]
    return "\n".join(report.failure(record, entry["name"][:2]) for record in lost)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.label)
def test_wrong_program_is_caught(entries, mutant):
    """The check that names the mistake fails, and says the words."""
    assert proof.verdict(mutant, entries[mutant.label]) == ""


@pytest.mark.parametrize("name", [path.name for _lab, path in VARIANTS])
def test_variant_has_full_marks(entries, name):
    """A correct program in another style loses nothing."""
    assert _lost(entries[name]) == ""


@pytest.mark.parametrize("name", [lab.name for lab in LABS])
def test_reference_has_full_marks(entries, name):
    """The reference has full marks, challenges included."""
    entry = entries[f"{name} reference"]
    assert _lost(entry) == ""
    assert entry["points"] == entry["max"] > 0


@pytest.mark.parametrize("name", [lab.name for lab in LABS])
def test_skeleton_has_nothing(entries, name):
    """No check passes on the skeleton."""
    entry = entries[f"{name} skeleton"]
    assert [r["name"] for r in entry["checks"] if r["outcome"] == "passed"] == []
    assert not [r["name"] for r in entry["checks"] if r["outcome"] == "error"]


@pytest.mark.parametrize("name", [lab.name for lab in LABS])
def test_textbook_version(entries, name):
    """Right for a polite client only: about half to two thirds of the points."""
    points = entries[f"{name} textbook"]["points"]
    assert TEXTBOOK[0] <= points <= TEXTBOOK[1], _lost(entries[f"{name} textbook"])
