"""``make lint``: formatting and lint of all C and Python that git has.

clang-format holds the C to ``.clang-format``; ruff, or flake8 where there is
no ruff, the Python.  What is missing is installed from the distribution.
"""

import os
import shutil
import subprocess

from .. import git, labs
from . import say


def _files(*patterns: str) -> list[str]:
    listing = ("ls-files", "--cached", "--others", "--exclude-standard", "--")
    done = git.run(*listing, *patterns, text=True)
    if done.returncode:
        raise labs.Unknown(f"make lint asks git for the files: {done.stderr.strip()}")
    return [name for name in done.stdout.split("\n") if name]


def _need(command: str, package: str) -> bool:
    """Whether a command is there, after an attempt to install it."""
    if shutil.which(command):
        return True
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
    if os.getuid() != 0:
        install.insert(0, "sudo")
    if shutil.which(install[0]):
        say(f"Installing what is missing: {package}")
        subprocess.run(install, stdout=subprocess.DEVNULL, check=False)
    if not shutil.which(command):
        say(f"lint needs {command}: sudo apt-get install {package}")
    return bool(shutil.which(command))


def _run(command: list[str]) -> bool:
    return subprocess.run(command, cwd=labs.ROOT, check=False).returncode == 0


def main(argv: list[str]) -> int:
    """Lint everything; exit status 1 when there is something to mend."""
    good = True
    # deliberately broken or hostile programs are kept as their authors wrote them
    sources = [name for name in _files("*.c", "*.h") if not name.startswith("grading/example/")]
    if _need("clang-format", "clang-format"):
        good &= _run(["clang-format", "--dry-run", "-Werror", *sources])
    else:
        good = False
    if shutil.which("ruff"):
        good &= _run(["ruff", "check", "."])
    elif _need("flake8", "flake8"):
        good &= _run(
            [
                "flake8",
                "--max-line-length=100",
                "--extend-ignore=E101,E203,W191,W503",
                *_files("*.py"),
            ]
        )
    else:
        good = False
    say("lint: clean" if good else "lint: see above")
    return 0 if good else 1
