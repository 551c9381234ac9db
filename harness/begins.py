"""How a server begins: it tells where it listens, or why it can't."""

from . import diagnosis
from .failure import Failure, require
from .program import NO_ADDRESS


def serve(program, port: int | None = None):
    """Start a server, require that it tells where it listens, and return it.

    Args:
        program: the program.
        port: where; by default one of the check's; 0 lets the kernel choose.
    """
    server = program.serve(port=port)
    address, number = server.target
    server.expect_listening_line(f"LISTENING {address} {number}\n")
    return server


def fails_where_taken(program, target: tuple[str, int], why: str) -> None:
    """Require that a second server on an address and port says so, and ends.

    Args:
        program: the program.
        target: where the first one is.
        why: the diagnosis where nothing else fits.
    """
    process = program.start(*map(str, target))
    try:
        process.expect_exit(1)
    except Failure as failure:
        failure.why = failure.why or why
        raise
    process.expect_stderr(f"{program.name}: bind: Address already in use\n".encode())
    process.expect_stdout(b"")


def starts_or_fails(program) -> None:
    """Require that a server refuses a taken port and a wrong address, and tells no lies.

    It is one of connections.  Where calls can be watched, its line must come after listen.

    Args:
        program: the program.
    """
    why = (
        "bind fails, for another program listens there: look at what it returns, say so, and "
        "end with status 1; only SO_REUSEADDR is set before it, not SO_REUSEPORT"
    )
    fails_where_taken(program, program.serve().target, why)
    program.refuse_address(NO_ADDRESS, "0")
    if not program.stage.can("notify"):
        return
    process = program.start(program.stage.address, str(program.stage.port()), watch=("listen",))
    held = process.breakpoints.hold({"listen"}, "a call of listen")
    program.stage.tape.add("hold", f"{program.name}, which is about to call listen")
    got = process.stdout
    program.stage.tape.add("look", "at stdout", diagnosis.show(got))
    held.let_go()
    why = "the line is printed before listen(): a client who reads it and connects is refused"
    require(not got, "nothing on stdout yet", diagnosis.show(got), why)
