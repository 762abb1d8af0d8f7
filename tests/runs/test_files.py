"""A file is there whole or as it was before."""

import errno
import os
from pathlib import Path

import pytest

from db3kd.errors import StorageError
from db3kd.runs.files import remove_drafts, write_atomically
from processes import kill_after, start


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    for data in (b"one", b"", b"three"):
        write_atomically(tmp_path / "file", data)
        assert (tmp_path / "file").read_bytes() == data
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
def test_a_write_that_fails_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    write_atomically(tmp_path / "file", b"before")

    def refuse(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(StorageError, match=r"file could not be written.*run again to go on"):
        write_atomically(tmp_path / "file", b"after")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"before"


def test_a_folder_that_is_not_there_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "blocked").touch()
    for folder in ("absent", "blocked"):
        with pytest.raises(StorageError, match=folder):
            write_atomically(tmp_path / folder / "file", b"data")


_REWRITE = """
import sys
from pathlib import Path
from db3kd.runs.files import write_atomically
for count in range(100_000):
    write_atomically(Path(sys.argv[1]), bytes([count % 256]) * 300_000)
    print(count)
"""


def test_a_kill_leaves_a_whole_file_and_drafts_that_can_be_removed(tmp_path: Path) -> None:
    kill_after(start(_REWRITE, tmp_path / "file"), 7)
    content = (tmp_path / "file").read_bytes()
    assert len(content) == 300_000
    assert len(set(content)) == 1
    (tmp_path / f".file.{'0' * 32}.tmp").touch()
    (tmp_path / ".mine.tmp").touch()
    remove_drafts(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [".mine.tmp", "file"]
