"""Attacks by a source on who compiles it; as in ``effects``, each says whether it worked."""

import os
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness import build, labs

from .scene import BARE, Scene

_MAIN = "int main(void) { return 0; }\n"
# Bytes of diagnostics, of a program; kilobytes of memory: what a confined
# compiler may have is a little less.
_TEXT = 8000
_PROGRAM = 80 << 20
_MEMORY = 1 << 20
# Bytes that an unconfined compiler may use, lest it stops this machine.
_BARE_MEMORY = 3 << 30
_BARE_FILE = 128 << 20


@dataclass
class _Compiled:
    """What came of a compilation: what was said, and what was made."""

    text: str
    made: bytes


def _compile(scene: Scene, source: str, bound: int = _BARE_FILE, **others: str) -> _Compiled:
    """Compile ``one.c``, with other files beside it; if bare, to files of ``bound`` bytes."""
    folder = scene.folder / "source"
    folder.mkdir(exist_ok=True)
    for name, text in {"one.c": source, **others}.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    if scene.level != BARE:
        lab = labs.Lab("03-x", folder, folder, folder)
        built = build.build(lab, "one", "calls", scene.level)
        return _Compiled(built.text, built.path.read_bytes() if built.path else b"")
    return _bare(folder, sorted(path.name for path in folder.glob("*.c")), bound)


def _bare(folder: Path, names: list[str], size: int) -> _Compiled:
    """Compile as anybody does, but for limits that keep this machine usable."""
    bound = ["prlimit", f"--as={_BARE_MEMORY}", f"--fsize={size}", "--cpu=30"]
    with open(folder / "said", "w+b") as said:
        command = [*bound, *build.compiler(), "-Wall", "-o", "made", *names]
        subprocess.run(
            command, cwd=folder, stdout=said, stderr=said, stdin=subprocess.DEVNULL, check=False
        )
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    made = folder / "made"
    return _Compiled(text, made.read_bytes() if made.exists() else b"")


def _include(path) -> str:
    """Return a line that includes a file, and does not look like it."""
    return f'#define FILE_TO_READ "{path}"\n#include FILE_TO_READ\n'


def compile_a_file(scene: Scene) -> bool:
    """includes a file that is none of its business, which the diagnostics quote"""
    found = _compile(scene, f"int x =\n{_include(scene.file('secret.txt'))};\n{_MAIN}")
    return scene.word in found.text


def compile_the_solution(scene: Scene) -> bool:
    """includes the solution, and is it"""
    solution = scene.file("solution.c")
    solution.write_text(f'const char word[] = "{scene.word}";\n{_MAIN}', encoding="ascii")
    return scene.word.encode() in _compile(scene, _include(solution)).made


def compile_bytes(scene: Scene) -> bool:
    """takes a file into the program by .incbin, to print it when it runs"""
    path = scene.file("test_incsrv.py")
    source = f'__asm__(".data\\n.incbin \\"{path}\\"\\n.text\\n");\n{_MAIN}'
    return scene.word.encode() in _compile(scene, source).made


def ask_the_compiler(scene: Scene) -> bool:
    """learns by __has_include whether a file is there"""
    scene.file("there.c")
    texts = []
    for name in ("there.c", "where.c"):
        source = f'#if __has_include("{scene.folder / name}")\n#error it is there\n#endif\n{_MAIN}'
        texts.append(_compile(scene, source).text.replace(name, ""))
    return texts[0] != texts[1]


def _used() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def compile_zeros(scene: Scene) -> bool:
    """includes /dev/zero, which never ends"""
    _compile(scene, _include("/dev/zero"))
    return _used() > _MEMORY // 2


def compile_a_bomb(scene: Scene) -> bool:
    """has macros that expand to more than fits in memory"""
    ten = " ".join(["x"] * 10)
    source = f"#define A(x) {ten}\n#define B(x) A(A(x))\n#define C(x) B(B(B(x)))\n"
    _compile(scene, f"{source}int main(void) {{ C(C(y;)) }}\n")
    return _used() > _MEMORY


def compile_without_end(scene: Scene) -> bool:
    """includes itself twice, a million times, with a diagnostic each time"""
    source = '#include "one.c"\n' * 2
    return len(_compile(scene, source, bound=1 << 20).text) > _TEXT


def leave_undefined(scene: Scene) -> bool:
    """leaves three thousand functions undefined, of each of which the linker speaks"""
    names = [f"undefined_function_number_{number}" for number in range(3000)]
    declared = "".join(f"void {name}(void);\n" for name in names)
    called = "".join(f"\t{name}();\n" for name in names)
    return len(_compile(scene, f"{declared}int main(void)\n{{\n{called}}}\n").text) > _TEXT


def compile_large(scene: Scene) -> bool:
    """is a program of a hundred megabytes"""
    found = _compile(scene, f"char a[100 << 20] = {{1}};\n{_MAIN}")
    return len(found.made) > _PROGRAM


def draw_by_diagnostics(scene: Scene) -> bool:
    """has the compiler send escapes to the instructor's terminal"""
    return "\033" in _compile(scene, f"#error \033[2J\n{_MAIN}").text


def run_by_the_compiler(scene: Scene) -> bool:
    """has a file @x.c, whose content is options: run a script of mine"""
    marker = scene.folder / "source" / "marker"
    script = f"#!/bin/sh\ntouch {marker}\nexit 1\n"
    others = {"@x.c": "-wrapper ./evil.sh", "x.c": "-wrapper ./evil.sh", "evil.sh": script}
    _compile(scene, _MAIN, **others)
    return os.path.exists(marker)
