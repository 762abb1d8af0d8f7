"""Networks that learn side by side are byte for byte those that learn one after another, and go on as they do."""

import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from db3kd.context import Context
from db3kd.data.mapped import map_file
from db3kd.errors import Db3kdError, PlanError
from db3kd.models import build
from db3kd.models.placement import one_thread
from db3kd.scaling import Job, train_side_by_side
from db3kd.training import Epoch, Material, Objective, Recipe, TrainingState, fit
from made_jobs import JOBS, MATERIAL, PIXELS, SHAPE

RECIPE = Recipe("adam", 1e-3, 3, 16, schedule="one-cycle")


@pytest.mark.slow
def test_a_pool_in_a_file_is_learned_as_one_in_memory(tmp_path: Path) -> None:
    (tmp_path / "pool").write_bytes(PIXELS.numpy().tobytes())
    pool = map_file((tmp_path / "pool").open("rb"), tuple(PIXELS.shape), "uint8")
    assert MATERIAL.unasked is not None
    there = replace(MATERIAL, unasked=replace(MATERIAL.unasked, pixels=pool))
    together = train_side_by_side(JOBS, [(there, RECIPE)] * 2, cores=2, hear=lambda *_: None)
    with one_thread():
        for job, network in zip(JOBS, together, strict=True):
            alone = _alone(job, [])
            assert all(torch.equal(alone.state_dict()[name], value) for name, value in network.state_dict().items())


def _alone(job: Job, states: list[TrainingState]) -> nn.Module:
    """Train one here, and gather its states."""
    network, context = build(job.architecture, SHAPE, 3, seed=job.seed), Context(seed=job.seed)
    return fit(network, MATERIAL, RECIPE, context=context, on_epoch=lambda _, snapshot: states.append(snapshot()))


@pytest.mark.slow
def test_side_by_side_is_one_after_another_to_the_byte() -> None:
    heard: list[tuple[int, int]] = []
    lock = threading.Lock()

    def hear(number: int, epoch: Epoch, state: object) -> None:
        with lock:
            heard.append((number, epoch.number))

    together = list(train_side_by_side(JOBS, [(MATERIAL, RECIPE)] * 2, cores=2, hear=hear))
    assert sorted(heard) == [(number, epoch) for number in (0, 1) for epoch in (1, 2, 3)]
    with one_thread():
        for job, network in zip(JOBS, together, strict=True):
            states: list[TrainingState] = []
            alone = _alone(job, states)
            assert all(torch.equal(one, network.state_dict()[name]) for name, one in alone.state_dict().items())
    begun = Job(job.architecture, 3, job.seed, states[0])
    (resumed,) = train_side_by_side([begun], [(MATERIAL, RECIPE)], cores=1, hear=hear)
    assert all(torch.equal(one, network.state_dict()[name]) for name, one in resumed.state_dict().items())
    assert heard[6:] == [(0, 2), (0, 3)]


@pytest.mark.slow
def test_what_a_training_refuses_is_raised_here() -> None:
    wrong = Material(PIXELS, Objective(labels=torch.arange(60)))
    with pytest.raises(PlanError, match="labels from 0 to 59"):
        list(train_side_by_side(JOBS, [(wrong, RECIPE)] * 2, cores=2, hear=lambda *_: None))


def test_a_process_that_dies_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "false")
    with pytest.raises(Db3kdError, match="ended with 1"):
        list(train_side_by_side(JOBS[:1], [(MATERIAL, RECIPE)], cores=1, hear=lambda *_: None))


@pytest.mark.slow
def test_a_process_takes_one_network_after_another_and_each_may_learn_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started, brief = list[object](), replace(RECIPE, epochs=1)
    start = subprocess.Popen

    def counted(*arguments: Any, **options: Any) -> "subprocess.Popen[str]":
        started.append(arguments)
        return start(*arguments, **options)

    monkeypatch.setattr("subprocess.Popen", counted)
    other = Material(PIXELS[20:], Objective(labels=torch.arange(40) % 3))
    wrong = Material(PIXELS, Objective(labels=torch.arange(60)))
    jobs, lessons = [*JOBS, *JOBS], [(MATERIAL, RECIPE), (other, brief), (other, brief), (wrong, brief)]
    networks = train_side_by_side(jobs, lessons, cores=1, hear=lambda *_: None)
    with one_thread():
        for job, (material, recipe) in zip(jobs[:3], lessons, strict=False):
            alone = fit(
                build(job.architecture, SHAPE, 3, seed=job.seed), material, recipe, context=Context(seed=job.seed)
            )
            trained = next(networks)
            assert all(torch.equal(trained.state_dict()[name], one) for name, one in alone.state_dict().items())
    with pytest.raises(PlanError, match="labels from 0 to 59"):
        next(networks)
    assert len(started) == 1


@pytest.mark.slow
def test_an_iterator_that_is_closed_ends_what_is_not_done() -> None:
    begun, long = threading.Event(), replace(RECIPE, epochs=10**6)
    lessons = [(MATERIAL, RECIPE), (MATERIAL, long)]

    def hear(number: int, *_: object) -> None:
        if number:
            begun.set()

    networks = train_side_by_side(JOBS, lessons, cores=2, hear=hear)
    next(networks)
    assert begun.wait(60)
    networks.close()
    assert next(networks, None) is None
