"""Noise of each class is asked about and pushed from the boundary, and each query is booked by its stage."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from db3kd.errors import BudgetExhausted, InputError
from db3kd.pipeline.budget import Budget
from db3kd.pools import NoiseOptions
from db3kd.runs import Run
from db3kd.tensors import Float, Int, Tensor
from known_teachers import Constant, Counting, Sectors
from made_runs import PUSHED, SHAPE, push_noise, spent

CLASSES = 4


@dataclass
class Silent(Sectors):
    """Never says its last class."""

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        return super().__call__(images).clamp(max=self.classes - 2)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db3kd.pipeline.measure._MOST_IMAGES_PER_SHARD", 4)


def _teacher(*, levels: int | None = None) -> Silent:
    return Silent(shape=SHAPE, classes=CLASSES, levels=levels)


def test_it_books_what_the_teacher_saw_by_stage_and_names_the_class_that_never_showed_up(tmp_path: Path) -> None:
    teacher = Counting(_teacher())
    made = push_noise(tmp_path, teacher)
    with Run(tmp_path) as run:
        statement = run.statement()
    figures = made.figures
    assert statement.by_stage == figures.queries
    assert statement.total == teacher.rows
    # Every round was asked, since a class went without to the end.
    assert figures.queries["noise"] == sum(figures.noise_by_class) == 36
    assert figures.missing == (CLASSES - 1,)
    assert figures.starts_by_class == tuple(min(3, count) for count in figures.noise_by_class)
    assert figures.images_by_class == tuple(made.answers.histogram().tolist())
    assert torch.equal(made.answers.decisions, _teacher()(made.answers.images.images()))
    assert len(figures.distances) == 2
    strips, classes = made.pictures
    assert strips.shape[:2] == (len(classes), 3)


def test_noise_ends_as_soon_as_every_class_has_enough(tmp_path: Path) -> None:
    teacher = Counting(Sectors(shape=SHAPE, classes=2))
    pushed = replace(PUSHED, noise=NoiseOptions(images_per_class=2, rounds=50, images_per_round=10))
    figures = push_noise(tmp_path, teacher, pushed).figures
    assert min(figures.noise_by_class) >= 2
    assert figures.queries["noise"] < 100


def test_an_image_that_cannot_be_pushed_is_kept_once_since_its_class_was_paid(tmp_path: Path) -> None:
    # A step that is lost between two levels.
    stuck = replace(PUSHED, repulsion=replace(PUSHED.repulsion, step=1e-6))
    figures = push_noise(tmp_path, _teacher(levels=256), stuck).figures
    assert max(figures.pushes) == 0
    assert figures.images_by_class == figures.starts_by_class


def test_the_size_of_a_shard_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = push_noise(tmp_path / "small", _teacher())
    monkeypatch.setattr("db3kd.pipeline.measure._MOST_IMAGES_PER_SHARD", 100)
    assert push_noise(tmp_path / "large", _teacher()).answers.digest == first.answers.digest


def test_a_teacher_of_8_bit_images_gets_and_leaves_bytes(tmp_path: Path) -> None:
    images = push_noise(tmp_path, _teacher(levels=256)).answers.images
    assert images.pixels.dtype == torch.uint8
    assert len(images.pixels.flatten(1).unique(dim=0)) == len(images)


def test_a_teacher_of_one_class_has_no_boundary_and_the_answers_are_kept(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="all 36 images of noise in class 0"):
        push_noise(tmp_path, Constant(shape=SHAPE))
    assert len(list((tmp_path / "noise").iterdir())) == 3
    assert spent(tmp_path) == 36


def test_a_budget_that_ends_and_is_raised_goes_on_where_it_ended(tmp_path: Path) -> None:
    whole, teacher = Counting(_teacher()), Counting(_teacher())
    first = push_noise(tmp_path / "whole", whole)
    for budget in (Budget(stages={"noise": 20}), Budget(stages={"repulsion": 10})):
        with pytest.raises(BudgetExhausted):
            push_noise(tmp_path / "parts", teacher, budget=budget)
    some = push_noise(tmp_path / "parts", teacher, budget=Budget(whole.rows - 1))
    assert 0 < len(some.answers) < len(first.answers)
    assert push_noise(tmp_path / "parts", teacher).answers.digest == first.answers.digest
    assert teacher.rows == spent(tmp_path / "parts") == whole.rows
