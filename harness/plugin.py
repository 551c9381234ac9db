"""The pytest plugin: collects the checks of labs and runs them.

pytest finds and imports the check files.  Order, parallel workers, outcomes and
the result document are made here.
"""

import gc
import math
import os
import time
import traceback
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

from . import build, diagnosis, intake, machine, marker, probes, result, warden, workers
from .failure import Broken, Failure
from .kernel import prctl, proc, syscalls
from .labs import ROOT, Lab
from .process import unobservable
from .program import Program
from .stage import Stage, apart, into_memory, scratch
from .units import unfit

# Every check needs these: without them nothing can be seen at all, or nothing runs.
ALWAYS = ("architecture", "sockdiag", "blocked", "sanitizers")
# Whatever a check needs besides, a stage may ask for these.
OPTIONAL = ("netns", "pidfd_getfd")

_STDERR_SHOWN = 4000
# Seconds of work that are lost at most if the run is killed.
_SAVED_AFTER = 0.1
_LOST = ("failed", "blocked")


class Collector:
    """Collects the checks of some labs.

    After the run, ``checks`` holds them by lab name, and ``errors`` what kept a
    check file from being imported or broke in the harness.
    """

    def __init__(self):
        self.checks: dict[str, list[tuple[marker.Check, pytest.Item]]] = {}
        self.errors: list[str] = []
        self.raised: BaseException | None = None

    def pytest_collectreport(self, report):
        """Keep what went wrong while a check file was imported."""
        if report.failed:
            self.errors.append(str(report.longrepr))

    def pytest_internalerror(self, excinfo):
        """Keep what broke in the harness itself; a person gets one sentence."""
        self.errors.append(excinfo.exconly())
        self.raised = excinfo.value
        return True

    def pytest_collection_modifyitems(self, items):
        """Turn test functions into checks; refuse what is not one."""
        above = set()
        for item in items:
            found = marker.from_item(item)
            path = marker.file_of(item)
            name = path.parent.name
            for other in found.after:
                if (name, found.program, other) not in above:
                    raise pytest.UsageError(
                        f"{path.name}::{found.name}: after={other!r} is no check above it"
                    )
            above.add((name, found.program, found.name))
            self.checks.setdefault(name, []).append((found, item))

    def pytest_runtestloop(self, session):
        """Run nothing: the runner does that, in its own way."""
        return True


@dataclass
class Unit:
    """One set of sources to check: a student's lab, or a wrong program.

    Args:
        lab: the lab, with the sources.
        label: the name of its entry in the result document.
        only: names of the checks to run, or program/check; None for all.
            Checks that they stand on are not added: see ``with_predecessors``.
        program: the only program to check; None for all.
        pristine: the skeleton by file name, to tell what is not begun.
    """

    lab: Lab
    label: str
    only: Collection[str] | None = None
    program: str | None = None
    pristine: dict[str, str] = field(default_factory=dict)
    entry: dict = field(default_factory=dict)
    built: dict[tuple[str, str], build.Built] = field(default_factory=dict)
    records: dict[tuple[str, str], dict] = field(default_factory=dict)
    tries: dict[tuple[str, ...], int] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)


