"""``make handout``: the student's tarball, from what git has committed.

``export-ignore`` in ``.gitattributes`` says what is left out.  The pristine
skeletons go along in ``labs/.skeleton``, for ``make reset-NN`` without git.
"""

import gzip
import io
import tarfile

from .. import git, labs
from . import say, variable

FOLDER = "socklab"


def _committed(names: set[str]) -> dict[str, tuple[int, bytes]]:
    """Return mode and content, by path, of what a student gets."""
    done = git.run("archive", "--format=tar", "HEAD")
    if done.returncode:
        why = done.stderr.decode("utf-8", "replace").strip()
        raise labs.Unknown(f"make handout packs what git has committed, and git says: {why}")
    files = {}
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        for entry in archive:
            parts = entry.name.split("/")
            other_lab = parts[0] == "labs" and len(parts) > 2 and parts[1] not in names
            if entry.isfile() and not other_lab:
                files[entry.name] = (entry.mode, archive.extractfile(entry).read())
    return files


def pack(names: list[str]) -> bytes:
    """Return the tarball with the labs named."""
    files = _committed(set(names))
    for path in [path for path in files if path.startswith("labs/") and path.endswith(".c")]:
        files[path.replace("labs/", "labs/.skeleton/", 1)] = files[path]
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for path, (mode, data) in sorted(files.items()):
                entry = tarfile.TarInfo(f"{FOLDER}/{path}")
                entry.size, entry.mode = len(data), mode
                archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def main(argv: list[str]) -> int:
    """Write the tarball with the labs named, or with all."""
    wanted = argv or variable("LABS").split() or labs.all_names()
    names = [labs.find(name).name for name in wanted]
    target = labs.ROOT / "socklab-handout.tar.gz"
    target.write_bytes(pack(names))
    say(f"{target.name}: {', '.join(names)}; unpack it anywhere and say make")
    return 0
