"""The result document: valid at every moment, and honest arithmetic."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import jsonschema
import pytest

from harness import labs, plugin, report, result
from harness.tests.arena import Arena, reference, validate

SCHEMA = json.loads(result.SCHEMA_FILE.read_text(encoding="utf-8"))


def _valid(text: str) -> dict:
    document = json.loads(text)
    jsonschema.validate(document, SCHEMA)
    return document


def _record(name: str, points: int, most: int, outcome: str, challenge: bool = False) -> dict:
    return {
        "name": name,
        "program": "incsrv",
        "points": points,
        "max": most,
        "outcome": outcome,
        "challenge": challenge,
    }


def test_schema_is_a_schema():
    """The schema itself is well formed."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_example_in_the_docs():
    """The example that the docs show is a valid document."""
    page = (labs.ROOT / "docs" / "result.md").read_text(encoding="utf-8")
    example = re.search(r"```json\n(.*?)```", page, re.S)
    assert _valid(example[1])["state"] == "complete"


def test_every_field_is_in_the_docs():
    """The page names every field of the schema."""
    page = (labs.ROOT / "docs" / "result.md").read_text(encoding="utf-8")
    names = set(SCHEMA["properties"])
    for part in ("lab", "program", "check"):
        names |= set(SCHEMA["definitions"][part]["properties"])
    assert not [name for name in names if f"`{name}`" not in page]


def test_unavailable_leaves_both_sides():
    """Points that can't be checked are neither won nor lost; challenges are apart."""
    checks = [
        _record("a", 4, 4, "passed"),
        _record("b", 0, 3, "failed"),
        _record("c", 0, 2, "unavailable"),
        _record("d", 5, 5, "passed", challenge=True),
    ]
    lab = {"programs": [{"name": "incsrv"}], "checks": checks}
    result.add_up(lab)
    assert (lab["points"], lab["max"]) == (4, 7)
    assert lab["challenge"] == {"points": 5, "max": 5}
    assert (lab["programs"][0]["points"], lab["programs"][0]["max"]) == (4, 7)


@pytest.mark.parametrize("source", ["labs", "solutions"])
def test_real_results_are_valid(door, tmp_path, source):
    """What a run writes fits the schema."""
    target = tmp_path / "result.json"
    door("check", "03", SRC=source, RESULT=str(target), CHECK="inccli")
    assert _valid(target.read_text(encoding="ascii"))["state"] == "complete"


def test_valid_at_every_moment(tmp_path):
    """A reader finds a valid document at any time, and after kill -9."""
    target = tmp_path / "result.json"
    env = {**os.environ, "SRC": "solutions", "RESULT": str(target), "CHECK": "incsrv"}
    command = [sys.executable, "-m", "harness", "check", "03"]
    process = subprocess.Popen(command, cwd=labs.ROOT, env=env, stdout=subprocess.DEVNULL)
    states = set()
    decided = 0
    while process.poll() is None and decided < 5:
        if target.exists():
            document = _valid(target.read_text(encoding="ascii"))
            states.add(document["state"])
            checks = [one for lab in document["labs"] for one in lab["checks"]]
            decided = sum(one["outcome"] != "not run" for one in checks)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _valid(target.read_text(encoding="ascii"))
    assert "running" in states


@pytest.mark.parametrize(
    ("change", "good"),
    [
        ({}, True),
        ({"outcome": "failed"}, False),
        ({"outcome": "failed", "points": 0}, False),
        ({"outcome": "failed", "points": 0, "expected": "a", "got": "b"}, True),
        ({"outcome": "blocked", "points": 0}, False),
        ({"outcome": "blocked", "points": 0, "why": "x"}, True),
        ({"outcome": "unavailable", "points": 0, "why": "x"}, True),
        ({"outcome": "error", "points": 0, "why": ""}, False),
        ({"outcome": "not run", "points": 0}, False),
        ({"outcome": "perfect"}, False),
        ({"kind": "style"}, False),
        ({"grade": "A"}, False),
        ({"points": "1"}, False),
        ({"points": -1}, False),
        ({"steps": [{"verb": "x", "text": "y"}]}, False),
    ],
)
def test_schema_is_strict(change, good):
    """The schema refuses what can't be true together, and what nobody knows."""
    check = {
        **_record("test_x", 1, 1, "passed"),
        "title": "x",
        "kind": "contract",
        "steps": [],
        "expected": "",
        "got": "",
        "why": "",
        "stderr": "",
        "repeat": "",
        "after": [],
        "seconds": 0.0,
    }
    document = result.new("1", "none", {})
    lab = result.new_lab("03-x", [check])
    check.update(change)
    document.update(state="complete", labs=[lab])
    if good:
        jsonschema.validate(document, SCHEMA)
    else:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document, SCHEMA)


