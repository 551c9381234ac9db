"""Checks of passive: listens at every address that a server of this machine has."""

import contextlib
import socket

from harness import check, diagnosis, fail, require
from harness.etc import Etc
from harness.failure import Broken
from harness.kernel import proc, sockdiag
from harness.lookups import EMPTY, LEAKS, ROOM, fails, frees, message, reason, word

KERNEL_SAYS = "the line says what the kernel calls the socket: getsockname after bind"
V6ONLY = "an IPv6 socket takes the port for IPv4 too, unless IPV6_V6ONLY is set to 1 before bind"
ADDRESSES = {
    "0.0.0.0": "all IPv4 addresses",
    "::": "all IPv6 addresses",
    "127.0.0.1": "IPv4 loopback",
    "::1": "IPv6 loopback",
}


def rests(process):
    """Wait until the program waits for a signal, or has ended."""
    process.wait_quiet("a program that listens, and then waits for a signal")
    process.service()
    end = process.end_status
    process.stage.tape.add("wait", f"until {process.name} sleeps", str(end) if end else "asleep")


def listeners(process):
    """Return the (address, port) of each socket of the program that listens."""
    inodes = set(proc.socket_inodes(process.pid).values()) if not process.end_status else set()
    found = process.stage.sockdiag.inet(socket.IPPROTO_TCP, 1 << sockdiag.LISTEN)
    return sorted((one.address, one.port) for one in found if one.inode in inodes)


def serves(process, expected, why="", complaint=b""):
    """Require that the program listens at these (address, port), and says so.

    Args:
        process: the program, just started.
        expected: what is due, in any order.
        why: the diagnosis.
        complaint: what is due on stderr.
    """
    rests(process)
    known = process.why_it_ended()
    mine = listeners(process)
    process.stage.tape.add("look", "at its sockets", ", ".join(f"{a} {p}" for a, p in mine))
    where = ", ".join(f"{address} {port}" for address, port in sorted(expected))
    names = "; ".join(f"{address} is {ADDRESSES[address]}" for address, _port in sorted(expected))
    why = why or names
    said = diagnosis.show(process.stderr, 200)
    more = f"; on stderr {said}" if process.stderr else ""
    known = _said(process, complaint) or known
    if process.end_status:
        got = f"it {process.how_it_ended()}{more}"
        if not process.stderr:
            known = known or (
                "it ends without a word: listen_all calls listen_at for each entry of the list, "
                "and returns how many sockets listen; is it still to be filled in?"
            )
        fail(f"a program that listens at {where}", got, known or why)
    swap = [(address, diagnosis.swapped(port)) for address, port in sorted(expected)]
    if mine == swap and mine != sorted(expected):
        why = "the port has its bytes swapped: the address of the entry is ready for bind"
    sockets = proc.socket_inodes(process.pid)
    if not mine and not process.stderr:
        why = "a socket that is bound has a name; only listen lets clients connect to it"
        if not sockets:
            why = "the program has no socket: those that listen stay open"
    why = known or why
    got = ", ".join(f"{address} {port}" for address, port in mine) or "no socket that listens"
    require(mine == sorted(expected), f"sockets that listen at {where}", got + more, why)
    due = sorted(f"LISTENING {address} {port}" for address, port in expected)
    lines = process.stdout.decode("ascii", "replace").splitlines()
    shown = diagnosis.show(process.stdout, 200)
    process.stage.tape.add("look", "at stdout", shown)
    wanted = diagnosis.show("\n".join([*due, ""]).encode(), 200)
    why = _lines(due, lines) or why
    require(sorted(lines) == due, f"{wanted} on stdout", shown, why)
    shown = diagnosis.show(process.stderr, 200)
    wanted = diagnosis.show(complaint, 200)
    if b"already in use" in process.stderr and not complaint:
        why = "each address is in the list once for SOCK_STREAM: ai_socktype of the hints"
    require(process.stderr == complaint, f"{wanted} on stderr", shown, why)
    more = len(sockets) - len(mine)
    process.stage.tape.add("look", "at its descriptors", f"{len(sockets)} sockets")
    why = "the socket of an address that can't be used is closed before the next is made"
    require(not more, "no socket but those that listen", f"{more} more", why)


