"""Rows of a comparison are trained alike, measured alike, and kept."""

from pathlib import Path

import pytest
import torch

from db3kd.answers import Answers
from db3kd.context import HERE
from db3kd.data import from_arrays
from db3kd.errors import InputError
from db3kd.models import build
from db3kd.pipeline.bought import Bought
from db3kd.pipeline.comparison import baselines, by_lesson, compare
from db3kd.pipeline.held_out import Measurer
from db3kd.pipeline.story import FixedLesson, Student
from db3kd.runs import Keeper, Run
from db3kd.softening import Inverse
from db3kd.training import Recipe

SHAPE, CLASSES = (1, 6, 6), 3
STUDENT = Student("made_networks:one_layer", Recipe("adam", 1e-2, epochs=2, batch_size=8))


def answers(count: int, *, labelled: bool = True) -> Answers:
    pixels = torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(count))
    images = from_arrays(pixels, torch.arange(count) % CLASSES if labelled else None, name=f"made{count}")
    decisions = (torch.arange(count) + 1) % CLASSES
    aside = torch.zeros(count, dtype=torch.bool)
    return Answers(images, decisions, ("images",) * count, CLASSES, aside)


def test_each_row_has_the_mean_of_its_seeds_and_is_trained_once(tmp_path: Path) -> None:
    rows = baselines(answers(12), build(STUDENT.architecture, SHAPE, CLASSES), FixedLesson(classes="true"), HERE)
    measurer = Measurer(answers(20), "cpu")
    with Run(tmp_path) as run:
        table = compare(Keeper(run), rows, measurer, STUDENT, seeds=(0, 1))
        lines = run.lines()
        assert compare(Keeper(run), rows, measurer, STUDENT, seeds=(0, 1)) == table
        assert run.lines() == lines
    assert [row.name for row in table] == ["true-labels", "hard-decisions", "smoothed-decisions", "logits"]
    assert [row.queries for row in table] == [0, 12, 12, 0]
    for row in table:
        assert row.seeds == (0, 1)
        assert row.accuracy == pytest.approx(sum(row.accuracy_by_seed) / 2)
        assert row.images == 12


def test_what_a_row_lacks_is_said() -> None:
    bought = answers(12)
    with pytest.raises(InputError, match="needs distances"):
        by_lesson("bd", Bought(bought, bought.take(torch.arange(0))), FixedLesson(Inverse()), HERE)
    network = build(STUDENT.architecture, SHAPE, CLASSES)
    with pytest.raises(InputError, match="'made12' has none"):
        baselines(answers(12, labelled=False), network, FixedLesson(classes="true"), HERE)


@pytest.mark.slow
def test_side_by_side_is_one_after_another_to_the_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = baselines(answers(12), build(STUDENT.architecture, SHAPE, CLASSES), FixedLesson(classes="true"), HERE)
    measurer = Measurer(answers(20), "cpu")
    with Run(tmp_path / "alone") as run:
        alone = compare(Keeper(run), rows, measurer, STUDENT, seeds=(0, 1))
    monkeypatch.setattr("db3kd.pipeline.learn._LONG", 1)
    monkeypatch.setattr("db3kd.pipeline.learn.count_cores", lambda: 2)
    with Run(tmp_path / "together") as run:
        assert compare(Keeper(run), rows[:1], measurer, STUDENT, seeds=(0, 1)) == alone[:1]
        # What is there is not trained again, and the others go on beside each other.
        assert compare(Keeper(run), rows, measurer, STUDENT, seeds=(0, 1)) == alone
    parts = sorted((tmp_path / "alone").rglob("*.safetensors"))
    assert len(parts) == 8
    for one in parts:
        assert one.read_bytes() == (tmp_path / "together" / one.relative_to(tmp_path / "alone")).read_bytes()
