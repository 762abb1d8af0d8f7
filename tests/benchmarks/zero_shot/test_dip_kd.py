"""Images in DIP-KD's style: of the right shape, and less alike once they were spread."""

import pytest
import torch

from benchmarks.zero_shot.dip_kd import draw_priors, spread
from made_networks import two_layers


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 12)])
def test_spreading_sets_images_apart_as_a_network_sees_them(shape: tuple[int, int, int]) -> None:
    def crowding(pixels: torch.Tensor) -> float:
        flatten, first, bend, _ = network.children()
        features = torch.nn.functional.normalize(bend(first(flatten(pixels.float() / 255))), dim=1)
        return float((features @ features.T).detach().mean())

    generator = torch.Generator().manual_seed(0)
    network = two_layers(input_shape=shape, num_classes=3)
    before = draw_priors(300, shape, generator)
    apart = spread(network, before, generator)
    assert before.shape == apart.shape == (300, *shape)
    assert crowding(apart) < 0.95 * crowding(before)