class Runner(Collector):
    """Collects checks and runs them.

    Args:
        units: what to check.
        seed: what random values are made from.
        jobs: how many checks run side by side.
        target: where the result document goes; None writes none.
        listener: is told (``program_done``) when a program is decided.
        repeat: the command that repeats one check, with {number} and {check}.
        level: how programs are confined; see ``confine``.
    """

    def __init__(
        self, units, seed, jobs, target: Path | None, listener, repeat="", level: str = "none"
    ):
        super().__init__()
        self.level = level
        self.units: list[Unit] = units
        self.seed = seed
        self.jobs = jobs
        self.target = target
        self.listener = listener
        self.repeat = repeat
        self.document: dict = {}
        self._lacks: dict[str, str] = {}
        self._ready = False
        self._news = True
        self._saved = 0.0
        self._texts = result.Texts()
        # the parts in C that start a program
        self._parts = {warden.native(level), *([("confine",)] if level != "none" else [])}
        if not syscalls.supported():
            self._parts = set()  # they don't compile, and nothing will be started
        self._queue: list[workers.Task] = []
        self._folder = ""
        self._binaries = ""
        # whether this is a process that has made checks
        self._moved_in = False

    # -- in the child -----------------------------------------------------------

    def _run_check(self, found: marker.Check, item, binary: str, lacks: dict[str, str]) -> dict:
        """Run one check in this forked process; return its part of the record."""
        began = time.monotonic()
        try:
            private = "netns" not in lacks
            where = (self._folder, self._binaries)
            if private and not self._moved_in:
                into_memory(*where)
                self._moved_in = True
            stage = Stage(found.name, self.seed, private, lacks, *where, self.level)
            try:
                program = Program(stage, found.program, binary, found.build)
                raised = _raised_by(item.function, program)
                if raised is not None and not isinstance(raised, Failure):
                    raised = stage.to_blame(raised) or raised
            finally:
                is_hole = _is_hole(stage)
                spoilt = stage.close()
            answer = _outcome(stage.foul() or raised or spoilt)
            answer["steps"] = result.steps(stage.tape)
            answer["stderr"] = _stderr(stage)
            if used := stage.used():
                answer["used"] = used
            if answer["outcome"] == "failed" and is_hole:
                if not answer["why"].startswith(diagnosis.HOLE):  # a check may know which
                    answer["why"] = diagnosis.HOLE
        except Exception:
            answer = {"outcome": "error", "why": traceback.format_exc()}
        answer["seconds"] = round(time.monotonic() - began, 4)
        return answer

    # -- in the parent ----------------------------------------------------------

    def pytest_runtestloop(self, session):
        """Run all checks, in parallel, and keep the document up to date."""
        if self.errors:
            return True
        prctl.hide()
        self._prepare()
        # forked children shall share our memory, not copy it to collect garbage
        gc.collect()
        gc.freeze()
        # one folder for all, so that nothing stays even if a check is killed
        with (
            scratch("sl-") as folder,
            scratch("run-", None if apart(self.level) else build.folder()) as binaries,
        ):
            if self.level != "none":
                # another user gets through, but finds no names there
                os.chmod(folder, 0o711)
                os.chmod(binaries, 0o711)
            self._folder, self._binaries = folder, binaries
            self._run_all()
        self.document["state"] = "complete"
        self._news = True
        self._save()
        return True

    def _run_all(self) -> None:
        self._queue.extend(self._native_tasks())
        self._queue.append(self._probe_task())
        for unit in self.units:
            self._queue.extend(self._build_tasks(unit))
        for unit in self.units:
            self._queue.extend(self._check_tasks(unit))
        workers.run(self._queue, self.jobs, self._save_sometimes)

    def _prepare(self) -> None:
        """Make the document, in which nothing is decided yet."""
        self.document = result.new(self.seed, self.level, {})
        for unit in self.units:
            for found, _item in self._checks(unit):
                unit.records[found.program, found.name] = result.new_check(
                    found,
                    self.repeat.format(
                        number=unit.lab.number, check=f"{found.program}/{found.name}"
                    ),
                )
            unit.entry = result.new_lab(unit.label, list(unit.records.values()))
            self.document["labs"].append(unit.entry)
        self._save()
        machine.scale()

    def _native_tasks(self):
        """Yield the compilation of what starts a program; other parts in C are, when needed."""
        for one in list(self._parts):
            yield workers.Task(
                one[0],
                lambda part=one: str(build.native(*part)),
                lambda _, part=one: self._parts.discard(part),
            )

    def _probe_task(self) -> workers.Task:
        """Find out what this machine can check, before a student's program runs."""
        needed = {probe for u in self.units for c, _item in self._checks(u) for probe in c.needs}
        optional = [*OPTIONAL, *probes.limits(self.level)]
        names = [*dict.fromkeys([*ALWAYS, *optional, *sorted(needed)])]
        return workers.Task(
            "probe",
            lambda: _lacking(names, self.level),
            self._probed,
            lambda: not self._parts,
        )

    def _probed(self, lacks) -> None:
        if lacks is None:
            raise Broken("the process that tries out this machine died")
        self._lacks = lacks
        self.document["machine"]["lacks"] = lacks
        self.document["network"] = "shared" if "netns" in lacks else "a namespace for each check"
        self._ready = True
        for unit in self.units:
            for found, _item in self._checks(unit):
                lacking = [probe for probe in (*ALWAYS, *found.needs) if probe in self._lacks]
                if lacking:
                    record = unit.records[found.program, found.name]
                    record["outcome"] = "unavailable"
                    record["why"] = self._lacks[lacking[0]]
            self._finish(unit)

    def _checks(self, unit: Unit):
        return [
            (found, item)
            for found, item in self.checks.get(unit.lab.name, [])
            if (
                unit.only is None
                or found.name in unit.only
                or f"{found.program}/{found.name}" in unit.only
            )
            and (unit.program is None or found.program == unit.program)
        ]

    def _save(self) -> None:
        """Write the document if it says something new."""
        if self.target is not None and self._news:
            result.write(self.document, self.target, self._texts)
        self._news = False
        self._saved = time.monotonic()

    def _save_sometimes(self) -> float:
        """Write the document, but not after every check: most take less time than that.

        Returns:
            the seconds after which there is something to write.
        """
        early = self._saved + _SAVED_AFTER - time.monotonic()
        if early <= 0:
            self._save()
        return early if early > 0 and self._news else math.inf

    def _build_tasks(self, unit: Unit):
        kinds = dict.fromkeys((found.program, found.build) for found, _item in self._checks(unit))
        for program, kind in kinds:
            yield self._build_task(unit, program, kind)

    def _check_tasks(self, unit: Unit):
        for found, item in self._checks(unit):
            yield self._check_task(unit, found, item)

    def _build_task(self, unit: Unit, program: str, kind: str) -> workers.Task:
        key = ("build", program, kind)

        def work():
            try:
                built = build.build(unit.lab, program, kind, self.level)
            except Broken as problem:
                return {"broken": str(problem)}
            return {**asdict(built), "path": str(built.path) if built.path else None}

        def done(answer):
            answer = answer or {"broken": "the compiler's process died"}
            unit.tries[key] = unit.tries.get(key, 0) + 1
            if "broken" in answer and unit.tries[key] == 1:
                self._queue.append(self._build_task(unit, program, kind))
                return
            if "broken" in answer:
                built = build.Built(program, kind, None, "")
                verdict = {"outcome": "error", "why": answer["broken"]}
            else:
                built = build.Built(**answer)
                verdict = {"outcome": "blocked", "why": "there is no program to run"}
            unit.built[program, kind] = built
            if "+" in kind:
                self._unit_built(unit, built, verdict if "broken" in answer else None)
                return
            row = next(one for one in unit.entry["programs"] if one["name"] == program)
            row["build"] = {"ok": built.ok, "text": built.text}
            row["begun"] = not _same(unit.lab.source / f"{program}.c", unit.pristine)
            for (name, _check), record in unit.records.items():
                if not built.ok and name == program and record["outcome"] == "not run":
                    record.update(verdict)
            self._finish(unit)

        return workers.Task(f"build {program}", work, done, trade="build")

    def _unit_built(self, unit: Unit, built: build.Built, verdict: dict | None) -> None:
        """Fail the checks of a file that does not go with its driver, and no others."""
        row = next(one for one in unit.entry["programs"] if one["name"] == built.program)
        if row["build"] == {"ok": False, "text": ""}:
            # nothing is known of the program itself, and nothing against it
            row["build"] = {"ok": True, "text": built.text if built.ok else ""}
        if verdict is None and not built.ok:
            verdict = unfit(built.kind, built.text)
        for found, _item in self._checks(unit) if verdict else ():
            record = unit.records[found.program, found.name]
            if (found.program, found.build) == (built.program, built.kind):
                if record["outcome"] == "not run":
                    record.update(verdict)
        self._finish(unit)

    def _check_task(self, unit: Unit, found: marker.Check, item) -> workers.Task:
        key = (found.program, found.name)
        record = unit.records[key]
        before = [
            unit.records[found.program, name]
            for name in found.after
            if (found.program, name) in unit.records
        ]

        def ready():
            if not self._ready or record["outcome"] != "not run":
                return False
            if (found.program, found.build) not in unit.built:
                return False
            broken = next((one for one in before if one["outcome"] in _LOST), None)
            if broken is not None:
                record["outcome"] = "blocked"
                record["why"] = f"it stands on {broken['name']}, which {_was(broken['outcome'])}"
                self._finish(unit)
                return False
            return all(one["outcome"] != "not run" for one in before)

        def brief():
            return {"path": str(unit.built[found.program, found.build].path), "lacks": self._lacks}

        def work(known):
            return self._run_check(found, item, known["path"], known["lacks"])

        def done(answer):
            answer = answer or {"outcome": "error", "why": "the check's own process died"}
            unit.tries[key] = unit.tries.get(key, 0) + 1
            if answer["outcome"] == "error" and unit.tries[key] == 1:
                self._queue.append(self._check_task(unit, found, item))
                return
            record.update(answer)
            record["points"] = record["max"] if record["outcome"] == "passed" else 0
            self._finish(unit)

        how = {"brief": brief, "trade": "check", "spent": _spent, "launches": True}
        return workers.Task(found.name, work, done, ready, **how)

    def _finish(self, unit: Unit) -> None:
        """Add up the points; tell of programs that are decided, in order."""
        result.add_up(unit.entry)
        self._texts.changed(unit.entry)
        self._news = True
        for row in unit.entry["programs"]:
            mine = [one for one in unit.entry["checks"] if one["program"] == row["name"]]
            if any(one["outcome"] == "not run" for one in mine):
                return
            if row["name"] not in unit.told:
                unit.told.add(row["name"])
                self.listener.program_done(unit.entry, row, mine)


