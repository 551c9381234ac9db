"""Files in a stranger's folder: what is none is never opened, waited for or followed."""

import os
import shutil
import subprocess

import pytest

from harness import stage, strange
from harness.failure import Failure


@pytest.fixture
def secret(tmp_path):
    """A file of ours, outside of the stranger's folder."""
    path = tmp_path / "secret"
    path.write_bytes(b"ours")
    path.chmod(0o600)
    return path


@pytest.fixture
def place(tmp_path):
    """A path in the stranger's folder."""
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / "file"


def _write(path):
    strange.write(path, b"x", 0o755)


def _share(path):
    strange.Shared(path, 4096)


def _wake(path):
    strange.wake(path, b"x")


def _output(path):
    os.close(strange.output(path))


@pytest.mark.parametrize("use", [strange.read, _write, _share, _wake, _output])
def test_link(secret, place, use):
    """A link is the program's failure, and what it leads to stays as it is."""
    place.symlink_to(secret)
    with pytest.raises(Failure, match="symbolic link"):
        use(str(place))
    assert secret.read_bytes() == b"ours"
    assert secret.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("use", [strange.read, _write, _share, _wake])
def test_folder_that_is_a_link(secret, place, use):
    """Nor is a link on the way followed."""
    place.parent.rmdir()
    place.parent.symlink_to(secret.parent)
    with pytest.raises(Failure, match="symbolic link"):
        use(str(place.with_name("secret")))
    assert secret.read_bytes() == b"ours"


@pytest.mark.parametrize("use", [strange.read, _write, _share, _output])
def test_fifo(place, use):
    """Nobody waits for a FIFO."""
    os.mkfifo(place)
    with pytest.raises(Failure, match="special file|FIFO"):
        use(str(place))


@pytest.mark.parametrize("use", [strange.read, _write, _wake, _output])
def test_folder(place, use):
    """A folder in the place of a file."""
    place.mkdir()
    with pytest.raises(Failure, match="directory|special file"):
        use(str(place))


def test_program_that_runs(place):
    """What is being run can't be written to, even by root."""
    shutil.copy("/bin/sleep", place)
    with subprocess.Popen([place, "60"]) as runs:
        with pytest.raises(Failure, match="a program that runs"):
            strange.write(str(place), b"x")
        runs.kill()


@pytest.mark.skipif(os.getuid() == 0, reason="nothing is closed to root")
def test_closed_file(place):
    """Nor can what is closed."""
    place.write_bytes(b"x")
    place.chmod(0)
    with pytest.raises(Failure, match="closed to others"):
        strange.read(str(place))


@pytest.mark.parametrize("late", [False, True])
def test_removal_follows_no_link(secret, place, monkeypatch, late):
    """A program that still runs puts a link in the place of a folder that is being removed."""
    folder = place.parent
    (folder / "sub").mkdir()
    open_up = stage._open_up

    def exchange(name, parent=None):
        if late:
            open_up(name, parent)
        if name == "sub":
            os.rmdir(name, dir_fd=parent)
            os.symlink(folder.parent, name, dir_fd=parent)
        if not late:
            open_up(name, parent)

    monkeypatch.setattr(stage, "_open_up", exchange)
    before = folder.parent.stat().st_mode
    stage.remove(str(folder))
    assert os.listdir(folder.parent) == [secret.name]
    assert secret.read_bytes() == b"ours"
    assert folder.parent.stat().st_mode == before


def test_files(place):
    """What is a file is read and written, with the mode that was asked for."""
    strange.write(str(place), b"one", 0o755)
    assert strange.read(str(place)) == b"one"
    assert place.stat().st_mode & 0o777 == 0o755
    strange.write(str(place), b"2")
    assert place.read_bytes() == b"2"
    fd = strange.output(str(place))
    assert os.get_blocking(fd)
    os.close(fd)
    with pytest.raises(FileNotFoundError):
        strange.read(str(place.with_name("none")))


def test_fifo_that_is_wanted(place):
    """Whoever waits for a FIFO is woken; if there is nobody, that is said."""
    os.mkfifo(place)
    with pytest.raises(OSError, match="No such device"):
        strange.wake(str(place), b"x")
    reader = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
    strange.wake(str(place), b"word")
    assert os.read(reader, 10) == b"word"
    os.close(strange.output(str(place)))
    with open(place, "r+b", buffering=0) as full:
        os.set_blocking(full.fileno(), False)
        while full.write(bytes(4096)):
            continue
        with pytest.raises(Failure, match="one that is full"):
            strange.wake(str(place), b"x")
    os.close(reader)


def test_file_cut_short(place):
    """What the program shares with us may be cut short, and nobody is killed by that."""
    shared = strange.Shared(str(place), 8)
    assert shared.read() == bytes(8)
    os.truncate(place, 0)
    with pytest.raises(Failure, match="0 bytes"):
        shared.read()
    shared.write(b"12345678")
    assert shared.read() == b"12345678"
