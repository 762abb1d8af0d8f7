"""What was recorded is not paid again, and stands in for its teacher as far as it reaches."""

from pathlib import Path

import pytest
import torch

from db3kd.context import Context
from db3kd.errors import ArtifactError, InvalidDecision, RunMismatch, TeacherError
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.tell import tell
from db3kd.runs import Index, Keeper, RecordedTeacher, Run
from db3kd.runs.journal import Journal
from db3kd.runs.replay import Recalling, Remembering, digests_of
from db3kd.teachers import Teacher
from db3kd.tensors import Tensor
from known_teachers import Failing, draw_images
from made_runs import Small, Stopped, images, parts_of, stories, story, untouched


def _record(folder: Path, teacher: Teacher, kind: str = "distances", *, index: Index | None = None) -> int:
    with Run(folder) as run:
        tell(stories(teacher)[kind], Keeper(run, Context(), recording=True, index=index))
        return run.statement().total


def test_a_recorded_run_replays_without_its_teacher_to_the_same_files(tmp_path: Path) -> None:
    teacher = Small()
    paid = _record(tmp_path / "paid", teacher)
    recorded = RecordedTeacher(tmp_path / "paid")
    assert recorded.spec == teacher.spec
    with Run(tmp_path / "replayed") as run:
        tell(stories(recorded)["distances"], Keeper(run))
        assert run.statement().total == paid == teacher.rows
    assert parts_of(tmp_path / "replayed") == parts_of(tmp_path / "paid")


def test_of_a_teacher_that_is_not_constant_the_answers_that_the_run_used_are_replayed(tmp_path: Path) -> None:
    class Turning(Small):
        def __call__(self, images: Tensor) -> Tensor:
            decided = super().__call__(images)
            return decided if self.rows <= 24 else (decided + 1) % self.classes

    with Run(tmp_path / "paid") as run:
        repeats = tell(story(Turning()), Keeper(run, recording=True, index=Index(Turning().spec)))[0].repeats
    assert repeats is not None
    assert repeats.changed == repeats.asked == 4
    with Run(tmp_path / "replayed") as run:
        tell(story(RecordedTeacher(tmp_path / "paid")), Keeper(run))
    other = untouched(Small())
    with Run(tmp_path / "other") as run:
        index = Index(other.spec, [tmp_path / "paid"])
        tell(story(other, budget=Budget(repeats=0)), Keeper(run, recording=True, index=index))
    parts = parts_of(tmp_path / "paid")
    del parts["repeats.safetensors"]
    assert "answers/00000.safetensors" in parts
    assert parts.items() <= parts_of(tmp_path / "replayed").items()
    assert parts == parts_of(tmp_path / "other")


def test_what_was_never_asked_is_an_error_that_says_so(tmp_path: Path) -> None:
    _record(tmp_path, Small(), "images")
    with pytest.raises(TeacherError, match="2 of 2 questions were never asked"):
        RecordedTeacher(tmp_path)(draw_images(Small(), 2, seed=77))


def test_an_index_saves_what_was_paid_and_changes_nothing(tmp_path: Path) -> None:
    first, second = Small(), Small()
    _record(tmp_path / "first", first)
    index = Index(second.spec, [tmp_path / "first"])
    assert len(index) == len(set(first.asked))
    paid = _record(tmp_path / "second", second, index=index)
    # That the teacher is constant cannot be told from recorded answers.
    assert paid == second.rows == 4
    assert parts_of(tmp_path / "second") == parts_of(tmp_path / "first")


def test_an_index_with_a_part_of_the_answers_pays_for_the_rest(tmp_path: Path) -> None:
    first, second = Small(), Small()
    _record(tmp_path / "first", first, "images")
    paid = _record(tmp_path / "second", second, index=Index(second.spec, [tmp_path / "first"]))
    whole = Small()
    _record(tmp_path / "whole", whole)
    # What a search asks twice is paid once; four are asked again to see whether the teacher is constant.
    assert paid == second.rows == len(set(whole.asked)) - 24 + 4
    assert parts_of(tmp_path / "second") == parts_of(tmp_path / "whole")


def test_a_record_stays_when_the_run_is_gone_on_with_and_nothing_more_is_recorded(tmp_path: Path) -> None:
    teacher = Small()
    _record(tmp_path, teacher, "images", index=Index(teacher.spec))
    records = {path: path.read_bytes() for path in tmp_path.rglob("*.journal")}
    assert len(records) > 1
    with Run(tmp_path) as run:
        tell(stories(untouched(teacher))["images"], Keeper(run))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.journal")} == records
    RecordedTeacher(tmp_path)(images().images())


