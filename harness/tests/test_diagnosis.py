"""The table of known mistakes: what each looks like, and what is said."""

import signal
import time

import pytest

from harness import diagnosis
from harness.failure import Failure
from harness.process import End


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "nothing"),
        (b"abc", '"abc"'),
        (b'a"b\\c', '"a\\"b\\\\c"'),
        (b"\r\n\t\0", '"\\r\\n\\t\\0"'),
        (b"\x1b[2J\x9b\xff", '"\\x1b[2J\\x9b\\xff"'),
        ("ü".encode(), '"\\xc3\\xbc"'),
        (b"x" * 61, '"' + "x" * 60 + '"... (61 bytes)'),
    ],
)
def test_show(data, text):
    """Bytes are shown as C would write them, and not too many."""
    assert diagnosis.show(data) == text


def test_much_more_than_was_due():
    """What is far too long is not compared word by word."""
    got = b"a " * (16 << 20)
    began = time.process_time()
    assert "much more came than was due" in diagnosis.difference(b"abc 7\n", got)
    with pytest.raises(Failure):
        diagnosis.fail_bytes(b"abc 7\n", got, "on stdout", "a reason")
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize(
    ("expected", "got", "words"),
    [
        (b"abc\n", b"", "nothing came at all"),
        (b"", b"abc", ""),
        (b"abc\n", b"abc", "the newline at the end is missing"),
        (b"abc", b"abc\n", "one newline too many"),
        (b"abcdef", b"abc", "the first 3 bytes are right, then 3 are missing"),
        (b"abc", b"abcdef", "the right bytes came, and then 3 more"),
        (b"abc\n", b"abc\r\n", "a carriage return before the newline"),
        (b"abcd", b"ab\0cd", "strlen(s) + 1"),
        (b"a\nb\nc\n", b"c\nb\na\n", "the right lines in the wrong order"),
        (b"abcd", b"badc", "the right bytes in the wrong order"),
        (b"bound", b"BOUND", "capital and small letters"),
        (b"a b\n", b"a  b \n", "blanks"),
        (b"a b\n", b"a\tb\n", "there are tabs"),
        (b"a b\nc\n", b"a b \nc\n", "blanks at the end of a line"),
        (b"inet 1.2.3.4 80\n", b"inet 80 1.2.3.4\n", "the right words in the wrong order"),
        (b"1.2.3.4 80\n", b"1.2.3.4:80\n", "other signs between them"),
        (b"a b\n", b"a b (null)\n", "a null pointer"),
        (b"port 8080", b"port 529530880", "htonl() and ntohl() turn four"),
        (b"ok\n", b"ok\nok\n", "and then 3 more"),
        (b"x", b"yxzx", "more than once"),
        (b"port 8080", b"port 36895", "36895 is 8080 with its bytes swapped: htons()"),
        (b"port 8080", b"port 0", "getsockname tells what the kernel chose"),
        (b"8080", b"0", ""),
        (b"port 8080", b"port 8081", ""),
        (b"7" * 9000, b"8" * 9000, ""),
        (b"7 " * 9000, b"8 " * 9000, ""),
        (bytes(range(256)), bytes(range(255, -1, -1)), "wrong order"),
    ],
)
def test_difference(expected, got, words):
    """How the bytes differ is named, or nothing is said."""
    found = diagnosis.difference(expected, got)
    assert words in found
    assert bool(words) == bool(found)


def test_around():
    """Long data is cut to where it begins to differ."""
    left, right = diagnosis.around(b"a" * 100 + b"X" + b"b" * 100, b"a" * 100 + b"Y" + b"b" * 99)
    assert left == 'at byte 100: "aaaaaaaaXbbbbbbbbbbbbbbb" of 201 bytes'
    assert right == 'at byte 100: "aaaaaaaaYbbbbbbbbbbbbbbb" of 200 bytes'
    assert diagnosis.around(b"ab", b"ac") == ('"ab"', '"ac"')


def test_fail_bytes():
    """A difference without doubt is the reason, then the check's own, then any other."""
    for why, known, expected in (
        ("guess", "", "the newline"),
        ("guess", "certain", "certain"),
    ):
        with pytest.raises(Failure) as caught:
            diagnosis.fail_bytes(b"a\n", b"a", "on stdout", why, known)
        assert expected in caught.value.why
        assert caught.value.expected == '"a\\n" on stdout'
    with pytest.raises(Failure) as caught:
        diagnosis.fail_bytes(b"a", b"z", "on stdout", "guess")
    assert caught.value.why == "guess"
    for why, expected in (("guess", "guess"), ("", "more")):
        with pytest.raises(Failure) as caught:
            diagnosis.fail_bytes(b"ab", b"abcd", "on stdout", why)
        assert expected in caught.value.why


