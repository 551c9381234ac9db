"""What is taken from a student's folder, and what is refused in one sentence."""

import os
import threading

import pytest

from harness import intake


def _refusal(folder, name="incsrv.c"):
    with pytest.raises(intake.Refused) as refused:
        intake.take(folder, name)
    return str(refused.value)


def test_takes_bytes_as_they_are(tmp_path):
    """Any bytes of a regular file are taken, none is changed."""
    data = bytes(range(256)) + b"\r\n" + "ü".encode()
    (tmp_path / "incsrv.c").write_bytes(data)
    assert intake.take(tmp_path, "incsrv.c") == data


def test_takes_an_empty_file(tmp_path):
    """An empty file is a file; the compiler will say what it thinks of it."""
    (tmp_path / "incsrv.c").touch()
    assert intake.take(tmp_path, "incsrv.c") == b""


def test_missing(tmp_path):
    """A missing file is said to be missing."""
    (tmp_path / "inccli.c").touch()
    assert _refusal(tmp_path) == "incsrv.c is missing"


@pytest.mark.parametrize("other", ["IncSrv.c", "inc_srv.c", "inc-srv.c", "INCSRV.C"])
def test_missing_but_similar(tmp_path, other):
    """A name that is nearly right is pointed out."""
    (tmp_path / other).touch()
    assert _refusal(tmp_path) == f"incsrv.c is missing; there is '{other}': rename it to incsrv.c"


def test_no_folder(tmp_path):
    """Without the folder, it is the folder that is missing."""
    assert _refusal(tmp_path / "03-x") == "incsrv.c is missing: there is no folder 03-x"


def test_symbolic_link(tmp_path):
    """A link is not followed, wherever it leads."""
    (tmp_path / "real.c").write_text("secret")
    (tmp_path / "incsrv.c").symlink_to("real.c")
    words = "incsrv.c is a symbolic link; hand in the file itself"
    assert _refusal(tmp_path) == words
    (tmp_path / "incsrv.c").unlink()
    (tmp_path / "incsrv.c").symlink_to("/nowhere")
    assert _refusal(tmp_path) == words


def test_fifo(tmp_path):
    """Nobody waits for a writer."""
    os.mkfifo(tmp_path / "incsrv.c")
    assert _refusal(tmp_path) == "incsrv.c is a FIFO, not a file"


def test_directory(tmp_path):
    """A folder of that name is no file."""
    (tmp_path / "incsrv.c").mkdir()
    assert _refusal(tmp_path) == "incsrv.c is a directory, not a file"


@pytest.mark.skipif(os.getuid() == 0, reason="root may read every file")
def test_unreadable(tmp_path):
    """A file without the right to read it comes with the command that mends it."""
    (tmp_path / "incsrv.c").touch(0)
    assert _refusal(tmp_path) == "incsrv.c can't be read: chmod u+r incsrv.c"


def test_unreadable_for_anybody(tmp_path, monkeypatch):
    """The same words where it is the kernel that says so."""
    (tmp_path / "incsrv.c").touch()
    monkeypatch.setattr(os, "open", _deny)
    assert _refusal(tmp_path) == "incsrv.c can't be read: chmod u+r incsrv.c"


def _deny(path, flags):
    raise PermissionError(13, "Permission denied", path)


def test_too_large(tmp_path):
    """A sparse file of 100 MB is refused by its size, without reading it."""
    with open(tmp_path / "incsrv.c", "wb") as file:
        file.truncate(100 << 20)
    words = "incsrv.c has 104857600 bytes; a source file has 1048576 at most"
    assert _refusal(tmp_path) == words


def test_largest(tmp_path):
    """A file of exactly the largest size is taken whole."""
    (tmp_path / "incsrv.c").write_bytes(b"/" * intake.MAX_BYTES)
    assert len(intake.take(tmp_path, "incsrv.c")) == intake.MAX_BYTES


def test_grows(tmp_path):
    """A file that somebody makes longer meanwhile is refused at the limit."""
    path = tmp_path / "incsrv.c"
    path.write_bytes(b"x" * intake.MAX_BYTES)
    enough = threading.Event()

    def grow():
        with open(path, "ab") as file:
            while not enough.is_set() and file.tell() < intake.MAX_BYTES * 64:
                file.write(b"y" * 65536)

    writer = threading.Thread(target=grow)
    with open(path, "r+b") as file:
        file.truncate(intake.MAX_BYTES)
    writer.start()
    try:
        refusals = set()
        while not refusals:
            try:
                intake.take(tmp_path, "incsrv.c")
            except intake.Refused as refused:
                refusals.add(str(refused))
    finally:
        enough.set()
        writer.join()
    assert all("grew while it was read" in one or "at most" in one for one in refusals)


def test_grows_after_the_look(tmp_path, monkeypatch):
    """What comes after the look at the size is counted, too."""
    path = tmp_path / "incsrv.c"
    path.write_bytes(b"")
    look = os.fstat

    def grow_then_look(fd):
        found = look(fd)
        if found.st_size == 0:
            path.write_bytes(b"z" * (intake.MAX_BYTES + 1))
        return found

    monkeypatch.setattr(os, "fstat", grow_then_look)
    assert _refusal(tmp_path) == "incsrv.c grew while it was read"
