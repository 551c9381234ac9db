"""Checks of netdb: the databases of hosts, networks, protocols and services."""

from harness import check
from harness.etc import Etc
from harness.lookups import STATIC, fails, far, gives, word

PROTOCOLS = "tcp 6 TCP\nudp 17 UDP\n"
WALK = "a scan goes on until getXent returns a null pointer, and each call gives the next entry"


def scans(process, expected):
    """Require what a scan prints, one line for each entry."""
    lines = process.stdout.splitlines()
    twice = len(set(lines)) < len(lines) and len(set(expected.splitlines())) == len(lines)
    known = ""
    if len(lines) < expected.count("\n"):
        known = WALK
    elif twice:
        known = STATIC
    gives(process, expected.encode(), known)


def services(stage):
    """Return three made-up services: (name, port, protocol, aliases)."""
    found = []
    for protocol, aliases in (("tcp", 0), ("udp", 2), ("tcp", 1)):
        names = [word(stage) for _ in range(aliases)]
        found.append((word(stage), stage.port(), protocol, names))
    return found


def service_files(found):
    """Return /etc/services, and what a scan of it prints."""
    file = scan = ""
    for name, port, protocol, aliases in found:
        file += f"{name}\t{port}/{protocol}\t{' '.join(aliases)}\n"
        scan += " ".join([name, str(port), protocol, *aliases]) + "\n"
    return file, scan


@check(
    points=2,
    kind="contract",
    hints=(
        "A database is read from its beginning to its end, one entry at each call.",
        "setservent(3), getservent(3) until it returns a null pointer, endservent(3); s_port is "
        "in network byte order.",
        "In netdb.c: scan, the services, and print_serv, the number.",
    ),
    needs="databases",
)
def test_scan(program):
    """prints every service with its port, protocol and aliases; also none at all"""
    file, scan = service_files(services(program.stage))
    etc = Etc(program.stage, {"services": f"# made up\n\n{file}", "protocols": PROTOCOLS})
    scans(etc.run(program, "servs"), scan)
    etc.write("services", "# nothing\n")
    gives(etc.run(program, "servs"), b"", WALK)


@check(
    points=2,
    kind="contract",
    after="test_scan",
    hints=(
        "A service can be asked for by name or alias, or by port; and for one protocol only.",
        "getservbyname(3), getservbyport(3): the port goes in and comes out in network byte order.",
        "In netdb.c: look_up, the port in the call, and a protocol that may be a null pointer.",
    ),
    needs="databases",
)
def test_service(program):
    """finds a service by name, by alias and by port, for a protocol or any"""
    stage = program.stage
    found = services(stage)
    (name, port, protocol, _), (other, second, udp, aliases) = found[0], found[1]
    found.append((name, stage.port(), "udp", []))
    file, scan = service_files(found)
    due = [line.encode() + b"\n" for line in scan.splitlines()]
    etc = Etc(stage, {"services": file, "protocols": PROTOCOLS})
    swap = "getservbyport takes the port in network byte order: htons(), and not htonl()"
    anyone = "without PROTO any protocol will do: its argument is a null pointer"
    gives(etc.run(program, "serv", name), due[0])
    gives(etc.run(program, "serv", other), due[1], anyone)
    gives(etc.run(program, "serv", name, "udp"), due[3], "the protocol is the second argument")
    gives(etc.run(program, "serv", aliases[1], udp), due[1], "an alias is as good as the name")
    gives(etc.run(program, "port", str(port), protocol), due[0], swap)
    gives(etc.run(program, "port", str(second)), due[1], anyone)
    process = etc.run(program, "port", str(port), "udp")
    fails(process, f"netdb: {port}: not found\n".encode())
    process = etc.run(program, "serv", other, "tcp")
    fails(process, f"netdb: {other}: not found\n".encode())


