"""Compiling ahead: it helps where it can, and is never in the way."""

import shutil
from pathlib import Path

import pytest

from harness import ahead, build, confine, labs, stage


def _built(folder) -> set[str]:
    return {path.name.split("-")[0] for path in folder.iterdir() if path.suffix == ""}


def test_what_most_runs_need_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("SOCKLAB_BUILD", str(tmp_path))
    build.native.cache_clear()
    lab = labs.find("01", "solutions")
    with ahead.compiling([lab], 2, "none"):
        pass
    programs = {path.stem.removeprefix("test_") for path in lab.folder.glob("test_*.py")}
    assert _built(tmp_path) >= {"launch", "leak", *programs}


def test_nothing_for_a_run_with_one_job(tmp_path, monkeypatch):
    monkeypatch.setenv("SOCKLAB_BUILD", str(tmp_path))
    with ahead.compiling([labs.find("01", "solutions")], 1, "none"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_broken_compiler_is_met_later(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("SOCKLAB_BUILD", str(tmp_path))
    monkeypatch.setenv("CC", "/bin/false")
    build.native.cache_clear()
    with ahead.compiling([labs.find("01", "solutions")], 2, "none"):
        pass
    assert capfd.readouterr() == ("", "")


# Where a compiler that is not confined says what is in there.
SPY = """#define SECRET "{}"
#include SECRET
int main(void) {{ return 0; }}
"""


@pytest.mark.parametrize("level", [one for one in confine.LEVELS if one != "none"])
def test_strangers_sources_are_confined(level, monkeypatch):
    """What is compiled ahead is compiled at the level that was asked for."""
    if confine.why_not(level):
        pytest.skip(f"{level}: {confine.why_not(level)}")
    with stage.scratch("sla-", "/var/tmp") as folder, stage.scratch("slb-") as secrets:
        monkeypatch.setenv("SOCKLAB_BUILD", folder)
        secret = Path(secrets) / "secret.h"
        secret.write_text("topsecret;\n", encoding="ascii")
        lab = labs.find("01", "solutions")
        source = Path(folder) / "src" / lab.name
        shutil.copytree(lab.solution, source)
        (source / "endian.c").write_text(SPY.format(secret), encoding="ascii")
        build.native.cache_clear()
        with ahead.compiling([labs.find("01", str(source.parent))], 2, level):
            pass
        said = [path.read_text() for path in Path(folder).glob("endian-*.txt")]
        assert said and not any("topsecret" in one for one in said)
