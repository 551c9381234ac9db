"""What checks of programs that look names up share: made-up names, error words.

Nothing here looks anything up itself.
"""

import ctypes
import os
import socket

from . import diagnosis
from .failure import Failure, require

_libc = ctypes.CDLL(None)
_libc.gai_strerror.restype = ctypes.c_char_p

NOT_ERRNO = (
    "the error code of getaddrinfo and getnameinfo is no errno: neither perror nor strerror knows "
    "it; gai_strerror(code) does"
)
NOT_ZEROED = (
    "EAI_BADFLAGS and EAI_SOCKTYPE say that the hints hold rubbish: all of a struct addrinfo must "
    "be zero but for what is set, and a local variable is not zero by itself"
)

# How to start a program that shall give back all its memory: a pointer that was
# left behind on the stack is no excuse, as whoever ends does not use it any more.
LEAKS = {
    "leaks": True,
    "env": {"LSAN_OPTIONS": "exitcode=99:use_stacks=0:use_registers=0"},
}

MINUS_ONE = (
    "EAI_BADFLAGS has the number -1 here: return what getaddrinfo or getnameinfo has returned, not "
    "-1 and not whether there was an error"
)
FAMILY = (
    "EAI_FAMILY of getnameinfo means that the address and its length do not fit: the length is "
    "ai_addrlen of the entry, or what getsockname has written, or sizeof of the struct sockaddr_in "
    "or sockaddr_in6 that sin_family or sin6_family names; not sizeof(struct sockaddr), not the "
    "size of a pointer, not 0"
)
OVERFLOW = (
    "EAI_OVERFLOW means that a buffer of getnameinfo is too small, or that its size is told wrong: "
    "sizeof of a parameter of a function is the size of a pointer, however large the array is"
)
NUMBERS = (
    "the numbers are due, not the names: getnameinfo with NI_NUMERICHOST and NI_NUMERICSERV looks "
    "nothing up"
)
ROOM = (
    "the port is right and the address is not: it was cut, for an IPv6 address does not fit into "
    "a struct sockaddr; getsockname takes a struct sockaddr_storage, and a length that is set to "
    "its size before each call"
)
EMPTY = "ADDR and PORT are empty: to_numbers has written nothing; is it still to be filled in?"
STREAMS = "only stream sockets make connections: ai_socktype of the hints is SOCK_STREAM"
# What a mistake makes a call fail with, by the reason that the program prints.
_REASONS = {
    "Success": "Success is no reason: either a call that worked was taken for one that failed, or "
    "getnameinfo has failed, which returns its error and leaves errno alone; it fails if the "
    "length that getsockname got was 0: that is set to the size of the buffer before each call",
    "Invalid argument": "EINVAL says that a length is wrong: bind and connect take ai_addrlen of "
    "the entry (sizeof(struct sockaddr) is too short for IPv6, the size of a pointer for any); the "
    "length for getsockname is set to the size of the buffer before each call",
    "Socket type not supported": "socket takes three numbers of one entry: ai_family, ai_socktype, "
    "ai_protocol",
    "Protocol not supported": "socket takes three numbers of one entry: ai_family, ai_socktype, "
    "ai_protocol",
    "Address family not supported by protocol": "the socket has another family than the address: "
    "socket takes ai_family of the same entry",
    "Transport endpoint is not connected": "getpeername asks for the other end; our own name is "
    "what getsockname says",
    "Operation not supported": STREAMS,
    "Operation not permitted": STREAMS,
    "Protocol not available": "IPV6_V6ONLY is an option of IPv6 sockets alone: look at ai_family "
    "of the entry first",
    "Bad file descriptor": "the descriptor is closed already, or what socket has returned was not "
    "looked at",
}


def reason(stderr: bytes) -> str:
    """Return the mistake that a program's own complaint tells of, or nothing.

    Args:
        stderr: what a program that connects or listens has said of a failure.
    """
    for code, words in (
        (b"EAI_BADFLAGS", NOT_ZEROED),
        (b"EAI_SOCKTYPE", NOT_ZEROED),
        (b"EAI_FAMILY", FAMILY),
        (b"EAI_OVERFLOW", OVERFLOW),
    ):
        if b": " + code + b": " in stderr:
            return words
    lines = stderr.decode("utf-8", "replace").splitlines()
    ends = [line.rpartition(": ")[2] for line in lines]
    return next((words for text, words in _REASONS.items() if text in ends), "")


