"""`kill -9` at any moment, then again: the same bytes, and never less in the ledger than was served.

The process kills itself, at a row that its teacher serves or at an epoch, so that no test waits for a moment.
"""

import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest

from chat_server import NAMES, ChatHandler, ChatServer, chatting
from command_line import SMALL, TEACHER, Caller, finish, settings, start
from db3kd.runs import Run
from known_teachers import Sectors
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


@pytest.mark.slow
@pytest.mark.parametrize(("in_flight", "stop_at"), [(1, 9), (4, 30)])
def test_a_vision_model_is_asked_nothing_twice_and_no_token_is_booked_that_was_not_served(
    call: Caller, images: str, tmp_path: Path, in_flight: int, stop_at: int
) -> None:
    victims: list[subprocess.Popen[str]] = []

    def script(handler: ChatHandler, number: int, name: str) -> str | None:
        if victims and number == stop_at:
            victims[0].kill()
            return None
        return name

    server, names = ChatServer(Sectors((1, 16, 16)), script), quote(",".join(NAMES))
    with chatting(server):
        uri = f"chat:{server.url}?model=seer-1&input_shape=1,16,16&class_names={names}&in_flight={in_flight}"
        asked = ("distill", "--teacher", uri, "--images", images, *SMALL)
        call(*asked, "--run", tmp_path / "whole")
        once, server.served = len(server.requests), 0
        server.requests.clear()
        victims.append(start(*asked, "--run", tmp_path / "run"))
        finish(victims[0], expect=-signal.SIGKILL)
        # Here the server complains about the client that is gone.
        finish(start(*asked, "--run", tmp_path / "run"))
    _check_files(tmp_path / "run", tmp_path / "whole")
    # Twice is only asked what was under way.
    assert once < len(server.requests) <= once + in_flight
    with Run(tmp_path / "run") as run:
        statement = run.statement()
    assert 0 <= statement.total - len(server.requests) <= 4 * _LEASE
    assert once <= statement.bill.answers <= server.served <= statement.bill.answers + in_flight
    assert statement.bill.input_tokens == 85 * statement.bill.answers