def _said(process, complaint):
    """Explain what the program has complained of, beyond what is due."""
    if process.stderr == b"passive: Function not implemented\n":
        return f"{diagnosis.HOLE}: look_up"
    if b": Function not implemented\n" in process.stderr:
        return f"{diagnosis.HOLE}: listen_at"
    for line in process.stderr.splitlines(keepends=True):
        if line.startswith(b"passive: ::") and b"already in use" in line and line != complaint:
            return V6ONLY
    return reason(process.stderr)


def _lines(due, got):
    """Explain what is wrong with the lines LISTENING; or return nothing."""
    if not got:
        return (
            "nothing is printed, or it is not flushed: say_listening does both, and is called for "
            "each socket as soon as it listens"
        )
    if any(line.split() == ["LISTENING"] for line in got):
        return EMPTY
    known = diagnosis.difference("\n".join(due).encode(), "\n".join(sorted(got)).encode())
    if known.startswith("the right"):
        return f"{known}: ADDR, a blank, PORT"
    ports = sorted(line.split()[2:] for line in got)
    if len(got) == len(due) and ports == sorted(line.split()[2:] for line in due):
        strange = [line.split()[1] for line in got if line not in due]
        return ROOM if any(":" in one for one in strange) else ""
    return ""


def taken(stage, address, port):
    """Return a socket of the checker's that listens."""
    six = ":" in address
    sock = socket.socket(socket.AF_INET6 if six else socket.AF_INET)
    stage.closers.append(sock.close)
    if six:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        sock.bind((address, port))
    except OSError as error:
        raise Broken(f"can't bind {address} {port}: {error}") from error
    sock.listen()
    stage.tape.add("listen", f"the checker's server, on {address} {port}")
    return sock


@check(
    points=3,
    kind="contract",
    hints=(
        "A server has no host to look up: it wants the address that stands for all of its own.",
        "getaddrinfo(3) with a null pointer and AI_PASSIVE; then socket(2), bind(2), listen(2).",
        "In passive.c: look_up, listen_at, to_numbers, listen_all, in this order.",
    ),
)
def test_all_addresses(program):
    """with -4 listens at all IPv4 addresses, and says so"""
    port = program.stage.port()
    why = "0.0.0.0 is what AI_PASSIVE makes of a null pointer for the host"
    process = program.start("-4", str(port))
    serves(process, [("0.0.0.0", port)], why)
    with contextlib.closing(socket.socket()) as client:
        client.connect((program.stage.address, port))


@check(
    points=1,
    kind="contract",
    after="test_all_addresses",
    hints=(
        "With port 0 the kernel chooses, and only it knows what.",
        "getsockname(2) after bind(2), into a buffer for any family.",
        "In passive.c: listen_all, which address goes to to_numbers.",
    ),
)
def test_port_zero(program):
    """says which port the kernel has chosen"""
    process = program.start("-4", "0")
    rests(process)
    found = listeners(process)
    require(len(found) == 1, "one socket that listens", str(len(found)), process.why_it_ended())
    due = f"LISTENING 0.0.0.0 {found[0][1]}\n".encode()
    got = process.stdout
    program.stage.tape.add("look", "at stdout", diagnosis.show(got))
    require(got == due, f"{diagnosis.show(due)} on stdout", diagnosis.show(got), KERNEL_SAYS)


