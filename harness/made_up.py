"""Made-up data: letters that nobody can guess, from the seed of the check.

They stand for themselves in a report, and no byte of them means anything to a
program: no newline, no NUL, no digit.
"""

import string

# For each byte a letter.
_LETTERS = bytes(ord("a") + byte % 26 for byte in range(256))


def word(stage, size: int = 9) -> str:
    """Return some letters, as a word.

    Args:
        stage: the check's.
        size: how many.
    """
    return letters(stage, size).decode("ascii")


def letters(stage, size: int = 9) -> bytes:
    """Return some letters, as bytes.

    Args:
        stage: the check's.
        size: how many.
    """
    return stage.random.randbytes(size).translate(_LETTERS)


def distinct(stage, size: int = 8) -> bytes:
    """Return some letters, no two the same, so that each tells its place.

    Args:
        stage: the check's.
        size: how many, at most 26.
    """
    return bytes(stage.random.sample(string.ascii_lowercase.encode(), size))
