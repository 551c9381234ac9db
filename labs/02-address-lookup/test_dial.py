"""Checks of dial: connects to a service at whichever address answers."""

import select
import socket

from harness import Failure, check, diagnosis, require
from harness.etc import Etc
from harness.failure import Broken
from harness.kernel import tcp
from harness.lookups import (
    EMPTY,
    LEAKS,
    NUMBERS,
    ROOM,
    STREAMS,
    fails,
    frees,
    message,
    near,
    reason,
    word,
)
from harness.peers import Door, Peer
from harness.waiting import until

EACH_ONCE = (
    "each address of the list is tried once: without ai_socktype = SOCK_STREAM the list has "
    "entries for other types, too"
)
ORDER = "the list is tried in its order: from its first entry from ai_next to ai_next, to the end"
EACH_TOLD = (
    "each address that fails is told, when it has failed and before the next is tried: "
    "say_failed(addr, port, errno)"
)
OPEN = "the socket of each attempt that failed stays open: close it before the next"


def refused(address, port):
    """Return what is due on stderr for an address where nobody listens."""
    return f"dial: {address} {port}: Connection refused\n".encode()


def connected(process, peer, target):
    """Require that the program reports a connection that has come to ``peer``."""
    address, port = target[:2]
    own, own_port = peer.sock.getpeername()[:2]
    due = f"CONNECTED {address} {port} from {own} {own_port}\n".encode()
    process.wait_end()
    got, end = process.stdout, process.end_status
    process.stage.tape.add("look", "at stdout", diagnosis.show(got))
    why = process.why_it_ended() or reason(process.stderr)
    if why == diagnosis.HOLE and b"dial: getsockname: " in process.stderr:
        why += ": own_name"
    if got != due:
        why = why or _line(due.split(), got.split())
    shown = f"{diagnosis.show(got)}; it {end}"
    if process.stderr and not got:
        shown += f", with {diagnosis.show(process.stderr, 200)} on stderr"
    why = why or diagnosis.difference(due, got)
    require(got == due and (end.kind, end.number) == ("exit", 0), diagnosis.show(due), shown, why)


def _line(due, got):
    """Explain what is wrong with the words of a line CONNECTED; or return nothing."""
    if got == [b"CONNECTED", b"from"]:
        return EMPTY
    if b"dial:" in got:
        return "what has failed is told on stderr"
    if len(got) != len(due):
        return ""
    if any(one[:1].isalpha() and b":" not in one for one in (got[1], got[4])):
        return NUMBERS
    if got[:4] == due[:4] and got[5] == due[5] and b":" in due[1]:
        return ROOM
    if got[:4] == due[:4]:
        return "our own end is what getsockname says of the connected socket"
    return ""


def tries(process, dead, port, why):
    """Require the lines on stderr about the addresses that do not answer."""
    due = b"".join(refused(address, port) for address in dead)
    got = process.stderr
    process.stage.tape.add("look", "at stderr", diagnosis.show(got, 200))
    told, wanted = (
        [line.rsplit(b": ", 1)[0] for line in text.splitlines()] for text in (got, due)
    )
    if told == wanted:
        why = "the reason is what errno was after connect: keep it before close or any other call"
    elif sorted(told) == sorted(wanted):
        why = ORDER
    elif [sorted(one.split()) for one in told] == [sorted(one.split()) for one in wanted]:
        why = "a line is ADDR PORT: REASON, the address first and then the port"
    elif set(told) < set(wanted):
        why = EACH_TOLD
        if process.stdout.startswith(b"dial: "):
            why = "what has failed is told on stderr: stdout is for the connection"
    if b"Too many open files" in got:
        why = OPEN
    if b"Transport endpoint is already" in got or b"Software caused" in got:
        why = "a socket that could not be connected is of no more use: make one for each address"
    expected = f"{diagnosis.show(due, 200)} on stderr"
    require(got == due, expected, diagnosis.show(got, 200), process.why_it_ended() or why)


def met(process, door, why=""):
    """Return the program's connection; a failure gets ``why``."""
    try:
        return door.accept()
    except Failure as failure:
        explain(process, failure, why)
        raise


def explain(process, failure, why):
    """Say in a failure what the program itself says, and what that means; else ``why``."""
    for name, text in (("stdout", process.stdout), ("stderr", process.stderr)):
        if text:
            failure.got += f", with {diagnosis.show(text, 200)} on {name}"
    known = reason(process.stderr)
    if process.end_status and not process.stdout + process.stderr:
        known = (
            "it ends without a word: connect_first tries each entry of the list, and calls "
            "say_failed for each that fails; is it still to be filled in?"
        )
    elif process.stderr == b"dial: Function not implemented\n":
        failure.why = f"{diagnosis.HOLE}: look_up"
    if process.stdout.startswith(b"CONNECTED") and not process.stderr:
        known = f"it says CONNECTED, and nobody has connected: {STREAMS}"
    elif b"Too many open files" in process.stderr:
        known = OPEN
    elif b": EAI_" in process.stderr and not known:
        known = "the look-up has failed: do the hints allow names, any family, stream sockets?"
    failure.why = failure.why or known or why


