"""Families without objects fill the whole image, each with its own kind of noise."""

import pytest
import torch

from db3kd.pools.priors import noise
from db3kd.pools.priors.fields import Dice
from db3kd.pools.priors.noise import fractals, multiscale_noise, patchworks, uniform_noise
from db3kd.tensors import Float, Tensor
from made_answers import seeded

SHAPE = (3, 12, 16)


def _rough(images: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """How much neighbours differ, as a share of what any two pixels do: about 1 where each is drawn by itself."""
    return images.diff(dim=3).square().mean(dim=(1, 2, 3)) / (2 * images.flatten(2).var(dim=2).mean(dim=1) + 1e-9)


@pytest.mark.parametrize("draw", [uniform_noise, multiscale_noise, fractals, patchworks])
@pytest.mark.parametrize("shape", [(1, 8, 8), SHAPE])
def test_images_are_in_bounds_and_of_the_shape(draw: object, shape: tuple[int, int, int]) -> None:
    assert callable(draw)
    images = draw(shape, Dice(40, seeded()))
    assert images.shape == (40, *shape)
    assert 0 <= images.min() < images.max() <= 1
    assert len(images.flatten(1).unique(dim=0)) == 40


def test_uniform_noise_fills_a_random_part_of_the_range_pixel_by_pixel() -> None:
    images = uniform_noise((1, 24, 24), Dice(200, seeded()))
    assert (_rough(images) - 1).abs().max() < 0.25
    low, high = images.flatten(1).aminmax(dim=1)
    # Two ends at random lie a third of the range apart.
    assert (high - low).mean() == pytest.approx(1 / 3, abs=0.05)
    assert torch.allclose(images.flatten(1).mean(dim=1), (low + high) / 2, atol=0.03)


def test_noise_of_several_scales_is_smoother_before_it_is_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "smooth_masks", lambda size, dice: torch.zeros(dice.count, *size))
    rough = _rough(multiscale_noise((1, 24, 24), Dice(200, seeded())))
    assert rough.median() < 0.6
    assert rough.max() > 0.8


def test_fractals_are_gray_in_part_and_of_one_channel_too() -> None:
    images = fractals(SHAPE, Dice(300, seeded()))
    assert _rough(images).median() < 0.6
    flat = images.flatten(2) - images.flatten(2).mean(dim=2, keepdim=True)
    alike = torch.cosine_similarity(flat[:, 0], flat[:, 1], dim=1)
    # From channels that share one field to channels with a field each.
    assert alike.max() > 0.95
    assert alike.min() < 0.2
    assert fractals((1, 8, 8), Dice(5, seeded())).shape == (5, 1, 8, 8)
