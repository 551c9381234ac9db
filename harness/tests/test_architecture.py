"""Both architectures: the numbers of calls, the parts in C, and what a third one is told."""

import ctypes
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import build, etc, labs
from harness.kernel import syscalls

TESTS = Path(__file__).resolve().parent
STRICT = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror"]
# As -D options: launch.c is compiled in two ways.
KINDS = {"launch": [[], ["-DWARDEN"]]}


@pytest.fixture(params=syscalls.ARCHITECTURES)
def compiler(request):
    """Return a compiler for an architecture: this machine's own, or a cross compiler."""
    name = request.param
    if name == syscalls.architecture():
        return name, build.compiler()
    command = f"{name}-linux-gnu-gcc"
    if shutil.which(command) is None:
        package = f"gcc-{name.replace('_', '-')}-linux-gnu"
        pytest.skip(f"no compiler for {name} here: sudo apt-get install {package}")
    return name, [command]


def _compile(command, where: Path) -> None:
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_numbers(compiler, tmp_path):
    """The table has the numbers of the C library's headers, and none that they lack."""
    name, command = compiler
    lines = ["#include <sys/syscall.h>"]
    for call in syscalls.TABLE:
        lines += [f"#ifdef __NR_{call}", f'"{call}" __NR_{call}', "#endif"]
    (tmp_path / "numbers.c").write_text("\n".join(lines) + "\n", encoding="ascii")
    done = subprocess.run(
        [*command, "-E", "-P", "numbers.c"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith('"')]
    assert syscalls.numbers_of(name) == {call.strip('"'): int(number) for call, number in rows}


def test_native_parts(compiler, tmp_path):
    """What the harness has in C compiles without a warning."""
    for source in build.NATIVE.glob("*.c"):
        for defined in KINDS.get(source.stem, [[]]):
            flags = [*STRICT, *defined, "-c", "-fPIC", "-o", str(tmp_path / "part.o")]
            _compile([*compiler[1], *flags, str(source)], tmp_path)


def test_other_sources(compiler, tmp_path):
    """So do the programs of the tests, and every reference, variant and driver."""
    check = [*compiler[1], *STRICT, "-fsyntax-only"]
    _compile([*check, *map(str, [*TESTS.glob("*.c"), *TESTS.glob("*/*.c")])], tmp_path)
    for name in labs.all_names():
        lab = labs.find(name)
        found = [*lab.solution.rglob("*.c"), *lab.folder.glob("drivers/*.c")]
        headers = [f"-I{lab.folder}", f"-I{lab.solution}"]
        _compile([*check, *headers, *map(str, found)], tmp_path)


def test_struct_stat(tmp_path):
    """What a program is told of a file that was handed over is what the kernel would say."""
    path = tmp_path / "file"
    path.write_bytes(b"abc" * 5000)
    buffer = ctypes.create_string_buffer(256)
    number, here = syscalls.NUMBER["newfstatat"], -100
    assert ctypes.CDLL(None).syscall(number, here, os.fsencode(path), buffer, 0) == 0
    made_up = etc._struct_stat(os.stat(path))
    assert buffer.raw[: len(made_up)] == made_up


@pytest.fixture
def strange():
    """Return the prefix of a command that finds itself on an unknown architecture."""
    prefix = ["setarch", "linux32"]
    done = subprocess.run([*prefix, "uname", "-m"], capture_output=True, text=True, check=False)
    if done.returncode != 0 or done.stdout.strip() in syscalls.ARCHITECTURES:
        pytest.skip(f"this machine can't say that it has 32 bits: {done.stderr.strip()}")
    return prefix, done.stdout.strip()


def _door(prefix, *args: str, **variables: str) -> subprocess.CompletedProcess:
    command = [*prefix, "env", *(f"{name}={value}" for name, value in variables.items())]
    command += [sys.executable, "-m", "harness", *args]
    return subprocess.run(command, cwd=labs.ROOT, capture_output=True, text=True, check=False)


def test_unknown_doctor(strange):
    """Doctor says in one line what is lacking, and tries nothing else."""
    prefix, name = strange
    done = _door(prefix, "doctor")
    assert done.returncode == 1 and not done.stderr
    assert done.stdout.count("lacking  ") == 1
    assert f"architecture: the system calls of {name} are not known" in done.stdout
    assert done.stdout.endswith("Nothing can be checked here.\n")


def test_unknown_checks(strange, tmp_path):
    """Every check is unavailable, with the reason, and costs nobody a point."""
    prefix, name = strange
    target = tmp_path / "result.json"
    _door(prefix, "check", "01", SRC="solutions", RESULT=str(target))
    document = json.loads(target.read_text(encoding="ascii"))
    checks = document["labs"][0]["checks"]
    assert checks and {one["outcome"] for one in checks} == {"unavailable"}
    assert {one["why"] for one in checks} == {f"the system calls of {name} are not known"}
    assert list(document["machine"]["lacks"]) == ["architecture"]


def test_unknown_grader(strange, tmp_path):
    """Nothing is graded on such a machine."""
    program = "from grading import ground; ground.level()"
    done = subprocess.run(
        [*strange[0], sys.executable, "-c", program],
        cwd=labs.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"Nothing can be graded here: the system calls of {strange[1]} are" in done.stderr
