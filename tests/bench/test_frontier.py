from pathlib import Path

import pytest
import torch

from db3kd.bench.frontier import FrontierOptions, measure_frontier, read_bought
from db3kd.boundary.methods import BoundaryDistance, GuidedDistance, SampleDistance
from db3kd.data import Dataset, from_arrays
from db3kd.errors import InputError
from db3kd.execution import Labelling
from db3kd.models import build
from db3kd.pipeline import Budget, Distillation, Priming
from db3kd.pipeline.labelling import label
from db3kd.runs import Run
from db3kd.teachers import TorchTeacher
from db3kd.training import Recipe

CLASSES = 3


def _images(count: int, *, labelled: bool = True) -> Dataset:
    pixels = torch.rand(count, 1, 16, 16, generator=torch.Generator().manual_seed(count))
    labels = torch.arange(count) % CLASSES if labelled else None
    return from_arrays(pixels, labels, name=f"made{count}", class_names=("a", "b", "c"))


@pytest.fixture
def network() -> torch.nn.Module:
    return build("lenet5", (1, 16, 16), CLASSES, seed=3)


def _bought(folder: Path, network: torch.nn.Module, images: Dataset) -> list[Path]:
    teacher = TorchTeacher(network, input_shape=(1, 16, 16), num_classes=CLASSES)
    methods = (Labelling(SampleDistance(), 0), Labelling(BoundaryDistance(2), 40))
    for how in methods:
        with Run(folder / how.method.name) as run:
            label(run, teacher, images, how, budget=Budget())
    return [folder / how.method.name for how in methods]


def _learning() -> list[Distillation]:
    return [Distillation("lenet5-fifth", Recipe("adam", 1e-3, epochs=1, batch_size=16))]


def test_every_method_stands_beside_its_baselines_with_what_it_cost(tmp_path: Path, network: torch.nn.Module) -> None:
    bought = read_bought(_bought(tmp_path, network, _images(24)))
    with Run(tmp_path / "frontier") as run:
        table = measure_frontier(run, bought, network, _images(30), _learning(), options=FrontierOptions(seeds=(0, 1)))
        lines = run.lines()
        again = measure_frontier(run, bought, network, _images(30), _learning(), options=FrontierOptions(seeds=(0, 1)))
        assert run.lines() == lines, "a finished student was trained again"
        assert run.statement().total == 0
        assert run.statement().held_out == {"held-out": 30}
    assert again == table
    costs = {row.method: row.queries_per_image for row in table.rows}
    baselines = ["true-labels", "hard-decisions", "smoothed-decisions", "logits"]
    assert list(costs) == [*baselines, "sd", "bd", "sd-proportional", "bd-proportional"]
    assert costs["true-labels"] == costs["logits"] == 0
    assert costs["hard-decisions"] == costs["sd"] == 1
    assert costs["bd"] == 1 + int(bought[1].transfer.queries.sum()) / 24
    assert all(len(row.accuracy_by_seed) == 2 and row.images == 24 for row in table.rows)
    for row in table.rows:
        assert row.accuracy_mean == pytest.approx(sum(row.accuracy_by_seed) / 2)


def test_primers_and_their_mixtures_have_rows_that_pay_for_no_distance(
    tmp_path: Path, network: torch.nn.Module
) -> None:
    priming = Priming(Recipe("adam", 1e-3, epochs=1, batch_size=16), "lenet5-fifth", networks=1, subspace=4)
    with Run(tmp_path / "guided") as run:
        teacher = TorchTeacher(network, input_shape=(1, 16, 16), num_classes=CLASSES)
        how = Labelling(GuidedDistance(), 12)
        label(run, teacher, _images(24), how, budget=Budget(), priming=priming)
    with Run(tmp_path / "frontier") as run:
        bought, options = read_bought([tmp_path / "guided"]), FrontierOptions(seeds=(0,), softenings=("primers",))
        table = measure_frontier(run, bought, network, _images(30), _learning(), options=options)
    rows = {row.method: row for row in table.rows}
    assert list(rows)[-3:] == ["mixtures", "primers", "primers-and-mixtures"]
    for row in table.rows[-3:]:
        assert (row.queries_per_image, row.images) == (3, 24)


def test_methods_on_other_images_have_baselines_of_their_own(tmp_path: Path, network: torch.nn.Module) -> None:
    few = read_bought(_bought(tmp_path / "few", network, _images(24))[:1])
    many = read_bought(_bought(tmp_path / "many", network, _images(40))[:1])
    with Run(tmp_path / "frontier") as run:
        table = measure_frontier(
            run, (*few, *many), network, _images(30), _learning(), options=FrontierOptions(seeds=(0,))
        )
    baselines = [(row.images, row.method) for row in table.rows if row.method in ("true-labels", "hard-decisions")]
    assert baselines == [(24, "true-labels"), (24, "hard-decisions"), (40, "true-labels"), (40, "hard-decisions")]
    assert all(row.accuracy_std is None for row in table.rows)


def test_an_unfinished_labelling_and_unlabelled_images_are_refused(tmp_path: Path, network: torch.nn.Module) -> None:
    with pytest.raises(InputError, match="holds no transfer"):
        read_bought([tmp_path / "nothing"])
    unlabelled = read_bought(_bought(tmp_path, network, _images(24, labelled=False))[:1])
    with Run(tmp_path / "frontier") as run, pytest.raises(InputError, match="these images have none"):
        measure_frontier(run, unlabelled, network, _images(30), _learning(), options=FrontierOptions(seeds=(0,)))
