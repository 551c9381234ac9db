"""The rules of the tree, each held by a test."""

import ast
import re
import subprocess

import pytest

from harness import build, git, labs, marker, plugin, proof, skeleton

LABS = [labs.find(name) for name in labs.all_names()]
HOLE_OF_PROGRAM, HOLES_OF_LAB = 60, 250
LEAST_MUTANTS = {"03": 25}
SHARES = {"contract": (55, 70), "robust": (20, 35), "clean": (5, 15)}


@pytest.fixture(scope="module")
def checks():
    """All checks, by lab name."""
    return plugin.collect(LABS)


@pytest.fixture(params=LABS, ids=[lab.name for lab in LABS])
def lab(request):
    """Each lab in turn."""
    return request.param


def _git(*args: str) -> str:
    return git.run(*args, text=True, check=True).stdout


def _programs(lab):
    names = lab.files()
    main = re.compile(r"^main\(", re.M)
    return [name for name in names if main.search((lab.solution / name).read_text())]


def test_every_lab_has_both_folders():
    """A lab is two folders of the same name."""
    solutions = sorted(path.name for path in (labs.ROOT / "solutions").iterdir())
    assert solutions == labs.all_names()


def test_skeleton_is_derived(lab):
    """What git has in labs/ is what the marked source gives."""
    for name in lab.files():
        committed = _git("show", f":labs/{lab.name}/{name}")
        marked = (lab.solution / name).read_text(encoding="utf-8")
        assert committed == skeleton.derive_skeleton(marked), f"{name}: make skeletons"


def test_no_source_without_reference(lab):
    """labs/ has no C file that solutions/ lacks; headers live in labs/ only."""
    tracked = _git("ls-files", f"labs/{lab.name}", f"solutions/{lab.name}").split()
    c_files = {
        path.split("/")[-1] for path in tracked if path.startswith("labs") and path.endswith(".c")
    }
    assert c_files == set(lab.files())
    assert not [path for path in tracked if path.startswith("solutions") and path.endswith(".h")]


def test_holes_are_bounded(lab):
    """A hole holds the calls being taught, and no more."""
    lines = {
        name: skeleton.hole_lines((lab.solution / name).read_text(encoding="utf-8"))
        for name in lab.files()
    }
    assert all(0 < count <= HOLE_OF_PROGRAM for count in lines.values()), lines
    assert sum(lines.values()) <= HOLES_OF_LAB, lines


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_compiles_without_warnings(lab, compiler, tmp_path):
    """Reference, skeleton and every correct variant compile without a warning."""
    if subprocess.run(["sh", "-c", f"command -v {compiler}"], capture_output=True).returncode:
        pytest.skip(f"{compiler} is not installed here")
    strict = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{lab.folder}"]
    for folder in [lab.solution, *proof.variants(lab), lab.solution / "textbook"]:
        for path in sorted(folder.glob("*.c")):
            for define in (
                ["-DSOLUTION", "-DSKELETON"] if folder == lab.solution else ["-DSOLUTION"]
            ):
                command = [compiler, *strict, define, "-c", "-o", str(tmp_path / "x.o"), str(path)]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                assert done.returncode == 0, f"{path} {define}\n{done.stderr}"


def test_first_line_says_what_it_is(lab):
    """The first line of each source names the file and says what it is."""
    for path in sorted(lab.solution.rglob("*.c")):
        first = path.read_text(encoding="utf-8").split("\n", 1)[0]
        assert first.startswith(f"/* {path.name} - "), path


def test_points(lab, checks):
    """A lab totals 100, shared out by kind; no check is worth too much."""
    core = [one for one in checks[lab.name] if not one.challenge]
    assert sum(one.points for one in core) == 100
    for kind, (least, most) in SHARES.items():
        points = sum(one.points for one in core if one.kind == kind)
        assert least <= points <= most, f"{kind} {points}"
    assert max(one.points for one in checks[lab.name]) <= marker.MAX_POINTS


def test_checks_are_of_programs(lab, checks):
    """Each check file is named after a program, and each program has one."""
    programs = [name.removesuffix(".c") for name in _programs(lab)]
    assert sorted({one.program for one in checks[lab.name]}) == sorted(programs)


def test_hints_do_not_repeat(lab, checks):
    """The three hints of a check differ, and none is a mere word."""
    for one in checks[lab.name]:
        assert len(set(one.hints)) == 3, one.name
        assert all(len(hint) > 15 for hint in one.hints), one.name


def test_titles_are_promises(lab, checks):
    """A title is one line in lower case, without a full stop."""
    for one in checks[lab.name]:
        first = one.title.split()[0]
        assert not first.istitle(), one.title
        assert not one.title.endswith("."), one.title


def test_every_check_is_failed_by_a_wrong_program(lab, checks):
    """A check that no wrong program fails proves nothing."""
    caught = {(one.program, one.caught_by) for one in proof.mutants(lab)}
    lazy = [one.name for one in checks[lab.name] if (one.program, one.name) not in caught]
    assert not lazy


def test_enough_wrong_programs(lab):
    """There are as many wrong programs as were promised."""
    assert len(proof.mutants(lab)) >= LEAST_MUTANTS.get(lab.number, 20)


def test_handout_names_every_file(lab):
    """The handout's opening names the files to hand in."""
    text = (lab.folder / "README.md").read_text(encoding="utf-8")
    missing = [name for name in lab.files() if name not in text]
    assert not missing


def _sleeps(path) -> list[int]:
    """Return the lines of a source in which it sleeps or probes a port."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".c":
        lines = text.splitlines()
        return [n for n, line in enumerate(lines, 1) if re.search(r"\b(u|nano)?sleep\(\w", line)]
    calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    names = {"sleep", "create_connection"}
    return [
        node.lineno
        for node in calls
        if getattr(node.func, "attr", getattr(node.func, "id", "")) in names
    ]


def test_no_sleep_and_no_probe():
    """Nothing sleeps to wait; a bounded polling step says so in its line."""
    tracked = _git("ls-files", "harness/*.py", "harness/native/*.c", "labs/*.py", "grading/*.py")
    found = []
    for name in tracked.split():
        if name.startswith("harness/tests"):
            continue
        path = labs.ROOT / name
        lines = path.read_text(encoding="utf-8").splitlines()
        found += [f"{name}:{n}" for n in _sleeps(path) if "poll" not in lines[n - 1]]
    assert not found


def test_no_list_of_labs():
    """No file outside of a lab's two folders and the changelog names a lab's folder."""
    for name in labs.all_names():
        files = _git("ls-files", "*.py", "Makefile", "*.sh", "*.yml").split()
        found = [one for one in files if name in (labs.ROOT / one).read_text(encoding="utf-8")]
        strangers = [
            path
            for path in found
            if not path.startswith(
                (f"labs/{name}", f"solutions/{name}", "grading/", "harness/tests")
            )
        ]
        # examples in a docstring are not a list
        strangers = [
            path for path in strangers if path not in ("harness/labs.py", "harness/plugin.py")
        ]
        assert not strangers


def test_compiler_flags_are_accepted():
    """This machine's compiler takes every flag of the check build."""
    build._accept_flags("check")
    assert "-fsanitize=address,undefined" in build.flags("check")
