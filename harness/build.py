"""Compiling a student's program: once per content, in three ways.

check: warnings, sanitizers and pattern-initialised automatics, for whatever
needs no preloading.  plain: optimised and fortified.  shim: for a run under a
preloaded library, whose functions the compiler must not replace.
"""

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import intake
from .labs import ROOT, Lab

_COMMON = ["-std=gnu11", "-g", "-Wall", "-Wextra"]
_KINDS = {
    "check": [
        "-O1",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=undefined",
        "-fno-omit-frame-pointer",
        "-ftrivial-auto-var-init=pattern",
    ],
    "plain": ["-O2", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"],
    "shim": ["-O1", "-fno-builtin", "-U_FORTIFY_SOURCE"],
}
# Diagnostics beyond this many bytes help nobody.
_MAX_TEXT = 4000
_SECONDS = 60

NATIVE = Path(__file__).resolve().parent / "native"


@dataclass(frozen=True)
class Built:
    """A compiled program, or the reason why there is none."""

    program: str
    kind: str
    path: Path | None
    text: str

    @property
    def ok(self) -> bool:
        """Whether there is a program to run."""
        return self.path is not None


def folder() -> Path:
    """Return the folder of everything built; it may be deleted at any time."""
    where = Path(os.environ.get("SOCKLAB_BUILD") or ROOT / ".build")
    where.mkdir(parents=True, exist_ok=True)
    return where


def compiler() -> list[str]:
    """Return the compiler, from CC or the system's cc."""
    return (os.environ.get("CC") or "cc").split()


@functools.cache
def _version() -> str:
    done = subprocess.run([*compiler(), "--version"], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0] if done.stdout else ""


def compiler_version() -> str:
    """Return the first line of what the compiler says of itself."""
    try:
        return _version()
    except OSError:
        return ""


@functools.cache
def _flags(kind: str) -> tuple[str, ...]:
    """Return those flags of a kind that this compiler accepts."""
    cache = folder() / f"flags-{kind}-{_digest(compiler_version(), *_KINDS[kind])}"
    if cache.exists():
        return tuple(cache.read_text(encoding="ascii").split())
    wanted = _COMMON + _KINDS[kind]
    kept = wanted if _accepted(wanted) else [flag for flag in wanted if _accepted([flag])]
    _write(cache, " ".join(kept).encode("ascii"))
    return tuple(kept)


def _accepted(flags: list[str]) -> bool:
    """Whether the compiler makes a program with these flags, without a warning."""
    with tempfile.TemporaryDirectory() as where:
        source = Path(where) / "x.c"
        source.write_text("int main(void) { return 0; }\n", encoding="ascii")
        command = [*compiler(), "-Werror", *flags, "-o", f"{where}/x", str(source)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _digest(*parts) -> str:
    sha = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        sha.update(len(data).to_bytes(8, "big") + data)
    return sha.hexdigest()[:16]


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_bytes(data)
    temporary.rename(path)


def sources(lab: Lab, program: str) -> dict[str, bytes]:
    """Return the files that a program is made of, by name.

    ``x.c`` comes with ``program.c`` for each ``#include "x.h"``; headers are
    given and come from the lab's own folder.

    Raises:
        intake.Refused: a file is missing or not what it should be.
    """
    names = lab.files()
    found: dict[str, bytes] = {}
    todo = [f"{program}.c"]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found[name] = intake.take(lab.source, name)
        for header in re.findall(rb'^\s*#\s*include\s*"([a-z0-9_]+)\.h"', found[name], re.M):
            stem = header.decode("ascii")
            given = lab.folder / f"{stem}.h"
            if given.is_file():
                found[given.name] = given.read_bytes()
            if f"{stem}.c" in names:
                todo.append(f"{stem}.c")
    return found


def build(lab: Lab, program: str, kind: str = "check") -> Built:
    """Compile a program, or return what was compiled from the same content.

    The student's files are copied to an empty folder under their own names;
    nothing else of theirs is there, and no Makefile of theirs is run.

    Args:
        lab: the lab with its sources.
        program: the name of a program, without ``.c``.
        kind: check, plain or shim.
    """
    try:
        files = sources(lab, program)
    except intake.Refused as refused:
        return Built(program, kind, None, str(refused))
    flags = _flags(kind)
    key = _digest(
        compiler_version(),
        kind,
        program,
        *flags,
        *(x for item in sorted(files.items()) for x in item),
    )
    binary = folder() / f"{program}-{kind}-{key}"
    said = binary.with_name(binary.name + ".txt")
    if not said.exists():
        _compile(files, flags, binary, said)
    text = said.read_text(encoding="utf-8", errors="replace")
    return Built(program, kind, binary if binary.exists() else None, text)


def _compile(files, flags, binary: Path, said: Path) -> None:
    where = Path(tempfile.mkdtemp(prefix="build-", dir=folder()))
    try:
        for name, data in files.items():
            (where / name).write_bytes(data)
        objects = sorted(f"./{name}" for name in files if name.endswith(".c"))
        command = [
            *compiler(),
            *flags,
            "-fdiagnostics-color=never",
            "-fno-diagnostics-show-caret",
            "-I.",
            "-o",
            "program.out",
            *objects,
            "-lpthread",
        ]
        try:
            done = subprocess.run(
                command,
                cwd=where,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_SECONDS,
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"},
                check=False,
            )
            text = done.stdout.decode("utf-8", "replace").replace("./", "")
        except subprocess.TimeoutExpired:
            text = f"the compiler did not end within {_SECONDS} s"
        except FileNotFoundError:
            raise FileNotFoundError(f"there is no compiler {compiler()[0]}") from None
        if len(text) > _MAX_TEXT:
            text = text[:_MAX_TEXT] + "\n[more of the same left out]\n"
        if (where / "program.out").exists():
            (where / "program.out").rename(binary)
        _write(said, text.encode())
    finally:
        shutil.rmtree(where, ignore_errors=True)


@functools.cache
def native(name: str, *flags: str) -> Path:
    """Compile one of the harness's own C parts; return the binary.

    Args:
        name: the file's name in ``native/``, without ``.c``.
        flags: further flags, such as ``-shared``.
    """
    source = NATIVE / f"{name}.c"
    key = _digest(compiler_version(), source.read_bytes(), *flags)
    binary = folder() / f"{name}-{key}"
    if binary.exists():
        return binary
    temporary = f"{binary}.{os.getpid()}"
    attempts = [["-static"], []] if "-shared" not in flags else [[]]
    for extra in attempts:
        command = [*compiler(), "-O2", *extra, *flags, "-o", temporary, str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            os.rename(temporary, binary)
            return binary
    raise RuntimeError(f"{source.name} does not compile here:\n{done.stderr}")
