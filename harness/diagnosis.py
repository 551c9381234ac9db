"""Known mistakes, by what they look like: the table of diagnoses.

Each function looks at what happened and returns a sentence that names the
mistake, or an empty string.  A diagnosis explains a verdict; it never makes one.
"""

import re
import signal

from .failure import Failure

# Where a program says ENOSYS.
HOLE = "that is the skeleton's answer: a hole is not filled in yet"

# Bytes beyond what is due that are too many to look at.
_MUCH = 1 << 16
# Bytes of a difference that a report shows on either side.
_WINDOW = 24

_SIGNALS = {
    signal.SIGPIPE: "it wrote to a connection that the client had closed; ignore SIGPIPE, or "
    "send with MSG_NOSIGNAL, and treat EPIPE as the end of that client",
    signal.SIGSEGV: "it used memory that is not its own: look for a bad pointer, a length that "
    "is -1, a buffer that is too small, or a function that calls itself without end",
    signal.SIGABRT: "it called abort, or the C library did: a failed assertion, or a buffer "
    "that overflowed",
    signal.SIGIO: "SIGIO came and no handler was there: its default action ends the program",
    signal.SIGALRM: "an alarm came and no handler was there",
    signal.SIGFPE: "it divided by zero",
    signal.SIGKILL: "the checker did not send that signal: the program killed itself or its whole "
    "process group (kill of 0), or the machine ran out of memory",
    signal.SIGSYS: "it sent a signal to every process there is: kill() got -1, which is what "
    "fork or waitpid return when they fail",
    signal.SIGTERM: "the checker did not send that signal: look for kill() of 0 or of the "
    "program's own process group",
    signal.SIGXCPU: "it used up its CPU time: an endless loop",
    signal.SIGXFSZ: "it wrote a file larger than it may",
    signal.SIGBUS: "it used memory that is not there",
}

_SANITIZER = {
    b": stack-overflow": "it crashed for want of stack (stack overflow): a function calls itself, "
    "or two call each other, without end; or a local array is of many megabytes",
    b"stack-buffer-overflow": "it reads or writes past the end of a local array",
    b"heap-buffer-overflow": "it reads or writes past the end of memory from malloc",
    b"global-buffer-overflow": "it reads or writes past the end of a global array",
    b"heap-use-after-free": "it uses memory after free",
    b"stack-use-after-return": "it uses a local variable of a function that has returned",
    b"negative-size-param": "a length is -1: the return value of a failed call used as a count",
    b"attempting free on address": "it frees what malloc has not returned, or not the start of it",
    b"double-free": "it frees the same memory twice",
    b"detected memory leaks": "memory from malloc, getaddrinfo or the like is never freed",
    b": runtime error: ": "undefined behaviour",
    b"SEGV": "it follows a bad pointer",
}

