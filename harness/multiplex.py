"""What a server of many descriptors waits for, and whom it has overlooked.

Everything here looks at a sleeping program: the call it sleeps in, and the
descriptor sets or the pollfd array in its memory (see ``blocked``).
"""

import contextlib

from . import blocked
from .failure import Failure, require
from .kernel import proc
from .kernel.syscalls import ACCEPT, MULTIPLEX, READ, SELECT, SLEEP, TIMER, WAIT_CHILD, WRITE


def end_of(server, client) -> int:
    """Return the descriptor of the server's end of a client's connection, or -1."""
    return next(iter(server.holders(client).get(server.pid, [])), -1)


def at_rest(server, calls):
    """Return the Blocked of a server that has come to rest in one of ``calls``, or None.

    It is taken from the very snapshot that shows the server at rest: a moment
    later the kernel may have found more room for a client who does not read,
    and a server that waits for that runs again.
    """
    with contextlib.suppress(Failure):
        for task in server.wait_quiet():
            if task.pid == server.pid and task.state == "S" and task.blocked.call in calls:
                return task.blocked
    return None


def why_not_served(server, *clients) -> str:
    """Explain why a server sleeps although somebody has something for it.

    Args:
        server: the server, which may have ended.
        clients: who waits to be served; the first that was overlooked is named.
    """
    if server.end_status:
        return server.why_it_ended()
    found = at_rest(server, ACCEPT | READ | WRITE | MULTIPLEX | SLEEP | WAIT_CHILD)
    if found is None:
        return ""
    if found.call in SLEEP or (found.call in MULTIPLEX and not found.reads | found.writes):
        return "it pauses, and serves nobody meanwhile: nothing but events may wake it"
    if found.call in WAIT_CHILD:
        return "it waits for a child to end, and serves nobody meanwhile"
    if found.call in ACCEPT:
        return (
            "it waits in accept for the next client, and all who are there wait with it. That "
            "select has called the listening socket ready is a hint, and may be out of date when "
            "accept is called: O_NONBLOCK on the listening socket"
        )
    if found.call in READ:
        return (
            f"it waits in {found} for one client, and all others wait with it: nothing but select "
            "or poll may wait, so O_NONBLOCK or MSG_DONTWAIT, and one read for each time that "
            "select has called the descriptor ready"
        )
    if found.call in WRITE:
        return (
            f"it waits in {found} for one client who does not read, and all others wait with it: "
            "O_NONBLOCK or MSG_DONTWAIT, and what can't be sent is kept until select calls the "
            "descriptor writable"
        )
    return next(filter(None, (_why_overlooked(server, found, one) for one in clients)), "")


def why_busy(failure, server=None) -> str:
    """Explain why a server that has nothing to do does not sleep; empty if it does.

    Args:
        failure: what a wait for the server has raised.
        server: the server; if given, it is looked at which descriptors select calls ready.
    """
    if "keeps the CPU busy" not in failure.got:
        return ""
    ready = server and _ready(server)
    if ready and ready.writes:
        return (
            f"select returns at once, again and again: {_show(ready.writes)} is watched for "
            "writing, and nothing is to be written. Ask for room only while there is something "
            "to send, and empty both sets with FD_ZERO before every call"
        )
    if ready:
        return (
            f"select returns at once, again and again: {_show(ready.reads)} is watched for "
            "reading and always ready: it is at end of file, or broken, or nobody takes what is "
            "there. Who has ended is left out of the set, which FD_ZERO empties before every call"
        )
    return (
        "select returns at once, again and again, for what it calls ready is never dealt with: "
        "an end of file after which the descriptor is not closed, a client that accept does not "
        "take, or room to write where nothing is to be written"
    )


def _ready(server):
    """Return what select tells a busy server, or None.

    A program that goes round is stopped for a moment, most often as it leaves
    select; its sets then hold what is ready.
    """
    tape = server.stage.tape
    for _ in range(200):
        before = len(tape.steps)
        try:
            server.freeze()
            call = proc.current_call(server.pid, server.pid)
            found = call and call[0] in SELECT and blocked.describe(server.pid, *call)
            server.thaw()
        except (Failure, proc.Hidden):
            return None
        finally:
            del tape.steps[before:]
        if found and found.reads | found.writes:
            return found
    return None


def _why_overlooked(server, found, client) -> str:
    """Explain why a client is not among those that a multiplexing call waits for."""
    fd = end_of(server, client)
    name = client.name
    if fd == -1:
        client._pull()
        if client.ended:
            return f"the server has closed the connection of {name}, which has not left"
        fd, name = server.listener_fd, "the listening socket"
        if server.queue()[0] == 0:
            return ""
    if fd in found.reads:
        return ""
    if found.call in SELECT and 0 < found.args[0] <= fd:
        return (
            f"it asks select about the descriptors below {found.args[0]} only, and {name} has "
            f"descriptor {fd}: the first argument is the highest descriptor plus 1"
        )
    return (
        f"it sleeps in {found}, and descriptor {fd} ({name}) is not among those it waits for. "
        "select leaves in its sets only what is ready: fill them anew before every call. And who "
        "is given up is closed"
    )


def require_alone(server) -> None:
    """Require that the server is one process with one thread, at rest."""
    server.wait_quiet()
    others, threads = server.others(), len(proc.tasks(server.pid))
    shown = f"{1 + len(others)} processes, {threads} threads in the first"
    server.stage.tape.add("look", f"at {server.name}", shown)
    require(
        not others and threads == 1,
        "one process with one thread",
        shown,
        "here one process looks after everybody: no fork, no threads, but select",
    )


def require_waits(server, reads, writes=frozenset(), why_writes: str = "") -> None:
    """Require that the server sleeps in one call that waits for just the right ones.

    Args:
        server: the server, which is to come to rest; with its calls of TIMER
            noted, if those can be.
        reads: the descriptors that it must wait for to be readable; it may wait
            for more of its own.
        writes: those that it must wait for to be writable, and no others.
        why_writes: the diagnosis where it waits for too few of those.
    """
    found = server.wait_asleep(MULTIPLEX, "a server asleep in select or poll")
    shown = f"{found} asks for input from {_show(found.reads)}, for room in {_show(found.writes)}"
    server.stage.tape.add("look", "at what it waits for", shown)
    limit = server.time_limit(found)
    timers = ", ".join(sorted(TIMER.intersection(server.noted)))
    require(
        limit is None and not timers,
        "a server that sleeps until something happens",
        f"asleep in {found}"
        + (f", after a call of {timers}" if timers else f" with a time limit of {limit} s"),
        "it wakes by a timer and finds nothing to do: no time limit while events can wake it",
    )
    missing = set(reads) - found.reads
    require(
        not missing,
        f"input from {_show(reads)} asked for",
        f"{_show(found.reads)} only",
        f"{_show(missing)} would never be served: fill the sets anew before every select, and the "
        "first argument is the highest descriptor plus 1",
    )
    extra = found.writes - set(writes)
    require(
        not extra,
        f"room asked for in {_show(writes)} only",
        f"in {_show(found.writes)}",
        f"nothing is queued for {_show(extra)}: ask for room only while there is something to "
        "send, or select returns at once, again and again, as soon as there is room",
    )
    require(
        set(writes) <= found.writes,
        f"room asked for in {_show(writes)}",
        f"in {_show(found.writes)}",
        why_writes,
    )


def _show(fds) -> str:
    return "{" + ", ".join(map(str, sorted(fds))) + "}" if fds else "nothing"
