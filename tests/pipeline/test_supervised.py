"""A network is trained on true labels in a run, goes on there, and is measured after its last epoch."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from db3kd.context import Context
from db3kd.data import Dataset, from_arrays
from db3kd.errors import InputError, PlanError, RunMismatch
from db3kd.models import weights
from db3kd.pipeline.supervised import FIGURES, Trained, train_on_labels
from db3kd.runs import Keeper, Run
from db3kd.training import Recipe

ARCHITECTURE = "made_networks:one_layer"
RECIPE = Recipe("adam", 0.05, epochs=8, batch_size=8)


def _images(count: int, *, seed: int = 0, class_names: tuple[str, ...] = ()) -> Dataset:
    """Two classes, dark and bright."""
    labels = torch.arange(count) % 2
    noise = torch.rand(count, 1, 3, 3, generator=torch.Generator().manual_seed(seed))
    return from_arrays(noise * 0.4 + 0.6 * labels[:, None, None, None], labels, name="lights", class_names=class_names)


def _train(folder: Path, images: Dataset, test: Dataset | None = None, **changes: object) -> Trained:
    recipe = replace(RECIPE, **changes)  # type: ignore[arg-type]  # of a recipe
    with Run(folder) as run:
        return train_on_labels(Keeper(run, Context(seed=3)), images, test, architecture=ARCHITECTURE, recipe=recipe)


def test_it_learns_and_is_measured_and_all_is_in_the_run(tmp_path: Path) -> None:
    trained = _train(tmp_path, _images(40), _images(20, seed=1))
    assert trained.test is not None
    assert (trained.test.images, trained.test.accuracy) == (20, 1.0)
    assert (trained.architecture, trained.parameters, trained.images, trained.epochs) == (ARCHITECTURE, 20, 40, 8)
    assert trained.last_loss is not None
    assert 0 < trained.last_loss < 0.5
    assert trained.seconds > 0
    assert json.loads((tmp_path / FIGURES).read_text()) == json.loads(json.dumps(trained.figures()))
    assert trained.figures()["format_version"] == 1
    network, header = weights.from_file(trained.weights)
    assert (header["architecture"], header["num_classes"]) == (ARCHITECTURE, "2")
    assert network(_images(2).images()).argmax(1).tolist() == [0, 1]


def test_done_once_it_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _train(tmp_path, _images(40))
    assert first.test is None
    monkeypatch.setattr("db3kd.pipeline.learn.fit", None)
    again = _train(tmp_path, _images(40))
    assert replace(again, seconds=first.seconds) == first
    with pytest.raises(RunMismatch, match="epochs"):
        _train(tmp_path, _images(40), epochs=9)
    with pytest.raises(RunMismatch, match="images"):
        _train(tmp_path, _images(40, seed=7))


def test_a_class_without_an_image_counts_where_it_has_a_name(tmp_path: Path) -> None:
    assert _train(tmp_path, _images(8, class_names=("dark", "bright", "other")), epochs=1).parameters == 30


def test_what_cannot_be_trained_is_refused_and_binds_no_run(tmp_path: Path) -> None:
    bare = from_arrays(_images(8).pixels, name="bare")
    with pytest.raises(InputError, match="bare has no labels"):
        _train(tmp_path / "run", bare)
    with Run(tmp_path / "run") as run, pytest.raises(PlanError, match="LeNet5 needs images"):
        train_on_labels(Keeper(run), _images(8), None, architecture="lenet5", recipe=RECIPE)
    assert not (tmp_path / "run").exists()
