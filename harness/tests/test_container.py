"""A container without privileges: all labs, confined as well as can be there.

Docker gives root these capabilities and no others, and its filter refuses
namespaces and pidfd_getfd.  So a program is another user there, root may not
look into it, and its launcher does.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import confine, labs

# What Docker leaves away of what capabilities(7) lists.
LACKING = [
    "dac_read_search",
    "linux_immutable",
    "net_broadcast",
    "net_admin",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "lease",
    "audit_control",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
]
REFUSED = ["unshare", "clone", "pidfd_getfd"]
LEAST = 95

_KEPT = ("PATH", "TMPDIR", "SOCKLAB_BUILD", "CC")

# Who is not root can't have another user.
LEVEL = "other uid" if os.getuid() == 0 else "same uid"


@pytest.fixture(scope="module")
def refuse(native):
    """The tool that refuses."""
    return str(native(Path(__file__).parent / "refuse.c"))


@pytest.mark.skipif(bool(confine.why_not(LEVEL)), reason=confine.why_not(LEVEL))
@pytest.mark.parametrize("name", labs.all_names())
def test_reference_in_a_container(name, refuse, tmp_path):
    """The reference passes; what can't be checked there is named, and little."""
    target = tmp_path / "result.json"
    env = {name: os.environ[name] for name in _KEPT if name in os.environ}
    env |= {"SRC": str(labs.ROOT / "solutions"), "LEVEL": LEVEL}
    shape = ",".join([*REFUSED, *(f"cap_{one}" for one in LACKING)])
    done = subprocess.run(
        [refuse, shape, sys.executable, "-m", "harness", "check", name[:2]],
        cwd=labs.ROOT,
        env={**env, "RESULT": str(target), "SEED": "same"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    document = json.loads(target.read_text(encoding="ascii"))
    assert document["level"] == LEVEL
    assert "netns" in document["machine"]["lacks"]
    checks = [one for lab in document["labs"] for one in lab["checks"]]
    lost = [one for one in checks if one["outcome"] not in ("passed", "unavailable")]
    assert lost == [], done.stdout
    assert all(one["used"]["memory"] > 0 for one in checks if "used" in one)
    missing = [one for one in checks if one["outcome"] == "unavailable"]
    assert all(one["why"] for one in missing)
    points = sum(one["points"] for one in checks if not one["challenge"])
    named = [f"{one['program']}/{one['name']}: {one['why']}" for one in missing]
    print(f"{name}: {points} points; unavailable: {'; '.join(named) or 'nothing'}")
    assert points >= LEAST
