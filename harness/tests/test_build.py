"""Compiling a student's program: what is taken, what is said, how often."""

import os
import shutil
import signal
import stat
import subprocess

import pytest

from harness import build, compiling, confine, diagnosis, labs, workers
from harness.failure import Broken

MAIN = "int main(void) { return 0; }\n"
USES_HELPER = '#include "bo.h"\nint main(void) { return twice(21) != 42; }\n'
HEADER = "int twice(int n);\n"
HELPER = '#include "bo.h"\nint twice(int n) { return n + n; }\n'


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A lab with the programs one and two and the helper bo, and its own build folder."""
    monkeypatch.setenv("SOCKLAB_BUILD", str(tmp_path / "build"))
    found = labs.Lab("03-x", tmp_path / "given", tmp_path / "source", tmp_path / "solution")
    for folder in (found.folder, found.source, found.solution):
        folder.mkdir()
    for name in ("one.c", "two.c", "bo.c"):
        (found.solution / name).write_text(MAIN)
    (found.source / "one.c").write_text(MAIN)
    (found.folder / "bo.h").write_text(HEADER)
    return found


@pytest.fixture
def compiled(lab, monkeypatch):
    """The list of what is compiled from now on, by name."""
    for kind in ("check", "plain"):
        build._accept_flags(kind)  # an older gcc does not know them all, and is asked twice
    names = []
    original = build._compile

    def count(files, flags, binary, said, level):
        names.append(binary.name.split("-")[0])
        original(files, flags, binary, said, level)

    monkeypatch.setattr(build, "_compile", count)
    return names


def _run(built) -> int:
    return os.waitstatus_to_exitcode(os.system(str(built.path)))


def test_once_per_content(lab, compiled):
    """The same content is compiled once, another content or kind again."""
    first = build.build(lab, "one")
    assert first.ok and _run(first) == 0
    assert build.build(lab, "one") == first
    assert compiled == ["one"]
    (lab.source / "one.c").write_text(MAIN.replace("0", "7"))
    changed = build.build(lab, "one")
    assert _run(changed) == 7
    assert changed.path != first.path
    assert build.build(lab, "one", "plain").path != changed.path
    assert len(compiled) == 3
    (lab.source / "one.c").write_text(MAIN)
    assert build.build(lab, "one") == first
    assert len(compiled) == 3


def test_compiler_that_fortifies(lab, tmp_path, monkeypatch):
    """A sanitizer has the word even where the compiler fortifies by itself, as Ubuntu's does."""
    real = shutil.which("cc")
    _compiler(tmp_path, monkeypatch, f'exec {real} -D_FORTIFY_SOURCE=2 "$@"')
    text = "#include <string.h>\nint main(int c, char *v[])\n{ char b[4]; (void)c;\n"
    (lab.source / "one.c").write_text(text + "strcpy(b, v[0]); return b[0]; }\n")
    built = build.build(lab, "one")
    done = subprocess.run([built.path], capture_output=True, check=False)
    assert "past the end of a local array" in diagnosis.sanitizer(done.stderr), done.stderr


def test_once_for_all_who_ask_together(lab):
    """Whoever asks for the same at the same time waits and gets the same file."""
    answers = []

    def ask():
        built = build.build(lab, "one")
        return [str(built.path), built.path.stat().st_ino]

    tasks = [workers.Task("ask", ask, answers.append) for _ in range(4)]
    build.flags("check")
    workers.run(tasks, 4)
    assert len(answers) == 4
    assert all(answer == answers[0] for answer in answers)
    assert not [path for path in build.folder().iterdir() if path.suffix == ".lock"]


def test_failure_is_remembered_too(lab, compiled):
    """What does not compile is not tried again until it changes."""
    (lab.source / "one.c").write_text("int main(void) { return x; }\n")
    for _ in range(2):
        built = build.build(lab, "one")
        assert not built.ok
        assert "one.c:1:25: error: " in built.text
    assert compiled == ["one"]


