"""What a program must not do or keep while it waits: wake by a timer, descriptors.

``multiplex`` says the same of a server that sleeps in select.
"""

from .blocked import hidden_timeout
from .failure import require


def require_no_timer(process, until: str, why: str) -> None:
    """Require that no thread of a program that has come to rest sleeps with a time limit.

    A timerfd, SO_RCVTIMEO and SO_SNDTIMEO are limits, too.

    Args:
        process: the run, or the server that it is.
        until: what ends its sleep, in words, such as "the reply comes".
        why: the diagnosis.
    """
    tasks = process.wait_quiet()
    process.stage.tape.add("look", f"at {process.name}", "; ".join(map(str, tasks)))
    calls = [(task.pid, task.blocked) for task in tasks if task.blocked]
    timed = [str(call) for pid, call in calls if call.timeout or hidden_timeout(pid, call)]
    require(
        not timed,
        f"a program that sleeps until {until}",
        f"one that wakes by a timer, in {', '.join(timed)}",
        why,
    )


def require_no_descriptor_more(process, before) -> None:
    """Require that a program at rest has no descriptor that it had not before.

    Args:
        process: the run, or the server that it is.
        before: the numbers of those that it had.
    """
    left = set(process.descriptors()) - set(before)
    process.stage.tape.add("look", "at its descriptors", f"{len(left)} more than before")
    require(not left, "as many descriptors as before", f"{len(left)} more", "close what was opened")
