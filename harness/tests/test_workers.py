"""Tasks in processes of their own: order, death, limits, nothing left."""

import os
import select
import signal
import subprocess
import sys
import time

import pytest

from harness import confine, labs, probes, program, stage, workers
from harness.kernel import proc


def _task(name, log, work=lambda: None, **how):
    return workers.Task(name, work, lambda answer: log.append((name, answer)), **how)


def test_answers():
    """Each task answers with what its work returned."""
    log = []
    tasks = [_task(str(n), log, lambda n=n: {"square": n * n}) for n in range(20)]
    workers.run(tasks, 4)
    assert tasks == []
    assert sorted(log) == sorted((str(n), {"square": n * n}) for n in range(20))


def test_order():
    """One at a time, tasks run in the order in which they may."""
    log = []
    workers.run([_task(name, log) for name in "abcde"], 1)
    assert [name for name, _answer in log] == list("abcde")


def test_ready():
    """A task that stands on another one waits for it; the rest goes on."""
    log = []

    def has(name):
        return lambda: any(one == name for one, _answer in log)

    tasks = [_task("c", log, ready=has("b")), _task("b", log, ready=has("a")), _task("a", log)]
    tasks.append(_task("d", log))
    workers.run(tasks, 2)
    names = [name for name, _answer in log]
    assert names.index("a") < names.index("b") < names.index("c")
    assert set(names) == set("abcd")


def test_never_ready():
    """What can never start stays, and keeps nobody."""
    log = []
    tasks = [_task("never", log, ready=lambda: False), _task("a", log)]
    workers.run(tasks, 2)
    assert [task.name for task in tasks] == ["never"]
    assert log == [("a", None)]


def test_added_on_the_way():
    """What is done may add further tasks."""
    log = []
    tasks = []

    def more(answer):
        log.append(answer)
        if answer:
            tasks.append(workers.Task("more", lambda: answer - 1, more))

    tasks.append(workers.Task("first", lambda: 5, more))
    workers.run(tasks, 3)
    assert log == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize(
    "work",
    [
        lambda: os.kill(os.getpid(), signal.SIGKILL),
        lambda: os._exit(0),
        lambda: os._exit(3),
        lambda: sys.exit(0),
        lambda: 1 / 0,
        lambda: object(),
        lambda: signal.raise_signal(signal.SIGTERM),
    ],
)
def test_death(work):
    """A child that dies in whatever way is reported as dead; the others go on."""
    log = []
    workers.run([_task("dies", log, work), _task("lives", log, lambda: 1)], 1)
    assert log == [("dies", None), ("lives", 1)]


def test_limit():
    """A child that hangs is killed at its limit."""
    log = []
    began = time.monotonic()
    slow = _task("hangs", log, lambda: signal.pause(), limit=0.2)
    workers.run([slow, _task("lives", log, lambda: 1)], 1)
    assert log == [("hangs", None), ("lives", 1)]
    assert time.monotonic() - began < 30


def test_limit_leaves_no_program(small, tmp_path):
    """Of a check that is killed at its limit no program is left, however it flees."""
    read_end, write_end = os.pipe()

    def hang():
        world = stage.Stage("test", "seed", not probes.failing("netns"), (), str(tmp_path))
        flees = program.Program(world, "flees", str(small("flees")), "plain")
        flees.start(keep=[write_end])
        signal.pause()

    log = []
    workers.run([workers.Task("x", hang, log.append, limit=1.0, launches=True)], 1)
    assert log == [None]
    # whoever is left has it open
    os.close(write_end)
    assert select.select([read_end], [], [], 15)[0]
    assert os.read(read_end, 1) == b""
    os.close(read_end)


def test_stopped_child():
    """A child that was stopped is killed at its limit all the same."""
    log = []
    workers.run([_task("x", log, lambda: os.kill(os.getpid(), signal.SIGSTOP), limit=0.2)], 1)
    assert log == [("x", None)]