@check(
    points=2,
    kind="contract",
    after="test_all_addresses",
    hints=(
        "A server is known by the name of its service.",
        "getaddrinfo(3) looks it up in services(5), and returns EAI_SERVICE for an unknown one.",
        "In passive.c: look_up, the service, the type, and the code.",
    ),
    needs="databases",
)
def test_service(program):
    """takes the port of a service by its name, and says when there is none"""
    service, port = word(program.stage), program.stage.port()
    services = f"{service} {program.stage.port()}/udp\n{service} {port}/tcp\n"
    etc = Etc(program.stage, {"services": services, "protocols": "tcp 6 TCP\nudp 17 UDP\n"})
    why = f"for SOCK_STREAM the port of {service} is {port}"
    serves(etc.start(program, "-4", service), [("0.0.0.0", port)], why)
    process = etc.run(program, "-4", word(program.stage))
    fails(process, message("passive", "EAI_SERVICE"))


@check(
    points=2,
    kind="contract",
    after="test_all_addresses",
    hints=(
        "A server that is for this machine alone listens at its loopback address.",
        "getaddrinfo(3) with a null pointer, and without AI_PASSIVE.",
        "In passive.c: look_up, what -l does to ai_flags.",
    ),
)
def test_loopback(program):
    """with -l listens where only this machine can connect"""
    port = program.stage.port()
    why = "-l is for this machine alone: without AI_PASSIVE, no host means loopback"
    serves(program.start("-4", "-l", str(port)), [("127.0.0.1", port)], why)


@check(
    points=2,
    kind="robust",
    after="test_all_addresses",
    hints=(
        "An IPv6 socket takes IPv4 clients too, unless it is told not to; then both collide.",
        "setsockopt(2) with IPV6_V6ONLY before bind(2): ipv6(7).",
        "In passive.c: listen_at, between socket and bind, and whether all sockets stay open.",
    ),
    needs="ipv6",
)
def test_both_families(program):
    """listens at IPv4 and IPv6 addresses of one port, at the same time"""
    stage = program.stage
    port = stage.port()
    why = "every entry of the list gets a socket of its own, which stays open"
    serves(program.start(str(port)), [("0.0.0.0", port), ("::", port)], why)
    port = stage.port()
    serves(program.start("-l", str(port)), [("127.0.0.1", port), ("::1", port)], why)
    port = stage.port()
    taken(stage, "0.0.0.0", port)
    serves(program.start("-6", str(port)), [("::", port)], why)


@check(
    points=2,
    kind="robust",
    after="test_all_addresses",
    hints=(
        "One address that can't be used is no reason to do without the others.",
        "bind(2) or listen(2) fail with EADDRINUSE; close(2) the socket, say so, and go on.",
        "In passive.c: listen_at, what it returns, and listen_all, what it does with a failure.",
    ),
)
def test_taken(program):
    """says which address is taken, closes its socket, uses the others; without any, status 1"""
    stage = program.stage
    port = stage.port()
    taken(stage, "0.0.0.0", port)
    line = f"passive: 0.0.0.0 {port}: Address already in use\n".encode()
    process = program.run("-4", str(port))
    why = "no address is left to listen at: exit status 1"
    got = process.stderr
    if got.startswith(line[: line.rindex(b": ") + 2]) and got != line:
        why = "the reason is what errno was after bind: keep it before close or any other call"
    elif got.startswith(b"passive: %d 0.0.0.0: " % port):
        why = "a line is ADDR PORT: REASON, the address first and then the port"
    elif got != line:
        why = reason(got) or why
    fails(process, line, why)
    if _has_ipv6():
        why = "0.0.0.0 is taken, but :: is not: go on with the next entry"
        serves(program.start(str(port)), [("::", port)], why, line)


def _has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 0))
        return True
    return False


@check(
    points=2,
    kind="clean",
    after="test_taken",
    hints=(
        "The list is not needed any more when every address has its socket.",
        "freeaddrinfo(3) with what getaddrinfo(3) has written, once.",
        "In passive.c: listen_all, after the loop: the head of the list.",
    ),
    needs="leaks",
)
def test_no_leak(program):
    """gives the list back"""
    port = program.stage.port()
    taken(program.stage, "0.0.0.0", port)
    frees(program.run("-4", str(port), **LEAKS), 1)
