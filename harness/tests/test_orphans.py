"""The launcher, where the harness that it serves dies at the worst moment."""

import os
import signal
import socket
import subprocess

import pytest

from harness import build
from harness.kernel import proc, syscalls


@pytest.mark.parametrize("flags", [(), ("-DWARDEN",)])
def test_harness_that_dies_before_it_has_the_listener(flags):
    """All ends, though the filter holds the very call that would say what is wrong."""
    ours, theirs = socket.socketpair()
    held = ",".join(map(str, syscalls.numbers({"write", "writev", "exit_group"})))
    command = [str(build.native("launch", *flags)), "-c", str(theirs.fileno()), "-n", held]
    ours.close()
    launcher = subprocess.Popen([*command, "--", "/bin/true"], pass_fds=[theirs.fileno()])
    theirs.close()
    try:
        launcher.wait(60)
    except subprocess.TimeoutExpired:
        for pid in [*proc.descendants(launcher.pid), launcher.pid]:
            os.kill(pid, signal.SIGKILL)
        raise