@check(
    points=4,
    kind="contract",
    hints=(
        "A host and a service become a list of addresses; a socket is connected to one of them.",
        "getaddrinfo(3) with SOCK_STREAM, socket(2) with the three numbers of the entry, "
        "connect(2) with its ai_addr and ai_addrlen, getsockname(2) for our own end.",
        "In dial.c: look_up, to_numbers, connect_first, own_name, in this order.",
    ),
)
def test_connects(program):
    """connects to a numeric host and port, and prints both ends"""
    target = program.stage.address, program.stage.port()
    door = Door(program.stage, target, decoy=True)
    process = program.start(target[0], str(target[1]))
    connected(process, met(process, door), target)
    why = "this address has taken the connection: say_failed is for those that do not"
    require(not process.stderr, "nothing on stderr", diagnosis.show(process.stderr), why)


@check(
    points=2,
    kind="contract",
    after="test_connects",
    hints=(
        "Names are looked up as numbers are, by the same call.",
        "getaddrinfo(3): no AI_NUMERICHOST, and a list that may be longer than one entry.",
        "In dial.c: look_up, the hints.",
    ),
    needs="databases",
)
def test_names(program):
    """connects to a host and a service given by name"""
    host, service, port = word(program.stage), word(program.stage), program.stage.port()
    target = near(program.stage)[0], port
    files = {"hosts": f"{target[0]} {host}\n", "services": f"{service} {port}/tcp\n"}
    etc = Etc(program.stage, {**files, "protocols": "tcp 6 TCP\n"})
    door = Door(program.stage, target)
    process = etc.start(program, host, service)
    connected(process, met(process, door), target)


@check(
    points=2,
    kind="contract",
    after="test_connects",
    hints=(
        "Where nobody listens a connection is refused; the user wants to know of every attempt.",
        "connect(2) returns -1 with errno, which any later call may change; strerror(3).",
        "In dial.c: connect_first, what happens after each failure, and after the last.",
    ),
    needs="databases",
)
def test_all_dead(program):
    """says of each address why it failed, once and in order, and ends with status 1"""
    host, port = word(program.stage), program.stage.port()
    dead = near(program.stage, 3)
    etc = Etc(program.stage, {"hosts": "".join(f"{one} {host}\n" for one in dead)})
    Door(program.stage, (dead[0], port), listen=False)
    process = etc.run(program, host, str(port))
    tries(process, dead, port, EACH_ONCE)
    end = process.end_status
    why = "no address has answered, and that is a failure: exit status 1"
    require((end.kind, end.number) == ("exit", 1), "exit status 1", str(end), why)
    require(not process.stdout, "nothing on stdout", diagnosis.show(process.stdout))


@check(
    points=1,
    kind="robust",
    after="test_all_dead",
    hints=(
        "Who has refused a connection will refuse it again, and the next address waits meanwhile.",
        "connect(2) once for each entry of the list; errno tells at once why it has failed.",
        "In dial.c: connect_first, every connect in one round of the loop.",
    ),
    needs=("databases", "netns"),
)
def test_each_once(program):
    """connects to each address once, also to one that refuses"""
    host, port = word(program.stage), program.stage.port()
    dead = near(program.stage, 4)
    etc = Etc(program.stage, {"hosts": "".join(f"{one} {host}\n" for one in dead)})
    Door(program.stage, (dead[0], port), listen=False)
    before = tcp.attempts()
    process = etc.run(program, host, str(port))
    tries(process, dead, port, EACH_ONCE)
    made = tcp.attempts() - before
    program.stage.tape.add("look", "at what the kernel counts", f"{made} connections begun")
    why = "an address that has refused is not tried again: what connect has returned is looked at "
    why += "once, kept, and told"
    require(made == len(dead), f"{len(dead)} connections begun, one to each", str(made), why)


@check(
    points=3,
    kind="robust",
    after="test_names",
    hints=(
        "The first address of a host need not be the one that works.",
        "After a failed connect(2), close(2) the socket and make another one for the next entry.",
        "In dial.c: connect_first, the loop: it goes on after a failure and ends with success.",
    ),
    needs="databases",
)
def test_dead_first(program):
    """goes on after addresses that do not answer, and stops at the first that does"""
    host, port = word(program.stage), program.stage.port()
    addresses = near(program.stage, 5)
    etc = Etc(program.stage, {"hosts": "".join(f"{one} {host}\n" for one in addresses)})
    Door(program.stage, (addresses[0], port), listen=False)
    door = Door(program.stage, (addresses[3], port))
    later = Door(program.stage, (addresses[4], port))
    process = etc.start(program, host, str(port))
    why = "the first address is dead, and the list goes on: try the next entry"
    try:
        peer = met(process, door, why)
    except Failure as failure:
        if select.select([later.sock], [], [], 0)[0]:
            failure.why = ORDER
        raise
    connected(process, peer, (addresses[3], port))
    tries(process, addresses[:3], port, EACH_ONCE)
    more = select.select([later.sock], [], [], 0)[0]
    why = "one connection is enough: leave the loop when connect has succeeded"
    require(not more, "no connection after the first", "one more, to the next address", why)


