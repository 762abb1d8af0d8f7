"""Random numbers in their bounds, coordinates of centres, and fields of mean 0 and deviation 1."""

import pytest
import torch

from db3kd.pools.priors.fields import Dice, coarse_fields, coordinates, fractal_fields, standardised
from made_answers import seeded


def _dice(count: int = 2_000, seed: int = 0) -> Dice:
    return Dice(count, seeded(seed))


def test_coordinates_are_those_of_the_centres_of_pixels() -> None:
    at = coordinates((2, 4))
    assert (at.y.shape, at.x.shape) == ((1, 2, 1), (1, 1, 4))
    assert at.y.flatten().tolist() == [-0.5, 0.5]
    assert at.x.flatten().tolist() == [-0.75, -0.25, 0.25, 0.75]


def test_dice_keep_to_their_bounds_and_reach_them() -> None:
    dice = _dice()
    assert dice.rand(3, 2).shape == (2_000, 3, 2)
    number = dice.between(-2.0, 6.0)
    assert number.shape == (2_000, 1, 1)
    assert -2 <= number.min() < -1.9
    assert 5.9 < number.max() <= 6
    assert number.mean() == pytest.approx(2, abs=0.2)
    assert dice.whole(1, 4).bincount().tolist() == pytest.approx([0, 500, 500, 500, 500], abs=80)
    assert dice.chance(0.3).float().mean() == pytest.approx(0.3, abs=0.04)
    assert not dice.chance(0.0).any()
    assert dice.chance(1.0).all()


def test_a_flat_field_becomes_zero_and_others_lose_offset_and_scale() -> None:
    fields = torch.rand(3, 5, 4, generator=seeded())
    fields[1] = 0.5
    found = standardised(fields)
    assert (found[1] == 0).all()
    assert torch.allclose(standardised(fields * 9 - 4)[[0, 2]], found[[0, 2]], atol=1e-4)
    assert found[0].mean().abs() < 1e-5
    assert found[0].square().mean() == pytest.approx(1, abs=1e-4)


def test_steeper_fields_are_smoother() -> None:
    def roughness(slope: float) -> float:
        fields = fractal_fields((16, 16), _dice(100), slopes=(slope, slope))
        return float(fields.diff(dim=2).square().mean())

    # Neighbours of white noise differ by twice the variance.
    assert roughness(0.0) == pytest.approx(2, rel=0.1)
    assert roughness(3.0) < roughness(1.0) / 4 < roughness(0.0) / 4


def test_coarse_fields_have_from_two_cells_a_side_to_one_for_each_pixel() -> None:
    fields = coarse_fields((16, 16), _dice(400))
    rough = fields.diff(dim=2).square().mean(dim=(1, 2))
    # Four scales are as likely as each other; of the finest one each pixel is drawn by itself.
    assert (rough > 1.5).float().mean() == pytest.approx(0.25, abs=0.08)
    assert (rough < 0.1).float().mean() == pytest.approx(0.25, abs=0.08)


def test_fields_have_mean_zero_and_deviation_one_at_any_size() -> None:
    for size in ((2, 2), (8, 8), (28, 28), (9, 31)):
        for draw in (fractal_fields, coarse_fields):
            fields = draw(size, Dice(50, torch.Generator().manual_seed(0)))
            assert fields.shape == (50, *size)
            assert fields.mean(dim=(1, 2)).abs().max() < 1e-4
            assert torch.allclose(fields.std(dim=(1, 2), correction=0), torch.ones(50), atol=1e-3)
