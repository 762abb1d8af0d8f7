"""A server that remembers: the same image is charged once, whoever asks, and a restart forgets nothing."""

import errno
import hashlib
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
import torch

from db3kd.errors import ArtifactError, BudgetExhausted, RunError, TeacherError
from db3kd.ledger import Ledger, Limits
from db3kd.oracle import Oracle
from db3kd.runs.replay import digests_of
from db3kd.serving import Clients, Grant, Memory, make_application
from db3kd.serving.clients import ANYBODY
from known_teachers import Counting, Failing, Sectors
from served_teacher import IMAGES, INFER, SHAPE, call, question

TEACHER = Sectors(SHAPE)


def _ask(memory: Memory, ledger: Ledger, rows: torch.Tensor, *, limit: int | None = None) -> tuple[torch.Tensor, int]:
    with ledger.account("somebody", limits=Limits(run=limit)) as account:
        return memory.ask(Oracle(TEACHER, account), IMAGES[rows])


def test_an_image_is_charged_once_and_a_restart_remembers(tmp_path: Path) -> None:
    expected = TEACHER(IMAGES)
    for start in range(3):
        with Memory(tmp_path, TEACHER.spec) as memory, Ledger(None) as ledger:
            rows = torch.tensor([3, 1, 3, 4 + start])
            decisions, spared = _ask(memory, ledger, rows)
            assert torch.equal(decisions, expected[rows])
            assert (spared, ledger.statement().total) == ((1, 3) if start == 0 else (3, 1))
            again, spared = _ask(memory, ledger, rows)
            assert torch.equal(again, decisions)
            assert (spared, ledger.statement().total) == (4, 3 if start == 0 else 1)


def test_what_a_budget_refuses_is_not_remembered(tmp_path: Path) -> None:
    with Memory(tmp_path, TEACHER.spec) as memory, Ledger(None) as ledger:
        _ask(memory, ledger, torch.arange(2), limit=3)
        with pytest.raises(BudgetExhausted):
            _ask(memory, ledger, torch.arange(8), limit=3)
        assert _ask(memory, ledger, torch.arange(3), limit=3)[1] == 2


def test_answers_of_another_teacher_are_no_memory(tmp_path: Path) -> None:
    with Memory(tmp_path, TEACHER.spec) as memory, Ledger(None) as ledger:
        _ask(memory, ledger, torch.arange(2))
    with pytest.raises(ArtifactError, match="another plan, teacher or part"):
        Memory(tmp_path, Sectors(SHAPE, classes=7).spec)


def test_a_file_that_was_deleted_takes_no_other_with_it(tmp_path: Path) -> None:
    for start in range(2):
        with Memory(tmp_path, TEACHER.spec) as memory, Ledger(None) as ledger:
            _ask(memory, ledger, torch.tensor([start]))
    (tmp_path / "00000.journal").unlink()
    with Memory(tmp_path, TEACHER.spec) as memory, Ledger(None) as ledger:
        assert _ask(memory, ledger, torch.arange(3))[1] == 1


def test_two_servers_cannot_remember_in_one_folder(tmp_path: Path) -> None:
    with Memory(tmp_path, TEACHER.spec), pytest.raises(RunError, match="being written by process"):
        Memory(tmp_path, TEACHER.spec)
    Memory(tmp_path, TEACHER.spec)


def test_of_a_request_that_fails_in_the_middle_what_was_answered_is_remembered(tmp_path: Path) -> None:
    teacher = Sectors(SHAPE)
    teacher.spec = replace(teacher.spec, max_batch=2)
    counting = Counting(teacher)
    failing = Failing(counting, 2, lambda: TeacherError("no power"))
    with Memory(tmp_path, failing.spec) as memory, Ledger(None) as ledger:
        clients = Clients(ledger, {ANYBODY: Grant(None, 20)}, burst=8)
        application = make_application(failing, clients, memory=memory)
        answers = [call(application, "POST", INFER, orjson.dumps(question(4))) for _ in range(2)]
        clients.close()
        assert [answer.status for answer in answers] == [502, 200]
        # The first two rows once, the other two again.
        assert counting.rows == 4
        assert ledger.statement().total == 4 + 2


def test_clients_of_one_server_share_what_was_paid(tmp_path: Path) -> None:
    seen = Counting(Sectors(SHAPE))
    grants = {name: Grant(hashlib.sha256(name.encode()).hexdigest(), 10) for name in ("a", "b")}
    with Memory(tmp_path, seen.spec) as memory, Ledger(None) as ledger:
        clients = Clients(ledger, grants, burst=8)
        application = make_application(seen, clients, memory=memory)
        answers = []
        for token in ("a", "b", "b"):
            headers = {"Authorization": f"Bearer {token}"}
            answers.append(call(application, "POST", INFER, orjson.dumps(question(6)), headers))
        clients.close()
        assert [answer.status for answer in answers] == [200] * 3
        assert len({answer.content for answer in answers}) == 1
        assert seen.rows == ledger.statement().total == 6
        assert ledger.statement().by_stage == {"a": 6}
        assert "db3kd_remembered_rows_total 12.0" in call(application, "GET", "/metrics").text


def test_what_a_full_disk_does_not_take_is_given_and_written_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    seen = Counting(Sectors(SHAPE))
    with Memory(tmp_path, seen.spec) as memory, Ledger(None) as ledger:
        clients = Clients(ledger, {}, burst=8)
        application = make_application(seen, clients, memory=memory)
        with monkeypatch.context() as full:
            full.setattr("db3kd.runs.journal.os.pwrite", refuse)
            answers = [call(application, "POST", INFER, orjson.dumps(question(4))) for _ in range(2)]
        assert "4 answers are not remembered beyond the end of this server" in caplog.text
        assert [answer.json()["outputs"][0]["data"] for answer in answers] == [TEACHER(IMAGES[:4]).tolist()] * 2
        assert seen.rows == 4
        assert call(application, "POST", INFER, orjson.dumps(question(6))).status == 200
        clients.close()
        assert seen.rows == ledger.statement().total == 6
    with Memory(tmp_path, seen.spec) as memory:
        assert len(memory.find(digests_of(IMAGES[:8]))) == 6


def test_what_could_not_be_written_is_written_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with Memory(tmp_path, TEACHER.spec) as memory, monkeypatch.context() as full:
        full.setattr("db3kd.runs.journal.os.pwrite", refuse)
        memory.note(IMAGES[:3], TEACHER(IMAGES[:3]))
    with Memory(tmp_path, TEACHER.spec) as memory:
        assert len(memory.find(digests_of(IMAGES[:8]))) == 3
