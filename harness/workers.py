"""Running tasks side by side, each in a forked process.

A fork of the process that has collected the checks starts with everything
imported.  It may enter namespaces, crash, or be killed without harm to the
others.  Forking costs some milliseconds, most of them for pages that are
written for the first time, so a process may do further tasks of the same trade
as long as each leaves it as it was.

A check and the programs that it starts take turns, and to wake a CPU that sleeps
takes longer than most of their turns.  So, if there is work for all CPUs, they share
one.
"""

import contextlib
import json
import os
import selectors
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .kernel import prctl, proc

_LENGTH = struct.Struct("!I")
# Seconds that launchers have to end their programs; it takes far less.
_PATIENCE = 10.0
# Seconds between two looks at who is late.
_TICK = 1.0


@dataclass
class Task:
    """Work for one forked process.

    Args:
        name: for people.
        work: runs in the child, and returns something that JSON can hold.
        done: is called in the parent with that, or with None when the child
            died or outlived the limit.
        ready: whether the task may start now.
        limit: seconds after which the child is killed.
        brief: if given, its value, which JSON must hold, is what ``work`` gets:
            what the parent has learnt since the child was forked.
        trade: tasks of the same trade may follow each other in one process;
            a task without one has a process of its own.
        spent: whether after such an answer the process must not go on.
        launches: whether its child processes are launchers, which end all that
            they have started when they lose it.  It takes turns with them.
    """

    name: str
    work: Callable[..., object]
    done: Callable[[object], None]
    ready: Callable[[], bool] = lambda: True
    limit: float = 300.0
    brief: Callable[[], object] | None = None
    trade: str = ""
    spent: Callable[[object], bool] = lambda _answer: False
    launches: bool = False


@dataclass
class _Worker:
    pid: int
    channel: socket.socket
    trade: str
    knows: int
    cpu: int | None
    task: Task | None = None
    began: float = 0.0
    data: bytearray = field(default_factory=bytearray)

    def give(self, number: int, task: Task) -> None:
        """Start a task that was known when the process was forked."""
        self.task, self.began, self.data = task, time.monotonic(), bytearray()
        # It may have died meanwhile; that is noticed as the end of its channel.
        with contextlib.suppress(OSError):
            _send(self.channel, [number, task.brief() if task.brief else None])

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.channel.close()


def _send(channel: socket.socket, thing) -> None:
    data = json.dumps(thing).encode()
    channel.sendall(_LENGTH.pack(len(data)) + data)


def _serve(channel: socket.socket, tasks: list[Task]) -> None:
    """Do tasks as they are ordered, in a forked process, until the order ends."""
    with channel.makefile("rb") as orders:
        while head := orders.read(_LENGTH.size):
            number, brief = json.loads(orders.read(_LENGTH.unpack(head)[0]))
            task = tasks[number]
            _send(channel, task.work(brief) if task.brief else task.work())


def own_cpus(jobs: int) -> list[int]:
    """Return the CPUs to choose from for each job; with fewer jobs, the kernel chooses.

    In an order of this process's own, for there may be other runs.
    """
    cpus = sorted(os.sched_getaffinity(0))
    first = os.getpid() % len(cpus)
    return cpus[first:] + cpus[:first] if jobs >= len(cpus) else []


def least_used(cpus: list[int], taken: Iterable[int | None]) -> int | None:
    """Return the CPU on which the fewest stay; None if there is nothing to choose from."""
    taken = list(taken)
    return min(cpus, key=taken.count, default=None)


def stay_on(cpu: int | None) -> None:
    """Bind this process, and those that it starts, to a CPU, if that is still to be had."""
    if cpu is not None:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {cpu})


