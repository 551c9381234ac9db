"""Checks of resolve: all addresses that a host and a service stand for."""

import socket

from harness import check, diagnosis, dns, require
from harness.etc import Etc
from harness.kernel import netns
from harness.kernel.syscalls import POLL
from harness.lookups import (
    LEAKS,
    NUMBERS,
    fails,
    far,
    far6,
    frees,
    gives,
    message,
    near,
    refuses,
    word,
)

FILES_AND_DNS = "hosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n"
PROTOCOLS = "tcp 6 TCP\nudp 17 UDP\n"
TYPE_NAMES = {
    socket.SOCK_STREAM: "stream",
    socket.SOCK_DGRAM: "dgram",
    socket.SOCK_RAW: "raw",
    socket.SOCK_SEQPACKET: "seqpacket",
}
PROTOCOL_NAMES = {6: "tcp", 17: "udp", 132: "sctp"}
WHOLE_LIST = "getaddrinfo returns a list: go from ai_next to ai_next until the null pointer"


def lines(addresses, port, canon=None):
    """Return what is due for these addresses, as stream sockets."""
    text = ""
    for index, address in enumerate(addresses):
        family = "inet6" if ":" in address else "inet"
        name = f" {canon}" if canon and index == 0 else ""
        text += f"{family} stream tcp {address} {port}{name}\n"
    return text.encode()


LINE = (
    "a line is FAMILY TYPE PROTOCOL ADDR PORT: print_line takes ai_family, ai_socktype and "
    "ai_protocol of the entry, and the two texts of getnameinfo, in this order"
)


def form(process, expected):
    """Return what is wrong with the form of a line, or nothing."""
    got = process.stdout
    words, due = got.split(), expected.split()
    if got == expected or len(got.splitlines()) != 1:
        return ""
    known = diagnosis.difference(expected, got)
    if "swapped" in known:
        return known
    if words[3:] == due[3:]:
        wrong = b" ".join(one for one, right in zip(words, due, strict=False) if one != right)
        known = known or f"ADDR and PORT are right, but not {wrong.decode('ascii', 'replace')}"
    return f"{known}; {LINE}" if known else LINE


def with_names(stage, zone, **how):
    """Return an /etc that asks a name server, and the server."""
    server = dns.NameServer(stage, zone)
    files = {"nsswitch.conf": FILES_AND_DNS, "resolv.conf": server.resolv_conf(**how)}
    return Etc(stage, files, server.port), server


@check(
    points=3,
    kind="contract",
    hints=(
        "A host and a service go in, and a list of socket addresses comes out.",
        "getaddrinfo(3) makes the list, getnameinfo(3) with NI_NUMERICHOST and NI_NUMERICSERV "
        "turns each address into text, freeaddrinfo(3) gives the list back.",
        "In resolve.c: set_hints, which fills all of the hints, then resolve and print_list.",
    ),
)
def test_numbers(program):
    """prints the socket address of a numeric host and port, IPv4 and IPv6"""
    random = program.stage.random
    port = program.stage.port()
    for address in (*far(program.stage), *far6(program.stage)):
        process = program.run("-t", "stream", address, str(port))
        six = ":" in address and process.stdout.startswith(b"inet6 stream tcp ")
        why = "a struct sockaddr_in holds no IPv6 address: ai_addr and ai_addrlen are good for any"
        if b": EAI_AGAIN: " in process.stderr:
            why = NUMBERS
        elif not six:
            why = form(process, lines([address], port))
        gives(process, lines([address], port), why)
    number = f"10.{random.randrange(1, 200)}.0.1"
    process = program.run("-t", "dgram", number, str(port))
    why = "-t says which type of socket is wanted: ai_socktype of the hints"
    gives(process, f"inet dgram udp {number} {port}\n".encode(), why)


@check(
    points=2,
    kind="contract",
    after="test_numbers",
    hints=(
        "One address may be good for several types of socket, and each is an entry of its own.",
        "With ai_socktype 0, getaddrinfo(3) returns an entry for each type.",
        "In resolve.c: set_hints, where no -t was given, and print_list, which prints every entry.",
    ),
)
def test_every_type(program):
    """without -t, prints a line for each type of socket"""
    address, port = far(program.stage)[0], program.stage.port()
    found = socket.getaddrinfo(address, port, flags=socket.AI_NUMERICHOST)
    expected = "".join(
        f"inet {TYPE_NAMES.get(kind, f'type{kind}')} "
        f"{PROTOCOL_NAMES.get(protocol, f'proto{protocol}')} {address} {port}\n"
        for _family, kind, protocol, _name, _address in found
    )
    why = "without -t the hints have ai_socktype 0, and every entry of the list is a line"
    gives(program.run(address, str(port)), expected.encode(), why)