def _spent(answer: dict) -> bool:
    """Whether a check's process may be no longer as it was: after a failure."""
    return answer["outcome"] != "passed"


def _lacking(names: list[str], level: str) -> dict[str, str]:
    """Return what this machine lacks: as probed, or as LACKS names it.

    Who grades a class has probed once, so that everybody has the same maximum.
    """
    told = os.environ.get("LACKS")
    if told is None:
        return probes.lacking(names, level)
    return {name: probes.PROBES[name].lack for name in names if name in told.split()}


def _same(path: Path, pristine: dict[str, str]) -> bool:
    """Whether a source is the skeleton still, with holes to fill in.

    A skeleton without any is a program with a mistake to find: that is begun.
    """
    if "ENOSYS" not in pristine.get(path.name, "ENOSYS"):
        return False
    try:
        return intake.take(path.parent, path.name) == pristine.get(path.name, "").encode()
    except intake.Refused:
        return False


def _was(outcome: str) -> str:
    return {"blocked": "was blocked"}.get(outcome, outcome)


def _raised_by(check, program: Program) -> BaseException | None:
    """Run a check; return what it raised.

    Not by pytest's protocol, whose fixtures and reports cost more than a
    millisecond and are not used here.
    """
    try:
        check(program)
    except BaseException as raised:  # pytest.skip too is no verdict
        return raised
    return None


