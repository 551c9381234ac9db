"""A server without a descriptor left: every accept fails, for a while.

Nothing tells a process that a descriptor has become free, so a server must
pause before it calls accept again, or it keeps the CPU busy for nothing.
"""

import errno

from . import blocked as blocking
from .failure import fail
from .kernel import proc, syscalls

# What a run must be started with, as ``watch``.
WATCH = syscalls.ACCEPT | syscalls.SLEEP | syscalls.MULTIPLEX | {"rt_sigtimedwait"}
# Who gives up a client by a spare descriptor calls accept twice for each try.
_TRIES = 20
# A pause longer than this, in seconds, keeps clients waiting for nothing.
_LONGEST = 5.0
# A shorter one, in seconds, is none.
_SHORTEST = 0.01


def endure(server, begin, pauses: int = 2) -> None:
    """Let every accept of a server fail with EMFILE until it has paused.

    When this returns, accept works again, and any pause is cut from then on.

    Args:
        server: a server that was started with ``watch=WATCH``.
        begin: called when accept has begun to fail; must make the server call it, such as
            by a client that connects.
        pauses: how many pauses are waited for.

    Raises:
        Failure: it goes round without a pause, pauses too long, or ends.
    """
    tape = server.stage.tape
    step = tape.add("disturb", "from now on every accept fails with EMFILE")
    in_a_row = 0
    found: list[float] = []

    def refuse(held):
        nonlocal in_a_row
        in_a_row += 1
        held.fail(errno.EMFILE)

    def pausing(held):
        nonlocal in_a_row
        asked = blocking.describe(held.tid, held.call, held.args)
        if asked.timeout is None or not asked.timeout > _SHORTEST:
            return
        sockets = proc.socket_inodes(held.tid)
        if any(sockets.get(fd) == server.listener_inode for fd in asked.reads):
            return  # the client is there already, so it ends at once
        in_a_row = 0
        found.append(held.cut(server.program.clock))

    def decided():
        return len(found) >= pauses or in_a_row > _TRIES or max(found, default=0) > _LONGEST

    server.breakpoints.on(syscalls.ACCEPT, refuse)
    server.breakpoints.on(WATCH - syscalls.ACCEPT, pausing)
    try:
        begin()
        server.until(decided, "a server that pauses, then calls accept again")
    finally:
        # the last refusal may have led to one more pause, which is cut, too
        server.breakpoints.off(refuse)
    if in_a_row > _TRIES:
        step.saw = f"{in_a_row} times without a pause"
        fail(
            "a pause of a second before accept is called again",
            f"accept called {in_a_row} times, one after the other",
            "after EMFILE or ENFILE accept fails again at once, for the client stays in the queue: "
            "without a pause the server keeps the CPU busy for nothing; sleep for a second",
        )
    step.saw = f"a pause of {found[-1]:g} s each time" if len(set(found)) == 1 else "pauses"
    if max(found) > _LONGEST:
        fail(
            "a pause of a second before accept is called again",
            f"one of {max(found):g} s",
            "a descriptor may be free a moment later, and clients wait: pause for a second",
        )
    tape.add("disturb", "from now on accept works")
