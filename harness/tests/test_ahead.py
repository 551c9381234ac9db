"""Compiling ahead: it helps where it can, and is never in the way."""

from harness import ahead, build, labs


def _built(folder) -> set[str]:
    return {path.name.split("-")[0] for path in folder.iterdir() if path.suffix == ""}


def test_what_most_runs_need_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("SOCKLAB_BUILD", str(tmp_path))
    build.native.cache_clear()
    lab = labs.find("01", "solutions")
    with ahead.compiling([lab], 2):
        pass
    programs = {path.stem.removeprefix("test_") for path in lab.folder.glob("test_*.py")}
    assert _built(tmp_path) >= {"launch", *programs}


def test_nothing_for_a_run_with_one_job(tmp_path, monkeypatch):
    monkeypatch.setenv("SOCKLAB_BUILD", str(tmp_path))
    with ahead.compiling([labs.find("01", "solutions")], 1):
        pass
    assert not list(tmp_path.iterdir())


def test_a_broken_compiler_is_met_later(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("SOCKLAB_BUILD", str(tmp_path))
    monkeypatch.setenv("CC", "/bin/false")
    build.native.cache_clear()
    with ahead.compiling([labs.find("01", "solutions")], 2):
        pass
    assert capfd.readouterr() == ("", "")
