"""`kill -9` at any moment, then again: the same bytes, and never less in the ledger than was served.

The process kills itself, at a row that its teacher serves or at an epoch, so that no test waits for a moment.
"""

import signal
from pathlib import Path

import pytest

from command_line import SMALL, TEACHER, Caller, finish, settings, start
from db3kd.runs import Run
from logged_teacher import rows_seen

_AT_AN_EPOCH = """
import os
from db3kd.runs.keeper import Notebook
note = Notebook.note
def noted(self, epoch, *more):
    note(self, epoch, *more)
    if self._part.name == {name!r} and epoch == 2:
        os.kill(os.getpid(), 9)
Notebook.note = noted
"""
_LEASE = 16_384
_ROUNDS = (
    *("distill", *TEACHER, "--student", "made_networks:one_layer", "--budget", 20_000),
    *settings(
        budget__images=60, student__epochs=2, committee__architecture="made_networks:one_layer", committee__members=2
    ),
    *settings(committee__choosers=2, committee__recipe__epochs=3, rounds__number=1, rounds__candidates=2),
    *settings(lesson__candidates=64, lesson__kind="candidates"),
)


def _check_ledger(run: Path, log: Path) -> None:
    with Run(run) as opened:
        statement = opened.statement()
    assert 0 <= statement.total + sum(statement.held_out.values()) - rows_seen(log) <= 4 * _LEASE


def _check_files(run: Path, whole: Path) -> None:
    files = sorted(path.relative_to(whole) for path in whole.rglob("*.safetensors"))
    assert files == sorted(path.relative_to(run) for path in run.rglob("*.safetensors"))
    for file in files:
        assert (run / file).read_bytes() == (whole / file).read_bytes(), file


def _killed(*asked: object, rows: int | None = None, part: str = "") -> None:
    before = "" if rows is not None else _AT_AN_EPOCH.format(name=part)
    environment = {} if rows is None else {"LOGGED_SIGNAL": f"9@{rows}"}
    finish(start(*asked, before=before, environment=environment), expect=-signal.SIGKILL)


def _whole(call: Caller, asked: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with monkeypatch.context() as other:
        other.setenv("LOGGED_ROWS", str(tmp_path / "other-rows"))
        call(*asked, "--run", tmp_path / "whole")
    return tmp_path / "whole"


@pytest.mark.slow
def test_a_plan_with_a_search(
    call: Caller, plan: Path, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, run = ("distill", "--plan", plan), tmp_path / "run"
    whole = _whole(call, asked, tmp_path, monkeypatch)
    _killed(*asked, "--run", run, rows=rows_seen(tmp_path / "other-rows") // 2)
    _check_ledger(run, log)
    _killed(*asked, "--run", run, part="student")
    _check_ledger(run, log)
    call(*asked, "--run", run)
    _check_files(run, whole)
    # What was served is served once, but for the call in flight.
    assert rows_seen(tmp_path / "other-rows") <= rows_seen(log) <= rows_seen(tmp_path / "other-rows") + 64


@pytest.mark.slow
def test_rounds_without_images(call: Caller, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, run = _ROUNDS, tmp_path / "run"
    whole = _whole(call, asked, tmp_path, monkeypatch)
    _killed(*asked, "--run", run, rows=40)
    _check_ledger(run, log)
    _killed(*asked, "--run", run, part="committee/00001")
    call(*asked, "--run", run)
    _check_ledger(run, log)
    _check_files(run, whole)
    assert rows_seen(log) <= rows_seen(tmp_path / "other-rows") + 64


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rows", [10, 30, 300, 2_000, 4_000])
def test_wherever_it_is_killed(
    call: Caller, plan: Path, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    asked, run = ("distill", "--plan", plan, *SMALL[2:]), tmp_path / "run"
    whole = _whole(call, asked, tmp_path, monkeypatch)
    for more in (0, 65, 300):
        _killed(*asked, "--run", run, rows=rows + more)
        _check_ledger(run, log)
    call(*asked, "--run", run)
    _check_files(run, whole)
