"""Fixtures that the harness's own tests share."""

import functools
import os
import resource
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from harness import build, confine, labs, probes, program, stage, workers
from harness.tests.arena import Arena, reference

PROGRAMS = Path(__file__).resolve().parent / "programs"


@pytest.fixture
def door():
    """Run a door as the Makefile does; return the finished process."""

    def run(*args: str, cwd: Path = labs.ROOT, **variables: str) -> subprocess.CompletedProcess:
        env = {name: value for name, value in os.environ.items() if name not in _VARIABLES}
        return subprocess.run(
            [sys.executable, "-m", "harness", *args],
            cwd=cwd,
            # what a newer Python warns of is not to be met first by a student
            env={**env, "PYTHONWARNINGS": "error::DeprecationWarning", **variables},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
            check=False,
        )

    return run


_VARIABLES = {"SRC", "LABS", "RESULT", "CHECK", "SEED", "JOBS", "YES", "LEVEL"}


@pytest.fixture(params=confine.LEVELS[:-1])
def level(request):
    """Each level above none; one that can't be had here is skipped, and says why."""
    why = confine.why_not(request.param)
    if why:
        pytest.skip(f"{request.param}: {why}")
    return request.param


@pytest.fixture(scope="session")
def native():
    """Compile a C program of these tests; return its path."""

    def compile_one(source: Path, *flags: str) -> Path:
        target = build.folder() / f"test-{source.stem}"
        command = [*build.compiler(), "-Wall", "-Wextra", "-O1", "-g", *flags]
        subprocess.run([*command, "-o", str(target), str(source)], check=True)
        return target

    return compile_one


@pytest.fixture(scope="session")
def small():
    """Compile a small program of ``programs/``, once per content; return its path."""

    def compile_one(name: str, kind: str = "plain") -> Path:
        source = PROGRAMS / f"{name}.c"
        flags = build.flags(kind)
        key = build._digest(build.compiler_version(), source.read_bytes(), *flags)
        target = build.folder() / f"test-{name}-{kind}-{key}"
        if not target.exists():
            temporary = f"{target}.{os.getpid()}"
            command = [*build.compiler(), *flags, "-o", temporary, str(source), "-lpthread"]
            subprocess.run(command, check=True)
            os.rename(temporary, target)
        return target

    return compile_one


@pytest.fixture
def world(small):
    """Run a function in a process of its own, in a check's own world.

    It is called as ``work(stage, program)``, where ``program(name)`` is a small
    program as a check gets it.  What it returns is returned, as far as JSON can
    hold it; what it raises fails the test.
    """

    def run(work, private: bool | None = None, lacks=(), limit: float = 60.0, level="none"):
        answers = []
        apart = not probes.failing("netns") if private is None else private
        absent = [*lacks, *probes.lacking(probes.limits(level), level)]

        def in_child():
            check_stage = stage.Stage("test", "seed", apart, absent, level=level)

            def compiled(name: str, kind: str = "plain"):
                return program.Program(check_stage, name, str(small(name, kind)), kind)

            try:
                return {"returned": work(check_stage, compiled)}
            except BaseException:
                return {"raised": traceback.format_exc()}
            finally:
                check_stage.close()

        task = workers.Task("test", in_child, answers.append, limit=limit, launches=True)
        workers.run([task], 1)
        answer = answers[0] or {"raised": "the process died, or did not end"}
        if "raised" in answer:
            pytest.fail(answer["raised"], pytrace=False)
        return answer["returned"]

    return run


@pytest.fixture
def hogs(small):
    """Eight programs that use all the CPU time they can get."""
    limit = functools.partial(resource.setrlimit, resource.RLIMIT_CPU, (60, 60))
    running = [subprocess.Popen([small("spins")], preexec_fn=limit) for _ in range(8)]
    yield running
    for one in running:
        one.kill()
        one.wait()


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A build folder with all that is the same for everybody, from a run without a flaw."""
    arena = Arena(tmp_path_factory.mktemp("built") / "arena")
    arena.put("incsrv", reference("incsrv"))
    run = arena.run()
    assert set(run.outcomes("incsrv")) == {"passed"}, run.output
    return arena.build
