"""Compiling a student's program: once per content, in several ways.

check: warnings, sanitizers and pattern-initialised automatics, for whatever
needs no preloading.  plain: optimised and fortified.  shim: for a run under a
preloaded library, whose functions the compiler must not replace.  signed and
unsigned: as check, with a plain char of that kind.  calls: neither optimised
nor fortified, so that each call in the source is a call in the binary.

A kind may name a driver, as in ``check+bo``: then ``bo.c`` is not linked into
its program but with ``drivers/bo.c`` of the lab's folder; see ``units``.
"""

import contextlib
import fcntl
import functools
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import compiling, intake, steering
from .failure import Broken
from .labs import ROOT, Lab, Unknown

_COMMON = [
    "-std=gnu11",
    "-g",
    "-Wall",
    "-Wextra",
    "-fdiagnostics-color=never",
]
# A distribution's compiler may fortify by itself, as Ubuntu's does: then the C
# library ends a program where a sanitizer would have named the line.
_CHECK = [
    "-O1",
    "-U_FORTIFY_SOURCE",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
    "-fno-omit-frame-pointer",
    "-ftrivial-auto-var-init=pattern",
]
_KINDS = {
    "check": _CHECK,
    "signed": [*_CHECK, "-fsigned-char"],
    "unsigned": [*_CHECK, "-funsigned-char"],
    "calls": ["-O0", "-U_FORTIFY_SOURCE"],
    "plain": ["-O2", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2"],
    "shim": ["-O1", "-fno-builtin", "-U_FORTIFY_SOURCE"],
}
# A file under test may have a main of its own, which its driver stands in for.
_RENAME = "-Dmain=program_main"
# Else the linker looks through what the sanitizers' libraries need themselves, which
# takes as long as all the rest of linking and says nothing about the program.
_LINK = ["-Wl,--allow-shlib-undefined"]
# Diagnostics beyond this many bytes help nobody.
_MAX_TEXT = 4000
_OUTSIDE = re.compile(rb'^\s*#\s*include\s*["<]\s*(/[^">\n]*|(?:[^">\n]*/)?\.\./[^">\n]*)', re.M)

NATIVE = Path(__file__).resolve().parent / "native"
# Parts that shall not look for libraries each time; to link them so takes longer.
_STARTED_OFTEN = ("launch", "confine")
# The part that tries the sanitizers out.
SANITIZED = ("leak", "-fsanitize=address")


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
    """Return the folder of everything built; it may be deleted at any time.

    Raises:
        Unknown: it can't be made, or not be written to.
    """
    where = Path(os.environ.get("SOCKLAB_BUILD") or ROOT / ".build")
    try:
        where.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        why = problem.strerror
    else:
        if os.access(where, os.W_OK | os.X_OK):
            return where
        why = "it is somebody else's"
    raise Unknown(
        f"{where} can't be written to ({why}): it is for what is built. "
        "Let SOCKLAB_BUILD name a folder of your own, or work in a copy of this tree."
    )


def closed() -> bool:
    """Whether what is built lies where the programs that we start can't go.

    They have no privilege.  So root's can't go through a home folder that is
    closed to others, though root can.
    """
    return os.geteuid() == 0 and _is_closed(folder())


@functools.cache
def _is_closed(folder: Path) -> bool:
    where = folder.resolve()
    for one in (where, *where.parents):
        found = one.stat()
        if not found.st_mode & (stat.S_IXUSR if found.st_uid == 0 else stat.S_IXOTH):
            return True
    return False


def compiler() -> list[str]:
    """Return the compiler, from CC or the system's cc."""
    return (os.environ.get("CC") or "cc").split()


@functools.cache
def _about(*command: str) -> str:
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout


def compiler_version() -> str:
    """Return the first line of what the compiler says of itself."""
    return _about(*compiler()).partition("\n")[0]


def _is_gcc() -> bool:
    return "Free Software Foundation" in _about(*compiler())


def _wanted(kind: str) -> tuple[str, ...]:
    """Return the flags that this compiler should accept.

    Without a limit, a file that includes itself makes diagnostics for ever.
    """
    if "clang" in compiler_version():
        return (*_COMMON, "-fno-caret-diagnostics", "-ferror-limit=20", *_KINDS[kind])
    return (*_COMMON, "-fno-diagnostics-show-caret", "-fmax-errors=20", *_KINDS[kind])


def _flags_file(kind: str) -> Path:
    return folder() / f"flags-{kind}-{_digest(compiler_version(), *_wanted(kind))}"


def flags(kind: str) -> tuple[str, ...]:
    """Return the flags of a kind: all, or those that this compiler is known to accept."""
    if "+" in kind:
        # the driver has a main of its own
        return (*flags(kind.partition("+")[0]), _RENAME)
    try:
        return tuple(_flags_file(kind).read_text(encoding="ascii").split())
    except FileNotFoundError:
        return _wanted(kind)


def _accept_flags(kind: str) -> None:
    """Try the flags of a kind on an empty program, and remember those that are accepted.

    Raises:
        Broken: the compiler fails on an empty program whatever the flags.
    """
    kept = [*_wanted(kind)]
    said = _refusal(kept)
    if said:
        # a compiler names the flags that it does not know
        kept = [flag for flag in kept if flag not in said]
        if _refusal(kept):
            kept = [flag for flag in kept if not _refusal([flag])]
            said = _refusal(kept)
            if said:
                raise Broken(f"the compiler fails on an empty program too: {said.strip()[-200:]}")
    _write(_flags_file(kind), " ".join(kept).encode("ascii"))


def _refusal(flags: list[str], level: str = "none") -> str:
    """Return what the compiler has against these flags, or this level; nothing if it works."""
    with tempfile.TemporaryDirectory(prefix="build-", dir=folder()) as name:
        where = Path(name)
        (where / "x.c").write_text("int main(void) { return 0; }\n", encoding="ascii")
        # only a sanitizer needs a library, which may be missing
        link = [] if any("-fsanitize" in flag for flag in flags) else ["-c"]
        said = _ask(["-Werror", *flags, *link, "-o", "x", "./x.c"], where, level)
        if (where / "x").exists():
            return ""
    return said.decode("utf-8", "replace") or "it fails"


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
        outside = _OUTSIDE.search(found[name])
        if outside:
            path = outside[1].decode("utf-8", "replace")
            raise intake.Refused(
                f'{name} includes "{path}": a program compiles from its lab\'s own folder alone'
            )
        for header in re.findall(rb'^\s*#\s*include\s*"([a-z0-9_]+)\.h"', found[name], re.M):
            stem = header.decode("ascii")
            given = lab.folder / f"{stem}.h"
            if given.is_file():
                found[given.name] = given.read_bytes()
            if f"{stem}.c" in names:
                todo.append(f"{stem}.c")
    return found


def unit_sources(lab: Lab, unit: str) -> dict[str, bytes]:
    """Return one file of the student's, what it includes, and its given driver.

    Raises:
        intake.Refused: a file is missing or not what it should be.
    """
    driver = lab.folder / "drivers" / f"{unit}.c"
    return {**sources(lab, unit), "unit_driver.c": driver.read_bytes()}


def build(lab: Lab, program: str, kind: str = "check", level: str = "none") -> Built:
    """Compile a program, or return what was compiled from the same content.

    The student's files are copied to an empty folder under their own names;
    nothing else of theirs is there, and no Makefile of theirs is run.

    Args:
        lab: the lab with its sources.
        program: the name of a program, without ``.c``.
        kind: check, plain, shim, signed, unsigned or calls; with ``+x`` it is
            not the program, but ``x.c`` with its driver.
        level: how the compiler is confined; see ``compiling``.

    Raises:
        Broken: the compiler is broken or was killed; nobody's program is to blame.
    """
    base, _, unit = kind.partition("+")
    try:
        files = unit_sources(lab, unit) if unit else sources(lab, program)
    except intake.Refused as refused:
        return Built(program, kind, None, str(refused))
    wanted = flags(kind)
    try:
        built = _build(program, kind, files, wanted, level)
        minds = any(flag in built.text for flag in wanted if flag.startswith("-f"))
    except _FlagsRefused:
        minds = True
    if minds:
        if not _flags_file(base).exists():
            _accept_flags(base)
        built = _build(program, kind, files, flags(kind), level)
    return built


class _FlagsRefused(Broken):
    """The compiler refuses an empty program, too, with these flags."""


def _build(program: str, kind: str, files: dict[str, bytes], wanted, level: str) -> Built:
    """Compile these files with these flags, unless that was done before.

    What a compiler has made that could read more is no answer.
    """
    key = _digest(
        compiler_version(),
        kind,
        program,
        *([] if level == "none" else [level]),
        *wanted,
        *(x for item in sorted(files.items()) for x in item),
    )
    binary = folder() / f"{program}-{kind}-{key}"
    said = binary.with_name(binary.name + ".txt")
    if not said.exists():
        with _alone(binary):
            if not said.exists():
                _compile(files, wanted, binary, said, level)
    text = said.read_text(encoding="utf-8", errors="replace")
    return Built(program, kind, binary if binary.exists() else None, text)


@contextlib.contextmanager
def _alone(binary: Path):
    """Keep others from compiling the same; who dies meanwhile lets go."""
    lock = binary.with_name(binary.name + ".lock")
    with open(lock, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _compile(files, flags, binary: Path, said: Path, level: str) -> None:
    where = Path(tempfile.mkdtemp(prefix="build-", dir=folder()))
    try:
        for name, data in files.items():
            (where / name).write_bytes(data)
        sources = sorted(f"./{name}" for name in files if name.endswith(".c"))
        text = _ask([*flags, "-I.", "-c", *sources], where, level)
        objects = {f"{name[:-2]}.o": compiling.read(where / f"{name[:-2]}.o") for name in sources}
        steers = _steering(objects)
        made = None
        if steers:
            text = steers
        elif all(objects.values()):
            words = [*flags, *_LINK, "-o", "program.out", *objects, "-lpthread"]
            text += _ask(words, where, level)
            made = compiling.take(where / "program.out", level)
        text = _words(text)
        if made is not None:
            made.rename(binary)
        elif not steers and _refusal([flag for flag in flags if flag != _RENAME], level):
            raise _FlagsRefused(
                f"the compiler fails on an empty program too: {text.strip()[-200:]}"
            )
        _write(said, text.encode())
    finally:
        shutil.rmtree(where, ignore_errors=True)


def _ask(words: list[str], where: Path, level: str) -> bytes:
    said = compiling.call([*compiler(), *words], where, level, _is_gcc())
    return said.replace(f"{where}/".encode(), b"")


def _steering(objects: dict[str, bytes | None]) -> bytes:
    """Return words about an object that meddles with the sanitizers; nothing if none does."""
    for path, data in objects.items():
        name = steering.found(data, path) if data else ""
        if name:
            source = f"{path[2:-2]}.c"
            return (
                f"{source} names {name}, which steers the sanitizer that checks it: leave that "
                "alone\n"
            ).encode()
    return b""


def _words(said: bytes) -> str:
    """Return what the compiler says, without what differs from run to run."""
    text = re.sub(r"(?<![\w./])\./(?=\w)", "", said.decode("utf-8", "replace"))
    text = "".join(
        one if one in "\n\t" or one.isprintable() else f"\\x{ord(one):02x}" for one in text
    )
    text = re.sub(r"^.*/ld: [\w-]+\.o: in function .*\n", "", text, flags=re.M)
    text = re.sub(r"/tmp/cc\w+\.[os]|/tmp/[\w-]+\.[os]", "a file", text)
    if len(text) > _MAX_TEXT:
        text = text[:_MAX_TEXT] + "\n[more of the same left out]\n"
    return text


@functools.cache
def native(name: str, *flags: str) -> Path:
    """Compile one of the harness's own C parts; return the binary.

    Args:
        name: the file's name in ``native/``, without ``.c``; what it includes
            is in the folder of the same name.
        flags: further flags, such as ``-shared``.
    """
    source = NATIVE / f"{name}.c"
    parts = [source, *sorted((NATIVE / name).glob("*.c")), *sorted(NATIVE.glob("*.h"))]
    key = _digest(compiler_version(), *(one.read_bytes() for one in parts), *flags)
    binary = folder() / f"{name}-{key}"
    if binary.exists():
        return binary
    with _alone(binary):
        if not binary.exists():
            _compile_native(source, flags, binary)
    return binary


def _compile_native(source: Path, flags: tuple[str, ...], binary: Path) -> None:
    temporary = f"{binary}.{os.getpid()}"
    for extra in [["-static"], []] if source.stem in _STARTED_OFTEN else [[]]:
        command = [*compiler(), "-O0", *extra, *flags, "-o", temporary, str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            os.rename(temporary, binary)
            return
    raise RuntimeError(f"{source.name} does not compile here:\n{done.stderr}")