def test_large_answer():
    """An answer larger than a pipe comes whole."""
    log = []
    workers.run([_task("large", log, lambda: "x" * 5_000_000)], 1)
    assert len(log[0][1]) == 5_000_000


def test_side_by_side():
    """As many run at once as there are jobs, and no more."""
    log = []
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)

    def meet():
        os.write(write_end, b"x")
        seen = b""
        while len(seen) < 3:
            try:
                seen += os.read(read_end, 3)
            except BlockingIOError:
                continue
            os.write(write_end, seen)
            seen = seen if len(seen) >= 3 else b""
        return len(seen)

    workers.run([_task(str(n), log, meet, limit=30) for n in range(3)], 3)
    assert [answer for _name, answer in log] == [3, 3, 3]


def test_nothing_left_behind():
    """After a run there is no child, and no descriptor more."""
    before = os.listdir("/proc/self/fd")
    workers.run([_task(str(n), [], lambda: 1) for n in range(10)], 3)
    assert os.listdir("/proc/self/fd") == before
    assert proc.children(os.getpid()) == []


def test_interrupted():
    """When ``done`` raises, the other children are ended."""

    def stop(answer):
        raise KeyboardInterrupt

    tasks = [workers.Task("a", lambda: 1, stop), _task("b", [], signal.pause)]
    with pytest.raises(KeyboardInterrupt):
        workers.run(tasks, 2)
    assert proc.children(os.getpid()) == []


def test_children_die_with_the_runner(tmp_path):
    """When the runner is killed, its children go, too."""
    path = tmp_path / "pids"
    code = (
        "import os, signal\n"
        "from harness import workers\n"
        f"path = {str(path)!r}\n"
        "def work():\n"
        "    with open(path, 'a') as file:\n"
        "        file.write(f'{os.getpid()}\\n')\n"
        "    signal.pause()\n"
        "workers.run([workers.Task('x', work, print) for _ in range(3)], 3)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=labs.ROOT) as runner:
        began = time.monotonic()
        while not path.exists() or path.read_text().count("\n") < 3:
            assert time.monotonic() - began < 60
        runner.kill()
    pids = [int(line) for line in path.read_text().split()]
    while any(proc.state(pid) not in ("", "Z", "X") for pid in pids):
        assert time.monotonic() - began < 60


def test_each_on_its_own_cpu():
    """As many as there are CPUs, each with programs to start, stay on one each; fewer don't."""
    cpus = sorted(os.sched_getaffinity(0))

    def stay(jobs):
        log = []
        where = lambda: sorted(os.sched_getaffinity(0))  # noqa: E731
        workers.run([_task("", log, where, launches=True) for _ in range(jobs)], jobs)
        return [answer for _name, answer in log]

    assert sorted(stay(len(cpus))) == [[cpu] for cpu in cpus]
    assert stay(len(cpus) - 1) == [cpus] * (len(cpus) - 1)


def test_a_cpu_that_has_gone():
    """Who was to stay on a CPU that can't be had any more goes on elsewhere."""
    before = os.sched_getaffinity(0)
    workers.stay_on(os.sysconf("SC_NPROCESSORS_CONF") + 1)
    assert os.sched_getaffinity(0) == before


def test_files_of_checks_are_in_memory(tmp_path):
    """What a process puts into its folders is seen by nobody else, and has a limit."""

    def work():
        stage.into_memory(str(tmp_path))
        (tmp_path / "file").touch()
        room = os.statvfs(tmp_path)
        return [room.f_blocks * room.f_frsize, room.f_files]

    log = []
    workers.run([_task("", log, work)], 1)
    if list(tmp_path.iterdir()):
        assert probes.failing("netns"), "mounting is refused, but not the namespace"
        pytest.skip(probes.failing("netns"))
    assert log == [("", [confine.SIZE, confine.FILES])]
