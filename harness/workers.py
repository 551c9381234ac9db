"""Running tasks side by side, each in a process forked for it alone.

A fork of the process that has collected the checks costs a few milliseconds
and starts with everything imported.  It may enter namespaces, crash, or be
killed without harm to the others.
"""

import contextlib
import json
import os
import selectors
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .kernel import prctl, proc


@dataclass
class Task:
    """Work for one forked process.

    ``work`` runs in the child and returns something that JSON can hold.
    ``done`` is called in the parent with that, or with None when the child
    died or outlived the limit.
    """

    name: str
    work: Callable[[], object]
    done: Callable[[object], None]
    ready: Callable[[], bool] = lambda: True
    limit: float = 300.0


@dataclass
class _Running:
    task: Task
    pid: int
    began: float
    data: bytearray = field(default_factory=bytearray)


def _fork(task: Task) -> tuple[int, int]:
    read_end, write_end = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.close(write_end)
        return pid, read_end
    code = 1
    try:
        prctl.die_with_parent(parent)
        os.close(read_end)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        data = json.dumps(task.work()).encode()
        with os.fdopen(write_end, "wb") as pipe:
            pipe.write(data)
        code = 0
    finally:
        os._exit(code)


def run(waiting: list[Task], jobs: int) -> None:
    """Run all tasks, at most ``jobs`` at a time, in order where they may.

    A task starts when its ``ready`` says so; ``done`` of another may change
    that, and may append further tasks to the list.  Tasks that never become
    ready stay in it.
    """
    running: dict[int, _Running] = {}
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or running:
                _start(waiting, running, selector, jobs)
                if not running:
                    return
                for key, _events in selector.select(1.0):
                    _take(key.fd, running, selector)
                _end_late(running)
        finally:
            for fd, one in running.items():
                os.kill(one.pid, signal.SIGKILL)
                os.waitpid(one.pid, 0)
                os.close(fd)


def _start(waiting: list[Task], running: dict[int, _Running], selector, jobs: int) -> None:
    while len(running) < jobs:
        task = next((one for one in waiting if one.ready()), None)
        if task is None:
            return
        waiting.remove(task)
        pid, fd = _fork(task)
        running[fd] = _Running(task, pid, time.monotonic())
        selector.register(fd, selectors.EVENT_READ)


def _take(fd: int, running: dict[int, _Running], selector) -> None:
    one = running[fd]
    chunk = os.read(fd, 1 << 20)
    if chunk:
        one.data += chunk
        return
    selector.unregister(fd)
    os.close(fd)
    del running[fd]
    _pid, status = os.waitpid(one.pid, 0)
    one.task.done(json.loads(one.data) if status == 0 and one.data else None)


def _end_late(running: dict[int, _Running]) -> None:
    """Kill what outlived its limit, and all that it started.

    Its programs too, because it may be waiting in the kernel for one of them.
    """
    for one in running.values():
        if time.monotonic() - one.began > one.task.limit:
            for pid in [*proc.descendants(one.pid), one.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