class _Pool:
    """The processes of one run."""

    def __init__(self, jobs: int):
        self.jobs = jobs
        self.cpus = own_cpus(jobs)
        self.workers: dict[int, _Worker] = {}
        self.selector = selectors.DefaultSelector()
        self.known: list[Task] = []
        self.numbers: dict[int, int] = {}

    def busy(self) -> bool:
        return any(worker.task for worker in self.workers.values())

    def learn(self, tasks: list[Task]) -> None:
        for task in tasks:
            if id(task) not in self.numbers:
                self.numbers[id(task)] = len(self.known)
                self.known.append(task)

    def start(self, waiting: list[Task]) -> None:
        """Give every task that may start to somebody, in order."""
        while sum(bool(worker.task) for worker in self.workers.values()) < self.jobs:
            task = next((one for one in waiting if one.ready()), None)
            if task is None:
                return
            if id(task) not in self.numbers:
                self.learn(waiting)
            waiting.remove(task)
            number = self.numbers[id(task)]
            self.worker_for(number, task).give(number, task)

    def worker_for(self, number: int, task: Task) -> _Worker:
        for worker in list(self.workers.values()):
            if worker.task is None and worker.trade == task.trade:
                if worker.knows > number:
                    return worker
                self.dismiss(worker)  # it was forked too early
        cpu = least_used(self.cpus, (worker.cpu for worker in self.workers.values()))
        return self.fork(task.trade, cpu if task.launches else None)

    def fork(self, trade: str, cpu: int | None) -> _Worker:
        ours, theirs = socket.socketpair()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                prctl.die_with_parent(parent)
                ours.close()
                for worker in self.workers.values():
                    worker.channel.close()
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                stay_on(cpu)
                _serve(theirs, self.known)
                code = 0
            finally:
                os._exit(code)
        theirs.close()
        worker = _Worker(pid, ours, trade, len(self.known), cpu)
        self.workers[ours.fileno()] = worker
        self.selector.register(ours, selectors.EVENT_READ)
        return worker

    def dismiss(self, worker: _Worker) -> None:
        self.selector.unregister(worker.channel)
        del self.workers[worker.channel.fileno()]
        worker.end()

    def take(self, worker: _Worker) -> None:
        """Take in a part of an answer, or the end of its process."""
        try:
            chunk = worker.channel.recv(1 << 20)
        except ConnectionResetError:
            chunk = b""
        worker.data += chunk
        task, answer = worker.task, None
        if chunk:
            if len(worker.data) < _LENGTH.size:
                return
            length = _LENGTH.unpack_from(worker.data)[0]
            if len(worker.data) < _LENGTH.size + length:
                return
            answer = json.loads(worker.data[_LENGTH.size :])
            worker.task = None
        if not chunk or task is None or not task.trade or task.spent(answer):
            self.dismiss(worker)
        if task is not None:
            task.done(answer)

    def end_late(self) -> None:
        """Kill what outlived its limit, and all that it started.

        The programs too, because it may be waiting in the kernel for one of them.
        Launchers are spared: they notice, and end whatever else there is.  Only
        they know of all: who goes from process to process is in no list that is
        as old as a moment.  If that is not enough, they go, too.
        """
        for worker in self.workers.values():
            late = time.monotonic() - worker.began - worker.task.limit if worker.task else 0
            if late > 0:
                spares = worker.task.launches and late < _PATIENCE
                spared = proc.children(worker.pid) if spares else []
                for pid in [worker.pid, *proc.descendants(worker.pid)]:
                    with contextlib.suppress(ProcessLookupError):
                        if pid not in spared:
                            os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        for worker in list(self.workers.values()):
            self.dismiss(worker)
        self.selector.close()


def run(waiting: list[Task], jobs: int, idle: Callable[[], float] = lambda: _TICK) -> None:
    """Run all tasks, at most ``jobs`` at a time, in order where they may.

    A task starts when its ``ready`` says so; ``done`` of another may change
    that, and may append further tasks to the list.  Tasks that never become
    ready stay in it.

    Args:
        waiting: the tasks; those that were started are taken out.
        jobs: how many run side by side.
        idle: is called whenever all are busy and there is no answer to take; it
            returns the seconds after which it wants to be called again.
    """
    with contextlib.closing(_Pool(jobs)) as pool:
        while True:
            pool.start(waiting)
            if not pool.busy():
                return
            events = pool.selector.select(0)
            if not events:
                events = pool.selector.select(min(_TICK, idle()))
            for key, _events in events:
                pool.take(pool.workers[key.fd])
            pool.end_late()
