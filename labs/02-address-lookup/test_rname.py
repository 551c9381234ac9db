"""Checks of rname: what an address and a port are called."""

from harness import check, dns
from harness.etc import Etc
from harness.lookups import LEAKS, NUMBERS, fails, far, far6, frees, gives, message, refuses, word

PROTOCOLS = "tcp 6 TCP\nudp 17 UDP\n"
NO_NAME = "ADDR is an address, not a name: inet_pton returns 1 for one, and 0 for all else"


def says(process, expected, why=""):
    """Require the one line on stdout."""
    gives(process, expected.encode() + b"\n", why)


@check(
    points=3,
    kind="contract",
    hints=(
        "A socket address goes in, and two texts come out.",
        "inet_pton(3) and htons(3) make a struct sockaddr_in or sockaddr_in6; getnameinfo(3) with "
        "NI_NUMERICHOST and NI_NUMERICSERV turns it back into numbers.",
        "In rname.c: make_address, all fields and the length, then look_up, the letters n and N.",
    ),
)
def test_numbers(program):
    """with -n and -N gives numbers back, IPv4 and IPv6"""
    for address in (*far(program.stage), *far6(program.stage)):
        port = program.stage.port()
        six = "ADDR may be an IPv6 address, too: inet_pton with AF_INET6, a struct sockaddr_in6"
        why = six if ":" in address else ""
        process = program.run("-n", "-N", address, str(port))
        why = NUMBERS if b": EAI_AGAIN: " in process.stderr else why
        says(process, f"{address} {port}", why)
    program.stage.tape.add("try", "what is no address")
    for wrong in ("1.2.3.999", "2001:db8::1::2", word(program.stage)):
        refuses(program.run("-n", "-N", wrong, "80"), NO_NAME)


@check(
    points=3,
    kind="contract",
    after="test_numbers",
    hints=(
        "The same file that turns names into numbers turns numbers into names.",
        "getnameinfo(3) without a flag looks both up; ADDR itself is never looked up.",
        "In rname.c: make_address, where a byte order may be wrong, or a name be taken for an "
        "address; and look_up, the flags.",
    ),
    needs="databases",
)
def test_names(program):
    """prints the names of a host and of a service, and takes no name for an address"""
    host, alias, service = (word(program.stage) for _ in range(3))
    address, other = far(program.stage)[0], far6(program.stage)[0]
    port = program.stage.port()
    files = {
        "hosts": f"{address} {host} {alias}\n{other} {alias}.test\n",
        "services": f"{service} {port}/tcp {word(program.stage)}\n",
        "protocols": PROTOCOLS,
    }
    etc = Etc(program.stage, files)
    why = "without flags, getnameinfo looks both names up: the official one, which comes first"
    says(etc.run(program, address, str(port)), f"{host} {service}", why)
    says(etc.run(program, other, str(port)), f"{alias}.test {service}")
    program.stage.tape.add("try", "a name of /etc/hosts in the place of ADDR")
    why = f"{NO_NAME}; getaddrinfo looks names up, unless AI_NUMERICHOST is in the hints"
    refuses(etc.run(program, host, str(port)), why)


@check(
    points=2,
    kind="contract",
    after="test_names",
    hints=(
        "Host and service are two questions, and each may be answered by a number.",
        "NI_NUMERICHOST is for the host, NI_NUMERICSERV for the service: getnameinfo(3).",
        "In rname.c: look_up, which letter sets which flag.",
    ),
    needs="databases",
)
def test_one_number(program):
    """with -n the host alone stays a number, with -N the service alone"""
    host, service = word(program.stage), word(program.stage)
    address, port = far(program.stage)[0], program.stage.port()
    files = {"hosts": f"{address} {host}\n", "services": f"{service} {port}/tcp\n"}
    etc = Etc(program.stage, {**files, "protocols": PROTOCOLS})
    why = "-n is NI_NUMERICHOST, -N is NI_NUMERICSERV"
    says(etc.run(program, "-n", address, str(port)), f"{address} {service}", why)
    says(etc.run(program, "-N", address, str(port)), f"{host} {port}", why)


