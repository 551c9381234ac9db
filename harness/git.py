"""Asking git about this tree."""

import subprocess

from .labs import ROOT


def run(*args: str, **how) -> subprocess.CompletedProcess:
    """Run git in this tree; return the finished process, with what it printed.

    git refuses the repository of another user for what its settings could start
    (git-config(1), safe.directory); but who is here runs that user's code anyway.

    Args:
        args: the command's words.
        how: as for ``subprocess.run``.
    """
    command = ["git", "-c", f"safe.directory={ROOT}", *args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, **{"check": False, **how})