CODE_LOST = (
    "the code that getaddrinfo or getnameinfo has returned got lost on the way: return that number "
    "itself, not errno and not -1"
)
SILENT = (
    "nothing is printed, and no error is told: has the look-up failed (hints that are not zeroed "
    "give EAI_BADFLAGS), and was what it returned lost, or taken for success?"
)
NO_LIST = (
    "; here the look-up has failed, with a code that is not 0 (and not -1): there is no list then, "
    "and nothing to give back"
)

FREE_ALL = (
    "; the list of getaddrinfo is given back whole and once: freeaddrinfo with the pointer that "
    "getaddrinfo has written, which leads to the first entry"
)
STATIC = (
    "what the function returns leads to memory of the C library, and the next call may overwrite "
    "it: print an entry, or copy it, before you ask for the next"
)

# Addresses for documents, RFC 5737 and RFC 3849.  No packet is ever sent there;
# but a network that is shared may have such addresses itself, and then decides
# in which order a list of them comes: see ``near``.
_FAR = ("192.0.2.", "198.51.100.", "203.0.113.")
_FAR6 = "2001:db8::"


def word(stage) -> str:
    """Return a made-up name, another one each time."""
    letters = "".join(stage.random.choices("bcdfghkmnprtvwz", k=5))
    return f"{letters}{stage.random.randrange(100, 1000)}"


def far(stage, count: int = 1) -> list[str]:
    """Return IPv4 addresses of nobody, in no order; the first is not the least."""
    numbers = stage.random.sample(range(1, 255), count)
    found = [stage.random.choice(_FAR) + str(number) for number in numbers]
    if count > 1 and found[0] == min(found, key=socket.inet_aton):
        found[0], found[1] = found[1], found[0]
    return found


def far6(stage, count: int = 1) -> list[str]:
    """Return IPv6 addresses of nobody, in no order, the first not the least."""
    numbers = stage.random.sample(range(0x1111, 0xFFFF), count)
    if count > 1 and numbers[0] == min(numbers):
        numbers.reverse()
    return [f"{_FAR6}{number:x}" for number in numbers]


def near(stage, count: int = 1) -> list[str]:
    """Return IPv4 addresses of this machine that no program uses.

    The first is not the least.  All of them have the same number of leading
    bits in common with the address that the kernel takes for its own end; so
    rule 9 of RFC 6724 leaves a list of them in its order.
    """
    found = [
        f"127.{stage.random.randrange(128, 255)}.{stage.random.randrange(256)}.{number}"
        for number in stage.random.sample(range(1, 255), count)
    ]
    if count > 1 and found[0] == min(found, key=socket.inet_aton):
        found[0], found[1] = found[1], found[0]
    return found


def number(code: str) -> int:
    """Return the number of an error code such as "EAI_NONAME" on this machine."""
    return getattr(socket, code)


def message(program: str, code: str) -> bytes:
    """Return the line that a program says of an error code."""
    text = _libc.gai_strerror(number(code))
    return f"{program}: {code}: ".encode() + text + b"\n"


