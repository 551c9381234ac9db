"""Archives from strangers: what is right is taken, what is hostile is said."""

import gzip
import io
import os
import stat
import tarfile
import zipfile

import pytest

from grading import trees
from grading.verbs.plan import plan
from harness import intake, labs

LAB = labs.find("03")
FILES = LAB.files()
SOURCE = b"int main(void) { return 0; }\n"


def zipped(files: dict[str, bytes], **modes: int) -> bytes:
    """Return a zip of some files; ``modes`` by a name with dots as underscores."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            mode = modes.get(name.replace(".", "_"), stat.S_IFREG | 0o644)
            info.external_attr = mode << 16
            archive.writestr(info, data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def tarred(files: dict[str, bytes], mode: str = "w:gz", **kinds: bytes) -> bytes:
    """Return a tar of some files; ``kinds`` by a name with dots as underscores."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.type = kinds.get(name.replace(".", "_"), tarfile.REGTYPE)
            info.linkname = "/etc/passwd"
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


PACKERS = {
    "zip": zipped,
    "tar": lambda files: tarred(files, "w"),
    "tar.gz": tarred,
    "tar.xz": lambda files: tarred(files, "w:xz"),
    "tar.bz2": lambda files: tarred(files, "w:bz2"),
}


def _plan(tmp_path, name: str, data: bytes) -> dict:
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / name).write_bytes(data)
    (entry,) = plan(tmp_path / "class", tmp_path / "run", ["03"])
    return entry


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("folder", ["", "hand-in/", "socklab/labs/03-stream-server/"])
def test_archive_of_a_submission(tmp_path, kind, folder):
    """Files count at the top, in one folder, or in the lab's; the others are named."""
    files = {folder + name: SOURCE for name in FILES} | {folder + "notes.txt": b"hello"}
    files["labs/.skeleton/03-stream-server/incsrv.c"] = b"not this one"
    files["__MACOSX/._incsrv.c"] = b"nor this"
    entry = _plan(tmp_path, f"anna.{kind}", PACKERS[kind](files))
    assert entry["id"] == "anna"
    assert entry["files"] == [f"{LAB.name}/{name}" for name in FILES]
    assert f"anna.{kind}: {folder}notes.txt" in entry["ignored"]
    copy = tmp_path / "run" / "intake" / "anna" / LAB.name
    assert {path.read_bytes() for path in copy.iterdir()} == {SOURCE}


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archive_of_a_class(tmp_path, kind):
    """One archive may hold folders, or archives, of everybody."""
    files = {f"export/anna/{name}": SOURCE for name in FILES}
    files["export/ben.zip"] = zipped({name: SOURCE for name in FILES})
    archive = tmp_path / f"class.{kind}"
    archive.write_bytes(PACKERS[kind](files))
    anna, ben = plan(archive, tmp_path / "run", ["03"])
    assert (anna["id"], ben["id"]) == ("anna", "ben")
    assert anna["files"] == ben["files"] == [f"{LAB.name}/{name}" for name in FILES]


def test_two_candidates(tmp_path):
    """Nobody guesses which of two files is meant."""
    entry = _plan(tmp_path, "anna.zip", zipped({"a/incsrv.c": SOURCE, "b/incsrv.c": b"other"}))
    said = entry["refused"][f"{LAB.name}/incsrv.c"]
    assert said == (
        "incsrv.c is there twice, as anna.zip: a/incsrv.c and anna.zip: b/incsrv.c: hand in one"
    )