def test_words_of_the_compiler(lab):
    """Warnings and errors name the student's file, in plain bytes."""
    (lab.source / "one.c").write_text("int main(void) { int unused; return 0; }\n")
    built = build.build(lab, "one")
    assert built.ok
    assert "one.c:1:22: warning: unused variable" in built.text
    assert "\033" not in built.text
    assert "./" not in built.text


def test_words_of_the_linker(lab):
    """A missing function is named; file names that differ each time are not shown."""
    (lab.source / "one.c").write_text("void missing(void);\nint main(void) { missing(); }\n")
    texts = set()
    for _ in range(2):
        texts.add(build.build(lab, "one").text)
        shutil.rmtree(build.folder())
    (text,) = texts
    assert "undefined reference to `missing'" in text
    assert "one.c:2" in text
    assert str(lab.source.parent) not in text


def test_dots_in_words_stay(lab):
    """Only the path that the harness itself gave is taken out of the text."""
    (lab.source / "one.c").write_text("#error see ../notes or ./notes/a or a./b\n" + MAIN)
    assert "see ../notes or notes/a or a./b" in build.build(lab, "one").text


def test_text_is_cut(lab):
    """Of endless diagnostics only the beginning is kept."""
    (lab.source / "one.c").write_text("\n".join(f"static int x{n}(void);" for n in range(2000)))
    text = build.build(lab, "one").text
    assert len(text) < 5000
    assert text.endswith("[more of the same left out]\n")


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../02-x/one.c", "../../solutions/03-x/one.c", "sub/../../secret.h"]
)
def test_include_of_somebody_elses_file(lab, path):
    """What lies outside of the lab's folder is refused, in words that name it."""
    for line in (f'#include "{path}"', f"  #  include <{path}>"):
        (lab.source / "one.c").write_text(f"{line}\n{MAIN}")
        built = build.build(lab, "one")
        assert not built.ok
        words = f"one.c includes \"{path}\": a program compiles from its lab's own folder alone"
        assert built.text == words


def test_include_in_a_comment_or_of_the_system(lab):
    """System headers may stand in quotes, and have folders."""
    (lab.source / "one.c").write_text(f'#include "sys/socket.h"\n// "../x.h" "/x.h"\n{MAIN}')
    assert build.build(lab, "one").ok


def test_other_files_are_not_there(lab):
    """Nothing but the files of the program is there when it is compiled."""
    (lab.source / "notes.h").write_text("")
    (lab.source / "one.c").write_text('#include "notes.h"\n' + MAIN)
    built = build.build(lab, "one")
    assert not built.ok
    assert "notes.h" in built.text
    (lab.source / "Makefile").write_text("all:\n\ttouch ran\n")
    (lab.source / "one.c").write_text(MAIN)
    assert build.build(lab, "one").ok
    assert not (lab.source / "ran").exists()


def test_helper(lab):
    """x.c comes with whoever includes x.h, and only with them."""
    (lab.source / "one.c").write_text(USES_HELPER)
    (lab.source / "bo.c").write_text(HELPER)
    built = build.build(lab, "one")
    assert built.ok, built.text
    assert _run(built) == 0
    (lab.source / "two.c").write_text(MAIN)
    (lab.source / "bo.c").write_text("not C at all\n")
    assert build.build(lab, "two").ok
    assert not build.build(lab, "one").ok


def test_helper_is_missing(lab):
    """A helper that was not handed in is named."""
    (lab.source / "one.c").write_text(USES_HELPER)
    assert build.build(lab, "one").text == "bo.c is missing"


def test_headers_are_given(lab):
    """Headers come from the lab; a student's own copy changes nothing."""
    (lab.source / "one.c").write_text(USES_HELPER)
    (lab.source / "bo.c").write_text(HELPER)
    (lab.source / "bo.h").write_text("#error mine\n")
    assert build.build(lab, "one").ok


@pytest.mark.parametrize("other", ["One.c", "ONE.C", "o_ne.c"])
def test_named_differently(lab, other):
    """A file with a name that is nearly right is pointed out."""
    (lab.source / "one.c").rename(lab.source / other)
    built = build.build(lab, "one")
    assert not built.ok
    assert built.text == f"one.c is missing; there is '{other}': rename it to one.c"