@check(
    points=2,
    kind="contract",
    after="test_numbers",
    hints=(
        "A port has a name for each protocol, and they may differ.",
        "getnameinfo(3) asks for TCP, or with NI_DGRAM for UDP.",
        "In rname.c: look_up, the letter d.",
    ),
    needs="databases",
)
def test_datagram(program):
    """with -d prints the name that the port has for datagrams"""
    stream, dgram, only = (word(program.stage) for _ in range(3))
    address, port, other = far(program.stage)[0], program.stage.port(), program.stage.port()
    services = f"{stream} {port}/tcp\n{dgram} {port}/udp\n{only} {other}/udp\n"
    etc = Etc(program.stage, {"services": services, "protocols": PROTOCOLS})
    why = "-d is NI_DGRAM: the same port may be called differently for UDP and for TCP"
    says(etc.run(program, "-n", "-d", address, str(port)), f"{address} {dgram}", why)
    says(etc.run(program, "-n", address, str(port)), f"{address} {stream}", why)
    says(etc.run(program, "-n", "-d", address, str(other)), f"{address} {only}", why)
    says(etc.run(program, "-n", address, str(other)), f"{address} {other}", why)


@check(
    points=2,
    kind="robust",
    after="test_numbers",
    hints=(
        "An address need not have a name; to some that is an error, to others a number will do.",
        "getnameinfo(3) gives numbers then; NI_NAMEREQD makes it fail with EAI_NONAME.",
        "In rname.c: look_up, the letter r, and complain.",
    ),
    needs="databases",
)
def test_required(program):
    """an address without name stays a number, or with -r is an error"""
    host = word(program.stage)
    address, known = far(program.stage, 2)
    etc = Etc(program.stage, {"hosts": f"{known} {host}\n"})
    port = str(program.stage.port())
    why = "-r is NI_NAMEREQD: without it, getnameinfo gives the number back"
    says(etc.run(program, address, port), f"{address} {port}", why)
    fails(etc.run(program, "-r", address, port), message("rname", "EAI_NONAME"), why)
    says(etc.run(program, "-r", known, port), f"{host} {port}", why)


@check(
    points=2,
    kind="robust",
    after="test_names",
    hints=(
        "A host name may be longer than one thinks.",
        "getnameinfo(3) gets the size of each buffer; NI_MAXHOST is enough for any name.",
        "In rname.c: the arrays in main, and the sizes that look_up hands on.",
    ),
    needs="databases",
)
def test_long_name(program):
    """has room for a long name, and with -b says when there is none"""
    stage = program.stage
    host = ".".join(word(stage) * 5 for _ in range(5)) + ".test"
    address, port = far(stage)[0], stage.port()
    etc = Etc(stage, {"hosts": f"{address} {host}\n"})
    why = f"the name has {len(host)} characters: the buffer for the host is too small"
    says(etc.run(program, address, str(port)), f"{host} {port}", why)
    says(etc.run(program, "-b", str(len(host) + 1), address, str(port)), f"{host} {port}", why)
    process = etc.run(program, "-b", str(len(host)), address, str(port))
    why = "-b is the size of the buffer, and a string needs one byte more than it has characters"
    fails(process, message("rname", "EAI_OVERFLOW"), why)


@check(
    points=1,
    kind="robust",
    after="test_names",
    hints=(
        "What the files do not know, a name server is asked.",
        "getnameinfo(3) returns EAI_AGAIN when the server has trouble; print what it returns.",
        "In rname.c: look_up, the returned number, and complain.",
    ),
    needs="databases",
)
def test_dns(program):
    """prints what a name server knows, and says when it has trouble"""
    stage = program.stage
    host = f"{word(stage)}.test"
    named, broken, unknown = far(stage, 3)
    six = far6(stage)[0]
    zone = {
        dns.reverse(named): [(dns.PTR, host)],
        dns.reverse(six): [(dns.PTR, host)],
        dns.reverse(broken): dns.SERVFAIL,
    }
    server = dns.NameServer(stage, zone)
    order = "hosts: files dns\nservices: files\nprotocols: files\n"
    files = {"nsswitch.conf": order, "resolv.conf": server.resolv_conf()}
    etc = Etc(stage, files, server.port)
    port = str(stage.port())
    says(etc.run(program, named, port, server=server), f"{host} {port}")
    says(etc.run(program, six, port, server=server), f"{host} {port}")
    says(etc.run(program, unknown, port, server=server), f"{unknown} {port}")
    process = etc.run(program, "-r", broken, port, server=server)
    fails(process, message("rname", "EAI_AGAIN"), "the name server could not tell for now")


@check(
    points=1,
    kind="clean",
    after="test_numbers",
    hints=(
        "What a program takes from malloc, or what a library takes for it, it gives back.",
        "free(3), freeaddrinfo(3): each taker has its giver.",
        "In rname.c: whatever allocates memory on the way to the socket address.",
    ),
    needs="leaks",
)
def test_no_leak(program):
    """leaks no memory"""
    for address in (*far(program.stage), *far6(program.stage)):
        frees(program.run("-n", "-N", address, "80", **LEAKS), 0)
