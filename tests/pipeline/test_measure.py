"""Distances are measured shard by shard: their number changes nothing, and what is left out has none."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from db3kd.acquisition import Step
from db3kd.boundary import OWN_CLASS, Measurement, Outcome, SampleDistance
from db3kd.pipeline.ask_pool import AskPool
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.measure import EXAMPLES, Measured, MeasureDistances, images_per_shard, outline_of
from db3kd.pipeline.tell import buy
from db3kd.pools import ImagePool
from db3kd.runs import Run
from made_runs import BD, CLASSES, SHAPE, Small, images, keeper_of, spent, stories, story


def _measure(folder: Path, teacher: Small, measurement: Measurement = BD, *, total: int | None = None) -> Measured:
    with Run(folder) as run:
        keeper = keeper_of(run)
        described = story(teacher, pool=ImagePool(images(labelled=True)))
        answers = keeper.perform(AskPool(described, 0, (Step("lot", 24),))).answers
        return keeper.perform(MeasureDistances(teacher, answers, measurement, guide=None, budget=Budget(total), seed=0))


def _shards(patch: pytest.MonkeyPatch, images: int) -> None:
    patch.setattr("db3kd.pipeline.measure._MOST_IMAGES_PER_SHARD", images)


def test_the_size_of_a_shard_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for size in (100, 7):
        _shards(monkeypatch, size)
        found.append(_measure(tmp_path / str(size), Small()))
    for name, values in found[0].distances.tensors().items():
        assert torch.equal(values, found[1].distances.tensors()[name])
    assert len(found[0].points) == 24
    assert len(found[1].points) == 7, "only the first shard keeps pictures"
    assert EXAMPLES >= 24


def test_the_teachers_class_is_the_own_class_whatever_the_labels_say(tmp_path: Path) -> None:
    """In the reference implementation the own class is the data set's label."""
    teacher = Small()
    distances = _measure(tmp_path, teacher).distances
    decisions = Small()(images().images())
    assert not torch.equal(decisions, torch.arange(24) % CLASSES)
    own = torch.nn.functional.one_hot(decisions, CLASSES).bool()
    assert torch.equal(distances.distances.isinf(), own)
    assert torch.equal(distances.outcomes == OWN_CLASS, own)
    assert distances.cost == teacher.rows - 24 == spent(tmp_path) - 24
    assert list(distances.snapshots) == [10]


def test_what_a_budget_leaves_out_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _shards(monkeypatch, 8)
    found = _measure(tmp_path, Small(), total=24 + 400)
    assert not found.whole
    assert len(found.distances) == 24
    distances, outcomes = found.distances.distances[-8:], found.distances.outcomes[-8:]
    assert distances.isinf().all()
    assert set(outcomes.unique().tolist()) == {OWN_CLASS, int(Outcome.BUDGET)}
    assert found.distances.snapshots[10][-8:].isinf().all()
    assert found.distances.distances[:8].isfinite().any()
    assert _measure(tmp_path, Small()).whole


def test_the_sample_distance_costs_nothing(tmp_path: Path) -> None:
    teacher = Small()
    found = _measure(tmp_path, teacher, Measurement(SampleDistance(), 0), total=24)
    assert found.whole
    assert teacher.rows == 24
    assert outline_of(24, SHAPE, CLASSES, Measurement(SampleDistance(), 0)).queries == 0


def test_a_committee_guides_and_its_passes_are_counted(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        first = buy(stories(Small())["guided"], keeper_of(run)).measured
        again = buy(stories(Small())["guided"], keeper_of(run)).measured
    assert first is not None
    assert again is not None
    assert first.passes == again.passes > 0
    assert first.seconds == again.seconds > 0


def test_a_shard_is_large_enough_and_fits_into_memory() -> None:
    assert images_per_shard((1, 28, 28), 10) == 512
    assert images_per_shard((3, 224, 224), 1000) == 1
    outline = outline_of(1000, (1, 28, 28), 10, replace(BD, queries_per_pair=12, snapshots=()))
    assert [part.queries for part in outline.parts] == [512 * 9 * 12, 488 * 9 * 12]
    assert outline_of(0, (1, 28, 28), 10, BD).parts == ()
