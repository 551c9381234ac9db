"""From one marked source to the skeleton and to the clean reference.

A source in ``solutions/`` is both.  What the student writes stands in

    #ifndef SKELETON
    ... the reference ...
    #else
    ... what the skeleton has instead ...
    #endif

with the three lines alone and at the start of the line; ``#else`` may be left
out.  Blocks don't nest.  Other conditionals are left alone.
"""

import re

_BEGIN = "#ifndef SKELETON"
_DIRECTIVE = re.compile(r"#\s*(if|else|elif|endif)")


class Malformed(Exception):
    """A marked source breaks the rules; the message names the line."""


def _split(text: str):
    """Yield (part, line): part is "both", "reference" or "skeleton"."""
    part = "both"
    depth = 0
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        word = line.strip()
        if word == _BEGIN:
            if part != "both":
                raise Malformed(f"line {number}: a block within a block")
            part = "reference"
            continue
        directive = _DIRECTIVE.match(word)
        if part != "both" and directive:
            kind = directive[1]
            if kind == "if":
                depth += 1
            elif kind == "endif" and depth:
                depth -= 1
            elif kind == "endif":
                part = "both"
                continue
            elif depth == 0:
                if kind == "elif":
                    raise Malformed(f"line {number}: an #elif")
                if part == "skeleton":
                    raise Malformed(f"line {number}: a second #else")
                part = "skeleton"
                continue
        yield part, line
    if part != "both":
        raise Malformed("the last block has no #endif")


def derive_skeleton(text: str) -> str:
    """Return the skeleton of a marked source."""
    return "".join(line for part, line in _split(text) if part != "reference")


def derive_solution(text: str) -> str:
    """Return the reference of a marked source, without the marks."""
    return "".join(line for part, line in _split(text) if part != "skeleton")


def hole_lines(text: str) -> int:
    """Return how many lines of the reference stand in blocks."""
    return sum(part == "reference" for part, _line in _split(text))