@check(
    points=3,
    kind="contract",
    after="test_numbers",
    hints=(
        "A name is looked up in /etc/hosts first, a service in /etc/services.",
        "getaddrinfo(3) does both, for whatever names are in its arguments.",
        "In resolve.c: resolve, what it hands to getaddrinfo.",
    ),
    needs="databases",
)
def test_names(program):
    """looks up a host and a service by name"""
    host, service, alias = word(program.stage), word(program.stage), word(program.stage)
    address, port = far(program.stage)[0], program.stage.port()
    files = {
        "hosts": f"{far(program.stage)[0]} {word(program.stage)}\n{address} {host}.test {host}\n",
        "services": f"{word(program.stage)} 99/tcp\n{service} {port}/tcp {alias}\n",
        "protocols": PROTOCOLS,
    }
    etc = Etc(program.stage, files)
    for name, wanted in ((host, service), (f"{host}.test", alias)):
        process = etc.run(program, "-t", "stream", name, wanted)
        asks = b"EAI_NONAME" in process.stderr
        why = "the name is in /etc/hosts: do the hints or the arguments allow names at all?"
        named = {wanted.encode(), name.encode()} & set(process.stdout.split())
        gives(process, lines([address], port), why if asks else NUMBERS if named else "")


@check(
    points=2,
    kind="contract",
    after="test_names",
    hints=(
        "A service may be known for one protocol only, or have another port for each.",
        "services(5) says PORT/PROTOCOL; getaddrinfo(3) picks by ai_socktype.",
        "In resolve.c: set_hints, the type, and how -t comes to be in it.",
    ),
    needs="databases",
)
def test_types(program):
    """finds the port that a service has for the type of socket"""
    both, single = word(program.stage), word(program.stage)
    address = far(program.stage)[0]
    ports = [program.stage.port() for _ in range(3)]
    services = f"{both} {ports[0]}/tcp\n{both} {ports[1]}/udp\n{single} {ports[2]}/udp\n"
    etc = Etc(program.stage, {"services": services, "protocols": PROTOCOLS})
    why = "a service may have one port for TCP and another for UDP: each entry has its own"
    process = etc.run(program, "-t", "dgram", address, both)
    gives(process, f"inet dgram udp {address} {ports[1]}\n".encode(), why)
    process = etc.run(program, address, both)
    expected = f"inet stream tcp {address} {ports[0]}\ninet dgram udp {address} {ports[1]}\n"
    gives(process, expected.encode(), why)
    process = etc.run(program, "-t", "stream", address, single)
    fails(process, message("resolve", "EAI_SERVICE"))


@check(
    points=3,
    kind="contract",
    after="test_names",
    hints=(
        "A host may have addresses of both families; a program should not care which.",
        "ai_family is AF_UNSPEC for any, else AF_INET or AF_INET6; ai_addr has as many bytes as "
        "ai_addrlen says.",
        "In resolve.c: set_hints, and in print_list the length that is handed to getnameinfo.",
    ),
    needs="databases",
)
def test_families(program):
    """prints addresses of both families, or of the one that is asked for"""
    host, only = word(program.stage), word(program.stage)
    four, six, other = far(program.stage)[0], *far6(program.stage, 2)
    port = program.stage.port()
    files = {"hosts": f"{four} {host}\n{six} {host}\n{other} {only}\n"}
    etc = Etc(program.stage, files)
    why = "a struct sockaddr_in holds no IPv6 address: ai_addr and ai_addrlen are good for any"
    gives(etc.run(program, "-t", "stream", only, str(port)), lines([other], port), why)
    process = etc.run(program, "-t", "stream", host, str(port))
    # Which family comes first depends on the routes of a network that is shared.
    order = program.stage.private
    gives(process, lines([six, four], port), order=order)
    why = "-4 and -6 are ai_family of the hints"
    for option, address in (("-4", four), ("-6", six)):
        process = etc.run(program, option, "-t", "stream", host, str(port))
        if b": EAI_NONAME: " in process.stderr:
            why = "a flag that nobody asked for, such as AI_ADDRCONFIG, hides addresses"
        gives(process, lines([address], port), why)


