"""`kill -9` at any moment of `db3kd run`, then again: the same bytes, and never less in the ledger than was served."""

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from command_line import finish, start
from db3kd.runs import Run
from logged_teacher import rows_seen

_KEPT = ("transfer.safetensors", "true-labels.safetensors", "hard-decisions.safetensors", "student.safetensors")


def _kill_when(ready: Callable[[], bool], plan: Path, run: Path) -> bool:
    """Start the run and kill it when it is so far; tell whether it was still at work."""
    process = start("run", plan, "--run", run)
    while process.poll() is None and not ready():
        time.sleep(0.002)
    process.kill()
    process.communicate()
    return process.returncode == -signal.SIGKILL


def _check_ledger(run: Path, log: Path) -> None:
    with Run(run) as opened:
        statement = opened.statement()
    assert statement.total + sum(statement.held_out.values()) >= rows_seen(log)


def _trained(run: Path, student: str) -> bool:
    file = run / "training.jsonl"
    return file.exists() and f'"student": "{student}"' in file.read_text()


def _uninterrupted(plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with monkeypatch.context() as apart:
        apart.setenv("LOGGED_ROWS", str(tmp_path / "other-rows"))
        finish(start("run", plan, "--run", tmp_path / "whole"))
    return tmp_path / "whole"


def test_killed_while_it_asks_and_while_it_trains(
    plan: Path, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, run = _uninterrupted(plan, tmp_path, monkeypatch), tmp_path / "run"
    monkeypatch.setenv("LOGGED_SECONDS", "0.01")
    asked = rows_seen(tmp_path / "other-rows")
    points: list[Callable[[], bool]] = [
        lambda: rows_seen(log) > asked // 2,
        lambda: _trained(run, "true-labels"),
        lambda: _trained(run, "student"),
    ]
    killed = 0
    for ready in points:
        killed += _kill_when(ready, plan, run)
        _check_ledger(run, log)
    assert killed >= 2
    finish(start("run", plan, "--run", run))
    _check_ledger(run, log)
    for name in _KEPT:
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_moments(
    plan: Path, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    whole, run = _uninterrupted(plan, tmp_path, monkeypatch), tmp_path / "run"
    monkeypatch.setenv("LOGGED_SECONDS", "0.02")
    moments = random.Random(seed)
    for _ in range(8):
        ends = time.monotonic() + moments.uniform(1.0, 5.0)
        _kill_when(lambda ends=ends: time.monotonic() > ends, plan, run)  # type: ignore[misc]  # mypy cannot tell its type
        if run.exists():
            _check_ledger(run, log)
    finish(start("run", plan, "--run", run))
    _check_ledger(run, log)
    for name in _KEPT:
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name
