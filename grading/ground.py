"""What a run stands on: how programs are confined, and what can be checked.

Both are found out once, before the first submission, and hold for all of them:
``RUN/machine.json`` has

    level   one of harness.confine.LEVELS
    weaker  why each higher level could not be had
    lacks   what could not be checked or limited, by the names of harness.probes

Whoever works on the run later, or on another machine, must offer as much, else
one student's maximum would not be another's.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from harness import build, confine, labs, probes, result
from harness.kernel import syscalls

from . import files

_FILE = "machine.json"
# The lowest level at which strangers' programs are graded without being told to.
_LEAST = "other uid"


@dataclass(frozen=True)
class Ground:
    """Level, why not a higher one, and what can't be had with the reason."""

    level: str
    weaker: dict[str, str]
    lacks: dict[str, str]

    def words(self) -> list[str]:
        """Return it in lines for people."""
        about = {"level": self.level, "machine": {"lacks": self.lacks}}
        lines = [f"level: {result.confinement(about)}"]
        lines += [f"  not {level}: {why}" for level, why in self.weaker.items()]
        for name, lack in self.lacks.items():
            probe = probes.PROBES[name]
            whom = "" if probe.limits else "not checked here, for anybody: "
            lines.append(f"{whom}{lack}; {probe.mend}")
        return lines


def level() -> tuple[str, dict[str, str]]:
    """Return the level to grade at, and why not at each higher one.

    It is the best that there is, or LEVEL.

    Raises:
        labs.Unknown: it is too low, and nobody said ALLOW_WEAK=1; or there is no
            compiler; or the architecture is not known.
    """
    if not syscalls.supported():
        lacks = probes.PROBES["architecture"]
        raise labs.Unknown(f"Nothing can be graded here: {lacks.lack}; {lacks.mend}.")
    if not build.compiler_version():
        raise labs.Unknown(
            f"There is no working C compiler {build.compiler()[0]!r}: install gcc, or set CC."
        )
    try:
        wanted = confine.wanted()
        found, weaker = (confine.asked(), {}) if wanted else confine.best()
    except confine.Unavailable as problem:
        raise labs.Unknown(str(problem)) from None
    way_out = "install bubblewrap, grade as root, mend what make doctor names"
    _allow(found, "; ".join(dict.fromkeys(weaker.values())) or f"LEVEL={wanted}", way_out)
    return found, weaker


def _allow(found: str, reason: str, way_out: str) -> None:
    if _below(found, _LEAST) and os.environ.get("ALLOW_WEAK", "").strip() != "1":
        raise labs.Unknown(
            f"Strangers' programs could read and change here what you can (level {found}: "
            f"{reason}): {way_out}, or say ALLOW_WEAK=1."
        )


def _below(one: str, other: str) -> bool:
    return confine.LEVELS.index(one) > confine.LEVELS.index(other)


def settle(run: Path) -> Ground:
    """Return what a run stands on; this machine is probed.

    The first to work on a run decides for all.

    Raises:
        labs.Unknown: this machine offers less than the run stands on, or too little.
    """
    # the harness's own parts are compiled where its others are
    os.environ.setdefault("SOCKLAB_BUILD", str(run / "build"))
    known = read(run)
    if known is None:
        found, weaker = level()
        _publish(run, Ground(found, weaker, probes.lacking(None, found)))
        known = read(run)
    else:
        _level_again(run, known.level)
    for name, lack in probes.lacking(None, known.level).items():
        if name not in known.lacks:
            raise labs.Unknown(
                f"{lack} here, but not where {run} was begun: grade on that machine, mend this "
                f"one ({probes.PROBES[name].mend}), or grade into a new RUN."
            )
    return known


def _level_again(run: Path, begun: str) -> None:
    """Refuse to go on with a run at another level than it was begun at."""
    try:
        wanted = confine.wanted()
    except confine.Unavailable as problem:
        raise labs.Unknown(str(problem)) from None
    why = confine.why_not(begun)
    if wanted and wanted != begun:
        why = f"LEVEL={wanted} asks for another one"
    if why:
        raise labs.Unknown(
            f"{run} was begun at level {begun}, at which this can't go on ({why}): "
            "mend that, or grade into a new RUN."
        )
    _allow(begun, f"{run} was begun so", "grade into a new RUN at a better level")


def read(run: Path) -> Ground | None:
    """Return what a run stands on; None before the first submission was graded.

    Raises:
        labs.Unknown: the file that says so is damaged.
    """
    try:
        return Ground(**json.loads((run / _FILE).read_text(encoding="ascii")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise labs.Unknown(
            f"{run / _FILE} is damaged: grade into a new RUN, or delete {run}."
        ) from None


def _publish(run: Path, ground: Ground) -> None:
    """Write it, unless somebody else was first."""
    mine = run / f"machine.{os.getpid()}"
    with files.whole(mine, "ascii") as file:
        json.dump(asdict(ground), file, indent=1)
    try:
        os.link(mine, run / _FILE)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        mine.rename(run / _FILE)
    finally:
        mine.unlink(missing_ok=True)
