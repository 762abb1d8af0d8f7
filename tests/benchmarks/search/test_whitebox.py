"""The yardstick agrees with closed forms, and what it calls across is across."""

import math

import pytest
import torch
from torch import nn

from benchmarks.search.whitebox import decoupled_minimum
from db3kd.boundary import Goals, Pairs
from db3kd.tensors import Float, Tensor

SHAPE = (1, 8, 8)


def linear_network(*, seed: int = 0, classes: int = 3) -> nn.Sequential:
    """Scores that are linear in the pixels, of whatever size, balanced in the middle of the bounds."""
    generator = torch.Generator().manual_seed(seed)
    layer = nn.Linear(64, classes)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(classes, 64, generator=generator))
        layer.bias.copy_(-layer.weight.sum(dim=1) / 2)
    return nn.Sequential(nn.Flatten(), layer)


def true_distances(network: nn.Sequential, images: Float[Tensor, "n c h w"], wanted: int) -> Float[Tensor, " n"]:
    """To where two classes tie: the distance to a half-space, if no bound is in the way."""
    layer = network[1]
    assert isinstance(layer, nn.Linear)
    normal = layer.weight[wanted] - layer.weight[1 - wanted]
    scores: Tensor = network(images).detach()
    distances: Tensor = (scores[:, 1 - wanted] - scores[:, wanted]) / normal.detach().norm()
    return distances


def images_near_the_middle(count: int) -> Float[Tensor, "n c h w"]:
    noise = torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(1))
    return 0.5 + 0.1 * noise.clamp(-1, 1)


def pairs_of(images: Float[Tensor, "n c h w"], goals: Goals) -> Pairs:
    return Pairs(images, torch.arange(len(images)), goals, torch.arange(len(images)))


@pytest.mark.parametrize("targeted", [True, False])
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_half_space_distance_is_met(targeted: bool, scale: float) -> None:
    # Rows for two calls; at a scale of 1,000 the cross-entropy's own gradient is zero in 32 bits.
    network = linear_network(classes=2)
    layer = network[1]
    assert isinstance(layer, nn.Linear)
    with torch.no_grad():
        layer.weight.mul_(scale)
        layer.bias.mul_(scale)
    images = images_near_the_middle(400)
    images = images[network(images).argmax(1) == 0]
    assert len(images) > 128
    classes = torch.ones(len(images), dtype=torch.int64)
    goals = Goals.reach(classes) if targeted else Goals.leave(classes - 1)

    found = decoupled_minimum(network, pairs_of(images, goals))

    expected = true_distances(network, images, wanted=1)
    assert (found.distances >= expected - 1e-4).all()
    torch.testing.assert_close(found.distances.mean(), expected.mean(), rtol=0.03, atol=0)
    torch.testing.assert_close(found.distances, expected, rtol=0.1, atol=0.01)


def test_points_are_across_within_the_bounds_and_as_far_as_said() -> None:
    network = linear_network(classes=3)
    images = torch.rand(20, *SHAPE, generator=torch.Generator().manual_seed(2))
    decisions = network(images).argmax(1)
    goals = Goals.reach((decisions + 1) % 3)

    found = decoupled_minimum(network, pairs_of(images, goals))

    assert found.distances.isfinite().all()
    assert (network(found.points).argmax(1) == goals.classes).all()
    assert (found.points >= 0).all()
    assert (found.points <= 1).all()
    torch.testing.assert_close((found.points - images).flatten(1).norm(dim=1), found.distances)


def test_a_class_that_does_not_exist_for_the_network_is_not_found() -> None:
    network = linear_network(classes=3)
    layer = network[1]
    assert isinstance(layer, nn.Linear)
    with torch.no_grad():
        layer.weight[2] = 0.0
        layer.bias[2] = -1e6
    images = torch.rand(3, *SHAPE)

    found = decoupled_minimum(network, pairs_of(images, Goals.reach(torch.full((3,), 2))))

    assert found.distances.isinf().all()
    assert found.points.isnan().all()


def test_the_network_is_left_as_it_was() -> None:
    network = linear_network()
    network.train()

    decoupled_minimum(network, pairs_of(torch.rand(2, *SHAPE), Goals.leave(torch.zeros(2, dtype=torch.int64))), steps=2)

    assert network.training
    assert all(weight.requires_grad and weight.grad is None for weight in network.parameters())


def test_more_steps_bring_it_nearer() -> None:
    network = linear_network(classes=2)
    images = images_near_the_middle(30)
    images = images[network(images).argmax(1) == 0]
    pairs = pairs_of(images, Goals.reach(torch.ones(len(images), dtype=torch.int64)))

    few, many = (decoupled_minimum(network, pairs, steps=steps).distances for steps in (10, 100))

    assert math.isfinite(float(many.sum()))
    assert (many <= few).float().mean() > 0.9