@pytest.mark.parametrize("name", ["../incsrv.c", "/incsrv.c", "a/../incsrv.c", "a\\..\\incsrv.c"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_path_that_leads_elsewhere(tmp_path, pack, name):
    """A name in an archive is never a path of ours."""
    entry = _plan(tmp_path, "mallory.zip", pack({name: b"evil", "inccli.c": SOURCE}))
    assert entry["files"] == [f"{LAB.name}/inccli.c"]
    assert not list(tmp_path.rglob("incsrv.c"))


def test_links_and_special_files(tmp_path):
    """They are named, and nothing behind them is read."""
    made = zipped({"incsrv.c": b"/etc/passwd"}, incsrv_c=stat.S_IFLNK | 0o777)
    assert "symbolic link" in _plan(tmp_path / "", "a.zip", made)["refused"][f"{LAB.name}/incsrv.c"]


@pytest.mark.parametrize(
    "kind, words",
    [
        (tarfile.SYMTYPE, "is a symbolic link"),
        (tarfile.LNKTYPE, "is a symbolic link"),
        (tarfile.FIFOTYPE, "is a special file"),
        (tarfile.CHRTYPE, "is a special file"),
    ],
)
def test_strange_members_of_a_tar(tmp_path, kind, words):
    """A link, a FIFO, a device: never made, never followed."""
    entry = _plan(tmp_path, "a.tgz", tarred({"incsrv.c": b""}, incsrv_c=kind))
    assert words in entry["refused"][f"{LAB.name}/incsrv.c"]


def test_bomb(tmp_path):
    """What unpacks to gigabytes is given up at the budget."""
    blocks = io.BytesIO()
    with gzip.open(blocks, "wb", 1) as out:
        info = tarfile.TarInfo("filler")
        info.size = 2 * trees.MAX_BYTES
        out.write(info.tobuf())
        for _ in range(2 * trees.MAX_BYTES >> 20):
            out.write(bytes(1 << 20))
    assert "more than is allowed" in _plan(tmp_path, "bomb.tgz", blocks.getvalue())["error"]


def test_large_file_in_an_archive(tmp_path):
    """A source of many megabytes is left out, the others count."""
    files = {"incsrv.c": bytes(4 * intake.MAX_BYTES), "inccli.c": SOURCE}
    entry = _plan(tmp_path, "a.zip", zipped(files))
    assert "has more than" in entry["refused"][f"{LAB.name}/incsrv.c"]
    assert entry["files"] == [f"{LAB.name}/inccli.c"]


def test_ten_thousand_files(tmp_path):
    """Too many files are refused in a sentence."""
    files = {f"{number}.txt": b"" for number in range(trees.MAX_ENTRIES + 1)}
    assert "more than 10000 files" in _plan(tmp_path, "many.zip", zipped(files))["error"]


@pytest.mark.parametrize("cut", [10, 100, 1500])
@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.xz"])
def test_damaged_archive(tmp_path, kind, cut):
    """A truncated archive is an error that names it, never a traceback."""
    data = PACKERS[kind]({name: SOURCE + os.urandom(300) for name in FILES})[:cut]
    entry = _plan(tmp_path, f"a.{kind}", data)
    assert "damaged archive" in entry["error"]


def test_empty_archive(tmp_path):
    """Nothing is in it: every file is missing, or it is said to be damaged."""
    entry = _plan(tmp_path, "a.zip", zipped({}))
    assert entry.get("files", []) == []


def test_archive_of_archives(tmp_path):
    """Only what a submission itself packs is unpacked, once."""
    inner = zipped({"incsrv.c": SOURCE})
    entry = _plan(tmp_path, "a.zip", zipped({"inner.zip": inner, "inccli.c": SOURCE}))
    assert entry["files"] == [f"{LAB.name}/inccli.c"]
    assert entry["ignored"] == ["a.zip: inner.zip"]


def test_names_in_odd_encodings(tmp_path):
    """Names that are no text, or that draw on a terminal, stay names."""
    odd = {"\033[31mred.txt": b"", "caf\u00e9/incsrv.c": SOURCE, "a\nb": b""}
    entry = _plan(tmp_path, "a.zip", zipped(odd))
    assert entry["files"] == [f"{LAB.name}/incsrv.c"]


def test_neither_folder_nor_archive(tmp_path):
    """A document in place of a submission is said to be none."""
    entry = _plan(tmp_path, "essay.pdf", b"%PDF-1.4 and so on")
    assert entry["error"] == "it is neither a folder nor a zip or tar archive"
