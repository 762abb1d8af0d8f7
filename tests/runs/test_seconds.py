"""A run adds up how long it worked, also where an error ended it."""

from pathlib import Path

import pytest

from db3kd.errors import StorageError
from db3kd.runs import Run, seconds_until_now, spent_seconds, timed


def test_sessions_are_added_up_also_where_an_error_ends_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 12.0, 100.0, 105.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    with Run(tmp_path) as run:
        with timed(run):
            pass
        with pytest.raises(KeyboardInterrupt), timed(run):
            raise KeyboardInterrupt
        assert spent_seconds(run) == 7.0
    assert spent_seconds(Run(tmp_path)) == seconds_until_now(Run(tmp_path)) == 7.0


def test_a_session_at_work_counts_until_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Run(tmp_path) as run:
        run.hold()
        since = run.written_since()
        assert since is not None
        monkeypatch.setattr("time.time", lambda: since + 8)
        assert seconds_until_now(Run(tmp_path)) == pytest.approx(8)
        assert spent_seconds(run) == 0


def test_a_run_that_another_process_took_hides_no_error(tmp_path: Path) -> None:
    with Run(tmp_path) as other:
        other.hold()
        with pytest.raises(StorageError, match="the disk is full"), timed(Run(tmp_path)):
            raise StorageError("the disk is full")
    assert spent_seconds(Run(tmp_path)) == 0
