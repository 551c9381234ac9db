"""``python3 -m grading VERB ...``: each verb is a module of ``grading.verbs``.

Exit status 0 when everything is graded, 1 when something is missing, 2 for bad
input.  Bad input is one sentence on stderr.
"""

import contextlib
import importlib
import os
import pkgutil
import signal
import sys

from harness import labs, temporary

from . import files, verbs

# A folder for this run and one for each harness, as verbs/work.py makes them.
_FOLDERS = len("/slg-01234567/01234")


def _about(name: str) -> str:
    """Return the line that says what a verb takes and does: its module's first."""
    said = importlib.import_module(f".verbs.{name}", __package__).__doc__.split("\n")[0]
    return f"python3 -m grading {said.replace('`', '')}"


def main(argv: list[str]) -> int:
    """Run a verb; return its exit status."""
    names = sorted(module.name for module in pkgutil.iter_modules(verbs.__path__))
    if not argv or {"-h", "--help"} & set(argv):
        for name in argv[:1] if argv and argv[0] in names else names:
            verbs.say(_about(name))
        return 0
    if argv[0] not in names:
        print(f"usage: python3 -m grading {{{'|'.join(names)}}} ...", file=sys.stderr)
        return 2
    # Whoever ends us, a scheduler too, leaves what was graded.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        temporary.settle(_FOLDERS)
        return importlib.import_module(f".verbs.{argv[0]}", __package__).main(argv[1:])
    except labs.Unknown as problem:
        print(problem, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. What was graded stays; the same command does the rest.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE
    except OSError as problem:
        if problem.errno in files.FULL:
            print(
                f"{problem.filename or 'The disk of RUN, or of /tmp'}: {problem.strerror}. Make "
                "room; what was graded stays, and the same command does the rest.",
                file=sys.stderr,
            )
            return 2
        print(f"{problem.filename or 'grading'}: {problem.strerror or problem}.", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
