"""Images that nobody asked about teach what answers do not; interrupted, it is the same to the byte."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import safetensors.torch
import torch

from db3kd.errors import ArtifactError
from db3kd.evaluation import predict
from db3kd.models import build
from db3kd.training import Material, Objective, Recipe, TrainingState, Unasked, Views, fit
from db3kd.training.consistency import Consistency
from db3kd.training.learners import Alone
from made_networks import bytes_of

SHAPE = (1, 16, 16)
RECIPE = Recipe("adam", 3e-3, 4, 16, schedule="one-cycle")
VIEWS = Views({"shift": 0.05}, {"shift": 0.1, "noise": 0.1, "brightness": 0.3})


def _pool(count: int = 400) -> tuple[torch.Tensor, torch.Tensor]:
    """Two classes: a square above or below, anywhere across, in noise."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(count) % 2
    pixels = torch.randint(0, 90, (count, *SHAPE), dtype=torch.uint8, generator=generator)
    columns = torch.randint(0, 12, (count,), generator=generator).tolist()
    for row, (label, column) in enumerate(zip(labels.tolist(), columns, strict=True)):
        top = 2 + 8 * label
        pixels[row, 0, top : top + 4, column : column + 4] += 60
    return pixels, labels


def _material(labelled: int, *, for_each: int = 3, per_epoch: int = 64) -> Material:
    pixels, labels = _pool()
    unasked = Unasked(pixels, torch.arange(labelled, len(pixels)), torch.full((2,), 0.5), labelled, for_each)
    objective = Objective(labels=labels[:labelled], smoothing=0.05)
    return Material(pixels[:labelled], objective, per_epoch, VIEWS, unasked)


def test_what_is_learned_from_the_pool_is_more_than_the_answers_tell() -> None:
    pixels, labels = _pool()
    network, recipe = build("lenet5-fifth", SHAPE, 2, seed=1), replace(RECIPE, epochs=16)
    alone = fit(network, replace(_material(4), unasked=None, views=None), recipe)
    together = fit(network, _material(4), recipe)
    scores = [(predict(one, pixels[4:]) == labels[4:]).float().mean().item() for one in (alone, together)]
    assert scores[1] > scores[0] + 0.05


@pytest.mark.parametrize("architecture", ["lenet5-fifth", "alexnet-quarter"])
def test_resumed_equals_uninterrupted(architecture: str) -> None:
    material, network = _material(16, per_epoch=32), build(architecture, SHAPE, 2)
    states: list[TrainingState] = []
    whole = fit(network, material, RECIPE, on_epoch=lambda _, snapshot: states.append(snapshot()))
    for state in states[:-1]:
        kept = TrainingState(state.epoch, safetensors.torch.load(safetensors.torch.save(state.tensors)))
        assert bytes_of(fit(network, material, RECIPE, resume=kept)) == bytes_of(whole)


def test_the_running_mean_is_what_is_kept() -> None:
    material, network = _material(16, per_epoch=32), build("lenet5-fifth", SHAPE, 2)
    states: list[TrainingState] = []
    trained = fit(network, material, RECIPE, on_epoch=lambda _, snapshot: states.append(snapshot()))
    kept = states[-1].tensors
    for name, value in trained.state_dict().items():
        assert torch.equal(value, kept[f"average/{name}"])
        assert not torch.equal(value, kept[f"module/{name}"])
    assert not trained.training


def test_a_state_without_the_running_mean_is_refused() -> None:
    material, network = _material(16, per_epoch=32), build("lenet5-fifth", SHAPE, 2)
    states: list[TrainingState] = []
    fit(network, replace(material, unasked=None), RECIPE, on_epoch=lambda _, snapshot: states.append(snapshot()))
    with pytest.raises(ArtifactError, match="running mean"):
        fit(network, material, RECIPE, resume=states[0])


def test_targets_are_shared_out_as_the_classes_are() -> None:
    pixels, _ = _pool()
    network = build("lenet5-fifth", SHAPE, 2).eval()
    with torch.no_grad():
        # It says class 0 of everything.
        network.get_parameter("classifier.2.bias").copy_(torch.tensor([4.0, 0.0]))
    shares = torch.tensor([0.2, 0.8])
    for certainty, least in ((10**6, 0.5), (0, 0.0)):
        unasked = Unasked(pixels, torch.arange(len(pixels)), shares, certainty)
        consistency = Consistency(network, Alone(0), unasked, VIEWS, torch.device("cpu"))
        for _ in range(300):
            generator = torch.Generator().manual_seed(0)
            (images,), (targets,) = consistency.views(torch.arange(32)[None], [generator], nullcontext())
        assert images.shape == (32, *SHAPE)
        assert torch.allclose(targets.sum(dim=1), torch.ones(32), atol=1e-5)
        assert targets.mean(dim=0)[1] >= least
        if not certainty:
            assert targets.mean(dim=0)[1] < 0.1, "few answers are no reason to doubt the network"


def test_the_running_mean_has_the_batch_norm_of_the_weights_that_it_holds() -> None:
    pixels, _ = _pool(32)
    unasked = Unasked(pixels, torch.arange(32), torch.full((2,), 0.5), 8)
    network = build("residual-half", SHAPE, 2)
    consistency = Consistency(network, Alone(0), unasked, VIEWS, torch.device("cpu"))
    before = consistency.average.get_buffer("stem.1.running_mean").clone()
    with torch.no_grad():
        network.train()(torch.rand(8, *SHAPE))
    consistency.follow()
    now, mean = network.get_buffer("stem.1.running_mean"), consistency.average.get_buffer("stem.1.running_mean")
    assert torch.allclose(mean, torch.lerp(before, now, 1 - 1 / 11))
    assert consistency.average.get_buffer("stem.1.num_batches_tracked") == 1


def test_each_image_has_its_turn() -> None:
    pixels, _ = _pool()
    unasked = Unasked(pixels, torch.arange(100, 130), torch.full((2,), 0.5), 8)
    consistency = Consistency(build("lenet5-fifth", SHAPE, 2), Alone(0), unasked, VIEWS, torch.device("cpu"))
    seen = torch.cat([consistency.rows(5, epoch)[0] for epoch in range(2)])
    assert sorted(seen.tolist()) == list(range(100, 130))