@check(
    points=1,
    kind="contract",
    after="test_connects",
    hints=(
        "If the name is not known, there is nothing to connect to.",
        "What getaddrinfo(3) returns goes to gai_strerror(3).",
        "In dial.c: look_up, the code that it got.",
    ),
    needs="databases",
)
def test_lookup_fails(program):
    """says why the names could not be looked up, and ends with status 1"""
    etc = Etc(program.stage)
    process = etc.run(program, word(program.stage), str(program.stage.port()))
    fails(process, message("dial", "EAI_NONAME"))
    process = etc.run(program, program.stage.address, word(program.stage))
    fails(process, message("dial", "EAI_SERVICE"))


@check(
    points=2,
    kind="contract",
    after="test_names",
    hints=(
        "IPv6 needs no code of its own: all that differs stands in the entry.",
        "socket(2) with ai_family; AF_UNSPEC in the hints; a struct sockaddr_storage for our end.",
        "In dial.c: look_up and connect_first, whatever names a family; own_name, the buffer.",
    ),
    needs=("databases", "ipv6"),
)
def test_ipv6(program):
    """connects over IPv6, and falls back from there to IPv4"""
    stage = program.stage
    host, port = word(stage), stage.port()
    four = near(stage)[0]
    etc = Etc(stage, {"hosts": f"::1 {host}\n{four} {host}\n"})
    with socket.socket(socket.AF_INET6) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("::1", port))
        except OSError as error:
            raise Broken(f"port {port} of ::1: {error}") from error
        sock.setblocking(False)
        sock.listen()
        stage.tape.add("listen", f"the checker's server, on ::1 {port}")
        process = etc.start(program, host, str(port))
        taken = []

        def take():
            try:
                taken.append(sock.accept()[0])
            except BlockingIOError:
                return False
            return True

        try:
            until(stage, take, "a connection to ::1", [sock.fileno()])
        except Failure as failure:
            explain(process, failure, "ai_family of the hints is AF_UNSPEC: any family will do")
            raise
        connected(process, Peer(stage, taken[0], "server"), ("::1", port))
    stage.tape.add("close", "the checker's server")
    door = Door(stage, (four, port))
    process = etc.start(program, host, str(port))
    why = "nobody listens at ::1: the next entry is IPv4, and its socket has another family"
    try:
        peer = met(process, door, why)
    except Failure as failure:
        if b"Invalid argument" in process.stderr:  # the length was good for ::1
            failure.why = why
        raise
    connected(process, peer, (four, port))
    tries(process, ["::1"], port, why)


@check(
    points=3,
    kind="robust",
    after="test_dead_first",
    hints=(
        "A host may have many addresses, and a process only so many descriptors.",
        "close(2) after each connect(2) that failed.",
        "In dial.c: connect_first, every way out of one round of the loop.",
    ),
    needs="databases",
)
def test_few_descriptors(program):
    """needs no more descriptors for many dead addresses than for one"""
    host, port = word(program.stage), program.stage.port()
    addresses = near(program.stage, 24)
    etc = Etc(program.stage, {"hosts": "".join(f"{one} {host}\n" for one in addresses)})
    Door(program.stage, (addresses[0], port), listen=False)
    door = Door(program.stage, (addresses[-1], port))
    process = etc.start(program, host, str(port), limits={"nofile": 16})
    why = OPEN
    connected(process, met(process, door, why), (addresses[-1], port))
    tries(process, addresses[:-1], port, why)


@check(
    points=4,
    kind="clean",
    after="test_connects",
    hints=(
        "The list is one allocation after the other, and its head is needed to give it back.",
        "freeaddrinfo(3) with what getaddrinfo(3) has written, once, when nobody needs it.",
        "In dial.c: give_back, and whether what it gets is still the head of the list.",
    ),
    needs="leaks",
)
def test_no_leak(program):
    """gives the list back, whether a connection was made or not"""
    target = program.stage.address, program.stage.port()
    door = Door(program.stage, target, listen=False)
    process = program.start(target[0], str(target[1]), **LEAKS)
    process.wait_end()
    frees(process, 1)
    tries(process, [target[0]], target[1], EACH_ONCE)
    door.listen()
    process = program.start(target[0], str(target[1]), **LEAKS)
    met(process, door)
    process.wait_end()
    frees(process, 0)
