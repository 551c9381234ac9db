"""Archives made to do harm: nothing is written through them, nothing is used up.

What ordinary archives hold is in test_archives.py.
"""

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import tracemalloc
import zipfile
import zlib

import pytest

from grading import manifest, reports, trees
from grading.tests.made_up import document
from grading.tests.test_archives import FILES, LAB, SOURCE, tarred, zipped
from grading.verbs.plan import plan, tell
from harness import intake, labs, stage

FIRST = f"{LAB.name}/{FILES[0]}"


def _plan(tmp_path, name: str, data: bytes) -> dict:
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / name).write_bytes(data)
    (entry,) = plan(tmp_path / "class", tmp_path / "run", ["03"])
    return entry


def _members(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _info(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, 0o6777
    return info


@pytest.fixture
def secret(tmp_path):
    """A file of the instructor's, which must stay as it is and unread."""
    path = tmp_path / "mine" / FILES[0]
    path.parent.mkdir()
    path.write_bytes(b"the instructor's\n")
    yield path
    assert path.read_bytes() == b"the instructor's\n"
    assert os.listdir(path.parent) == [FILES[0]]
    for copy in (tmp_path / "run" / "intake").rglob("*"):
        assert not copy.is_symlink()
        assert copy.is_dir() or b"instructor" not in copy.read_bytes()


def test_write_through_a_link(tmp_path, secret):
    """A link to a folder, then a file in that folder."""
    link = _info("out", tarfile.SYMTYPE, str(secret.parent))
    data = _members((link, b""), (_info(f"out/{FILES[0]}"), b"evil"), (_info("out/new"), b"evil"))
    entry = _plan(tmp_path, "a.tar", data)
    assert "a.tar: out" in entry["ignored"]


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
def test_write_through_a_file(tmp_path, secret, kind):
    """A link to a file, then a file of the same name."""
    data = _members((_info(FILES[0], kind, str(secret)), b""), (_info(FILES[0]), b"evil"))
    entry = _plan(tmp_path, "a.tar", data)
    assert FIRST in {**entry["refused"], **entry["missing"]} or FIRST in entry["files"]


@pytest.mark.parametrize("folder", [False, True])
def test_set_user_id(tmp_path, folder):
    """Modes are not taken over."""
    if folder:
        (tmp_path / "class" / "a").mkdir(parents=True)
        (tmp_path / "class" / "a" / FILES[0]).write_bytes(SOURCE)
        (tmp_path / "class" / "a" / FILES[0]).chmod(0o6777)
        plan(tmp_path / "class", tmp_path / "run", ["03"])
    else:
        _plan(tmp_path, "a.tar", _members((_info(FILES[0]), SOURCE)))
    copy = tmp_path / "run" / "intake" / "a" / FIRST
    assert copy.stat().st_mode & 0o7111 == 0


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_special_files_in_a_zip(tmp_path, kind):
    """A FIFO, a device, a socket: named, never made."""
    made = zipped({FILES[0]: b""}, **{FILES[0].replace(".", "_"): kind | 0o666})
    assert "is a special file" in _plan(tmp_path, "a.zip", made)["refused"][FIRST]


@pytest.mark.parametrize("kind", [tarfile.BLKTYPE, tarfile.FIFOTYPE, b"Z"])
def test_special_files_in_a_tar(tmp_path, kind):
    """The same in a tar, and a kind that nobody knows is a file at most."""
    name = FILES[0].replace(".", "_")
    entry = _plan(tmp_path, "a.tar", tarred({FILES[0]: b""}, "w", **{name: kind}))
    assert FIRST in entry["refused"] or FIRST in entry["files"]
    assert not [one for one in tmp_path.rglob("*") if one.is_fifo() or one.is_block_device()]


@pytest.mark.parametrize("name", ["../a/incsrv.c", "/tmp/incsrv.c", "x/" * 200 + "incsrv.c"])
def test_path_in_an_extended_header(tmp_path, name):
    """A name too long for the old header comes in one of its own."""
    info = _info("short")
    info.pax_headers = {"path": name}
    entry = _plan(tmp_path, "a.tar", _members((info, b"evil"), (_info("inccli.c"), SOURCE)))
    assert entry["files"] == [f"{LAB.name}/inccli.c"]


def test_name_of_many_megabytes(tmp_path):
    """A few packed kilobytes may be a name of twenty megabytes: nobody keeps that."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(_info("x" * (20 << 20)))
    assert len(out.getvalue()) < 1 << 20
    entry = _plan(tmp_path, "a.tgz", out.getvalue())
    assert max(map(len, entry["ignored"])) < 1000


@pytest.mark.parametrize("opened, ending", [(gzip, "gz"), (bz2, "bz2"), (lzma, "xz")])
def test_bomb_of_each_kind(tmp_path, opened, ending):
    """Zeros by the megabyte, in any packing, are given up at the budget."""
    filler = tarfile.TarInfo("filler")
    filler.size = 2 * trees.MAX_BYTES
    block = opened.compress(bytes(8 << 20))
    # what is packed in parts is one file
    data = opened.compress(filler.tobuf()) + block * (filler.size // (8 << 20))
    assert len(data) < 1 << 20
    assert "unpacks to more" in _plan(tmp_path, f"a.tar.{ending}", data)["error"]


def test_zip_that_lies(tmp_path):
    """A member that says to be small and is not."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packed.compress(bytes(100 << 20)) + packed.flush()
    good = zipped({FILES[0]: b"x" * 10, "inccli.c": SOURCE})
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        small = archive.getinfo(FILES[0])
    length = 30 + len(FILES[0])
    head = good[:length]
    data = bytearray(head + body + good[length + small.compress_size :])
    shift = len(body) - small.compress_size
    struct.pack_into("<L", data, 18, len(body))
    first = data.index(b"PK\1\2")
    struct.pack_into("<L", data, first + 20, len(body))
    second = data.index(b"PK\1\2", first + 4)
    offset = struct.unpack_from("<L", data, second + 42)[0]
    struct.pack_into("<L", data, second + 42, offset + shift)
    end = data.index(b"PK\5\6")
    struct.pack_into("<L", data, end + 16, first)
    entry = _plan(tmp_path, "a.zip", bytes(data))
    assert "can't be unpacked" in entry["refused"][FIRST]
    assert entry["files"] == [f"{LAB.name}/inccli.c"]


def test_zip_that_is_a_list(tmp_path):
    """A list of four hundred thousand names is not read to count them."""
    row = struct.pack("<4s6H3L5H2L", b"PK\1\2", *[20] * 2, *[0] * 7, 6, *[0] * 6)
    names = b"".join(row + b"%06d" % number for number in range(400_000))
    start = b"PK\3\4" + bytes(26)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(names), len(start), 0)
    tracemalloc.start()
    with pytest.raises(trees.Refused, match="more than 10000 files"):
        trees.of_archive(io.BytesIO(start + names + end))
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


def test_ten_thousand_files_in_a_tar(tmp_path):
    """Too many are refused while they are read."""
    files = {f"{number}": b"" for number in range(trees.MAX_ENTRIES + 1)}
    assert "more than 10000 files" in _plan(tmp_path, "a.tgz", tarred(files))["error"]


def test_archives_in_archives_in_an_archive(tmp_path):
    """Of a class's archive, that of a submission is unpacked, and nothing in it."""
    inner = zipped({"inner.zip": zipped({FILES[0]: SOURCE}), "inccli.c": SOURCE})
    (tmp_path / "class.zip").write_bytes(zipped({"ben.zip": inner}))
    (entry,) = plan(tmp_path / "class.zip", tmp_path / "run", ["03"])
    assert entry["files"] == [f"{LAB.name}/inccli.c"]


@pytest.mark.parametrize("name", [b"caf\xe9.txt", b"\xff\xfe\x00", b"\xc3\x28/incsrv.c"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_in_wrong_encodings(tmp_path, kind, name):
    """Names that are no UTF-8, although they say so, break nothing."""
    stand_in = ("N" * len(name)).encode()
    pack = zipped if kind == "zip" else (lambda files: tarred(files, "w"))
    data = pack({stand_in.decode(): b"x", "inccli.c": SOURCE}).replace(stand_in, name)
    if kind == "zip":
        data = bytearray(data)
        for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
            struct.pack_into("<H", data, data.index(mark) + flags, 0x800)
    entry = _plan(tmp_path, f"a.{kind}", bytes(data))
    assert "damaged archive" in entry.get("error", "") or f"{LAB.name}/inccli.c" in entry["files"]


def test_names_that_draw(tmp_path, capsys):
    """Control characters, orders to a workflow, marks that turn text around: shown escaped."""
    odd = ["\033[2J\033]0;x\a", "a\r::error::b", "\u202egpj.exe", "\x9b31m", "a\nb\x7f"]
    entry = _plan(tmp_path, "a.zip", zipped({name: b"" for name in odd}))
    tell(manifest.read(tmp_path / "run"))
    nothing = {**document(), "labs": [], "seed": "1", "suite": "1"}
    text = reports.text(entry, nothing) + capsys.readouterr().err
    assert len(entry["ignored"]) == len(odd)
    for sign in "\033\a\r\x9b\x7f\u202e":
        assert sign not in text


def test_folder_of_any_depth(tmp_path):
    """Two thousand folders, one in the other."""
    here = os.path.join(tmp_path, "class", "a")
    os.makedirs(here)
    fd = os.open(here, os.O_RDONLY)
    for _ in range(2000):
        os.mkdir("x", dir_fd=fd)
        below = os.open("x", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    (entry,) = plan(tmp_path / "class", tmp_path / "run", ["03"])
    assert entry["files"] == []
    stage.remove(here)


def test_names_that_are_asked_for_are_harmless():
    """A lab asks for no name that a compiler or a shell takes for something else."""
    for name in [one for lab in labs.all_names() for one in labs.find(lab).files()]:
        assert name.endswith(".c") and name[:-2].isidentifier()
        assert intake.MAX_BYTES == 1 << 20
