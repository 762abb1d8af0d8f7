"""LeNet5 and AlexNet have the paper's sizes at any width, and take any image that leaves something to pool."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from db3kd.errors import PlanError
from db3kd.models import ARCHITECTURES, AlexNet, LeNet5, build, parameter_count


@pytest.mark.parametrize(
    ("architecture", "count"), [("lenet5", 187_780), ("lenet5-half", 47_645), ("lenet5-fifth", 7_964)]
)
def test_lenets_have_the_papers_sizes(architecture: str, count: int) -> None:
    assert parameter_count(build(architecture, (1, 28, 28), 10)) == count


@pytest.mark.parametrize(("architecture", "divisor"), [("alexnet", 1), ("alexnet-half", 2), ("alexnet-quarter", 4)])
def test_alexnets_have_the_sizes_of_their_widths(architecture: str, divisor: int) -> None:
    widths = [3, *(full // divisor for full in (64, 192, 384, 256, 256))]
    hidden = 4096 // divisor
    convolutions = sum(9 * i * o + 3 * o for i, o in pairwise(widths))
    dense = sum(i * hidden + 3 * hidden for i in (widths[-1] * 4, hidden))
    assert parameter_count(build(architecture, (3, 32, 32), 10)) == convolutions + dense + hidden * 10 + 10


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name != "alexnet"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 17, 40)])
def test_any_image_that_pooling_allows(architecture: str, shape: tuple[int, int, int]) -> None:
    module = build(architecture, shape, 7).eval()
    assert module(torch.zeros(2, *shape)).shape == (2, 7)


@pytest.mark.parametrize(("network", "smallest"), [(LeNet5, 16), (AlexNet, 15)])
def test_smallest_image(network: type[nn.Module], smallest: int) -> None:
    options = {"divisor": 16} if network is AlexNet else {}
    assert network((1, smallest, smallest), 3, **options).eval()(torch.zeros(1, 1, smallest, smallest)).shape == (1, 3)
    with pytest.raises(PlanError, match=f"at least {smallest}x{smallest} pixels, got 28x{smallest - 1}"):
        network((1, 28, smallest - 1), 3, **options)


def test_widths_are_those_of_the_convolutions_and_the_dense_layer() -> None:
    network = LeNet5((1, 16, 16), 3, widths=(2, 3, 5))
    shapes = [tuple(one.shape) for one in network.parameters() if one.ndim > 1]
    assert shapes == [(2, 1, 5, 5), (3, 2, 5, 5), (5, 3), (3, 5)]


def test_logits_may_be_negative_and_depend_on_the_image() -> None:
    images = torch.rand(8, 1, 16, 16)
    for network in (LeNet5((1, 16, 16), 6, widths=(2, 3, 5)), AlexNet((1, 16, 16), 6, divisor=16)):
        logits = network.eval()(images)
        assert logits.min() < 0
        assert (logits[0] - logits[1]).abs().max() > 0


@pytest.mark.parametrize("divisor", [0, 65])
def test_a_divisor_that_leaves_no_width_is_refused(divisor: int) -> None:
    with pytest.raises(PlanError, match="divisor"):
        AlexNet((1, 32, 32), 10, divisor=divisor)
