"""A run stands on one level and one list of abilities, and nobody lowers them in silence."""

import json

import pytest

from grading import ground, manifest, results
from grading.tests.helper import small, verb
from harness import build, confine, labs, probes

WHY = {"namespaces": "no bubblewrap", "other uid": "only root can become another user"}


@pytest.fixture
def weak(monkeypatch):
    """A machine that offers little, with nothing said about that."""
    for name in ("LEVEL", "ALLOW_WEAK"):
        monkeypatch.delenv(name, raising=False)
    # what a verb sets for its own process is not to stay in that of the tests
    monkeypatch.setenv("SOCKLAB_BUILD", str(build.folder()))
    monkeypatch.setattr(confine, "best", lambda: ("same uid", WHY))
    monkeypatch.setattr(confine, "why_not", lambda level: WHY.get(level, ""))
    monkeypatch.setattr(probes, "lacking", lambda _names, _level: {})


def _run(tmp_path, **changes) -> ground.Ground:
    about = {"level": "namespaces", "weaker": {}, "lacks": {}} | changes
    (tmp_path / "machine.json").write_text(json.dumps(about))
    return ground.Ground(**about)


def test_weak_machine_is_refused(weak, tmp_path):
    """One sentence says what is open, why, and three ways out."""
    with pytest.raises(labs.Unknown) as refused:
        ground.settle(tmp_path)
    for words in ("level same uid", *WHY.values(), "install bubblewrap", "root", "ALLOW_WEAK=1"):
        assert words in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_weak_machine_is_allowed(weak, tmp_path, monkeypatch):
    """Told so, grading goes on, and says at which level; each command must be told."""
    monkeypatch.setenv("ALLOW_WEAK", "1")
    here = ground.settle(tmp_path)
    words = "level: same uid, a cgroup for each program"
    assert here.words() == [words, *(f"  not {level}: {WHY[level]}" for level in WHY)]
    assert ground.settle(tmp_path) == here
    monkeypatch.delenv("ALLOW_WEAK")
    with pytest.raises(labs.Unknown, match="a new RUN at a better level, or say ALLOW_WEAK=1"):
        ground.settle(tmp_path)


def test_other_uid_is_enough(weak, tmp_path, monkeypatch):
    """Nobody has to allow that."""
    monkeypatch.setattr(confine, "best", lambda: ("other uid", {"namespaces": "no bubblewrap"}))
    monkeypatch.setattr(confine, "why_not", lambda _level: "")
    assert ground.settle(tmp_path).level == "other uid"


def test_run_never_goes_on_at_a_lower_level(weak, tmp_path, monkeypatch):
    """What was begun with bubblewrap is not finished without."""
    monkeypatch.setenv("ALLOW_WEAK", "1")
    _run(tmp_path)
    with pytest.raises(labs.Unknown, match="begun at level namespaces.*no bubblewrap"):
        ground.settle(tmp_path)
    _run(tmp_path, level="same uid")
    monkeypatch.setenv("LEVEL", "none")
    with pytest.raises(labs.Unknown, match="begun at level same uid.*LEVEL=none"):
        ground.settle(tmp_path)


def test_run_stays_at_its_level(weak, tmp_path, monkeypatch):
    """What was begun at a lower level is finished there: all rows are alike."""
    monkeypatch.setenv("ALLOW_WEAK", "1")
    monkeypatch.setattr(confine, "why_not", lambda _level: "")
    begun = _run(tmp_path, level="same uid", weaker=WHY)
    assert ground.settle(tmp_path) == begun


def test_machine_that_can_check_less_is_refused(tmp_path, monkeypatch):
    """A worker must be able to check what the others could."""
    monkeypatch.setattr(confine, "why_not", lambda _level: "")
    monkeypatch.setattr(probes, "lacking", lambda _names, _level: {"leaks": "no leak checker"})
    begun = _run(tmp_path, lacks={"leaks": "no leak checker", "ipv6": "no IPv6"})
    assert ground.settle(tmp_path) == begun
    _run(tmp_path)
    with pytest.raises(labs.Unknown, match="no leak checker here, but not where"):
        ground.settle(tmp_path)


def test_cgroup_is_told(tmp_path):
    """Whether there is one stands beside the level, and nobody misses a check for it."""
    lack = probes.PROBES["cgroup"].lack
    without = ground.Ground("namespaces", {}, {"cgroup": lack})
    assert without.words() == ["level: namespaces", f"{lack}; {probes.PROBES['cgroup'].mend}"]
    assert ground.Ground("none", {}, {}).words() == ["level: none"]


def test_damaged_machine_file(tmp_path):
    """A file that says nothing is said to be damaged."""
    for text in ("", "{", "[]", '{"level": "none", "more": 1}'):
        (tmp_path / "machine.json").write_text(text)
        with pytest.raises(labs.Unknown, match="is damaged"):
            ground.read(tmp_path)


def test_no_compiler(build, tmp_path):
    """It is said, and nothing is graded."""
    small(tmp_path / "class", "anna")
    done = verb(build, "grade", tmp_path / "class", tmp_path / "run", CC="no-such-compiler")
    assert done.returncode == 2
    assert "no working C compiler 'no-such-compiler'" in done.stderr
    assert list((tmp_path / "run" / "results").iterdir()) == []


def test_everybody_has_the_same_maximum(build, tmp_path):
    """What the run can't check, no submission is checked for, whatever the machine can now."""
    small(tmp_path / "class", "anna")
    small(tmp_path / "class", "ben")
    run = tmp_path / "run"
    verb(build, "plan", tmp_path / "class", run, "03")
    level = confine.best()[0]
    lack = probes.PROBES["leaks"].lack
    lacks = {"leaks": lack, **probes.lacking(probes.limits(level), level)}
    (run / "machine.json").write_text(json.dumps({"level": level, "weaker": {}, "lacks": lacks}))
    done = verb(build, "work", run, ALLOW_WEAK="1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"level: {level}")
    assert f"\nnot checked here, for anybody: {lack}; " in done.stdout
    documents = [results.grade(run, one) for one in manifest.read(run)]
    (most,) = {one["labs"][0]["max"] for one in documents}
    assert most < 100
    assert [one["machine"]["lacks"] for one in documents] == [lacks] * 2
    assert {one["level"] for one in documents} == {level}