@check(
    points=3,
    kind="robust",
    after="test_names",
    hints=(
        "The list comes in the order in which its addresses are to be tried.",
        "Follow ai_next, getaddrinfo(3); leave out nothing, sort nothing.",
        "In resolve.c: print_list, where it begins, how it goes on, where it ends.",
    ),
    needs="databases",
)
def test_order(program):
    """prints every entry in the order of the list, also an address that comes twice"""
    host, port = word(program.stage), program.stage.port()
    addresses = near(program.stage, 6)
    addresses.append(addresses[1])
    hosts = "".join(f"{address} {host}\n" for address in addresses)
    etc = Etc(program.stage, {"hosts": hosts})
    process = etc.run(program, "-4", "-t", "stream", host, str(port))
    why = f"{WHOLE_LIST}; the order is the one in which a client has to try"
    gives(process, lines(addresses, port), why)


@check(
    points=2,
    kind="contract",
    after="test_numbers",
    hints=(
        "No host means this machine: for a client its loopback, for a server all its addresses.",
        "A null pointer for the host, and AI_PASSIVE in ai_flags for the server: getaddrinfo(3).",
        "In resolve.c: set_hints, the letter p, and resolve, which hands a null pointer on.",
    ),
)
def test_no_host(program):
    """- is this machine: loopback, or with -p the address to bind"""
    port = program.stage.port()
    why = "HOST - is a null pointer; then AI_PASSIVE decides between loopback and all addresses"
    for family, client, server in (("-4", "127.0.0.1", "0.0.0.0"), ("-6", "::1", "::")):
        process = program.run(family, "-t", "stream", "-", str(port))
        gives(process, lines([client], port), why)
        process = program.run(family, "-p", "-t", "stream", "-", str(port))
        gives(process, lines([server], port), why)


@check(
    points=2,
    kind="contract",
    after="test_names",
    hints=(
        "A host may have several names, and one of them is the official one.",
        "AI_CANONNAME, getaddrinfo(3): only the first entry has it, in the others it is null.",
        "In resolve.c: set_hints, the letter c, and print_list, where ai_canonname is used.",
    ),
    needs="databases",
)
def test_canon(program):
    """-c adds the canonical name, to the first line alone"""
    host, alias, port = word(program.stage), word(program.stage), program.stage.port()
    addresses = near(program.stage, 3)
    hosts = "".join(f"{address} {host}.test {alias}\n" for address in addresses)
    etc = Etc(program.stage, {"hosts": hosts})
    why = "with AI_CANONNAME the first entry has a name, in all others ai_canonname is a null "
    why += "pointer"
    process = etc.run(program, "-c", "-4", "-t", "stream", alias, str(port))
    gives(process, lines(addresses, port, f"{host}.test"), why)
    process = etc.run(program, "-4", "-t", "stream", alias, str(port))
    gives(process, lines(addresses, port), "without -c no name is asked for")


@check(
    points=2,
    kind="contract",
    after="test_names",
    hints=(
        "Some programs must not look anything up: a name is an error to them.",
        "AI_NUMERICHOST and AI_NUMERICSERV in ai_flags, getaddrinfo(3).",
        "In resolve.c: set_hints, the letters n and N, and that flags are combined with |.",
    ),
    needs="databases",
)
def test_numeric_flags(program):
    """with -n and -N takes only a numeric host and service"""
    host, service, port = word(program.stage), word(program.stage), program.stage.port()
    address = far(program.stage)[0]
    files = {"hosts": f"{address} {host}\n", "services": f"{service} {port}/tcp\n"}
    etc = Etc(program.stage, {**files, "protocols": PROTOCOLS})
    noname = message("resolve", "EAI_NONAME")
    why = "-n is AI_NUMERICHOST, -N is AI_NUMERICSERV: with them, a name is not looked up"
    fails(etc.run(program, "-n", "-t", "stream", host, service), noname, why)
    fails(etc.run(program, "-N", "-t", "stream", host, service), noname, why)
    process = etc.run(program, "-n", "-t", "stream", address, service)
    gives(process, lines([address], port), why)
    process = etc.run(program, "-N", "-t", "stream", host, str(port))
    gives(process, lines([address], port), why)
    process = etc.run(program, "-n", "-N", "-t", "stream", address, str(port))
    gives(process, lines([address], port), why)