# How C writes what is no printable character, or has a meaning in a string.
_ESCAPES = {
    **{byte: f"\\x{byte:02x}" for byte in (*range(32), *range(127, 256))},
    **{0: "\\0", 9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\"},
}


def signal_name(number: int) -> str:
    """Return the name of a signal, such as SIGPIPE."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def show(data: bytes, limit: int = 60) -> str:
    """Return bytes as C would write them, cut to ``limit``, with their number."""
    if not data:
        return "nothing"
    text = data[:limit].decode("latin-1").translate(_ESCAPES)
    if len(data) > limit:
        return f'"{text}"... ({len(data)} bytes)'
    return f'"{text}"'


def swapped(port: int) -> int:
    """Return a port with its two bytes exchanged."""
    return (port & 0xFF) << 8 | port >> 8


def sanitizer(stderr: bytes) -> str:
    """Return a sanitizer's report on stderr in plain words, with its place."""
    for mark, words in _SANITIZER.items():
        if mark in stderr and (b"Sanitizer" in stderr or b"runtime" in mark):
            runs_on = re.search(rb"^ *#0 .*\bstrlen\b", stderr.replace(b"_", b" "), re.M)
            more = ": strlen goes on to the next NUL, and where there is none, past the end"
            return words + _place(stderr) + (more if runs_on else "")
    return ""


def _place(stderr: bytes) -> str:
    for line in stderr.decode("utf-8", "replace").splitlines():
        line = line.strip()
        if line.startswith("#") and " in " in line and ".c:" in line:
            where = line.split(" in ", 1)[1].split()
            return f" (in {where[0]}, {where[-1].rsplit('/', 1)[-1]})"
        if ".c:" in line and ": runtime error: " in line:
            place, words = line.split(": runtime error: ", 1)
            return f" ({place.rsplit('/', 1)[-1]}: {words[:100]})"
    return ""


def ended(end, stderr: bytes) -> str:
    """Explain how a program ended: its sanitizer, its signal, its status."""
    found = sanitizer(stderr)
    if found:
        return found
    if end.kind == "signal":
        number = end.number
        return _SIGNALS.get(signal.Signals(number), "") if number in list(signal.Signals) else ""
    if end.number == 127 and b"launch:" in stderr:
        return "the program could not be started"
    if b"Function not implemented" in stderr:
        return HOLE
    if end.number == 2:
        return "exit status 2 says: wrong usage"
    return ""


def difference(expected: bytes, got: bytes) -> str:
    """Name the way in which ``got`` differs from ``expected``."""
    if not got:
        return "nothing came at all"
    if not expected:
        return ""
    if len(got) > 2 * len(expected) + _MUCH:
        # not worth minutes, and gigabytes, of comparing word by word
        return f"much more came than was due: {len(got)} bytes instead of {len(expected)}"
    if expected == got + b"\n":
        return "everything is right but the newline at the end is missing"
    if got == expected + b"\n":
        return "one newline too many at the end"
    if expected.startswith(got):
        return f"the first {len(got)} bytes are right, then {len(expected) - len(got)} are missing"
    if got.startswith(expected):
        return f"the right bytes came, and then {len(got) - len(expected)} more"
    if expected.rstrip(b"\n") + b"\r\n" == got:
        return "a carriage return before the newline"
    if b"\0" in got and got.replace(b"\0", b"") == expected:
        return "a NUL byte was sent along: strlen(s) bytes are wanted, not strlen(s) + 1"
    if sorted(expected.splitlines()) == sorted(got.splitlines()):
        return "the right lines in the wrong order"
    if expected.split() == got.split():
        return _blanks(expected, got)
    if sorted(expected.split()) == sorted(got.split()):
        return "the right words in the wrong order"
    if sorted(expected) == sorted(got):
        return "the right bytes in the wrong order"
    if expected.lower() == got.lower():
        return "right but for capital and small letters"
    if len(_words(expected)) > 1 and _words(expected) == _words(got):
        return "the right words, with other signs between them"
    if b"(null)" in got and b"(null)" not in expected:
        return "(null) is what printf makes of a null pointer: look at it first"
    if len(got) > len(expected) and expected and got.count(expected) > 1:
        return "the same came more than once"
    return _swapped_number(expected, got)


def _words(text: bytes) -> list[bytes]:
    return re.findall(rb"\w+", text)


def _blanks(expected: bytes, got: bytes) -> str:
    if b"\t" in got and b"\t" not in expected:
        return "right but for blanks: there are tabs"
    if [line.rstrip() for line in got.splitlines()] == expected.splitlines():
        return "right but for blanks at the end of a line"
    return "right but for blanks"


def _certain(expected: bytes, got: bytes) -> str:
    """Return a difference that tells what the mistake is, not just that there is one."""
    if len(got) > 2 * len(expected) + _MUCH:
        return ""
    if expected in (got + b"\n", got.replace(b"\r\n", b"\n"), got.replace(b"\0", b"")) and got:
        return difference(expected, got)
    return _swapped_number(expected, got)


def _swapped_number(expected: bytes, got: bytes) -> str:
    for wanted, have in zip(expected.split(), got.split(), strict=False):
        if wanted != have and wanted.isdigit() and have.isdigit() and len(wanted + have) < 20:
            if 0 < int(wanted) < 65536 and swapped(int(wanted)) == int(have):
                return (
                    f"{int(have)} is {int(wanted)} with its bytes swapped: "
                    "htons() or ntohs() is missing, or there is one too many"
                )
            if 0 < int(wanted) < 65536 and int(have) == int(wanted) << 16:
                return (
                    f"{int(have)} is {int(wanted)} moved by two bytes: a port has two bytes, which "
                    "htons() and ntohs() turn; htonl() and ntohl() turn four"
                )
            if int(have) == 0 and b" " in expected:
                return (
                    "0 where a number is due: after bind, getsockname tells what the kernel chose"
                )
    return ""


def around(expected: bytes, got: bytes) -> tuple[str, str]:
    """Show both, cut to where they begin to differ."""
    at = 0
    limit = min(len(expected), len(got))
    while at < limit and expected[at] == got[at]:
        at += 1
    if max(len(expected), len(got)) <= 2 * _WINDOW:
        return show(expected), show(got)
    start = max(0, at - 8)
    where = f"at byte {at}: " if start else ""
    return (
        where + show(expected[start : start + _WINDOW]) + f" of {len(expected)} bytes",
        where + show(got[start : start + _WINDOW]) + f" of {len(got)} bytes",
    )


def fail_bytes(expected: bytes, got: bytes, where: str, why: str = "", known: str = "") -> None:
    """Fail because ``got`` is not ``expected``; say how they differ.

    Args:
        expected: what should have come.
        got: what came.
        where: in words.
        why: the diagnosis of the check; a difference that leaves no doubt, such as a missing
            newline, goes before it, and any other after it.
        known: a diagnosis that is certain, such as a sanitizer's; it goes first.
    """
    left, right = around(expected, got)
    why = known or _certain(expected, got) or why or difference(expected, got)
    raise Failure(f"{left} {where}", right, why)


def listening_elsewhere(sockets, address: str, port: int) -> str:
    """Explain why nobody listens where the program should.

    Args:
        sockets: (state, address, port) of every TCP socket of the program.
        address: where it should listen.
        port: the port there.
    """
    if not sockets:
        return ""
    listening = [(a, p) for is_listening, a, p in sockets if is_listening]
    for found_address, found_port in listening:
        if found_port == port and found_address in ("0.0.0.0", "::"):
            return f"listening on every address ({found_address}) instead of {address}"
        if (found_address, found_port) == (address, port):
            return (
                "it listens there, but does not wait for a client there: a server at rest sleeps "
                "in accept, or in poll or select on its listening socket (with select: its first "
                "argument is the highest plus 1)"
            )
        if found_port == port:
            return f"listening on {found_address} instead of {address}"
        if found_port == swapped(port):
            return (
                f"listening on {found_port}: that is {port} with its bytes swapped; "
                "htons() is missing"
            )
    if listening:
        found_address, found_port = listening[0]
        return (
            f"listening on {found_address} port {found_port}, which the kernel chose: bind failed "
            "or was not called, and nobody looked at what it returned"
        )
    return "there is a socket, but it does not listen: listen() is missing or failed"
