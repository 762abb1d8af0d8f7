"""A synthesis that was interrupted anywhere ends as if it had not been, and no row of it is paid twice."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from db3kd.boundary import GuidedOptions
from db3kd.boundary.methods import GuidedDistance, SampleDistance
from db3kd.errors import ArtifactError, BudgetExhausted, InputError, RunMismatch, TeacherError
from db3kd.execution import Labelling
from db3kd.pipeline import Budget, Distillation, Priming, asking
from db3kd.pipeline.labelling import label
from db3kd.pipeline.lessons import lesson_costs
from db3kd.pipeline.noising import ask_noise
from db3kd.pipeline.synthesized import IMAGES, Synthesized, synthesized_images
from db3kd.pipeline.synthesizing import Pushing, synthesize
from db3kd.runs import Run
from db3kd.synthesis import NoiseOptions, Repulsion, draw_noise
from db3kd.teachers import Teacher
from db3kd.tensors import Float, Int, Tensor
from db3kd.training import Recipe, student_recipe
from known_teachers import Constant, Counting, Failing, HalfSpace, Sectors

PUSHING = Pushing(
    NoiseOptions(images_per_class=3, rounds=3, images_per_round=12),
    Repulsion(GuidedDistance(options=GuidedOptions(directions=6)), 20, 4, (2, 4)),
)
NO_LIMIT = Budget()
CLASSES = 4


@dataclass
class Silent(Sectors):
    """Never says its last class."""

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        return super().__call__(images).clamp(max=self.classes - 2)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_MOST_IMAGES_PER_SHARD", 4)


def _teacher(*, levels: int | None = None) -> Sectors:
    return Silent(shape=(1, 6, 6), classes=CLASSES, levels=levels)


def _make(folder: Path, teacher: Teacher, pushing: Pushing = PUSHING, *, budget: Budget = NO_LIMIT) -> Synthesized:
    with Run(folder) as run:
        return synthesize(run, teacher, pushing, budget=budget)


def _spent(folder: Path) -> int:
    with Run(folder) as run:
        return run.statement().total


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Counting]:
    """The bytes of a synthesis that ran through, and what its teacher saw."""
    folder, counting = tmp_path_factory.mktemp("runs") / "whole", Counting(_teacher())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "_MOST_IMAGES_PER_SHARD", 4)
        _make(folder, counting)
    return (folder / IMAGES).read_bytes(), counting


def test_it_books_what_the_teacher_saw_by_stage_and_names_the_class_that_never_showed_up(tmp_path: Path) -> None:
    counting = Counting(_teacher())
    made = _make(tmp_path, counting)
    with Run(tmp_path) as run:
        statement = run.statement()
    figures = made.figures
    assert statement.by_stage == figures.queries
    assert statement.total == counting.rows
    assert statement.unsettled == 0
    # Every round was asked, since a class went without to the end.
    assert figures.queries["noise"] == sum(figures.noise_by_class) == 36
    assert figures.missing == (CLASSES - 1,)
    assert figures.starts_by_class == tuple(min(3, count) for count in figures.noise_by_class)
    assert figures.images_by_class == tuple(2 * count for count in figures.starts_by_class)
    assert torch.equal(made.decisions, _teacher()(made.images.images()))
    assert len(figures.distances) == 4
    assert list(tmp_path.rglob("*.journal")) == []


def test_an_image_that_cannot_be_pushed_is_kept_once_since_its_class_was_paid(tmp_path: Path) -> None:
    # A step that is lost between two levels.
    stuck = replace(PUSHING, repulsion=replace(PUSHING.repulsion, step=1e-6))
    figures = _make(tmp_path, _teacher(levels=256), stuck).figures
    assert max(figures.pushes) == 0
    assert figures.images_by_class == figures.starts_by_class
    assert figures.missing == tuple(label for label, count in enumerate(figures.noise_by_class) if not count)


def test_noise_ends_as_soon_as_every_class_has_enough(tmp_path: Path) -> None:
    teacher = Counting(Sectors(shape=(1, 6, 6), classes=2))
    options = NoiseOptions(images_per_class=2, rounds=50, images_per_round=10)
    with Run(tmp_path) as run:
        answers = ask_noise(run, teacher, options, budget=NO_LIMIT)
        again = ask_noise(run, Failing(teacher, 1, lambda: AssertionError("asked")), options, budget=NO_LIMIT)
    assert torch.bincount(answers).min() >= 2
    assert len(answers) == teacher.rows < 100
    assert torch.equal(answers, again)
    noise = torch.cat([draw_noise(teacher.spec, options, number) for number in range(len(answers) // 10)])
    assert torch.equal(teacher.teacher(noise), answers)


def test_once_more_reads_the_file_and_asks_nothing(tmp_path: Path, uninterrupted: tuple[bytes, Counting]) -> None:
    first = _make(tmp_path, _teacher())
    again = _make(tmp_path, Failing(_teacher(), 1, lambda: AssertionError("the teacher was asked")))
    assert again.images.digest == first.images.digest
    assert again.figures == first.figures
    assert (tmp_path / IMAGES).read_bytes() == uninterrupted[0]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (1, lambda: TeacherError("gone")),
        (2, KeyboardInterrupt),
        (20, lambda: TeacherError("gone")),
        (-1, KeyboardInterrupt),
    ],
    ids=["noise", "more noise", "a search", "the last"],
)
def test_interrupted_at_any_call_and_resumed_it_is_byte_for_byte_the_same_and_no_row_is_paid_twice(
    tmp_path: Path, uninterrupted: tuple[bytes, Counting], call: int, error: Callable[[], BaseException]
) -> None:
    whole, seen = uninterrupted
    counting = Counting(_teacher())
    with pytest.raises((TeacherError, KeyboardInterrupt)):
        _make(tmp_path, Failing(counting, call % (seen.calls + 1), error))
    assert not (tmp_path / IMAGES).exists()
    lost = _spent(tmp_path) - counting.rows
    assert lost > 0
    _make(tmp_path, counting)
    assert (tmp_path / IMAGES).read_bytes() == whole
    assert counting.rows == seen.rows
    assert _spent(tmp_path) == seen.rows + lost


def test_a_budget_that_ends_and_is_raised_goes_on_where_it_ended(
    tmp_path: Path, uninterrupted: tuple[bytes, Counting]
) -> None:
    whole, seen = uninterrupted
    counting = Counting(_teacher())
    for budget in (Budget(stages={"noise": 20}), Budget(total=seen.rows // 2), Budget(stages={"repulsion": 50})):
        with pytest.raises(BudgetExhausted):
            _make(tmp_path, counting, budget=budget)
    _make(tmp_path, counting, budget=Budget(total=seen.rows))
    assert (tmp_path / IMAGES).read_bytes() == whole
    assert counting.rows == _spent(tmp_path) == seen.rows


def test_the_size_of_a_shard_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: tuple[bytes, Counting]
) -> None:
    monkeypatch.setattr(asking, "_MOST_IMAGES_PER_SHARD", 7)
    _make(tmp_path, _teacher())
    assert (tmp_path / IMAGES).read_bytes() == uninterrupted[0]


def test_labelling_them_in_the_same_run_pays_for_no_class_again_and_knows_what_the_images_cost(tmp_path: Path) -> None:
    counting = Counting(_teacher())
    made = _make(tmp_path, counting)
    paid = counting.rows
    with Run(tmp_path) as run:
        transfer = label(
            run, counting, synthesized_images(run), Labelling(SampleDistance(), 0), budget=Budget(total=paid)
        )
    assert counting.rows == paid
    assert torch.equal(transfer.decisions, made.decisions)
    assert lesson_costs(transfer, Distillation("lenet5-half", student_recipe("lenet5-half")))["hard-decisions"] == paid


def test_a_teacher_of_8_bit_images_gets_and_leaves_bytes(tmp_path: Path) -> None:
    made = _make(tmp_path, _teacher(levels=256))
    assert made.images.pixels.dtype == torch.uint8
    assert torch.equal(made.decisions, _teacher()(made.images.images()))
    assert len(made.images.pixels.flatten(1).unique(dim=0)) == len(made.images)


def test_primers_learn_from_the_noise_and_guide_the_search(tmp_path: Path) -> None:
    priming = Priming(
        Recipe("adam", 1e-2, 4, 16), "made_networks:two_layers", 1, mixtures_per_image=0.0, name="noise-primer"
    )
    counting = Counting(_teacher())
    made = _make(tmp_path, counting, replace(PUSHING, priming=priming))
    assert made.figures.queries["noise-primer"] == 0
    assert counting.rows == sum(made.figures.queries.values())
    assert (tmp_path / "noise-primer-0.safetensors").exists()
    unguided = _make(tmp_path / "unguided", _teacher())
    assert made.images.digest != unguided.images.digest


def test_a_teacher_of_one_class_has_no_boundary_and_the_answers_are_kept(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="all 36 images of noise in class 0"):
        _make(tmp_path, Constant(shape=(1, 6, 6)))
    assert (tmp_path / "noise.safetensors").exists()
    assert _spent(tmp_path) == 36


def test_other_bounds_than_those_of_images_are_refused_before_a_query(tmp_path: Path) -> None:
    teacher = Counting(HalfSpace())
    with pytest.raises(InputError, match="bounds"):
        _make(tmp_path, teacher)
    assert teacher.rows == 0


def test_another_way_is_refused_whether_the_first_is_finished_or_not(tmp_path: Path) -> None:
    other = replace(PUSHING, repulsion=replace(PUSHING.repulsion, step=0.25))
    with pytest.raises(KeyboardInterrupt):
        _make(tmp_path, Failing(_teacher(), 40, KeyboardInterrupt))
    with pytest.raises(ArtifactError):
        _make(tmp_path, _teacher(), other)
    _make(tmp_path, _teacher())
    with pytest.raises(RunMismatch, match="pushing"):
        _make(tmp_path, _teacher(), other)
    with pytest.raises(RunMismatch, match="other noise"), Run(tmp_path) as run:
        ask_noise(run, _teacher(), replace(PUSHING.noise, seed=1), budget=NO_LIMIT)


def test_a_run_that_holds_decisions_of_other_images_is_refused_before_a_query(tmp_path: Path) -> None:
    made = _make(tmp_path / "made", _teacher())
    teacher = Counting(_teacher())
    with Run(tmp_path / "other") as run:
        label(run, _teacher(), made.images, Labelling(SampleDistance(), 0), budget=NO_LIMIT)
    with pytest.raises(RunMismatch, match="not made in it"):
        _make(tmp_path / "other", teacher)
    assert teacher.rows == 0


def test_an_edited_shard_is_named_and_alone_is_paid_again_when_deleted(
    tmp_path: Path, uninterrupted: tuple[bytes, Counting]
) -> None:
    counting = Counting(_teacher())
    _make(tmp_path, counting)
    paid = counting.rows
    (tmp_path / IMAGES).unlink()
    shard = tmp_path / "repulsion-shards" / "00001.shard"
    content = bytearray(shard.read_bytes())
    content[-3] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"00001\.shard"):
        _make(tmp_path, counting)
    assert counting.rows == paid
    shard.unlink()
    _make(tmp_path, counting)
    assert (tmp_path / IMAGES).read_bytes() == uninterrupted[0]
    assert paid < counting.rows < 2 * paid


def test_a_shard_that_was_made_in_another_way_is_refused_before_a_query(tmp_path: Path) -> None:
    counting = Counting(_teacher())
    _make(tmp_path, counting)
    paid = counting.rows
    (tmp_path / IMAGES).unlink()
    other = replace(PUSHING, repulsion=replace(PUSHING.repulsion, steps=2, keep=(2,)))
    with pytest.raises(RunMismatch, match=r"00000\.shard was made by another plan"):
        _make(tmp_path, counting, other)
    assert counting.rows == paid
