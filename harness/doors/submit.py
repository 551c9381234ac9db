"""``make submit-NN``: checks, then packs exactly the files to hand in.

The archive holds ``NN-name/*.c`` and nothing else.  It is never uploaded.
"""

import gzip
import hashlib
import io
import tarfile

from .. import intake, labs, report
from . import check, say


class _Quiet:
    def program_done(self, entry, program, checks):
        """Print the program's score line only."""
        say(report.program(entry, program, checks).split("\n", 1)[0])


def main(argv: list[str]) -> int:
    """Check one lab and pack it."""
    lab = labs.find(argv[0], check.variable("SRC", "labs"))
    status, document = check.run([lab.name], _Quiet())
    if not document:
        return status
    taken, refused = {}, []
    for name in lab.files():
        try:
            taken[name] = intake.take(lab.source, name)
        except intake.Refused as problem:
            refused.append(str(problem))
    if refused:
        raise labs.Unknown("Nothing packed: " + "; ".join(refused) + ".")
    target = labs.ROOT / f"{lab.name}.tar.gz"
    target.write_bytes(_pack(lab.name, taken))
    say()
    for name, data in taken.items():
        say(f"  {lab.name}/{name}  {len(data)} bytes")
    say(report.score(document["labs"][0]))
    say(f"{target.name}  sha256 {hashlib.sha256(target.read_bytes()).hexdigest()}")
    for row in document["labs"][0]["programs"]:
        if not row["build"]["ok"]:
            say(f"Mind: {row['name']}.c does not compile.")
        elif not row["begun"]:
            say(f"Mind: {row['name']}.c is the skeleton still.")
    say("Hand in that file. Nothing was uploaded.")
    return 0


def _pack(folder: str, files: dict[str, bytes]) -> bytes:
    """Return a tar.gz whose bytes depend on nothing but the files."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name, data in sorted(files.items()):
                entry = tarfile.TarInfo(f"{folder}/{name}")
                entry.size = len(data)
                entry.mode = 0o644
                archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
