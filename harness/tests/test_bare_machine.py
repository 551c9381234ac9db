"""Address lookup on a machine without IPv6, and on one with next to nothing in /etc."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness import labs, probes

# What a compiler and the loader need.
KEPT = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d")
# What can't be checked where IPv6 or namespaces are refused.
IPV6 = {
    "dial test_ipv6": "unavailablethere is no IPv6 here",
    "passive test_both_families": "unavailablethere is no IPv6 here",
}
NAMESPACES = {"dial test_each_once": "unavailablenetwork namespaces are refused"}


def _verdicts(prefix, target: Path, status: int = 0) -> dict[str, str]:
    env = {"PATH": os.environ["PATH"], "SRC": "solutions", "RESULT": str(target), "SEED": "same"}
    command = [*map(str, prefix), sys.executable, "-m", "harness", "check", "02"]
    done = subprocess.run(
        command, cwd=labs.ROOT, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    document = json.loads(target.read_text(encoding="ascii"))
    return {
        f"{one['program']} {one['name']}": one["outcome"] + (one["why"] or "")
        for one in document["labs"][0]["checks"]
    }


def _lost(found: dict[str, str]) -> dict[str, str]:
    return {name: outcome for name, outcome in found.items() if outcome != "passed"}


@pytest.fixture(scope="module")
def refuse(native):
    """The tool that refuses."""
    return native(Path(__file__).parent / "refuse.c")


@pytest.mark.parametrize("what", ["ipv6", "ipv6,unshare"])
def test_without_ipv6(what, refuse, tmp_path):
    """What needs IPv6 sockets is unavailable, with the reason; all the rest passes."""
    found = _verdicts([refuse, what], tmp_path / "result.json")
    assert _lost(found) == IPV6 | (NAMESPACES if "unshare" in what else {})


@pytest.mark.parametrize("what", [None, "unshare"])
def test_without_databases(what, refuse, tmp_path):
    """No /etc/services, no hosts, no nsswitch.conf, no name server: what can be checked passes."""
    etc = tmp_path / "etc"
    etc.mkdir()
    for name in KEPT:
        source = Path("/etc") / name
        if source.is_dir():
            shutil.copytree(source, etc / name, symlinks=True)
        elif source.exists():
            shutil.copy(source, etc / name)
    within = ["unshare", "-m" if os.getuid() == 0 else "-Urm"]
    script = 'mount --bind "$1" /etc && shift && exec "$@"'
    prefix = [*within, "sh", "-c", script, "sh", str(etc), *([str(refuse), what] if what else [])]
    probe = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("mounts are refused here")
    found = _verdicts(prefix, tmp_path / "result.json")
    assert _lost(found) == (NAMESPACES if what else {})


def test_without_sanitizers(tmp_path):
    """Where a program with AddressSanitizer can't run, its author is blamed for nothing."""
    prefix = ["sh", "-c", 'ulimit -v 8000000 && exec "$@"', "sh"]
    found = _verdicts(prefix, tmp_path / "result.json", status=3)
    lack = probes.PROBES["sanitizers"].lack
    assert set(found.values()) == {f"unavailable{lack}"}
