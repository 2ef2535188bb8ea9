"""Files appear whole or not at all, whatever interrupts the writing of them."""

import errno
import os

import pytest

from bitloom import RequestError, WorkError
from bitloom.boards.files import locked, make_folder, replacing, write_text


def full(*args: object, **kwargs: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_takes_its_name_when_it_is_whole(tmp_path):
    with replacing(tmp_path / "a") as partial:
        partial.write_text("new")
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("x"), OSError(errno.EIO, "broken")])
def test_what_breaks_in_mid_write_leaves_the_old_file(tmp_path, error):
    (tmp_path / "a").write_text("old")
    with pytest.raises(type(error)), replacing(tmp_path / "a") as partial:
        partial.write_text("ne")
        raise error
    assert (tmp_path / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("where", ["write_text", "fsync", "replace"])
def test_a_full_disk_is_one_line(tmp_path, monkeypatch, where):
    write_text(tmp_path / "a", "old")
    if where == "write_text":
        monkeypatch.setattr("pathlib.Path.write_text", full)
    else:
        monkeypatch.setattr(os, where, full)
    with pytest.raises(WorkError, match=r"no space left on the disk for .*/a: free some and run the same again"):
        write_text(tmp_path / "a", "new")
    monkeypatch.undo()
    assert (tmp_path / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_may_not_be_written(tmp_path, monkeypatch):
    def refuse(**kwargs: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(WorkError, match=r"cannot be written .*choose another output folder"):
        write_text(tmp_path / "a", "new")


def test_a_file_in_the_folders_way(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(RequestError, match=r"output folder .*a file of that name is in the way"):
        make_folder(tmp_path / "out" / "deep")
    with pytest.raises(RequestError, match="a file of that name is in the way"):
        make_folder(tmp_path / "out")


def test_one_build_at_a_time(tmp_path):
    with locked(tmp_path / "out"):
        with pytest.raises(WorkError, match=r"another bitloom is building in .*out"), locked(tmp_path / "out"):
            pass
        with locked(tmp_path / "other"):
            pass
    with locked(tmp_path / "out"):
        pass