def _outcome(raised: BaseException | None) -> dict:
    if raised is None:
        return {"outcome": "passed"}
    if isinstance(raised, proc.Hidden):
        raised = unobservable(raised)
    if isinstance(raised, Failure):
        return {
            "outcome": "failed",
            "expected": raised.expected,
            "got": raised.got,
            "why": raised.why,
        }
    if isinstance(raised, Broken):
        return {"outcome": "error", "why": str(raised)}
    return {"outcome": "error", "why": "".join(traceback.format_exception(raised))}


def _is_hole(stage: Stage) -> bool:
    """Whether a program said that it is the skeleton's, in some place at least."""
    said = b"".join(process.stderr + process.stdout for process in stage.processes)
    return b"Function not implemented" in said or b": ENOSYS\n" in said


def _stderr(stage: Stage) -> str:
    """Return the end of what was written to stderr; of a sanitizer's long report, its beginning."""
    text = b"".join(process.stderr for process in stage.processes)
    at = text.find(b"ERROR: AddressSanitizer: ")
    begin = max(0, len(text) - _STDERR_SHOWN)
    if 0 <= at < begin:
        begin = text.rfind(b"\n", 0, at) + 1
    return text[begin : begin + _STDERR_SHOWN].decode("utf-8", "replace")


def with_predecessors(checks: list[marker.Check], program: str, name: str) -> set[str]:
    """Return the name of a check and of all that it stands on."""
    by_name = {one.name: one for one in checks if one.program == program}
    found: set[str] = set()
    todo = [name]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo.extend(by_name[one].after)
    return found


def run_pytest(plugin: Collector, folders: Collection[Path]) -> int:
    """Collect the checks in some folders with a plugin and let it run them.

    Returns pytest's exit code.
    """
    # nobody else's plugin has a say in a verdict
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    left_out = ("terminal", "cacheprovider", "capture", "logging", "faulthandler")
    options = [
        # nothing is rewritten, so Python keeps what it has compiled
        "--assert=plain",
        f"-c{ROOT / 'pyproject.toml'}",
        f"--rootdir={ROOT}",
        f"--confcutdir={ROOT / 'labs'}",
    ]
    for name in left_out:
        options += ["-p", f"no:{name}"]
    return int(pytest.main([*options, *map(str, folders)], plugins=[plugin]))


def collect(labs: list[Lab]) -> dict[str, list[marker.Check]]:
    """Return the checks of some labs by lab name, without running any.

    Raises:
        Broken: a check file can't be imported, or a check is incomplete.
    """
    collector = Collector()
    code = run_pytest(collector, [lab.folder for lab in labs])
    if collector.errors or code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        raise Broken("\n".join(collector.errors) or "a check is incomplete, as said above")
    return {name: [found for found, _item in pairs] for name, pairs in collector.checks.items()}