@check(
    points=1,
    kind="contract",
    hints=(
        "Protocols have small numbers of their own, and no byte order.",
        "getprotoent(3), getprotobyname(3), getprotobynumber(3).",
        "In netdb.c: scan, the protocols, and look_up, a word that begins with a digit.",
    ),
    needs="databases",
)
def test_protocols(program):
    """prints every protocol, and finds one by name, alias and number"""
    stage = program.stage
    numbers = stage.random.sample(range(3, 250), 2)
    rows = [(word(stage), number, word(stage).upper()) for number in numbers]
    text = "".join(f"{name} {number} {alias}\n" for name, number, alias in rows)
    etc = Etc(stage, {"protocols": text})
    scans(etc.run(program, "protos"), text)
    last = text.splitlines()[1].encode() + b"\n"
    for asked in map(str, rows[1]):
        gives(etc.run(program, "proto", asked), last, "what begins with a digit is a number")
    absent = word(stage)
    fails(etc.run(program, "proto", absent), f"netdb: {absent}: not found\n".encode())


@check(
    points=2,
    kind="contract",
    hints=(
        "Networks have names too; their number is an address whose host part is 0.",
        "getnetent(3), getnetbyname(3), getnetbyaddr(3): n_net is in host byte order.",
        "In netdb.c: print_net, which makes an address of n_net; scan and look_up, the networks.",
    ),
    needs="databases",
)
def test_networks(program):
    """prints every network, and finds one by name, alias and address"""
    stage = program.stage
    rows = [
        (word(stage), f"10.{stage.random.randrange(1, 255)}.0.0", word(stage)),
        (word(stage), f"172.16.{stage.random.randrange(1, 255)}.0", word(stage)),
    ]
    text = "".join(f"{name} {net} {alias}\n" for name, net, alias in rows)
    etc = Etc(stage, {"networks": text})
    swap = "n_net is in host byte order, and so is what getnetbyaddr takes; s_addr is in network "
    swap += "byte order"
    process = etc.run(program, "nets")
    gives(process, text.encode(), WALK if process.stdout.count(b"\n") < 2 else swap)
    last = text.splitlines()[1].encode() + b"\n"
    name, net, alias = rows[1]
    for asked in (name, alias):
        gives(etc.run(program, "net", asked), last, "getnetbyname finds a name and an alias")
    swap = "what begins with a digit is an address: getnetbyaddr takes it in host byte order, as "
    swap += "to_net returns it, and AF_INET"
    gives(etc.run(program, "net", net), last, swap)
    absent = "10.255.255.0"
    fails(etc.run(program, "net", absent), f"netdb: {absent}: not found\n".encode())


@check(
    points=1,
    kind="contract",
    hints=(
        "The hosts that a machine knows by itself can be listed; those of name servers can't.",
        "sethostent(3), gethostent(3), endhostent(3).",
        "In netdb.c: scan, the hosts.",
    ),
    needs="databases",
)
def test_hosts(program):
    """prints every host with its address and aliases"""
    stage = program.stage
    addresses = far(stage, 3)
    text = "".join(f"{one} {word(stage)} {word(stage)}\n" for one in addresses)
    etc = Etc(stage, {"hosts": text})
    due = ""
    for line in text.splitlines():
        address, name, alias = line.split()
        due += f"{name} {address} {alias}\n"
    scans(etc.run(program, "hosts"), due)


@check(
    points=2,
    kind="robust",
    after="test_scan",
    hints=(
        "Who reads a database keeps a place in it; the next one must begin at the beginning.",
        "setservent(3), sethostent(3) and the others go back, whatever their argument is; "
        "endservent(3) closes the database.",
        "In netdb.c: scan, the first and the last call for each of the four.",
    ),
    needs="databases",
)
def test_twice(program):
    """-2 prints the database twice, each of the four"""
    stage = program.stage
    file, scan = service_files(services(stage))
    protocol = f"{word(stage)} 77 {word(stage)}\n"
    network = f"{word(stage)} 10.1.0.0 {word(stage)}\n"
    address, host = far(stage)[0], word(stage)
    files = {"services": file, "protocols": protocol, "networks": network}
    etc = Etc(stage, {**files, "hosts": f"{address} {host}\n"})
    why = "the second scan begins where the first has ended: setXent goes back to the beginning, "
    why += "and endXent closes the database"
    for kind, due in (
        ("servs", scan),
        ("protos", protocol),
        ("nets", network),
        ("hosts", f"{host} {address}\n"),
    ):
        process = etc.run(program, "-2", kind)
        ends = process.stdout in (b"", due.encode())
        gives(process, (due * 2).encode(), why if ends else "")