def gives(process, expected: bytes, why: str = "", order: bool = True) -> None:
    """Require that a program, which has ended, has printed what was due.

    Args:
        process: the program.
        expected: what is due on stdout, with status 0 and a silent stderr.
        why: the diagnosis, where nothing more is known.
        order: False allows the lines to come in any order.
    """
    known = process.why_it_ended() if process.end_status.number != 2 else ""
    if b": EAI_OVERFLOW: " in process.stderr and why:
        known = f"{OVERFLOW}; {why}"
    elif b": EAI_BADFLAGS: " in process.stderr and process.name == "rname":
        known = MINUS_ONE
    elif b": EAI_" in process.stderr and reason(process.stderr):
        known = reason(process.stderr)
    elif b"EAI_?" in process.stderr or b": EAI_SYSTEM: Success" in process.stderr:
        known = CODE_LOST
    end = str(process.end_status)
    if end != "exited with status 0":
        got = f"{end}, with {diagnosis.show(process.stderr, 200)} on stderr"
        raise Failure(f"{diagnosis.show(expected, 200)} and exit status 0", got, known or why)
    got = process.stdout
    process.stage.tape.add("look", "at stdout", diagnosis.show(got, 200))
    unordered = sorted(got.split(b"\n")) == sorted(expected.split(b"\n"))
    same = got == expected or (unordered and not order)
    found = why or diagnosis.difference(expected, got)
    if not got and not process.stderr:
        found = SILENT
    require(same, f"{diagnosis.show(expected, 200)} on stdout", diagnosis.show(got, 200), found)
    said = diagnosis.show(process.stderr, 200)
    require(not process.stderr, "nothing on stderr", said, "nothing has failed: nothing is said")


def fails(process, expected: bytes, why: str = "") -> None:
    """Require that a program has ended with status 1 and a line on stderr."""
    got, end = process.stderr, str(process.end_status)
    process.stage.tape.add("look", "at stderr", diagnosis.show(got, 200))
    wanted = diagnosis.show(expected, 200)
    known = process.why_it_ended() if process.end_status.kind == "signal" else ""
    known = known or diagnosis.sanitizer(got)
    if got != expected:
        looked_up = expected.startswith(process.name.encode() + b": EAI_")
        if known and looked_up:
            known += NO_LIST
        if not got and expected in process.stdout:
            known = known or "what has failed is told on stderr: stdout is for what was found"
        elif not got and process.end_status.number:
            known = known or "it says nothing: a failure is told by a line on stderr"
        elif looked_up:
            known = known or _wrong_words(expected, got, process.name)
        if process.stdout and not got:
            end += f", with {diagnosis.show(process.stdout, 100)} on stdout"
        text = f"{diagnosis.show(got, 200)}; it {end}"
        raise Failure(f"{wanted} on stderr", text, known or why)
    why = "a failure ends with exit status 1"
    require(end == "exited with status 1", "exit status 1", end, why)
    got = diagnosis.show(process.stdout)
    require(not process.stdout, "nothing on stdout", got, "a failure prints nothing on stdout")


def _wrong_words(expected: bytes, got: bytes, program: str) -> str:
    """Tell which of the error numbers was taken for which, or how it is told wrong."""
    prefix, _colon, text = got.strip().rpartition(b": ")
    code = expected.split(b": ")[1]
    if b"EAI_BADFLAGS" in got and code != b"EAI_BADFLAGS":
        return MINUS_ONE if program == "rname" else f"{NOT_ZEROED}; or {MINUS_ONE}"
    if text == expected.strip().rpartition(b": ")[2] and code not in prefix:
        return (
            "the name of the code is due before its words, and no number, for that differs from "
            "system to system: eai_name(code)"
        )
    if prefix.endswith(b"EAI_?") or b": EAI_SYSTEM" in prefix:
        return (
            f"what getaddrinfo or getnameinfo returned was {code.decode()}: return that number "
            "itself, not -1, not errno, and not whether there was an error"
        )
    errors = {os.strerror(one).encode() for one in range(134)}
    if text in errors or text.startswith(b"Unknown error -"):
        if text != expected.strip().rpartition(b": ")[2]:
            return NOT_ERRNO
    return ""


def frees(process, status: int) -> None:
    """Require that a program, started with LEAKS, has ended as is due, without a leak."""
    why = process.why_it_ended()
    if b"getaddrinfo" in process.stderr and why:
        why += FREE_ALL
    end = process.end_status
    if (end.kind, end.number) != ("exit", status):
        raise Failure(f"exit status {status}, no memory leak", process.how_it_ended(), why)


def refuses(process, why: str) -> None:
    """Require a usage error: status 2, a message on stderr, nothing on stdout."""
    end = str(process.end_status)
    good = end == "exited with status 2" and process.stderr and not process.stdout
    said = diagnosis.show(process.stdout or process.stderr, 100)
    require(good, "a usage error: exit status 2, nothing on stdout", f"it {end}: {said}", why)
