"""What the kernel counts for TCP in a network namespace: /proc/net/snmp, proc(5)."""


def attempts() -> int:
    """Return how many connections were begun in the network namespace that we are in.

    That is tcpActiveOpens of RFC 4022: each connect that sent a SYN, whatever became of it.
    Asking again what became of one, by another connect on the same socket, sends none.

    Raises:
        LookupError: the kernel does not say.
    """
    with open("/proc/self/net/snmp", encoding="ascii") as file:
        rows = [line.split() for line in file if line.startswith("Tcp:")]
    for names, values in zip(rows[::2], rows[1::2], strict=True):
        if "ActiveOpens" in names:
            return int(values[names.index("ActiveOpens")])
    raise LookupError("no ActiveOpens in /proc/net/snmp")
