"""Checks of bindto: what a socket is called, and what the kernel refuses."""

import re
from pathlib import Path

from harness import Failure, check, diagnosis, fail, require
from harness.kernel import netns
from harness.peers import Door
from harness.program import NO_ADDRESS

ERROR = "what the kernel answers is the result here: errors go to stdout, by their symbolic name"
ANY = "0.0.0.0"


def known_mistake(program, got):
    """Return what the output itself says is wrong, where that is certain."""
    found = program.stage.diagnose(())
    for call in ("getsockname", "getpeername"):
        if not found and f"\n{call}: E".encode() in b"\n" + got:
            return (
                f"{call} failed: its third argument points to the size of the struct, a socklen_t "
                "that must be set to it before each call"
            )
    return found


def same(expected, got, why=""):
    """Require what is on stdout; both lines are short, so show them whole."""
    wanted = f"{diagnosis.show(expected, 200)} on stdout"
    why = why or diagnosis.difference(expected, got)
    require(got == expected, wanted, diagnosis.show(got, 200), why)


def prints(program, args, expected, status=0, why=""):
    """Run the program and require what it prints, and its exit status."""
    process = program.run(*args)
    got = process.stdout
    program.stage.tape.add("look", "at stdout", diagnosis.show(got, 200))
    same(expected, got, known_mistake(program, got) or why)
    process.expect_exit(status)


def numbered(program, args, before, after="", status=0, chosen=(), why=""):
    """Run the program and require what it prints around a port; return the port.

    ``chosen`` are the ports that the kernel could choose from, where that is
    known.
    """
    process = program.run(*args)
    got = process.stdout
    program.stage.tape.add("look", "at stdout", diagnosis.show(got, 200))
    text = re.fullmatch(
        f"{re.escape(before)}([0-9]{{1,5}}){re.escape(after)}", got.decode("latin-1")
    )
    if text is None:
        why = known_mistake(program, got) or why
        fail(diagnosis.show(f"{before}N{after}".encode(), 200), diagnosis.show(got, 200), why)
    port = int(text[1])
    if port == 0:
        why = "the kernel has chosen a port: getsockname tells which, after the call that chose"
    elif diagnosis.swapped(port) in chosen:
        why = f"{port} is {diagnosis.swapped(port)} with its bytes swapped: ntohs() is missing"
    good = port in chosen if chosen else 0 < port < 65536
    wanted = f"one of the ports {chosen[0]} and {chosen[-1]}" if chosen else "a port's number"
    require(good, wanted, str(port), why)
    process.expect_exit(status)
    return port


def kernel_ports(program):
    """Let the kernel have but two ports to choose from, where that is allowed."""
    port = program.stage.port()
    try:
        if program.stage.private:
            netns.set_sysctl("net.ipv4.ip_local_port_range", f"{port} {port + 1}")
            program.stage.tape.add("set", f"the kernel's ports to {port} and {port + 1}")
            return (port, port + 1)
    except OSError:
        pass
    return ()


@check(
    points=1,
    kind="contract",
    hints=(
        "bind gives a socket its name, an address and a port; the kernel says the name back.",
        "socket(2), bind(2), getsockname(2); htons(3) and ntohs(3) for the port.",
        "In bindto.c: to_name, say_name, say_local, new_socket and do_bind.",
    ),
)
def test_binds(program):
    """binds a socket to ADDR PORT, one address or all of them, and prints its name"""
    for address in (program.stage.address, ANY):
        port = program.stage.port()
        try:
            prints(program, (address, str(port)), f"bound {address} {port}\n".encode())
        except Failure as failure:
            failure.why = failure.why or "bind was given another name than ADDR PORT"
            raise
    process = program.start("-2", program.stage.address)
    process.expect_exit(2)
    process.expect_stdout(b"")
    program.refuse_address(NO_ADDRESS, "0")


@check(
    points=1,
    kind="contract",
    after="test_binds",
    hints=(
        "With port 0 the kernel chooses a free port, and only the kernel can tell which.",
        "getsockname(2) after bind(2), into a struct of its own or the same.",
        "In bindto.c: say_local, and which name say_name prints.",
    ),
)
def test_port_0(program):
    """with port 0, prints the port that the kernel has chosen"""
    chosen = kernel_ports(program)
    address = program.stage.address
    numbered(program, (address, "0"), f"bound {address} ", "\n", chosen=chosen)


@check(
    points=1,
    kind="contract",
    after="test_binds",
    hints=(
        "The kernel refuses an address that is taken, or is not its own; that is the result here.",
        "bind(2), ERRORS: EADDRINUSE and EADDRNOTAVAIL in errno; the name goes to stdout.",
        "In bindto.c: do_bind, how the result of bind is checked.",
    ),
)
def test_errors(program):
    """prints EADDRINUSE or EADDRNOTAVAIL when the kernel refuses the address"""
    address, port = program.stage.address, program.stage.port()
    Door(program.stage, (address, port))
    ignored = "bind failed, but nobody looked at what it returned"
    for args, error in (
        ((address, str(port)), "EADDRINUSE"),
        ((ANY, str(port)), "EADDRINUSE"),
        (("192.0.2.1", str(program.stage.port())), "EADDRNOTAVAIL"),
    ):
        process = program.run(*args)
        got = process.stdout
        program.stage.tape.add("look", "at stdout", diagnosis.show(got))
        expected = f"bind: {error}\n".encode()
        why = known_mistake(program, got) or (ignored if got.startswith(b"bound") else ERROR)
        same(expected, got, why)
        process.expect_exit(1)
    port = program.stage.port()
    Door(program.stage, (address, port), listen=False)
    reuse = "the address of a socket that does not even listen is taken too: no SO_REUSEADDR here"
    prints(program, (address, str(port)), b"bind: EADDRINUSE\n", 1, reuse)


