"""A student's file with a driver: what it can, and what a hostile one wins."""

import shutil

import pytest

from harness import build, elf, labs, numbers, plugin, proof, report

LAB = labs.find("01")
NAME = "01-byte-order"


@pytest.fixture
def changed(tmp_path):
    """Check bo.c or endian.c with some text replaced; return the records by name."""

    def run(name: str, program: str, *pairs: tuple[str, str], append: str = ""):
        lab = proof.overlay(LAB, tmp_path / "student")
        text = (lab.source / name).read_text(encoding="utf-8")
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        (lab.source / name).write_text(text + append, encoding="utf-8")
        document = proof.run([plugin.Unit(lab, lab.name, None, program)], 2)
        entry = document["labs"][0]
        assert entry["name"] == NAME
        return {one["name"]: one for one in entry["checks"]}

    return run


def outcomes(records):
    """Return the outcome of each check."""
    return {name: record["outcome"] for name, record in records.items()}


def test_missing_function(changed):
    """A function that can't be linked fails its own checks, in words, and no others."""
    found = changed("endian.c", "endian", ("int classify_order(", "static int classify_order("))
    assert found["test_host"]["outcome"] == "passed"
    record = found["test_either_order"]
    assert record["outcome"] == "failed"
    assert "undefined reference to `classify_order'" in record["got"]
    assert "missing, static" in report.failure(record, "01")


def test_own_main_is_out_of_the_way(changed):
    """A program's own main is never run by the driver, whatever it does."""
    found = changed("endian.c", "endian", ("if (argc != 1) {", "if (argc == 1) {"))
    assert found["test_host"]["outcome"] == "failed"
    assert found["test_unknown"]["outcome"] == "passed"


TAKES_OVER = """
__attribute__((constructor)) static void
take_over(void)
{
    int i;

    for (i = 0; i < 200; i++)
        printf("%d\\n", i);
    fflush(stdout);
    _Exit(0);
}
"""
OWN_LIBRARY = """
int printf(const char *format, ...) { (void)format; return 0; }
char *fgets(char *s, int n, void *file) { (void)s; (void)n; (void)file; return 0; }
"""


def test_taking_over_wins_nothing(changed):
    """A file that answers in the driver's place, or has its own library, gets no point for it."""
    found = changed("bo.c", "wire", append=TAKES_OVER)
    assert {v for k, v in outcomes(found).items() if "bo" in k} <= {"failed", "blocked"}


def test_own_library_wins_nothing(changed):
    """Nor does one that replaces the library's functions in the driver."""
    text = OWN_LIBRARY.replace("void *file", "FILE *file")
    found = changed("bo.c", "wire", append=text)
    assert {v for k, v in outcomes(found).items() if "bo" in k} <= {"failed", "blocked"}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("exit(0);", "exited with status 0"),
        ("abort();", "was killed by SIGABRT"),
        ("for (;;) continue;", "keeps the CPU busy"),
    ],
)
def test_never_returns(changed, code, words):
    """A function that does not return is named."""
    found = changed("bo.c", "wire", ("p[0] = (unsigned char)(v >> 8);", code))
    record = found["test_bo_put"]
    assert record["outcome"] == "failed"
    assert "that put_be16(p + 0, 0x0102) returns" == record["expected"]
    assert words in record["got"]


def test_hermetic(tmp_path):
    """A unit is compiled from its own file, the given header and the given driver alone."""
    lab = proof.overlay(LAB, tmp_path / "student")
    shutil.copy(LAB.folder / "drivers" / "bo.c", lab.source / "unit_driver.c")
    (lab.source / "unit_driver.c").write_text("#error not mine\n")
    (lab.source / "bo.h").write_text("#error not mine\n")
    assert set(build.unit_sources(lab, "bo")) == {"bo.c", "bo.h", "unit_driver.c"}
    built = build.build(lab, "wire", "check+bo")
    assert built.ok, built.text


def test_kinds_of_char():
    """The two kinds differ in the sign of a plain char, and in nothing else."""
    signed, unsigned = set(build.flags("signed")), set(build.flags("unsigned"))
    assert signed ^ unsigned == {"-fsigned-char", "-funsigned-char"}
    assert "-Dmain=program_main" in build.flags("signed+bo")


