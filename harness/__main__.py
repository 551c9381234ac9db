"""The doors: ``python3 -m harness DOOR [ARGUMENT]... [NAME=VALUE]...``.

Each door is a module of ``harness.doors`` with a function ``main``; the
Makefile calls them by name.  Bad input is one sentence and exit status 2.
"""

import contextlib
import importlib
import os
import pkgutil
import signal
import sys

from . import doors, failure, labs, temporary

# What a student's copy leaves out.
_WHOLE_TREE = ("bench", "handout", "lint", "prove", "skeletons", "soak")


def main(argv: list[str]) -> int:
    """Run a door; return its exit status."""
    names = sorted(module.name for module in pkgutil.iter_modules(doors.__path__))
    if argv and argv[0] not in names and argv[0] in _WHOLE_TREE:
        print(
            f"This copy of socklab has no '{argv[0]}': it is part of the whole repository.",
            file=sys.stderr,
        )
        return 2
    if not argv or argv[0] not in names:
        print(f"usage: python3 -m harness {{{'|'.join(names)}}} ...", file=sys.stderr)
        return 2
    try:
        temporary.settle()
        return importlib.import_module(f".doors.{argv[0]}", __package__).main(argv[1:])
    except labs.Unknown as problem:
        print(problem, file=sys.stderr)
        return 2
    except failure.Broken as problem:
        print(f"The checker broke; this is not your mistake: {problem}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE
    except OSError as problem:
        print(f"{problem.filename or 'harness'}: {problem.strerror or problem}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
