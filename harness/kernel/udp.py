"""What the kernel counts for a UDP socket: the table /proc/net/udp, proc(5).

Its columns are named in its first line, but not all names stand over their
columns; counted from the end of a row, the last is ``drops``, and ``inode`` is
the fourth from there.
"""

_DROPS = -1
_INODE = -4


def drops(inode: int) -> int:
    """Return how many datagrams a UDP socket has thrown away.

    The kernel does that when one comes and the receive buffer is full.

    Args:
        inode: the socket's, of the network namespace that we are in.

    Raises:
        LookupError: there is no such socket.
    """
    with open("/proc/self/net/udp", encoding="ascii") as file:
        for row in list(file)[1:]:
            columns = row.split()
            if int(columns[_INODE]) == inode:
                return int(columns[_DROPS])
    raise LookupError(f"no UDP socket with inode {inode}")
