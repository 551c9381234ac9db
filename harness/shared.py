"""A page of memory that the harness and a preloaded library of its own share."""

import mmap


def page(path: str) -> mmap.mmap:
    """Return a page of zeroes that the other side maps too.

    Args:
        path: a new file, whose path the other side is told.
    """
    with open(path, "w+b") as file:
        file.write(bytes(mmap.PAGESIZE))
        file.flush()
        return mmap.mmap(file.fileno(), mmap.PAGESIZE)
