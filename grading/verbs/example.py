"""``example DIR``: makes the example class in DIR, as whole submissions."""

from .. import sample
from . import need, run_folder, say


def main(argv: list[str]) -> int:
    """Make it."""
    need(argv, 1, 1, "example DIR")
    folder = run_folder(argv[0])
    made = sample.make(folder)
    say(f"{len(made)} submissions in {folder}")
    return 0
