"""What a worker reads is what was written for it, and it trains as it would be trained here, byte for byte."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from db3kd.context import Context
from db3kd.data.mapped import in_file
from db3kd.errors import ArtifactError, PlanError
from db3kd.models import build
from db3kd.scaling import worker
from db3kd.scaling.parcel import wrapped
from db3kd.training import Material, Objective, Recipe, TrainingState, fit
from made_jobs import MATERIAL, PIXELS, SHAPE
from made_networks import bytes_of

RECIPE = Recipe("adam", 1e-3, 3, 16, schedule="one-cycle")
ARCHITECTURE = "made_networks:two_layers"


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """As a worker has."""


def _prepared(folder: Path, material: Material = MATERIAL, recipe: Recipe = RECIPE) -> Path:
    own = folder / "own"
    own.mkdir()
    worker.write_material(folder / "material", material)
    asked = {"architecture": ARCHITECTURE, "num_classes": 3, "seed": 5, "input_shape": SHAPE, "path": []}
    job = {**asked, "recipe": asdict(recipe), "material": str(folder / "material")}
    (own / worker.JOB).write_text(json.dumps(job))
    return own


def _alone(states: list[TrainingState]) -> bytes:
    network = build(ARCHITECTURE, SHAPE, 3, seed=5)
    hear = lambda _, snapshot: states.append(snapshot())  # noqa: E731  # one line
    return bytes_of(fit(network, MATERIAL, RECIPE, context=Context(seed=5), on_epoch=hear))


def _done(own: Path) -> bytes:
    network = build(ARCHITECTURE, SHAPE, 3, bare=True)
    network.load_state_dict(dict(worker.read(own / worker.DONE).tensors))
    return bytes_of(network)


def test_material_comes_back_with_its_images_left_on_the_disk(tmp_path: Path) -> None:
    for number, material in enumerate((MATERIAL, Material(PIXELS, Objective(labels=torch.arange(60) % 3)))):
        worker.write_material(tmp_path / str(number), material)
        found = worker.read_material(tmp_path / str(number))
        assert in_file(found.pixels) is not None
        back, before = wrapped(found, named=True), wrapped(material, named=True)
        # Files have a name, whatever lay in memory.
        assert {**back.about, "files": ""} == {**before.about, "files": ""}
        assert torch.equal(found.pixels, material.pixels)
        assert back.tensors.keys() == before.tensors.keys() - {"pixels", "pool"}
        assert all(torch.equal(value, before.tensors[name]) for name, value in back.tensors.items())


def test_a_state_comes_back(tmp_path: Path) -> None:
    state = TrainingState(4, {"weight": torch.rand(2, 3), "steps": torch.tensor(7)})
    worker.write_state(tmp_path / "state", state)
    found = worker.read_state(tmp_path / "state")
    assert (found.epoch, found.tensors.keys()) == (4, state.tensors.keys())
    assert all(torch.equal(found.tensors[name], value) for name, value in state.tensors.items())


def test_a_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"no state")
    with pytest.raises(ArtifactError, match="train again"):
        worker.read_state(tmp_path / "state")


def test_it_trains_and_goes_on_as_here_and_says_each_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "SECONDS_BETWEEN_STATES", -1.0)
    states: list[TrainingState] = []
    alone, own = _alone(states), _prepared(tmp_path)
    said: list[Mapping[str, object]] = []
    worker.work(own, said.append)
    assert _done(own) == alone
    heard = [(dict(one["epoch"])["number"], one["state"]) for one in said]  # type: ignore[call-overload]  # of JSON
    # After the last epoch nothing is left to go on with.
    assert heard == [(1, True), (2, True), (3, False)]
    assert worker.read_state(own / worker.STATE).epoch == 2
    json.dumps(said)
    worker.write_state(own / worker.BEGUN, states[0])
    (own / worker.DONE).unlink()
    said.clear()
    worker.work(own, said.append)
    assert _done(own) == alone
    assert len(said) == 2


def test_a_state_is_not_written_after_each_short_epoch(tmp_path: Path) -> None:
    own, said = _prepared(tmp_path), list[Mapping[str, object]]()
    worker.work(own, said.append)
    assert [one["state"] for one in said] == [False] * 3
    assert not (own / worker.STATE).exists()


def test_what_a_training_refuses_is_raised(tmp_path: Path) -> None:
    own = _prepared(tmp_path, Material(PIXELS, Objective(labels=torch.arange(60))), replace(RECIPE, epochs=1))
    with pytest.raises(PlanError, match="labels from 0 to 59"):
        worker.work(own, lambda _: None)
    assert not (own / worker.DONE).exists()
