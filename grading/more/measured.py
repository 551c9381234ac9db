"""``measured.py FILE VERB...``: runs a verb of grading, and writes its peak memory to FILE.

The peak is of that one process, in kilobytes: VmHWM of proc(5).  What getrusage
and wait4 call the peak has in it what was there before exec, and the children.
"""

import re
import sys
from pathlib import Path

from grading.__main__ import main


def command(file, *args) -> list[str]:
    """Return the command that runs a verb and writes its peak to a file."""
    return [sys.executable, "-m", "grading.more.measured", str(file), *map(str, args)]


def peak(file) -> int:
    """Return what was written there, in kilobytes."""
    return int(Path(file).read_text(encoding="ascii"))


if __name__ == "__main__":
    status = main(sys.argv[2:])
    said = Path("/proc/self/status").read_text(encoding="ascii")
    Path(sys.argv[1]).write_text(re.search(r"VmHWM:\s*(\d+)", said)[1], encoding="ascii")
    sys.exit(status)