def test_a_journal_that_a_kill_left_beside_its_part_is_deleted_unless_it_is_a_record(tmp_path: Path) -> None:
    teacher = Small()
    with Run(tmp_path) as run:
        tell(story(teacher), Keeper(run))
        (answers,) = (tmp_path / "answers").iterdir()
        left = answers.with_suffix(".journal")
        Journal(left, b"").close()
        tell(story(untouched(teacher)), Keeper(run))
    assert not left.exists()


@pytest.mark.parametrize("call", [2, 7, 9, 20])
def test_a_recording_that_was_interrupted_goes_on_and_pays_nothing_twice(tmp_path: Path, call: int) -> None:
    teacher = Small()
    with pytest.raises(Stopped):
        _record(tmp_path / "parts", Failing(teacher, call, Stopped), index=Index(teacher.spec))
    _record(tmp_path / "parts", teacher, index=Index(teacher.spec))
    repeated = 4
    assert len(set(teacher.asked)) == teacher.rows - repeated
    _record(tmp_path / "whole", Small())
    assert parts_of(tmp_path / "parts") == parts_of(tmp_path / "whole")


def test_runs_of_another_teacher_or_without_a_record_are_refused(tmp_path: Path) -> None:
    teacher = Small()
    _record(tmp_path / "recorded", teacher, "images")
    with pytest.raises(RunMismatch, match=r"'small'.*'other'"):
        Index(Small(fingerprint="other").spec, [tmp_path / "recorded"])
    with Run(tmp_path / "bare") as run:
        tell(story(teacher), Keeper(run))
    with pytest.raises(ArtifactError, match="no recorded answers"):
        Index(teacher.spec, [tmp_path / "bare"])
    with pytest.raises(ArtifactError, match="does not say which teacher"):
        RecordedTeacher(tmp_path / "absent")


def test_a_question_that_comes_twice_is_asked_once_and_answers_come_as_soon_as_they_are_known() -> None:
    teacher = Small()
    asked = draw_images(teacher, 20)
    doubled = torch.cat([asked, asked])
    with Ledger(None) as ledger, ledger.account("some") as account:
        index = Index(teacher.spec)
        recalling = Recalling(Oracle(teacher, account), index)
        batches = recalling.answers(doubled)
        first = next(batches)
        assert (len(first), teacher.rows, len(index)) == (1, 1, 1)
        decisions = torch.cat([first, *batches])
        assert teacher.rows == 20
        again = torch.cat(list(Recalling(Oracle(untouched(teacher), account), index).answers(doubled)))
    assert torch.equal(decisions, Small()(doubled))
    assert torch.equal(again, decisions)


def test_rows_at_fault_are_counted_from_what_was_given() -> None:
    plain = Small()
    asked = draw_images(plain, 20)

    class Blind(Small):
        def __call__(self, images: Tensor) -> Tensor:
            rows = [row for row, image in enumerate(images) if torch.equal(image, asked[13])]
            if rows:
                raise InvalidDecision("no class", rows=rows)
            return super().__call__(images)

    blind, index = Blind(), Index(plain.spec)
    index.add(dict(zip(digests_of(asked[:12:2]), plain(asked[:12:2]).tolist(), strict=True)))
    with Ledger(None) as ledger, ledger.account("some") as account:
        given: list[Tensor] = []
        with pytest.raises(InvalidDecision) as caught:
            given += Recalling(Oracle(blind, account, known=True), index).answers(asked)
    assert [sum(map(len, given)) + row for row in caught.value.rows] == [13]


def test_nothing_is_asked_about_no_image(tmp_path: Path) -> None:
    teacher = untouched(Small())
    with Ledger(None) as ledger, ledger.account("some") as account, Journal(tmp_path / "a.journal", b"") as journal:
        assert len(Remembering(Oracle(teacher, account), journal)(draw_images(teacher, 0))) == 0


def test_digests_tell_images_apart() -> None:
    pixels = images(5).images()
    assert len(set(digests_of(pixels))) == 5
    assert digests_of(pixels.clone()) == digests_of(pixels)
    moved = pixels.clone()
    moved[0, 0, 0, 0] += 2**-20
    assert digests_of(moved)[0] != digests_of(pixels)[0]
