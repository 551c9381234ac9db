"""Where temporary files go: into a folder whose path is short and plain."""

import os
import re
import tempfile

from . import labs

# unix(7): a path has 107 bytes.  These are left for folders and files of checks.
_PATH = 107
_LEFT = len("/sl-01234567/sl-01234567/client-with-a-long-name")
# What shells, words of a command and the loader's lists take as it is.
PLAIN = re.compile(r"[\w.,+=@%/-]+", re.ASCII)


def settle(spare: int = 0) -> None:
    """Let ``tempfile`` use /tmp or /var/tmp, if TMPDIR's folder does not fit.

    Checks make UNIX sockets in there, and hand its paths to commands that are
    split at blanks.

    Args:
        spare: bytes that the caller's own folders add.

    Raises:
        labs.Unknown: there is no folder that fits.
    """
    most = _PATH - _LEFT - spare
    try:
        usual = [tempfile.gettempdir()]
    except FileNotFoundError:
        usual = []
    for folder in [*usual, "/tmp", "/var/tmp"]:
        fits = len(folder) <= most and PLAIN.fullmatch(folder)
        if fits and os.access(folder, os.W_OK | os.X_OK):
            tempfile.tempdir = folder
            return
    raise labs.Unknown(
        "There is no folder for temporary files: let TMPDIR name one that can be written to, "
        f"whose path has at most {most} letters and no blanks."
    )
