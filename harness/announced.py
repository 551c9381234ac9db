"""The line by which a server tells that clients may come."""

import os
import shlex
import signal
from collections.abc import Callable

from . import diagnosis
from .failure import Failure, require


def expect(server, line: bytes, ready: Callable[[object], None]) -> None:
    """Require that stdout holds the line, and nothing else.

    The program is asleep, waiting for a client, so whatever it has printed and
    flushed is there.  When nothing is, a second run on a terminal tells which
    of the two was forgotten.

    Args:
        server: the running server.
        line: what is due on stdout.
        ready: waits until a second run is where this one is; its process is
            the argument.
    """
    got = server.process.stdout
    server.stage.tape.add("look", "at stdout", diagnosis.show(got))
    if not got:
        why = server.process.stdout_elsewhere() or "the line is not printed"
        if _prints_to_terminal(server, ready):
            why = (
                "the line is printed, but not flushed: a terminal gets each line at once, but "
                "here stdout is a pipe, and printf keeps the line until fflush(stdout)"
            )
        raise Failure(f"{diagnosis.show(line)} on stdout", "nothing", why)
    if got != line:
        diagnosis.fail_bytes(line, got, "on stdout")


def _prints_to_terminal(server, ready) -> bool:
    """Whether a second run prints something when its stdout is a terminal."""
    server.process.signal(signal.SIGKILL)
    try:
        server.process.wait_end()
        if isinstance(server.target, str):
            os.unlink(server.target)  # a server that was killed leaves its path behind
        command = f"./{server.program.name} {shlex.join(server.args)}, on a terminal"
        again = server.program.start(*server.args, stdout="pty", show=command)
        ready(again)
    except (Failure, FileNotFoundError):
        return False
    server.stage.tape.add("look", "at stdout", diagnosis.show(again.stdout))
    return bool(again.stdout)


def nothing_more(server) -> None:
    """Require that stdout of a server holds nothing but its line, which may be missing."""
    address, port = server.target
    got = server.stdout.replace(b"\r\n", b"\n")  # so a terminal ends its lines
    server.stage.tape.add("look", "at stdout", diagnosis.show(got))
    require(
        got in (f"LISTENING {address} {port}\n".encode(), b""),
        "nothing on stdout but the line LISTENING",
        diagnosis.show(got, 200),
        "nothing but that line belongs on stdout: print messages on stderr",
    )
