"""``killer.py SECONDS LIMIT COMMAND...``: kills a command, and waits for all that it started.

Its orphans become children of this process (PR_SET_CHILD_SUBREAPER), so that
none can be missed.  Exit status 0 when the command was killed and all have
ended, 3 when it had ended before; 1 when some still lived after LIMIT seconds:
they are named, and killed.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness.kernel import prctl, proc


def _children() -> list[int]:
    me = os.getpid()
    return list(map(int, Path(f"/proc/{me}/task/{me}/children").read_text("ascii").split()))


def _about(pid: int) -> str:
    """Return number, name, state, parent and command line of a process."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        said = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").split(" ", 4)
        command = b" ".join(words).decode("utf-8", "replace")
        return f"{' '.join(said[:3])}, child of {said[3]}: {command}"
    return f"{pid}, which has ended meanwhile"


def _wait_for_all(limit: float) -> list[str]:
    """Wait until there is no child any more; return those that are left after a time."""
    end = time.monotonic() + limit
    while pids := _children():
        fd = os.pidfd_open(pids[0])
        ended = select.select([fd], [], [], max(0.0, end - time.monotonic()))[0]
        os.close(fd)
        if not ended:
            below = [one for pid in pids for one in proc.descendants(pid)]
            return [_about(pid) for pid in [*pids, *below]]
        os.waitpid(pids[0], 0)
    return []


def main(seconds: float, limit: float, command: list[str]) -> int:
    """Run the command until it is killed."""
    prctl.adopt_orphans()
    grader = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    early = False
    try:
        grader.wait(seconds)
        early = True
    except subprocess.TimeoutExpired:
        grader.send_signal(signal.SIGKILL)
        grader.wait()
    left = _wait_for_all(limit)
    for one in left:
        print(one)
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(one.split()[0].rstrip(",")), signal.SIGKILL)
    return 1 if left else 3 if early else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
