"""The commands behind the Makefile's targets, one module for each."""

import os
import sys

from .. import confine, labs


def variable(name: str, default: str = "") -> str:
    """Return one of the Makefile's variables, such as SRC or SEED."""
    return os.environ.get(name, "").strip() or default


def asked_level() -> str:
    """Return the level of confinement that LEVEL asks for."""
    try:
        return confine.asked()
    except confine.Unavailable as problem:
        raise labs.Unknown(str(problem)) from None


def say(text: str = "") -> None:
    """Print a line, at once."""
    print(text, flush=True)


def agreed(question: str) -> bool:
    """Ask a question; YES=1 answers it, and so does a stdin that is no terminal.

    A door never waits where nobody can answer.
    """
    if variable("YES") == "1":
        return True
    if not sys.stdin.isatty():
        say(f"{question} Say yes with YES=1.")
        return False
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() in ("y", "yes"):
        return True
    say("Nothing was changed.")
    return False
