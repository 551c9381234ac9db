"""A write that takes less than it was given, as one does that a signal cuts.

Where a kernel cuts a write depends on its buffers and on who runs when.  Here the
call is held at its entry and answered in the kernel's place: it has taken one
byte.  That byte reaches nobody, so the check puts it before what it reads.

The program must be started with ``watch`` holding ``WRITE``, and it needs the
probe "notify".
"""

import struct
from dataclasses import dataclass

from .diagnosis import show
from .kernel import proc
from .kernel.syscalls import WRITE

# sizeof(struct iovec): a pointer and a length
_IOVEC = struct.Struct("=QQ")
# where struct msghdr has msg_iov and msg_iovlen, sendmsg(2)
_MSG_IOV = 16
# the most pieces of a writev or sendmsg, UIO_MAXIOV
_MOST_PIECES = 1024


@dataclass
class ShortWrite:
    """What came of it: the byte that the call is said to have taken, if there was one."""

    taken: bytes = b""


def cut_next(process, where) -> ShortWrite:
    """Let the next write of at least two bytes take one only; return what comes of it.

    A program that writes byte by byte makes no such call, and nothing happens.

    Args:
        process: the run.
        where: picks the calls that count, by their Held.
    """
    cut = ShortWrite()
    step = process.stage.tape.add("disturb", "the next write of two bytes or more takes only one")

    def answer(held):
        if cut.taken or not where(held):
            return
        pieces = _pieces(held)
        size = sum(length for _address, length in pieces)
        if size < 2:
            return
        cut.taken = proc.peek(held.tid, pieces[0][0], 1)
        if cut.taken:
            step.saw = f"{held.call} of {size} bytes returned 1, for {show(cut.taken)}"
            held.answer(1)

    process.breakpoints.on(WRITE, answer)
    return cut


def _pieces(held) -> list[tuple[int, int]]:
    """Return (address, length) of all that a call writes and that is not empty."""
    if held.call in ("write", "sendto"):
        pieces = [(held.args[1], held.args[2])]
    elif held.call in ("writev", "pwritev2"):
        pieces = _iovec(held.tid, held.args[1], held.args[2])
    elif held.call == "sendmsg":
        header = proc.peek(held.tid, held.args[1] + _MSG_IOV, _IOVEC.size)
        pieces = _iovec(held.tid, *_IOVEC.unpack(header)) if len(header) == _IOVEC.size else []
    else:
        pieces = []  # not bytes of the program's memory
    return [piece for piece in pieces if piece[1]]


def _iovec(tid: int, address: int, count: int) -> list[tuple[int, int]]:
    data = proc.peek(tid, address, min(count, _MOST_PIECES) * _IOVEC.size)
    return list(_IOVEC.iter_unpack(data[: len(data) // _IOVEC.size * _IOVEC.size]))