def test_not_run_while_running():
    """Only a document that is not complete may have something undecided."""
    document = result.new("1", "none", {})
    jsonschema.validate(document, SCHEMA)
    assert document["state"] == "running"


def test_write_follows_no_link(tmp_path):
    """What lies in the way under the temporary name is not written through."""
    target, precious = tmp_path / "result.json", tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / f".result.json.{os.getpid()}").symlink_to(precious)
    target.symlink_to(precious)
    result.write(result.new("1", "none", {}), target)
    assert precious.read_text() == "mine"
    assert result.read(target)["state"] == "running"
    assert not target.is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["precious", "result.json"]


@pytest.mark.parametrize("decided", [0, 1, 5, 12])
def test_killed_at_any_moment(tmp_path, built, decided):
    """After kill -9 the document is valid, and neither processes nor binaries run on."""
    arena = Arena(tmp_path / "arena", built)
    arena.put("incsrv", reference("incsrv"))
    process = arena.start()
    done = -1
    while process.poll() is None and done < decided:
        if arena.result.exists():
            document = result.read(arena.result)
            checks = [one for lab in document["labs"] for one in lab["checks"]]
            done = sum(one["outcome"] not in ("not run", "blocked") for one in checks)
    process.kill()
    process.wait()
    validate(result.read(arena.result))
    began = time.monotonic()
    while arena.processes():
        assert time.monotonic() - began < 30, arena.processes()


def test_written_as_it_grows(tmp_path):
    """What is kept of the text from one writing to the next is never out of date."""
    record = {"name": "test_a", "program": "a", "outcome": "not run", "points": 0, "max": 2}
    checks = [record | {"challenge": False}, record | {"name": "test_b", "challenge": False}]
    document = result.new("1", "none", {})
    document["labs"] += [result.new_lab("01-a", checks), result.new_lab("02-b", [])]
    texts, target = result.Texts(), tmp_path / "result.json"
    for outcome in ("not run", "passed", "failed"):
        checks[outcome == "failed"]["outcome"] = outcome
        result.add_up(document["labs"][0])
        texts.changed(document["labs"][0])
        result.write(document, target, texts)
        assert result.read(target) == document


@pytest.mark.parametrize(
    ("said", "begin"),
    [
        (b"short\n", "short"),
        (b"line\n" * 2000, "line"),
        (b"mine\n==1==ERROR: AddressSanitizer: stack-overflow\n" + b"#0\n" * 9000, "==1==ERROR"),
        (b"line\n" * 2000 + b"==1==ERROR: AddressSanitizer: SEGV\n", "line"),
    ],
)
def test_stderr_shown(said, begin):
    """The end of stderr is kept, but a sanitizer's report from its first line on."""
    shown = plugin._stderr(SimpleNamespace(processes=[SimpleNamespace(stderr=said)]))
    assert shown.startswith(begin)
    assert len(shown) <= 4000
    assert len(said) > 4000 or shown == said.decode("ascii")


def test_no_line_of_a_program_s_own():
    """What a program is to blame for never begins a line of the report."""
    words = "a\nPASS 22/22 all\nscore 92/92"
    record = {
        **_record("test_x", 0, 1, "failed"),
        "title": "x",
        "steps": [{"verb": "look", "text": words, "saw": words}],
        "expected": words,
        "got": words,
        "why": words,
        "stderr": words,
        "repeat": "",
    }
    lines = report.failure(record, "03").split("\n")
    assert all(line.startswith(" " * 9) for line in lines[1:])