@pytest.mark.parametrize(
    ("kind", "number", "stderr", "words"),
    [
        ("exit", 0, b"", ""),
        ("exit", 1, b"incsrv: bind: Address already in use\n", ""),
        ("exit", 2, b"usage: incsrv ADDR PORT\n", "wrong usage"),
        ("exit", 127, b"launch: /x/incsrv: No such file or directory\n", "could not be started"),
        ("exit", 127, b"", ""),
        ("exit", 1, b"incsrv: bind: Function not implemented\n", "skeleton"),
        ("signal", signal.SIGPIPE, b"", "ignore SIGPIPE"),
        ("signal", signal.SIGSEGV, b"", "memory that is not its own"),
        ("signal", signal.SIGABRT, b"", "abort"),
        ("signal", signal.SIGKILL, b"", "killed itself or its whole process group"),
        ("signal", signal.SIGSYS, b"", "kill() got -1"),
        ("signal", signal.SIGXFSZ, b"", "a file larger than it may"),
        ("signal", signal.SIGXCPU, b"", "endless loop"),
        ("signal", signal.SIGUSR1, b"", ""),
        ("signal", 99, b"", ""),
    ],
)
def test_ended(kind, number, stderr, words):
    """An end speaks of a mistake, or of none."""
    found = diagnosis.ended(End(kind, int(number)), stderr)
    assert words in found
    assert bool(words) == bool(found)


ASAN = (
    b"==1==ERROR: AddressSanitizer: %s on address 0x6020 at pc 0x56\n"
    b"WRITE of size 1 at 0x6020 thread T0\n"
    b"    #0 0x7f in __interceptor_memcpy ../../src/libsanitizer/asan.inc:827\n"
    b"    #1 0x56 in serve /tmp/build-1/incsrv.c:93\n"
)


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        (ASAN % b"stack-buffer-overflow", "past the end of a local array (in serve, incsrv.c:93)"),
        (ASAN % b"heap-use-after-free", "memory after free (in serve, incsrv.c:93)"),
        (ASAN % b"stack-overflow", "calls itself, or two call each other, without end"),
        (ASAN % b"attempting double-free", "frees the same memory twice"),
        (ASAN % b"attempting free", "frees what malloc has not returned"),
        (b"==1==ERROR: LeakSanitizer: detected memory leaks\n", "is never freed"),
        (
            b"incsrv.c:12:7: runtime error: shift exponent 40 is too large\n",
            "undefined behaviour (incsrv.c:12:7: shift exponent 40 is too large)",
        ),
        (b"double-free of an opinion\n", ""),
        (b"incsrv.c: a runtime error\n", ""),
        (b"runtime error .c: x\n", ""),
        (b"Sanitizer .c:runtime error\n#  in .c:\n", ""),
        (b"SEGV\n# in\n#0 in  .c:", ""),
        (b"Sanitizer SEGV\n#0 in .c: in \n# in x .c:1", "bad pointer"),
        (b": runtime error: ", "undefined behaviour"),
        (b"\xff\x00 Sanitizer double-free \xfe", "twice"),
        (b"Sanitizer: stack-buffer-overflow\n    #0 0x1 in __interceptor_strlen", "strlen goes on"),
    ],
)
def test_sanitizer(stderr, words):
    """A sanitizer's report in plain words; whatever a program prints breaks nothing."""
    found = diagnosis.sanitizer(stderr)
    assert words in found
    assert bool(words) == bool(found)


@pytest.mark.parametrize(
    ("sockets", "words"),
    [
        ([], ""),
        ([(True, "0.0.0.0", 8080)], "on every address (0.0.0.0) instead of 127.0.0.1"),
        ([(True, "::", 8080)], "on every address (::)"),
        ([(True, "127.0.0.2", 8080)], "on 127.0.0.2 instead of 127.0.0.1"),
        ([(True, "127.0.0.1", 8080)], "does not wait for a client there"),
        ([(True, "127.0.0.1", 36895)], "36895: that is 8080 with its bytes swapped"),
        ([(True, "0.0.0.0", 41234)], "port 41234, which the kernel chose"),
        ([(True, "127.0.0.1", 8080)], "does not wait for a client there"),
        ([(False, "", 0)], "it does not listen"),
        ([(False, "", 0), (True, "0.0.0.0", 8080)], "on every address"),
    ],
)
def test_listening_elsewhere(sockets, words):
    """Where the program listens instead tells the mistake."""
    found = diagnosis.listening_elsewhere(sockets, "127.0.0.1", 8080)
    assert words in found
    assert bool(words) == bool(found)


def test_swapped():
    """Swapping twice gives the same port."""
    for port in (80, 8080, 65535, 1):
        assert diagnosis.swapped(diagnosis.swapped(port)) == port
    assert diagnosis.swapped(8080) == 36895


def test_signal_names():
    """Every number has a name to show."""
    assert diagnosis.signal_name(13) == "SIGPIPE"
    assert diagnosis.signal_name(99) == "signal 99"
