"""Files of a run: whole or not there."""

import subprocess

import pytest

from grading import files


def test_file_is_whole_or_as_before(tmp_path):
    """Who fails while writing leaves the old file, and nothing else."""
    path = tmp_path / "book"
    with files.whole(path) as file:
        file.write("old")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ValueError), files.whole(path) as file:
        file.write("new")
        raise ValueError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_the_dead_have_left_is_removed(tmp_path):
    """Only that of this machine's dead: others may be writing."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    world = files.me().rpartition("-")[0]
    dead = tmp_path / f".book.{world}-{ended.pid}.part"
    others = [tmp_path / f".book.{files.me()}.part", tmp_path / ".book.far-1-99999999.part"]
    for path in (dead, *others, tmp_path / "book"):
        path.touch()
    folder = tmp_path / f".unpacked.{world}-{ended.pid}.part"
    (folder / "0").mkdir(parents=True)
    files.sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "book"])
    files.sweep(tmp_path / "nowhere")
