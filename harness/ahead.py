"""Compiling ahead: what nearly every run needs, while pytest is being imported.

Nothing depends on it.  What is not there yet when the run asks for it, is
compiled or waited for then, and what goes wrong here is met and told there.
"""

import contextlib
import os
from collections.abc import Iterator

from . import build, warden, workers
from .kernel import prctl
from .labs import Lab


def _tasks(labs: list[Lab], level: str) -> Iterator[workers.Task]:
    """Yield the compilation of what every run starts, and of each program as most checks want it.

    The former comes first, for no check runs before this machine was tried out with it.
    """

    def task(name: str, compile_one, *what) -> workers.Task:
        def work() -> None:
            with contextlib.suppress(Exception):
                compile_one(*what)

        return workers.Task(name, work, lambda _: None, trade="build")

    for native in (warden.native(level), build.SANITIZED):
        yield task(native[0], build.native, *native)
    for lab in labs:
        for test in sorted(lab.folder.glob("test_*.py")):
            program = test.stem.removeprefix("test_")
            yield task(program, build.build, lab, program, "check", level)


@contextlib.contextmanager
def compiling(labs: list[Lab], jobs: int, level: str):
    """Compile in a process of its own, which has ended when this is left.

    Args:
        labs: whose programs.
        jobs: how many at a time; nothing is done ahead of a run that has but one.
        level: how the compiler is confined; see ``compiling``.
    """
    build.compiler_version()  # once for all that are forked from here
    parent = os.getpid()
    pid = os.fork() if jobs > 1 else None
    if pid == 0:
        try:
            prctl.die_with_parent(parent)
            workers.run(list(_tasks(labs, level)), jobs)
        finally:
            os._exit(0)
    try:
        yield
    finally:
        if pid is not None:
            os.waitpid(pid, 0)
