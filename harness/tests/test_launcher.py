"""The launcher: a program can't harm it, and may do to its own what is legal.

Each way is tried on the launcher, and the same on a child of the program, where
it works: so the attempt is a real one.
"""

import itertools
import os
import resource
import select
import signal
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from harness import build, warden
from harness.control import Control
from harness.kernel import proc

SIGNALS = ["kill", "kill-group", "tkill", "tgkill", "queue", "queue-thread", "pidfd"]
OWNERS = ["setown", "setown-group", "setown-ex", "setown-tid", "siocspgrp"]
# What a stranger's program may do to itself alone.
ITSELF = ["prlimit", "nice", "idle", "affinity"]
OTHERS = ["ptrace", "memory", *ITSELF]
# A filter can't see whom this one means; see native/launch/scope.c.  A
# self-check has no guard against it: it would end with an error, never a pass.
UNSEEN = ["proc"]

# The launcher of a self-check; of a stranger's program; the same on a kernel
# whose Landlock knows no signals.
KINDS = ["plain", "domain", "filter"]
GUARDED = [*SIGNALS, *OWNERS, *OTHERS, "timer", "orphan"]


@pytest.fixture(scope="module")
def refuse(native):
    """The tool that refuses."""
    return str(native(Path(__file__).parent / "refuse.c"))


@contextmanager
def _launched(kind: str, refuse: str, *program: str):
    """Start a program; yield its launcher, and our end of the launcher's socket."""
    control = Control()
    native = build.native("launch") if kind == "plain" else build.native(*warden.NATIVE)
    command = [str(native), "-c", str(control.theirs.fileno())]
    command += [] if kind == "plain" else ["-g"]
    launcher = subprocess.Popen(
        [*([refuse, "landlock"] if kind == "filter" else []), *command, "--", *program],
        pass_fds=[control.theirs.fileno()],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    control.theirs.close()
    try:
        with launcher.stdout:
            yield launcher, control
            with suppress(OSError):
                control.order_end()
            launcher.wait(20)
    finally:
        control.close()
        launcher.kill()
        launcher.wait()


def _said(launcher) -> str:
    assert select.select([launcher.stdout], [], [], 20)[0], "the program said nothing"
    return launcher.stdout.readline().decode().strip()


def _state(pid: int):
    """Return what nobody but its own parent may change of a process."""
    return (
        os.getpriority(os.PRIO_PROCESS, pid),
        os.sched_getscheduler(pid),
        os.sched_getaffinity(pid),
        resource.prlimit(pid, resource.RLIMIT_NOFILE),
    )


def _ends_in_order(launcher, control) -> bool:
    """Whether the launcher, told to end everything, does so and says it."""
    words = []
    control.order_end()
    while not control.ended and "gone" not in words:
        if not select.select([control.fd], [], [], 20)[0]:
            return False
        words += [word for word, _number, _sender in control.receive()]
    return "gone" in words and launcher.wait(20) == 0


@pytest.mark.parametrize(
    "kind, way",
    [
        *itertools.product(KINDS, GUARDED),
        *itertools.product(["domain", "filter"], UNSEEN),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_launcher_is_not_harmed(kind, way, number, refuse, small):
    """No call of a program ends, stops or slows its launcher."""
    before = _state(os.getpid())
    with _launched(kind, refuse, str(small("assaults")), "parent", way, str(number)) as run:
        launcher, control = run
        said = _said(launcher)
        assert said in ("done", "EPERM", "EACCES", "EINVAL", "EIO"), said
        if way in SIGNALS:
            assert said == "EPERM"
        assert proc.state(launcher.pid) != "T"
        assert _state(launcher.pid) == before
        assert _ends_in_order(launcher, control)


@pytest.mark.parametrize("way", [*SIGNALS, *OWNERS, *OTHERS, *UNSEEN])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_legal_works(kind, way, refuse, small):
    """A program may do to its own child what it may not do to the launcher.

    But a stranger's program sets limits and priorities for nobody but itself.
    """
    program = [str(small("assaults")), "child", way, f"{signal.SIGTERM:d}"]
    with _launched(kind, refuse, *program) as (launcher, _control):
        assert _said(launcher) == ("EPERM" if way in ITSELF and kind != "plain" else "hit")


@pytest.mark.parametrize("kind", KINDS)
def test_kill_of_a_child(kind, refuse, small):
    """The usual way to end a child is open in any case."""
    program = [str(small("assaults")), "child", "kill", f"{signal.SIGKILL:d}"]
    with _launched(kind, refuse, *program) as (launcher, _control):
        assert _said(launcher) == "hit"


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_slows_all_of_a_user(kind, refuse, small):
    """A priority is not set for all processes of a user."""
    program = [str(small("assaults")), "parent", "nice-user", "0"]
    with _launched(kind, refuse, *program) as (launcher, _control):
        assert _said(launcher) == "EPERM"


@pytest.mark.parametrize(
    "kind, said", [("plain", "done EBADF done"), ("domain", "EPERM EPERM done")]
)
def test_what_only_the_launcher_may(kind, said, refuse, small):
    """A stranger's program gets neither others' descriptors nor memory that nobody counts.

    Its own limits it may set, under its own number, too.
    """
    found = []
    for way in ("memfd", "getfd", "own-limit"):
        program = [str(small("assaults")), "parent", way, "0"]
        with _launched(kind, refuse, *program) as (launcher, _control):
            found.append(_said(launcher))
    assert " ".join(found) == said
