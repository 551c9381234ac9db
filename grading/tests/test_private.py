"""No path that a student's program can see has a student's name in it."""

import json
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from grading.tests.helper import verb
from harness import confine

SNOOPS = Path(__file__).parent / "programs" / "snoops.c"
NAME = "wilhelmine-example"


@pytest.mark.parametrize("level", [level for level in confine.LEVELS if level != "none"])
def test_no_name_in_sight(build, tmp_path, level):
    """Neither in arguments, environment, folders and mounts, nor in the program itself."""
    why = confine.why_not(level)
    if why:
        pytest.skip(f"level {level}: {why}")
    folder = tmp_path / "class" / NAME
    folder.mkdir(parents=True)
    shutil.copy(SNOOPS, folder / "bindto.c")
    (folder / "incsrv.c").write_text("#error __FILE__\n#include <no-such-file.h>\nint x = ;\n")
    # the run may have any name that the instructor gives it
    done = verb(build, "grade", tmp_path / "class", tmp_path / "run", "03", LEVEL=level)
    if level == "same uid":
        assert done.returncode == 2 and "ALLOW_WEAK=1" in done.stderr
        variables = {"LEVEL": level, "ALLOW_WEAK": "1"}
        done = verb(build, "grade", tmp_path / "class", tmp_path / "run", "03", **variables)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "run" / "results" / f"{NAME}.json").read_text(encoding="ascii")
    found = json.loads(text)
    checks = found["labs"][0]["checks"]
    said = [one["stderr"] for one in checks if one["stderr"]]
    assert said, checks[0]
    assert all("more than 20 places: yes" in one for one in said)
    assert not [one for one in said if "FOUND" in one]
    del found["submission"]
    assert NAME not in json.dumps(found)


def test_snoops_finds_what_is_there(tmp_path):
    """The program that looks for a name would find it."""
    program = tmp_path / NAME
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-o", program, SNOOPS], check=True)
    env = {"PATH": os.environ["PATH"], "HINT": f"/home/{NAME}"}
    done = subprocess.run([program], env=env, cwd=tmp_path, stderr=subprocess.PIPE, check=True)
    for where in ("argv", "the environment", "/proc/self/exe", f"{tmp_path}/{NAME}"):
        assert f"FOUND in {where}\n" in done.stderr.decode()


def test_nobody_else_can_look_into_a_run(graded):
    """Results, reports and copies are closed to other users; so are manifest and gradebook."""
    for name in ("intake", "results", "reports"):
        assert stat.S_IMODE((graded.run / name).stat().st_mode) == 0o700
    for name in ("manifest.jsonl", "grades.csv", "machine.json"):
        assert stat.S_IMODE((graded.run / name).stat().st_mode) == 0o600
