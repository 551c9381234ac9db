"""Made-up data: letters that nobody can guess, from the seed of the check.

They stand for themselves in a report, and no byte of them means anything to a
program: no newline, no NUL, no digit.
"""

import string

# A prime, so that no piece of a long text stands again at a round distance.
_PERIOD = 1009


def word(stage, size: int = 9) -> str:
    """Return some letters, as a word.

    Args:
        stage: the check's.
        size: how many.
    """
    return "".join(stage.random.choices(string.ascii_lowercase, k=size))


def letters(stage, size: int = 9) -> bytes:
    """Return some letters, as bytes; many of them repeat themselves after a while.

    Args:
        stage: the check's.
        size: how many.
    """
    piece = word(stage, min(size, _PERIOD)).encode()
    return (piece * (size // _PERIOD + 1))[:size]


def distinct(stage, size: int = 8) -> bytes:
    """Return some letters, no two the same, so that each tells its place.

    Args:
        stage: the check's.
        size: how many, at most 26.
    """
    return "".join(stage.random.sample(string.ascii_lowercase, size)).encode()
