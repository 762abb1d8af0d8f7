"""A run is held by one, who is named to others; a name that a kill left behind holds nothing."""

import errno
import os
import socket
from pathlib import Path

import pytest

from db3kd.errors import RunError
from db3kd.runs.lock import RunLock

OURS = f"process {os.getpid()} on {socket.gethostname()}"


def test_only_one_holds_a_run_until_it_is_released(tmp_path: Path) -> None:
    first, second = RunLock(tmp_path), RunLock(tmp_path)
    first.take()
    assert (first.held, second.held) == (True, False)
    with pytest.raises(RunError, match=f"is being written by {OURS}; nothing was done"):
        second.take()
    assert not second.held
    first.release()
    first.release()
    second.take()
    assert (first.held, second.held) == (False, True)


def test_a_lock_whose_object_is_gone_is_free(tmp_path: Path) -> None:
    def take() -> None:
        RunLock(tmp_path).take()

    take()
    assert (tmp_path / "run.lock").read_text() == ""
    RunLock(tmp_path).take()


def test_who_looks_learns_since_when_it_has_been_held(tmp_path: Path) -> None:
    lock, looking = RunLock(tmp_path), RunLock(tmp_path)
    assert looking.held_since() is None
    lock.take()
    assert looking.held_since() == (tmp_path / "run.lock").stat().st_mtime
    lock.release()
    assert looking.held_since() is None
    assert not looking.held


@pytest.mark.parametrize("left", ["process 4194305 on {host}", "process {number} on another", "no name", ""], ids=str)
def test_a_name_that_a_kill_left_behind_holds_nothing(tmp_path: Path, left: str) -> None:
    # No process has a number above 2 ** 22.
    (tmp_path / "run.lock").write_text(left.format(host=socket.gethostname(), number=os.getpid()) + "\n" + "x" * 50)
    lock = RunLock(tmp_path)
    assert lock.held_since() is None
    lock.take()
    assert (tmp_path / "run.lock").read_text() == OURS + "\n"


def test_the_process_of_another_user_holds_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(process: int, signal: int) -> None:
        raise PermissionError

    lock = RunLock(tmp_path)
    lock.take()
    monkeypatch.setattr("os.kill", refuse)
    assert RunLock(tmp_path).held_since() is not None


@pytest.mark.parametrize("call", ["ftruncate", "pwrite"])
def test_a_disk_without_room_for_the_name_leaves_the_run_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    lock = RunLock(tmp_path)
    with monkeypatch.context() as full:
        full.setattr(f"db3kd.runs.lock.os.{call}", refuse)
        with pytest.raises(OSError, match="No space left"):
            lock.take()
    assert not lock.held
    RunLock(tmp_path).take()
    lock.take()
    assert lock.held


def test_a_name_that_cannot_be_taken_off_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    lock = RunLock(tmp_path)
    lock.take()
    with monkeypatch.context() as broken:
        broken.setattr("db3kd.runs.lock.os.ftruncate", refuse)
        lock.release()
    assert not lock.held
    other = RunLock(tmp_path)
    other.take()
    assert other.held