@check(
    points=1,
    kind="contract",
    after="test_families",
    hints=(
        "A program that has only IPv6 sockets can reach IPv4 hosts by mapped addresses.",
        "AI_V4MAPPED, and AI_ALL beside it, with AF_INET6: getaddrinfo(3), ipv6(7).",
        "In resolve.c: set_hints, the letters m and a.",
    ),
    needs="databases",
)
def test_mapped(program):
    """with -6 -m maps IPv4 addresses to IPv6, and with -a all of them"""
    host, only, port = word(program.stage), word(program.stage), program.stage.port()
    four, six = far(program.stage)[0], far6(program.stage)[0]
    etc = Etc(program.stage, {"hosts": f"{four} {host}\n{six} {host}\n{four} {only}\n"})
    why = "-m is AI_V4MAPPED: mapped addresses if there are no others; -a is AI_ALL: both"
    process = etc.run(program, "-6", "-m", "-t", "stream", only, str(port))
    gives(process, lines([f"::ffff:{four}"], port), why)
    process = etc.run(program, "-6", "-m", "-t", "stream", host, str(port))
    gives(process, lines([six], port), why)
    process = etc.run(program, "-6", "-m", "-a", "-t", "stream", host, str(port))
    gives(process, lines([six, f"::ffff:{four}"], port), why, order=False)


@check(
    points=3,
    kind="contract",
    after="test_numbers",
    hints=(
        "getaddrinfo has errors of its own, with numbers and words of their own.",
        "What it returns is the number; gai_strerror(3) says it in words; errno has nothing to do "
        "with it, unless the number is EAI_SYSTEM.",
        "In resolve.c: resolve, which returns the number as it is, and complain.",
    ),
)
def test_errors(program):
    """says which error getaddrinfo has returned, in its own words, and ends with status 1"""
    four, six, port = far(program.stage)[0], far6(program.stage)[0], str(program.stage.port())
    for code, args in (
        ("EAI_ADDRFAMILY", ["-4", "-t", "stream", six, port]),
        ("EAI_NONAME", ["-n", "-t", "stream", "1.2.3.999", port]),
        ("EAI_FAMILY", ["-u", four, port]),
        ("EAI_SOCKTYPE", ["-t", "rdm", four, port]),
        ("EAI_BADFLAGS", ["-c", "-", port]),
    ):
        why = f"with these arguments getaddrinfo returns {code}"
        fails(program.run(*args), message("resolve", code), why)


@check(
    points=2,
    kind="robust",
    after=("test_names", "test_errors"),
    hints=(
        "What is in no file is a name that nobody has.",
        "getaddrinfo(3) says EAI_NONAME or EAI_SERVICE, and nothing is in the list then.",
        "In resolve.c: resolve, what follows a code that is not 0.",
    ),
    needs="databases",
)
def test_unknown(program):
    """says that a host or a service is not known, also where files are missing"""
    host, port = word(program.stage), str(program.stage.port())
    etc = Etc(program.stage, {"hosts": f"{far(program.stage)[0]} {host}\n"})
    why = "nobody has that name: what getaddrinfo returns is not 0, and that is all there is to say"
    process = etc.run(program, "-t", "stream", word(program.stage), port)
    fails(process, message("resolve", "EAI_NONAME"), why)
    process = etc.run(program, "-t", "stream", host, word(program.stage))
    fails(process, message("resolve", "EAI_SERVICE"), why)
    for name in ("services", "hosts", "protocols"):
        etc.remove(name)
    process = etc.run(program, "-t", "stream", far(program.stage)[0], word(program.stage))
    fails(process, message("resolve", "EAI_SERVICE"), why)
    process = etc.run(program, "-t", "stream", host, port)
    fails(process, message("resolve", "EAI_NONAME"), why)


@check(
    points=2,
    kind="robust",
    after="test_numbers",
    hints=(
        "The C library takes numbers that are no ports, and cuts them: 65537 becomes 1.",
        "Look at the text itself before getaddrinfo(3) does: isalnum(3), strspn(3), strtoul(3).",
        "In resolve.c: is_service, with 65535 and 65536, with a blank, a sign, nothing at all.",
    ),
)
def test_port_numbers(program):
    """refuses a service that is no port number and no name: a usage error"""
    address = far(program.stage)[0]
    large = str(65536 + program.stage.random.randrange(1, 30000))
    for service in ("65536", large, "4294967376", "99999999999999999999", "", " 80", "+80", "-1"):
        why = f'getaddrinfo itself takes "{service}" for a port: look at the text before it does'
        refuses(program.run("-t", "stream", address, service), why)
    for service in ("0", "65535"):
        process = program.run("-t", "stream", address, service)
        gives(process, lines([address], service), f"{service} is a port number")


