"""Attacks on the harness at each level: what docs/threat-model.md promises, and no less.

Every attack is made once without any protection, where it must work, and then
at each level, as root, as root in a container without privileges, and as an
ordinary user.  Its effect is looked at from outside.  All of them run in a
process namespace of their own, if there is one.
"""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness import build, confine, labs, stage, warden
from harness.kernel import cgroup
from harness.tests.attacks import __main__ as attacks
from harness.tests.attacks.scene import BARE
from harness.tests.test_container import LACKING, REFUSED

SOURCES = Path(__file__).resolve().parent / "attacks"
DOCUMENT = labs.ROOT / "docs" / "threat-model.md"
# Which levels are tried as which user: none is the same for all, and same uid
# for who is not root.
LEVELS = {
    "root": ["namespaces", "other uid"],
    "root in a container": ["other uid"],
    "ordinary user": [BARE, "namespaces", "same uid", "none"],
}
# What a machine may not have at all, so that nobody can attack it.
MAY_LACK = {
    "leave-cgroup": "no cgroup is ours to divide",
    "call-oddly": "this machine offers none of these calls to anybody",
    "leave-key": "this machine has no keyrings",
    "make-namespaces": "this machine refuses user namespaces to everybody",
    "open-families": "this machine has none of these families of sockets",
    "type-commands": "dev.tty.legacy_tiocsti is 0 here",
}
# Without a process namespace around it, it may end who runs the tests.
DANGEROUS = ("kill-everybody",)
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
_ROW = re.compile(r"^\| `([a-z-]+)` \|([^|\n]*)" + 4 * r"\|([^|\n]*)" + r"\|$", re.M)
WITH_CGROUP = "stopped with a cgroup"
_SINCE = re.compile(r"stopped from Linux (\d+)\.(\d+)")


@functools.cache
def table() -> dict[str, tuple[str, dict[str, str]]]:
    """Return the document's table: by attack what it does, and the cell of each level."""
    text = DOCUMENT.read_text(encoding="utf-8")
    found = {}
    for name, about, *cells in _ROW.findall(text):
        words = [cell.strip() for cell in cells]
        found[name] = (about.strip(), dict(zip(confine.LEVELS, words, strict=True)))
    return found


def process_namespace() -> list[str]:
    """Return a command that runs another in a process namespace; nothing if there is none."""
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.getuid() != 0:
        command[1:1] = ["--user", "--map-current-user"]
    if shutil.which("unshare") is None:
        return []
    tried = subprocess.run([*command, "true"], capture_output=True, check=False)
    return command if tried.returncode == 0 else []


@pytest.fixture(scope="module")
def world():
    """A folder that everybody may enter: the harness, its parts in C, the attacks."""
    folder = Path(tempfile.mkdtemp(prefix="sla-"))
    folder.chmod(0o755)
    shutil.copytree(
        labs.ROOT / "harness", folder / "harness", ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "build").mkdir()
    (folder / "bin").mkdir()
    for one in (("launch",), warden.NATIVE, ("confine",), ("restart",)):
        shutil.copy2(build.native(*one), folder / "build")
    command = [*build.compiler(), "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1"]
    command.append("-U_FORTIFY_SOURCE")  # Ubuntu's compiler would mind unread results
    running = [
        subprocess.Popen([*command, "-o", str(folder / "bin" / source.stem), str(source)])
        for source in SOURCES.glob("*.c")
    ]
    assert [one.wait() for one in running] == [0] * len(running)
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
    yield folder
    stage.remove(str(folder))


@pytest.fixture(scope="module")
def made(world, native):
    """What came of each attack, by user: a JSON document of ``attacks``."""
    users: dict[str, tuple[str, ...]] = {"ordinary user": ()}
    if os.getuid() == 0:
        shape = ",".join([*REFUSED, *(f"cap_{one}" for one in LACKING)])
        refuse = native(SOURCES.parent / "refuse.c")
        users = {"root": (), "root in a container": (str(refuse), shape)}
    if os.getuid() == 0 and shutil.which("setpriv"):
        users["ordinary user"] = NOBODY
    cgroup.enter()  # in there it could not be seen who else is in it
    around = process_namespace()
    chosen = [one for one in attacks.names() if around or one not in DANGEROUS]
    found = {}
    for user, become in users.items():
        scenes = world / user.replace(" ", "-")
        scenes.mkdir(mode=0o755)
        built = shutil.copytree(world / "build", scenes / "build")
        for one in (scenes, built) if become == NOBODY else ():
            os.chown(one, 65534, 65534)
        where = [str(world / "bin"), str(scenes), ",".join(LEVELS[user])]
        done = subprocess.run(
            [*around, *become, sys.executable, "-m", "harness.tests.attacks", *where, *chosen],
            cwd=world,
            env={
                "PATH": os.environ["PATH"],
                "SOCKLAB_BUILD": str(built),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found[user] = json.loads(done.stdout)
    return found


def _answer(made, user: str, level: str, name: str) -> bool:
    """Return whether an attack worked; skip what could not be tried here."""
    if user not in made:
        pytest.skip(f"only root, with setpriv, can try what is done by {user}")
    why = made[user]["missing"].get(level)
    if why:
        pytest.skip(f"level {level} as {user}: {why}")
    answer = made[user]["attacks"].get(f"{level} {name}")
    if answer is None:
        pytest.skip("too dangerous where there is no process namespace around it")
    assert "broken" not in answer, answer["broken"]
    return answer["worked"]


@pytest.mark.parametrize("name", attacks.names())
def test_attack_works_where_nothing_protects(made, name):
    """An attack that works nowhere proves nothing."""
    worked = _answer(made, "ordinary user", BARE, name)
    if not worked and name in MAY_LACK:
        pytest.skip(MAY_LACK[name])
    assert worked


@pytest.mark.parametrize("name", attacks.names())
@pytest.mark.parametrize(
    "user, level",
    [(user, one) for user, levels in LEVELS.items() for one in levels if one != BARE],
)
def test_attack_at_a_level(made, user, level, name):
    """What is said to be stopped is stopped, what is open is said to be open."""
    worked = _answer(made, user, level, name)
    promise = table()[name][1][level]
    if promise == WITH_CGROUP:
        promise = "open" if "cgroup" in made[user]["lacks"][level] else "stopped"
    since = _SINCE.fullmatch(promise)
    if since:
        here = re.match(r"(\d+)\.(\d+)", os.uname().release)
        if tuple(map(int, here.groups())) < tuple(map(int, since.groups())):
            pytest.skip(f"{promise}, and this is older")
        promise = "stopped"
    if promise == "open" and name in MAY_LACK:
        if not _answer(made, "ordinary user", BARE, name):
            pytest.skip(MAY_LACK[name])
    assert worked == {"stopped": False, "open": True}[promise]


def test_document_names_every_attack():
    """The table has a row for each attack, which says what it does, and no other row."""
    rows = {name: about for name, (about, _cells) in table().items()}
    assert rows == {name: attacks.about(name) for name in attacks.names()}


def test_every_source_is_used():
    """No program among the attacks lies idle."""
    text = (SOURCES / "effects.py").read_text(encoding="utf-8") + "victim"
    idle = [path.stem for path in SOURCES.glob("*.c") if f'"{path.stem}"' not in text]
    assert idle in ([], ["victim"])
