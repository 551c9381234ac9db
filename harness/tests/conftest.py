"""Fixtures that the harness's own tests share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import build, labs

PROGRAMS = Path(__file__).resolve().parent / "programs"


@pytest.fixture
def door():
    """Run a door as the Makefile does; return the finished process."""

    def run(*args: str, cwd: Path = labs.ROOT, **variables: str) -> subprocess.CompletedProcess:
        env = {name: value for name, value in os.environ.items() if name not in _VARIABLES}
        return subprocess.run(
            [sys.executable, "-m", "harness", *args],
            cwd=cwd,
            env={**env, **variables},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
            check=False,
        )

    return run


_VARIABLES = {"SRC", "LABS", "RESULT", "CHECK", "SEED", "JOBS", "YES"}


@pytest.fixture(scope="session")
def native():
    """Compile a C program of these tests; return its path."""

    def compile_one(source: Path, *flags: str) -> Path:
        target = build.folder() / f"test-{source.stem}"
        command = [*build.compiler(), "-Wall", "-Wextra", "-O1", "-g", *flags]
        subprocess.run([*command, "-o", str(target), str(source)], check=True)
        return target

    return compile_one
