"""``make reset-NN``: puts the skeleton of a lab back; asks first.

What was there is kept beside it, as ``NAME.before-reset`` or, where that is
taken, ``NAME.before-reset.2`` and so on.
"""

from pathlib import Path

from .. import labs, result, skeleton
from . import agreed, say


def _backup(path: Path) -> Path:
    """Return a name for the old version that nothing has yet."""
    first = path.with_name(f"{path.name}.before-reset")
    names = [first, *(first.with_name(f"{first.name}.{number}") for number in range(2, 1000))]
    return next(name for name in names if not name.exists() and not name.is_symlink())


def pristine(lab: labs.Lab) -> dict[str, str]:
    """Return the skeleton of a lab by file name.

    It is derived from the reference, or, in a copy without references, read
    from where the handout keeps it.

    Raises:
        labs.Unknown: this copy has neither.
    """
    if lab.solution.is_dir():
        return {
            name: skeleton.derive_skeleton((lab.solution / name).read_text(encoding="utf-8"))
            for name in lab.files()
        }
    kept = labs.skeleton_folder(lab.name)
    if not kept.is_dir():
        raise labs.Unknown(f"This copy has no skeletons of lab {lab.number} to go back to.")
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(kept.glob("*.c"))}


def main(argv: list[str]) -> int:
    """Put the skeletons of one lab back."""
    lab = labs.find(argv[0])
    changed = {}
    for name, text in pristine(lab).items():
        path = lab.folder / name
        if not path.exists() or path.read_bytes() != text.encode():
            changed[name] = text
    if not changed:
        say(f"Lab {lab.number} is as it was handed out.")
        return 0
    if not agreed(f"Put back {', '.join(changed)}? Your version is kept as NAME.before-reset."):
        return 1
    for name, text in changed.items():
        path = lab.folder / name
        if path.exists() or path.is_symlink():
            path.rename(_backup(path))
        path.write_text(text, encoding="utf-8")
        say(f"{name} is the skeleton again")
    result.last(lab.name).unlink(missing_ok=True)
    return 0