@check(
    points=1,
    kind="contract",
    after="test_binds",
    hints=(
        "Two sockets can't have the same address and port, as long as both are open.",
        "A second socket(2), and bind(2) with the name that getsockname(2) gave for the first.",
        "In bindto.c: what do_bind leaves in *name, and the options set on a new socket.",
    ),
)
def test_second_socket(program):
    """with -2, finds the first socket's address in use, even if the kernel chose it"""
    address, port = program.stage.address, program.stage.port()
    args = ("-2", address)
    says = "bind: EADDRINUSE\n"

    def tried(run):
        """Run, and say why a second socket was bound all the same."""
        try:
            run()
        except Failure as failure:
            got = program.stage.processes[-1].stdout.decode("latin-1").splitlines()
            second = got[1] if len(got) == 2 else ""
            if len(got) == 1 and got[0].startswith("bound"):
                failure.why = "the result of the second bind is to be printed, too, on a line"
            elif second == "bind: EINVAL":
                failure.why = (
                    "EINVAL says that this socket has a name already: the second bind is for a "
                    "second, new socket"
                )
            elif second.startswith("bind: ") and second != says.strip():
                failure.why = (
                    "the second socket was bound to another address than the first: it is to get "
                    "the name that getsockname gave for the first one"
                )
            elif second.startswith("bound"):
                failure.why = (
                    "the second socket was bound to the same name: the first one must still be "
                    "open then, and without SO_REUSEADDR"
                    if got[0] == got[1]
                    else "the second socket asked for port 0 again: bind it to the name that "
                    "getsockname gave for the first one"
                )
            raise

    expected = f"bound {address} {port}\n{says}".encode()
    tried(lambda: prints(program, (*args, str(port)), expected, 1, ERROR))
    tried(lambda: numbered(program, (*args, "0"), f"bound {address} ", f"\n{says}", 1, why=ERROR))


@check(
    points=1,
    kind="contract",
    after="test_binds",
    hints=(
        "A socket is bound once; its name does not change any more.",
        "bind(2), ERRORS: EINVAL is what the second call on the same socket gives.",
        "In bindto.c: do_bind, and on which descriptor it is called with -r.",
    ),
)
def test_again(program):
    """with -r, finds that a socket can't be bound twice"""
    address, port = program.stage.address, program.stage.port()
    prints(
        program,
        ("-r", address, str(port)),
        f"bound {address} {port}\nbind: EINVAL\n".encode(),
        1,
        "the same socket is to be bound once more, which the kernel answers with EINVAL; that "
        "answer goes to stdout",
    )


@check(
    points=1,
    kind="contract",
    after="test_binds",
    hints=(
        "A socket that was never bound gets a port when it begins to listen.",
        "listen(2) without bind(2), then getsockname(2), in this order.",
        "In bindto.c: do_listen.",
    ),
)
def test_listens_unbound(program):
    """with -l, prints the name that the kernel gives to a socket that listens"""
    chosen = kernel_ports(program)
    why = "a socket that listens without bind has every address, 0.0.0.0, and a port of its own"
    numbered(program, ("-l",), f"listening {ANY} ", "\n", chosen=chosen, why=why)


@check(
    points=1,
    kind="contract",
    after="test_binds",
    hints=(
        "connect gives a socket both names: its own, which the kernel chooses, and its peer's.",
        "getpeername(2) before connect(2) and after it, getsockname(2) after it.",
        "In bindto.c: do_connect, the order of the calls, and which name is printed where.",
    ),
)
def test_connects(program):
    """with -c, prints both names of a connection, ENOTCONN before, or why there is none"""
    address, port = program.stage.address, program.stage.port()
    door = Door(program.stage, (address, port))
    process = program.run("-c", address, str(port), leaks=program.stage.can("leaks"))
    try:
        local, local_port = door.accept().sock.getpeername()
    except Failure as failure:
        failure.got = f"{diagnosis.show(process.stdout, 200)} on stdout, and no connection"
        failure.why = known_mistake(program, process.stdout) or failure.why
        raise
    got = process.stdout
    program.stage.tape.add("look", "at stdout", diagnosis.show(got, 200))
    expected = f"before: ENOTCONN\nlocal {local} {local_port} peer {address} {port}\n".encode()
    if got.endswith(f"local {address} {port} peer {local} {local_port}\n".encode()):
        why = "the two names are exchanged: getsockname tells the local one, getpeername the peer's"
    elif not got.startswith(b"before: ENOTCONN\n"):
        why = "getpeername is to be asked before connect too: it fails with ENOTCONN then"
    else:
        why = ""
    same(expected, got, known_mistake(program, got) or why)
    process.expect_exit(0)
    port = program.stage.port()
    Door(program.stage, (address, port), listen=False)
    prints(
        program,
        ("-c", address, str(port)),
        b"before: ENOTCONN\nconnect: ECONNREFUSED\n",
        1,
        "nobody listens there, so connect fails with ECONNREFUSED; " + ERROR,
    )


@check(
    points=1,
    kind="contract",
    after="test_binds",
    hints=(
        "Ports below 1024 are for privileged programs; the kernel decides that, and says so.",
        "bind(2), ERRORS: EACCES.",
        "In bindto.c: do_bind, and whether anything before it refuses or changes the port.",
    ),
    needs="privileged_ports",
)
def test_privileged(program):
    """prints EACCES for a port that needs privilege"""
    start = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii")
    port = program.stage.random.randrange(1, min(int(start), 1024))
    why = "the kernel answers EACCES for such a port: it must be asked, and its answer printed"
    prints(program, (program.stage.address, str(port)), b"bind: EACCES\n", 1, why)
