"""A result as a person reads it in the terminal."""

import os
import re
import sys
import textwrap

_MARK = {
    "passed": "PASS",
    "failed": "FAIL",
    "blocked": "----",
    "unavailable": "N/A ",
    "error": "ERR ",
    "not run": "    ",
}
_COLOUR = {"passed": "32", "failed": "31", "error": "35", "unavailable": "33"}
_INDENT = " " * 9
# Columns of a diagnosis, beyond its indent.
_WIDTH = 78
# Lines of a program's own stderr and of the compiler that a report shows.
_LINES = 12
# Columns of such a line.
_LONGEST = 300


def colours(stream=None) -> bool:
    """Whether the stream shows colours, and the user wants them."""
    stream = stream or sys.stdout
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def escape(text: str) -> str:
    """Return text of a stranger's program, harmless to a terminal or to who reads logs.

    A line that begins with :: or ##[ would be an order to the machine that runs
    a workflow.
    """
    shown = "".join(
        ch if ch == "\n" or ch == "\t" or ch.isprintable() else f"\\x{ord(ch):02x}" for ch in text
    )
    return re.sub(r"^([ \t]*)(?=::|##\[)", r"\1\\", shown, flags=re.M)


def mark(outcome: str) -> str:
    """Return the word for an outcome, coloured where that is wanted."""
    word = _MARK[outcome]
    if outcome in _COLOUR and colours():
        return f"\033[{_COLOUR[outcome]}m{word}\033[0m"
    return word


def _block(text: str, first: str = "", rest: str = "") -> list[str]:
    lines = escape(text).rstrip("\n").split("\n")
    shown = [line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..." for line in lines[:_LINES]]
    if len(lines) > _LINES:
        shown.append(f"[{len(lines) - _LINES} lines more]")
    return [(first if index == 0 else rest or first) + line for index, line in enumerate(shown)]


def _inside(text: str) -> str:
    """Return text for the middle of a line: what it says of its own accord begins none."""
    return escape(text).replace("\n", f"\n{_INDENT}            ")


def failure(record: dict, number: str) -> str:
    """Return the full text of one check that did not pass."""
    points = f"{record['points']}/{record['max']}"
    lines = [f"{mark(record['outcome'])} {points:>5}   {record['name']}   {record['title']}"]
    if record["outcome"] in ("blocked", "unavailable"):
        lines[0] += f"  ({record['why']})"
        return "\n".join(lines)
    width = max((len(step["verb"]) for step in record["steps"]), default=0)
    texts = max(
        (len(step["text"]) for step in record["steps"] if len(step["text"]) < 48), default=0
    )
    for index, step in enumerate(record["steps"], 1):
        text = _inside(step["text"]).ljust(texts if step["saw"] else 0)
        saw = f"   {_inside(step['saw'])}" if step["saw"] else ""
        lines.append(f"{_INDENT}{index:>2}. {step['verb']:<{width}}  {text}{saw}".rstrip())
    if record["expected"]:
        lines.append(f"{_INDENT}=> expected {_inside(record['expected'])}")
        lines.append(f"{_INDENT}   got      {_inside(record['got'])}")
    if record["outcome"] == "error":
        lines.append(f"{_INDENT}The checker itself broke here; this is not your mistake.")
        lines += _block(record["why"].strip().split("\n")[-1], _INDENT)
    elif record["why"]:
        why = textwrap.fill(record["why"], _WIDTH)
        lines += _block(why, f"{_INDENT}why:     ", f"{_INDENT}         ")
    if record["stderr"]:
        lines += _block(record["stderr"], f"{_INDENT}stderr:  ", f"{_INDENT}         ")
    which = f"{record['program']}/{record['name']}"
    lines.append(f"{_INDENT}next:    make hint-{number} CHECK={which}")
    lines.append(f"{_INDENT}         {record['repeat']}")
    return "\n".join(lines)


def program(entry: dict, found: dict, checks: list[dict]) -> str:
    """Return the score line of a program, and all that went wrong with it."""
    number = entry["name"][:2]
    core = [one for one in checks if not one["challenge"]]
    good = sum(one["outcome"] == "passed" for one in core)
    score = f"{found['points']}/{found['max']}"
    lines = [f"{found['name']:<12} {score:>7}   {good} of {len(core)} checks"]
    extra = [one for one in checks if one["challenge"] and one["outcome"] != "unavailable"]
    if extra:
        points = sum(one["points"] for one in extra)
        lines[0] += f"   challenge {points}/{sum(one['max'] for one in extra)}"
    if not found["begun"] and not good:
        return f"{lines[0]}   not begun: the skeleton, as it was handed out"
    if not found["build"]["ok"] and any(one["outcome"] == "blocked" for one in checks):
        lines[0] += "   there is no program to check: mend the first error, then check again"
        return "\n".join([lines[0], *_block(found["build"]["text"], "         ")])
    if "warning:" in found["build"]["text"]:
        lines += _block(found["build"]["text"], "         ")
    blocked = [one for one in checks if one["outcome"] == "blocked"]
    for record in checks:
        if record["outcome"] not in ("passed", "blocked"):
            lines.append(failure(record, number))
    if blocked:
        points = sum(one["max"] for one in blocked if not one["challenge"])
        names = ", ".join(one["name"] for one in blocked)
        told = f"not tried, because they stand on what failed: {names}"
        head = f"{mark('blocked')} {f'0/{points}':>5}   "
        lines.append(head + textwrap.fill(told, 76, subsequent_indent=" " * 13))
    return "\n".join(lines)


def score(lab: dict) -> str:
    """Return the score line of a lab, such as ``score 88/92  challenge 0/10``."""
    text = f"score {lab['points']}/{lab['max']}"
    left_out = [
        one for one in lab["checks"] if one["outcome"] == "unavailable" and not one["challenge"]
    ]
    if left_out:
        points = sum(one["max"] for one in left_out)
        reasons = "; ".join(dict.fromkeys(one["why"] for one in left_out))
        text += f" ({points} not checked here: {reasons})"
    if lab["challenge"].get("max"):
        text += f"  challenge {lab['challenge']['points']}/{lab['challenge']['max']}"
    return text
