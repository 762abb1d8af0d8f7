"""An answer is paid once, whoever asks again."""

from pathlib import Path

import pytest
import torch

from command_line import Caller
from db3kd.answers import Answers
from db3kd.errors import ArtifactError, RunMismatch, TeacherError
from db3kd.execution.recalling import Recalling
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.teachers.recorded import RecordedTeacher, describe
from known_teachers import Counting, Failing, Sectors
from logged_teacher import rows_seen, write_images

SHAPE = (1, 4, 4)
IMAGES = torch.rand(300, *SHAPE, generator=torch.Generator().manual_seed(0))
_TEACHER = ("--teacher", "python:logged_teacher:decide?input_shape=1,16,16&num_classes=4&max_batch=64")


def test_what_was_asked_is_not_asked_again_and_a_question_that_comes_twice_is_asked_once(tmp_path: Path) -> None:
    known, seen = Sectors(SHAPE), Counting(Sectors(SHAPE))
    twice = torch.cat([IMAGES, IMAGES[:50]])
    with Ledger(None) as ledger, ledger.account("label") as account:
        with Answers(tmp_path / "a", describe(known.spec)) as answers:
            assert torch.equal(Recalling(Oracle(seen, account), answers)(twice), known(twice))
            assert len(answers) == 300
        with Answers(tmp_path / "a", describe(known.spec)) as answers:
            assert torch.equal(Recalling(Oracle(seen, account), answers)(IMAGES.flip(0)), known(IMAGES.flip(0)))
        assert seen.rows == account.spent == 300
    replayed = RecordedTeacher(tmp_path / "a")
    assert replayed.spec == known.spec
    assert torch.equal(replayed(IMAGES[:64]), known(IMAGES[:64]))
    with pytest.raises(TeacherError, match="1 of 2 questions"):
        replayed(torch.cat([IMAGES[:1], torch.zeros(1, *SHAPE)]))


def test_what_came_before_a_failure_is_kept(tmp_path: Path) -> None:
    failing = Failing(Sectors(SHAPE), 3, lambda: TeacherError("gone"))
    with Ledger(None) as ledger, ledger.account("label") as account:
        with Answers(tmp_path / "a", describe(failing.spec)) as answers:
            recalling = Recalling(Oracle(failing, account), answers)
            with pytest.raises(TeacherError, match="gone"):
                recalling(IMAGES)
            assert len(answers) == 256
            recalling(IMAGES)
        assert account.spent == 300 + 44


def test_answers_of_another_teacher_are_refused(tmp_path: Path) -> None:
    with Answers(tmp_path / "a", describe(Sectors(SHAPE).spec)) as answers:
        with pytest.raises(RunMismatch, match="sectors:3"):
            Answers(tmp_path / "a", describe(Sectors(SHAPE, classes=3).spec))
        with Answers(tmp_path / "b", describe(Sectors(SHAPE, classes=3).spec)), pytest.raises(RunMismatch):
            answers.take_over(tmp_path / "b")
        with pytest.raises(ArtifactError, match="no recorded answers"):
            answers.take_over(tmp_path / "c")
    (tmp_path / "d").write_text("no database at all, but long enough to be read as one" * 30)
    with pytest.raises(ArtifactError, match="damaged"):
        Answers(tmp_path / "d")


def test_a_recorded_run_replays_without_its_teacher_and_helps_a_later_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGGED_ROWS", str(tmp_path / "log"))
    call, images = Caller(capsys), write_images(tmp_path / "tiny.npz")
    label = ("label", "--images", images, "--exemplars", 3, "--json")
    paid = call(*label, *_TEACHER, "--method", "bd", "--run", tmp_path / "a", "--record").figures["queries"]["total"]
    assert paid == rows_seen(tmp_path / "log")
    replayed = call(*label, "--teacher", f"recorded:{tmp_path / 'a'}", "--method", "bd", "--run", tmp_path / "b")
    assert rows_seen(tmp_path / "log") == paid
    assert replayed.figures["queries"]["total"] >= paid
    for name in ("transfer.safetensors", "decisions.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    wider = call(
        *label, *_TEACHER, "--method", "bd", "--exemplars", 4, "--run", tmp_path / "c", "--answers", tmp_path / "a"
    )
    assert "answers of earlier runs" in wider.err
    # Of three of its four exemplars, and of all decisions, the answers were there.
    assert 0 < rows_seen(tmp_path / "log") - paid < paid / 2
    assert wider.figures["queries"]["total"] == rows_seen(tmp_path / "log") - paid