@check(
    points=2,
    kind="robust",
    after=("test_names", "test_families"),
    hints=(
        "What the files do not know, a name server is asked: the program sees no difference.",
        "getaddrinfo(3) asks for addresses of both families and returns one list.",
        "In resolve.c: print_list, every entry of it; resolve, no second question.",
    ),
    needs="databases",
)
def test_dns(program):
    """prints what a name server knows: several addresses, both families, an alias"""
    port = program.stage.port()
    host, alias = f"{word(program.stage)}.test", f"{word(program.stage)}.test"
    fours, sixes = near(program.stage, 3), far6(program.stage, 2)
    zone = {
        host: [(dns.A, one) for one in fours] + [(dns.AAAA, one) for one in sixes],
        alias: [(dns.CNAME, host)],
    }
    etc, server = with_names(program.stage, zone)
    process = etc.run(program, "-t", "stream", host, str(port), server=server)
    why = f"one look-up without a family finds the addresses of both; {WHOLE_LIST}"
    gives(process, lines(sixes + fours, port), why, order=False)
    process = etc.run(program, "-4", "-t", "stream", "-c", alias, str(port), server=server)
    gives(process, lines(fours, port, host), "the name server says that the alias stands for HOST")


@check(
    points=2,
    kind="robust",
    after="test_errors",
    hints=(
        "No such name, no address for it, and no answer for now are three different errors.",
        "EAI_NONAME, EAI_NODATA, EAI_AGAIN: getaddrinfo(3); print the one that it has returned.",
        "In resolve.c: resolve, the returned number, and complain, which prints it.",
    ),
    needs="databases",
)
def test_dns_errors(program):
    """tells a name that does not exist from one without address, and from no answer for now"""
    port = str(program.stage.port())
    zone = {
        "broken.test": dns.SERVFAIL,
        "closed.test": dns.REFUSED,
        "text.test": [(dns.TXT, "no address")],
        "six.test": [(dns.AAAA, far6(program.stage)[0])],
    }
    etc, server = with_names(program.stage, zone)
    for host, code in (
        (f"{word(program.stage)}.test", "EAI_NONAME"),
        ("broken.test", "EAI_AGAIN"),
        ("closed.test", "EAI_AGAIN"),
        ("text.test", "EAI_NODATA"),
        ("six.test", "EAI_NODATA"),
    ):
        process = etc.run(program, "-4", "-t", "stream", host, port, server=server)
        fails(process, message("resolve", code), f"for {host}, getaddrinfo returns {code}")


@check(
    points=1,
    kind="robust",
    after="test_dns_errors",
    hints=(
        "A name server may be silent; the resolver gives up some day.",
        "EAI_AGAIN, getaddrinfo(3): to try later may help, and that is for the user to decide.",
        "In resolve.c: resolve, which asks once.",
    ),
    needs=("databases", "notify"),
)
def test_silence(program):
    """gives up with EAI_AGAIN when no name server answers, and asks once"""
    host = f"{word(program.stage)}.test"
    etc, server = with_names(program.stage, {host: dns.SILENCE}, attempts=1)
    args = ("-4", "-t", "stream", host, str(program.stage.port()))
    process = etc.start(program, *args, watch=POLL)

    def too_late(held):
        if held.args[1] == 1 and held.pause():
            held.cut()

    process.breakpoints.on(POLL, too_late)
    server.wait_end(process)
    program.stage.tape.add("wait", "until the resolver has given up")
    fails(process, message("resolve", "EAI_AGAIN"))
    netns.flush_loopback()
    server.service()
    asked = len(server.asked)
    why = "getaddrinfo is called once: it has tried as often as /etc/resolv.conf says"
    require(asked == 1, "one question for the name server", str(asked), why)


@check(
    points=3,
    kind="clean",
    after="test_numbers",
    hints=(
        "The list belongs to who asked for it, from its first entry on.",
        "freeaddrinfo(3) once, with the pointer that getaddrinfo has written.",
        "In resolve.c: resolve, after print_list: the head, not the pointer that went along.",
    ),
    needs="leaks",
)
def test_no_leak(program):
    """gives the list back, all of it and once"""
    address, port = far(program.stage)[0], program.stage.port()
    frees(program.run(address, str(port), **LEAKS), 0)
    process = program.run("-4", "-t", "stream", far6(program.stage)[0], str(port), **LEAKS)
    fails(process, message("resolve", "EAI_ADDRFAMILY"), "there is no list to free after an error")