@pytest.mark.parametrize(
    ("data", "good"),
    [
        (b"\xef\xbb\xbf" + MAIN.encode(), True),
        (MAIN.replace("\n", "\r\n").encode(), True),
        (MAIN.rstrip().encode(), True),
        (b"/* \xfc\x80 */\n" + MAIN.encode(), True),
        (b"\0\0" + MAIN.encode(), None),
        (b"#error \x1b[2J \xff\xfe\n", False),
        (b"\x7fELF\x02\x01\x01" + bytes(range(256)), False),
        (b"", False),
    ],
)
def test_odd_bytes(lab, data, good):
    """Whatever the bytes are, there is a program, or words."""
    (lab.source / "one.c").write_bytes(data)
    built = build.build(lab, "one")
    assert built.text or built.ok
    assert good in (None, built.ok)


def _compiler(tmp_path, monkeypatch, script: str) -> None:
    """Put a compiler in place that does something else when it is given one.c."""
    path = tmp_path / "compiler"
    real = " ".join(build.compiler())
    path.write_text(f'#!/bin/sh\ncase "$*" in *one.c*) {script};; esac\nexec {real} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(build, "compiler", lambda: [str(path)])


def test_endless_compiler(lab, tmp_path, monkeypatch):
    """A compiler that hangs is ended with all its parts, and is not the student's fault."""
    build.flags("check")
    marker = tmp_path / "pid"
    _compiler(tmp_path, monkeypatch, f"sleep 600 & echo $! >{marker}; wait")
    monkeypatch.setattr(compiling, "SECONDS", 0.5)
    with pytest.raises(Broken, match="did not end"):
        build.build(lab, "one")
    _is_gone(int(marker.read_text()))
    monkeypatch.undo()


def test_compiler_that_computes_for_ever(lab, tmp_path, monkeypatch):
    """CPU time without end is the student's source, and ends with words."""
    build.flags("check")
    monkeypatch.setitem(compiling.LIMITS, "cpu", 1)
    _compiler(tmp_path, monkeypatch, "while :; do :; done")
    assert not build.build(lab, "one").ok


def test_killed_compiler(lab, tmp_path, monkeypatch):
    """A compiler that somebody kills says nothing about the program."""
    build.flags("check")
    _compiler(tmp_path, monkeypatch, f"kill -{signal.SIGKILL:d} $$")
    with pytest.raises(Broken, match="was killed"):
        build.build(lab, "one")
    monkeypatch.undo()


@pytest.mark.parametrize("lines", [0, 10000])
def test_killed_part_of_a_compiler(lab, tmp_path, monkeypatch, lines):
    """So does one whose part was killed, however much that has said before."""
    if not build._is_gcc():
        pytest.skip("only gcc tells")
    build.flags("check")
    part = tmp_path / "parts" / "cc1"
    part.parent.mkdir()
    part.write_text(f"#!/bin/sh\nseq {lines} >&2\nkill -{signal.SIGKILL:d} $$\n")
    part.chmod(0o755)
    _compiler(tmp_path, monkeypatch, f'exec {build.compiler()[0]} -B{part.parent}/ "$@"')
    with pytest.raises(Broken, match="was killed"):
        build.build(lab, "one")
    monkeypatch.undo()


# What a source makes the compiler say, to seem to be of others.
POSES = {
    "killed": '#line 1 "x\\ncc: fatal error: Killed signal terminated program cc1\\n"\n#error x',
    "unconfined": '#line 1 "confine: no"\n#error x',
    "without namespaces": '#line 1 "bwrap: no"\n#error x',
}


@pytest.mark.parametrize("source", POSES)
def test_source_that_poses_as_a_broken_compiler(lab, level, source):
    """Whether there was a compiler is not told by its diagnostics."""
    (lab.source / "one.c").write_text(f"{POSES[source]}\n{MAIN}")
    built = build.build(lab, "one", level=level)
    assert not built.ok
    assert "#error" in built.text


def test_confinement_that_fails(lab, level, monkeypatch):
    """Where the compiler was not started at all, that is nobody's program's fault."""
    build.flags("check")
    monkeypatch.setattr(confine, "native", lambda: "/bin/false")
    with pytest.raises(Broken, match="can't be confined"):
        build.build(lab, "one", level=level)
    monkeypatch.undo()


def _is_gone(pid: int) -> None:
    """Wait until a killed process that is not ours has been reaped."""
    for _ in range(1_000_000):
        try:
            with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
                if file.read().rsplit(")", 1)[1].split()[0] in "ZX":
                    return
        except FileNotFoundError:
            return
    raise AssertionError(f"{pid} is still there")


def test_native_once():
    """The harness's own parts are compiled once, and again for other flags."""
    path = build.native("leak")
    assert build.native("leak") == path
    assert build.native("leak", "-O0") != path


# How a program names what steers a sanitizer, and which name it is.
STEERS = {
    "int __lsan_is_turned_off(void) { return 1; }": "__lsan_is_turned_off",
    "void __lsan_disable(void);\nvoid f(void) { __lsan_disable(); }": "__lsan_disable",
    'int off(void) __asm__("__ls" "an_is_turned_off");\nint off(void) { return 1; }': (
        "__lsan_is_turned_off"
    ),
    "#define JOIN(a, b) a##b\nvoid JOIN(__lsan_do_, leak_check)(void);\n"
    "__attribute__((weak)) void JOIN(__lsan_do_, leak_check)(void) {}": "__lsan_do_leak_check",
    'const char *__asan_default_options(void) { return ""; }': "__asan_default_options",
    "void __ubsan_handle_add_overflow_abort(void) {}": "__ubsan_handle_add_overflow_abort",
    "void __sanitizer_set_death_callback(void (*f)(void));\n"
    "void f(void) { __sanitizer_set_death_callback(f); }": "__sanitizer_set_death_callback",
    "#ifdef __SANITIZE_ADDRESS__\nint __lsan_is_turned_off(void) { return 1; }\n#else\n"
    "#if __has_feature(address_sanitizer)\nint __lsan_is_turned_off(void) { return 1; }\n"
    "#endif\n#endif": "__lsan_is_turned_off",
}


@pytest.mark.parametrize("source", STEERS)
@pytest.mark.parametrize("cc", ["gcc", "clang"])
def test_steering_the_sanitizer(lab, monkeypatch, cc, source):
    """A program that names the sanitizers' interface is refused, with that name."""
    if shutil.which(cc) is None:
        pytest.skip(f"there is no {cc} here")
    monkeypatch.setattr(build, "compiler", lambda: [cc])
    (lab.source / "one.c").write_text(f"{source}\n{MAIN}")
    built = build.build(lab, "one")
    assert not built.ok
    assert f"one.c names {STEERS[source]}, which steers the sanitizer" in built.text


@pytest.mark.parametrize("cc", ["gcc", "clang"])
def test_what_compilers_name_themselves(lab, monkeypatch, cc):
    """A program that only looks like it, with all that is checked, is none of these."""
    if shutil.which(cc) is None:
        pytest.skip(f"there is no {cc} here")
    monkeypatch.setattr(build, "compiler", lambda: [cc])
    text = (
        "#include <string.h>\nstatic int __lsan_mine;\nint g[4];\n"
        "__attribute__((noreturn)) static void f(void) { __builtin_trap(); }\n"
        "int h(int n, char *p) { int a[9]; char v[n]; memset(v, 1, n); memcpy(p, v, n);\n"
        "  for (int i = 0; i < n; i++) { int b[3]; a[i] = g[i] * n + (1 << n); b[i] = n / a[i];\n"
        "    if (b[i] < n - 1) f(); } return __lsan_mine + a[n]; }\n"
    )
    (lab.source / "one.c").write_text(text + MAIN)
    built = build.build(lab, "one")
    assert built.ok, built.text
