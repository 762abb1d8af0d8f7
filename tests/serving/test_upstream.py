"""A request that is several calls of the teacher: each is charged, repeated and noted alone, as the teacher wants."""

import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import orjson
import pytest
import torch
from starlette.applications import Starlette

from db3kd.errors import MaybeServed, NotServed, StorageError, TeacherError
from db3kd.ledger import Ledger
from db3kd.ledger.storage import Storage
from db3kd.runs.replay import digests_of
from db3kd.serving import Clients, Grant, Memory, RequestLimits, make_application
from db3kd.serving.clients import ANYBODY
from db3kd.teachers import Service, Teacher
from db3kd.tensors import Float, Int, Tensor
from known_teachers import Counting, Failing, Flaky, Sectors
from made_clock import stopped
from served_teacher import IMAGES, INFER, SHAPE, Answer, call, question


def _teacher(max_batch: int, service: Service | None = None) -> Counting:
    known = Sectors(SHAPE)
    known.spec = replace(known.spec, max_batch=max_batch, service=service or Service())
    return Counting(known)


def _serve(
    teacher: Teacher, ledger: Ledger, *, budget: int | None = None, memory: Memory | None = None
) -> tuple[Starlette, Clients]:
    clients = Clients(ledger, {ANYBODY: Grant(None, budget)}, burst=16)
    return make_application(teacher, clients, limits=RequestLimits(rows=16), memory=memory), clients


def _ask(application: Starlette, rows: int) -> Answer:
    return call(application, "POST", INFER, orjson.dumps(question(rows)))


@pytest.mark.parametrize(("kind", "again"), [("not_served", 0), ("maybe_served", 4)])
@pytest.mark.parametrize("remember", [False, True])
def test_a_call_without_an_answer_is_repeated_and_charged_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, again: int, *, remember: bool
) -> None:
    stopped(monkeypatch)
    seen = _teacher(4)
    memory = Memory(tmp_path, seen.spec) if remember else None
    with Ledger(None) as ledger:
        application, clients = _serve(Flaky(seen, **{kind: frozenset({3})}), ledger, memory=memory)
        answer = _ask(application, 16)
        clients.close()
        assert answer.json()["outputs"][0]["data"] == seen.teacher(IMAGES[:16]).tolist()
        assert (seen.rows, seen.calls) == (16, 4)
        assert ledger.statement().total == 16 + again
        assert ledger.statement().charged_again == ({ANYBODY: again} if again else {})
    assert f"db3kd_charged_again_rows_total {again}.0" in call(application, "GET", "/metrics").text


def test_of_a_request_that_fails_what_was_sent_is_charged_and_no_more() -> None:
    seen = _teacher(4)
    with Ledger(None) as ledger:
        application, clients = _serve(Failing(seen, 2, lambda: TeacherError("no power")), ledger)
        answer = _ask(application, 16)
        assert (answer.status, answer.json()) == (
            502,
            {"error": "the teacher failed; 8 rows stay charged"},
        )
        clients.close()
        assert (seen.rows, ledger.statement().total) == (4, 8)


def test_a_budget_that_does_not_reach_for_the_whole_request_sends_nothing() -> None:
    seen = _teacher(4)
    with Ledger(None) as ledger:
        application, clients = _serve(seen, ledger, budget=15)
        refused, answered, empty = (_ask(application, rows) for rows in (16, 15, 1))
        clients.close()
        assert seen.rows == ledger.statement().total == 15
    assert (refused.status, answered.status, empty.status) == (403, 200, 403)
    assert refused.json()["error"] == "the budget of 15 rows is spent but for 15; nothing was charged"


def test_a_budget_that_ends_in_the_middle_says_what_was_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped(monkeypatch)
    seen = _teacher(4)
    with Ledger(None) as ledger:
        application, clients = _serve(Flaky(seen, maybe_served=frozenset({2})), ledger, budget=10)
        refused = _ask(application, 8)
        clients.close()
        assert (seen.rows, ledger.statement().total) == (4, 8)
    said = "the budget of 10 rows is spent but for 2; 8 rows stay charged"
    assert (refused.status, refused.json()["error"]) == (403, said)


def test_as_many_calls_are_in_flight_as_the_teacher_takes_and_all_their_answers_are_noted(tmp_path: Path) -> None:
    class Together(Counting):
        def __init__(self, teacher: Teacher) -> None:
            super().__init__(teacher)
            self.met = threading.Barrier(3, timeout=60)

        def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
            self.met.wait()
            if torch.equal(images[0], IMAGES[0]):
                raise TeacherError("no power")
            return super().__call__(images)

    seen = Together(_teacher(2, Service(in_flight=3)).teacher)
    with Memory(tmp_path, seen.spec) as memory, Ledger(None) as ledger:
        application, clients = _serve(seen, ledger, memory=memory)
        assert _ask(application, 6).status == 502
        clients.close()
        assert seen.rows == len(memory.find(digests_of(IMAGES[2:6]))) == 4


def test_a_teacher_that_is_not_there_is_waited_for_as_long_as_its_patience_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits = stopped(monkeypatch)
    seen = _teacher(4, Service(patience=60.0))
    away: Teacher = seen
    for refused in range(1, 9):
        away = Failing(away, refused, lambda: NotServed("it restarts", retry_after=1.0))
    with Ledger(None) as ledger:
        application, clients = _serve(away, ledger)
        assert _ask(application, 8).status == 200
        clients.close()
        assert seen.rows == ledger.statement().total == 8
    assert waits == [1.0] * 8


def test_a_rate_limit_of_the_teacher_holds_within_a_request_and_from_one_to_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    within, between = stopped(monkeypatch), list[float]()
    clock = SimpleNamespace(monotonic=lambda: 0.0, perf_counter=time.perf_counter, sleep=between.append)
    monkeypatch.setattr("db3kd.serving.upstream.time", clock)
    seen = _teacher(2, Service(rows_per_second=4.0))
    with Memory(tmp_path, seen.spec) as memory, Ledger(None) as ledger:
        application, clients = _serve(seen, ledger, memory=memory)
        # The third request is of images that the server remembers: nothing is sent, so nobody waits.
        assert [_ask(application, rows).status for rows in (4, 7, 7)] == [200] * 3
        clients.close()
    assert within == [0.0, 0.5, 0.0, 0.5]
    assert between == [0.0, 0.5]


def _full(self: Storage) -> NoReturn:
    raise StorageError("the disk is full")


def test_a_ledger_that_cannot_be_written_sends_nothing_and_asks_to_come_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen = _teacher(4)
    with Ledger(None) as ledger:
        application, clients = _serve(seen, ledger)
        with monkeypatch.context() as disk:
            disk.setattr(Storage, "writing", _full)
            refused = _ask(application, 8)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"] == "the ledger cannot be written; nothing was charged"
        assert "a request was refused: the disk is full" in caplog.text
        assert seen.rows == ledger.statement().total == 0
        assert _ask(application, 8).status == 200
        clients.close()
        assert seen.rows == ledger.statement().total == 8


def test_a_ledger_that_cannot_be_written_in_the_middle_says_what_stays_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped(monkeypatch)

    def lose() -> MaybeServed:
        monkeypatch.setattr(Storage, "writing", _full)
        return MaybeServed("reset")

    with Ledger(None) as ledger:
        application, _ = _serve(Failing(_teacher(4), 2, lose), ledger)
        answer = _ask(application, 16)
    assert answer.status == 502
    assert "retry-after" not in answer.headers
    assert answer.json()["error"] == "the ledger cannot be written; 8 rows stay charged"