def test_undefined(tmp_path):
    """The names that a binary needs are read from its symbol table."""
    lab = proof.overlay(LAB, tmp_path / "student")
    path = build.build(lab, "wire", "calls+bo").path
    needed = elf.undefined(str(path))
    assert "printf" in needed and "htonl" not in needed
    source = lab.source / "bo.c"
    text = source.read_text()
    source.write_text(
        text.replace('#include "bo.h"', '#include "bo.h"\n#include <arpa/inet.h>').replace(
            "return net;", "return htonl(net);"
        )
    )
    assert "htonl" in elf.undefined(str(build.build(lab, "wire", "calls+bo").path))
    for data in (b"", b"\x7fELF", b"\x7fELF\2\1" + b"\xff" * 200):
        (tmp_path / "x").write_bytes(data)
        with pytest.raises(ValueError):
            elf.undefined(str(tmp_path / "x"))


@pytest.mark.parametrize(
    ("expected", "got", "told"),
    [
        ("1f90", "901f", numbers.REVERSED),
        ("1f90", "0000", numbers.HTONL),
        ("01020304", "04030201", numbers.REVERSED),
        ("01020304", "03040102", numbers.HALVES),
        ("01020304", "02010403", numbers.EACH_HALF),
        ("0102030405060708", "0506070801020304", numbers.HALVES),
        ("0102030405060708", "0403020108070605", numbers.EACH_HALF),
        ("0102030405060708", "0201040306050807", numbers.PAIRS),
        ("0102030405060708", "0000000005060708", numbers.UPPER_LOST),
        ("0102030405060708", "0506070800000000", numbers.UPPER_LOST),
        ("0102030405060708", "0102030400000000", numbers.LOWER_LOST),
        ("0080", "ff80", numbers.SIGN),
        ("00008001", "ffff8001", numbers.SIGN),
        ("0a010203", "fefefefe", numbers.UNSET),
        ("0a010203", "0a010203", ""),
        ("0a010203", "0a010204", ""),
        ("0a010203", "0a01", ""),
    ],
)
def test_order(expected, got, told):
    """What happened to the bytes of a number is named; of what is right nothing is said."""
    assert numbers.order(bytes.fromhex(expected), bytes.fromhex(got)) == told


def test_value():
    """So is what happened to a number that was read."""
    assert numbers.value(-2, (1 << 64) - 2, 64) == numbers.UNSIGNED
    assert numbers.value(0x1234, 0x3412, 16) == numbers.REVERSED
    assert numbers.value(0x80, 0xFF80, 16) == numbers.SIGN
    assert numbers.value(0x80000001, 0x80000001 - (1 << 32), 32).startswith("a number that is not")
    assert numbers.value(-1, -0x7FFFFFFF, 32) == numbers.MAGNITUDE
    assert numbers.value(-0x01020304, -0x7EFDFCFC, 32) == numbers.MAGNITUDE
    assert numbers.value(7, 7, 16) == ""


def test_record():
    """Padding, a mangled text, and the first wrong number are told apart."""
    names, fields = ["type", "id", "count"], [(7, 1), (0x1234, 2), (0x01020304, 4)]
    right = bytes.fromhex("07 1234 01020304")
    assert numbers.record(names, fields, b"abcd", right + b"abcd") == ""
    assert numbers.record(names, fields, b"abcd", right + b"dcba") == numbers.MANGLED
    assert numbers.record(names, fields, b"a\0cd", right + b"a\0xy") == numbers.CUT
    counted = numbers.record([*names, "len"], [*fields, (4, 2)], b"abcd", right + b"\0\5abcd")
    assert "a NUL behind it" in counted
    assert "text after them" in numbers.record(names, fields, b"a\0cd", right + b"x\0cd")
    for count in ("01020304", "04030201"):
        for number in ("1234", "3412"):
            padded = bytes.fromhex(f"07 a5 {number} {count}")
            told = numbers.record(names, fields, b"", padded)
            assert told == numbers.PADDING or number[0] + count[1] in ("14", "31")
    told = numbers.record(names, fields, b"", bytes.fromhex("07 3412 01020304"))
    assert told == f"id, byte 1 of the record, is 34 12, not 12 34: {numbers.REVERSED}"
