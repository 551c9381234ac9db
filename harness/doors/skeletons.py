"""``make skeletons``: derives ``labs/NN-name/*.c`` from ``solutions/``.

For maintainers.  It would overwrite work in ``labs/``, so it refuses where git
knows of changes there, unless YES=1.
"""

from .. import git, labs, skeleton
from . import say, variable


def _changed(lab: labs.Lab) -> list[str]:
    paths = (f"{lab.folder}/{name}" for name in lab.files())
    done = git.run("status", "--porcelain", "--", *paths, text=True)
    return [line[3:] for line in done.stdout.splitlines() if not line.startswith("??")]


def main(argv: list[str]) -> int:
    """Write the skeletons of the labs named, or of all."""
    for name in argv or labs.all_names():
        lab = labs.find(name)
        changed = _changed(lab)
        if changed and variable("YES") != "1":
            raise labs.Unknown(
                f"{', '.join(changed)} changed since the last commit. "
                "Commit or restore them first, or say YES=1."
            )
        for file in lab.files():
            text = (lab.solution / file).read_text(encoding="utf-8")
            (lab.folder / file).write_text(skeleton.derive_skeleton(text), encoding="utf-8")
            say(f"labs/{lab.name}/{file}")
    return 0
