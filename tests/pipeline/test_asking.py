"""Answers come back from their files as they were, and images are what the teacher sees."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from db3kd.answers import Answers, Candidates, no_answers
from db3kd.data import Dataset
from db3kd.errors import BudgetExhausted, InvalidDecision
from db3kd.ledger import Ledger, Limits
from db3kd.oracle import Oracle
from db3kd.pipeline.ask_all import AskAll, ask_held_out
from db3kd.pipeline.asking import all_of, answered, as_seen, ask, class_names_of, from_kept, to_kept
from db3kd.runs import Run
from db3kd.runs.journal import Journal
from db3kd.runs.replay import Remembering
from db3kd.teachers import Service, TeacherSpec
from db3kd.teachers.scores import highest
from db3kd.tensors import Float, Int, Tensor
from made_runs import CLASSES, SHAPE, Small, images, keeper_of

NONE = no_answers(SHAPE, CLASSES, class_names=("a", "b", "c"))


class Blind(Small):
    """Gives no finite score to some images."""

    def __init__(self, *blind: Float[Tensor, "c h w"]) -> None:
        super().__init__()
        self._blind = blind

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        scores = torch.nn.functional.one_hot(super().__call__(images), CLASSES).float()
        scores[[any(torch.equal(one, other) for other in self._blind) for one in images]] = torch.nan
        return highest(scores, origin="the module")


@pytest.mark.parametrize("at_fault", [(0,), (2,), (5, 7), (8, 13, 15), range(8, 24)])
def test_a_score_that_is_no_number_is_told_with_the_names_of_its_images(
    at_fault: Sequence[int], tmp_path: Path
) -> None:
    whole, named = images(), [f"'made/{number:05}'" for number in at_fault]
    teacher = Blind(*whole.images(torch.tensor(at_fault)))
    with Run(tmp_path) as run, pytest.raises(InvalidDecision, match="finite scores") as caught:
        keeper_of(run).perform(ask_held_out(teacher, whole))
    told = str(caught.value)
    # Those of one call, of which the first of all is about one image.
    assert f"it was about {', '.join(named[:8])}, and each further try pays" in told
    made = Candidates(whole.pixels, ("noise",) * 24, ("",) * 24)
    with Run(tmp_path / "made") as run, pytest.raises(InvalidDecision, match=r"again to go on$"):
        keeper_of(run).perform(AskAll("mixtures", teacher, made, "made", budget=None))


def _answers(count: int = 5, *, labels: bool = True, first: int = 0) -> Answers:
    made = Candidates(
        torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(first)),
        tuple(("uniform noise", "recombined/strokes")[row % 2] for row in range(count)),
        (),
        torch.arange(count) % 3 if labels else None,
    )
    before = NONE if not first else _answers(first)
    return answered(made, torch.arange(count) % (CLASSES + 1), before, torch.arange(count) == 1)


def _same(one: Answers, other: Answers) -> bool:
    return (
        one.digest == other.digest
        and one.origins == other.origins
        and one.images.class_names == other.images.class_names
        and one.num_classes == other.num_classes
    )


@pytest.mark.parametrize("count", [5, 1, 0])
@pytest.mark.parametrize("labels", [True, False])
def test_answers_come_back_from_a_part(count: int, labels: bool) -> None:
    answers = _answers(count, labels=labels)
    assert _same(from_kept(to_kept(answers, {})), answers)


@pytest.mark.parametrize("in_flight", [1, 4])
def test_where_the_budget_ends_all_that_was_paid_is_there(tmp_path: Path, in_flight: int) -> None:
    teacher = Small()
    teacher.spec = replace(teacher.spec, service=Service(in_flight=in_flight))
    candidates = Candidates(images(60).pixels, ("image",) * 60)
    with (
        Ledger(None) as ledger,
        ledger.account("answers", limits=Limits(run=50)) as account,
        Journal(tmp_path / "a.journal", b"") as journal,
    ):
        decided, error = ask(Remembering(Oracle(teacher, account), journal), candidates)
        assert isinstance(error, BudgetExhausted)
        assert len(decided) == account.spent == 48


def test_parts_are_put_together_in_their_order() -> None:
    first, second = _answers(5), _answers(4, first=5)
    parts = [to_kept(one, {}) for one in (first, NONE, second)]
    assert _same(all_of(parts, NONE), first.joined(second))
    assert all_of([], NONE) is NONE
    assert (
        all_of([to_kept(_answers(2), {}), to_kept(_answers(2, first=2, labels=False), {})], NONE).images.labels is None
    )


def test_only_what_was_decided_is_answered_and_names_go_on() -> None:
    made = Candidates(torch.zeros(3, *SHAPE), ("uniform noise", "images", "images"), ("", "mine/1", "mine/2"))
    some = answered(made, torch.tensor([0, 1]), _answers(5))
    assert some.images.ids == ("uniform-noise/0000005", "mine/1")


def test_images_are_put_on_the_teachers_levels_where_that_changes_them() -> None:
    floats = images(4)
    seen = as_seen(floats, TeacherSpec(SHAPE, CLASSES, levels=5))
    assert set(seen.pixels.flatten().tolist()) <= {0.0, 0.25, 0.5, 0.75, 1.0}
    assert as_seen(floats, TeacherSpec(SHAPE, CLASSES)) is floats
    bytes_ = Dataset("b", ("b/0",), torch.full((1, *SHAPE), 7, dtype=torch.uint8), None, ())
    assert as_seen(bytes_, TeacherSpec(SHAPE, CLASSES, levels=256)) is bytes_


def test_labels_are_numbered_as_the_teacher_numbers_its_classes_where_both_have_names() -> None:
    spec = TeacherSpec(SHAPE, CLASSES, class_names=("c", "a", "b"))
    named = replace(images(5, labelled=True), class_names=("a", "b", "c"))
    seen = as_seen(named, spec)
    assert named.labels is not None
    assert seen.labels is not None
    assert seen.class_names == ("c", "a", "b")
    assert [seen.class_names[label] for label in seen.labels.tolist()] == [
        named.class_names[label] for label in named.labels.tolist()
    ]
    # Some of the teacher's classes are enough; a name that it does not have leaves the numbers as they are.
    some = replace(named, labels=named.labels % 2, class_names=("a", "b"))
    assert as_seen(some, spec).labels.tolist() == (named.labels % 2 + 1).tolist()  # type: ignore[union-attr]  # given
    for kept in (replace(named, class_names=("a", "b", "other")), replace(named, class_names=())):
        assert as_seen(kept, spec) is kept
    assert as_seen(named, TeacherSpec(SHAPE, CLASSES)) is named


def test_labels_whose_names_the_teacher_does_not_know_are_told(caplog: pytest.LogCaptureFixture) -> None:
    spec = TeacherSpec(SHAPE, CLASSES, class_names=("c", "a", "b"))
    as_seen(replace(images(5, labelled=True), class_names=("a", "b", "other")), spec)
    assert "the class 'other'" in caplog.text
    caplog.clear()
    # Numbers that nobody compares need no word.
    as_seen(replace(images(5), class_names=("a", "b", "other")), spec)
    assert not caplog.text


def test_the_teachers_names_come_before_those_of_the_images() -> None:
    named = replace(images(5), class_names=("a", "b", "c"))
    assert class_names_of(TeacherSpec(SHAPE, CLASSES), named) == ("a", "b", "c")
    assert class_names_of(TeacherSpec(SHAPE, CLASSES, class_names=("x", "y", "z")), named) == ("x", "y", "z")
    assert class_names_of(TeacherSpec(SHAPE, CLASSES)) == ()
