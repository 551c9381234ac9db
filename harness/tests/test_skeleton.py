"""One marked source gives the skeleton and the clean reference."""

import pytest

from harness import skeleton

MARKED = """\
int
twice(int n)
{
#ifndef SKELETON
    return n + n;
#else
    (void)n;
    return -1;
#endif
}
"""

FOREIGN = """\
#ifdef __linux__
#include <linux/limits.h>
#else
#include <limits.h>
#endif
#ifndef SKELETON
#if defined(A) && \\
    defined(B)
one
#else
two
#endif
#ifndef NDEBUG
three
#endif
#else
four
# ifdef C
five
# else
six
# endif
#endif
seven
"""


def test_skeleton():
    """The skeleton has what stands after #else, and none of the marks."""
    got = skeleton.derive_skeleton(MARKED)
    assert got == "int\ntwice(int n)\n{\n    (void)n;\n    return -1;\n}\n"


def test_solution():
    """The reference has what stands before #else, and none of the marks."""
    assert skeleton.derive_solution(MARKED) == "int\ntwice(int n)\n{\n    return n + n;\n}\n"


def test_else_may_be_left_out():
    """Without #else, the skeleton has nothing in that place."""
    marked = "a\n#ifndef SKELETON\nb\n#endif\nc\n"
    assert skeleton.derive_skeleton(marked) == "a\nc\n"
    assert skeleton.derive_solution(marked) == "a\nb\nc\n"


def test_foreign_conditionals_stay():
    """Conditionals of the program's own are left alone, in and out of a block."""
    top = "#ifdef __linux__\n#include <linux/limits.h>\n#else\n#include <limits.h>\n#endif\n"
    assert skeleton.derive_solution(FOREIGN) == (
        top + "#if defined(A) && \\\n    defined(B)\none\n#else\ntwo\n#endif\n"
        "#ifndef NDEBUG\nthree\n#endif\nseven\n"
    )
    assert skeleton.derive_skeleton(FOREIGN) == (
        top + "four\n# ifdef C\nfive\n# else\nsix\n# endif\nseven\n"
    )


def test_no_marks():
    """A source without marks is its own skeleton."""
    text = "#ifndef NDEBUG\nx\n#endif\n"
    assert skeleton.derive_skeleton(text) == skeleton.derive_solution(text) == text


def test_last_line_without_newline():
    """A last line without a newline is kept as it is."""
    assert skeleton.derive_skeleton("#ifndef SKELETON\na\n#endif\nb") == "b"
    assert skeleton.derive_solution("#ifndef SKELETON\na\n#endif") == "a\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("#ifndef SKELETON\n#ifndef SKELETON\n#endif\n#endif\n", "line 2: a block within a block"),
        (
            "#ifndef SKELETON\n#if X\n#ifndef SKELETON\n#endif\n#endif\n#endif\n",
            "line 3: a block within a block",
        ),
        ("#ifndef SKELETON\na\n#else\nb\n#else\nc\n#endif\n", "line 5: a second #else"),
        ("#ifndef SKELETON\na\n#elif X\nb\n#endif\n", "line 3: an #elif"),
        ("a\n#ifndef SKELETON\nb\n", "the last block has no #endif"),
        ("#ifndef SKELETON\n#if X\n#endif\n", "the last block has no #endif"),
    ],
)
def test_malformed(text, words):
    """What breaks the rules is refused with the line."""
    for derive in (skeleton.derive_skeleton, skeleton.derive_solution):
        with pytest.raises(skeleton.Malformed, match=words):
            derive(text)


def test_hole_lines():
    """Lines of the reference count, those of the skeleton and the marks don't."""
    assert skeleton.hole_lines(MARKED) == 1
    assert skeleton.hole_lines(FOREIGN) == 9
