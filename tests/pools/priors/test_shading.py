"""Textures in bounds, colours of which some are gray, and surfaces that stand out from their ground."""

import pytest
import torch

from db3kd.pools.priors import shading
from db3kd.pools.priors.fields import Dice
from db3kd.pools.priors.shading import coloured, colours, grounds, surface_for, surfaces, textures
from made_answers import seeded


def test_textures_are_gray_in_bounds_and_some_are_flat() -> None:
    drawn = textures((12, 16), Dice(1_000, seeded()))
    assert drawn.shape == (1_000, 12, 16)
    assert 0 <= drawn.min() < drawn.max() <= 1
    # No contrast, or none of the six parts.
    flat = (drawn.amax(dim=(1, 2)) - drawn.amin(dim=(1, 2)) < 1e-6).float().mean()
    assert flat == pytest.approx(0.15 + 0.85 * 0.5 * 0.8 * 0.9 * 0.5 * 0.7 * 0.8, abs=0.04)


def test_three_of_ten_colours_are_gray_and_all_where_there_is_one_channel() -> None:
    drawn = colours(3, Dice(4_000, seeded()))
    assert drawn.shape == (4_000, 3, 1, 1)
    gray = (drawn == drawn[:, :1]).all(dim=1).float().mean()
    assert gray == pytest.approx(0.3, abs=0.03)
    assert drawn.mean() == pytest.approx(0.5, abs=0.02)
    assert colours(1, Dice(5, seeded())).shape == (5, 1, 1, 1)


def test_a_texture_is_shown_between_two_colours() -> None:
    ends = torch.tensor([[0.0, 0.5, 1.0]])[:, None].expand(50, 1, 3)
    shown = coloured(ends, 3, Dice(50, seeded()))
    assert shown.shape == (50, 3, 1, 3)
    assert torch.allclose(shown[..., 1], (shown[..., 0] + shown[..., 2]) / 2, atol=1e-6)
    assert surfaces((4, 8, 9), Dice(3, seeded())).shape == (3, 4, 8, 9)


def test_grounds_are_flat_and_of_the_kind_that_was_asked_for() -> None:
    assert (grounds(3, "dark", Dice(4, seeded())) == torch.zeros(4, 3, 1, 1)).all()
    assert (grounds(1, "light", Dice(4, seeded())) == torch.ones(4, 1, 1, 1)).all()
    assert torch.equal(grounds(3, "any", Dice(4, seeded())), colours(3, Dice(4, seeded())))


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_bright_in_a_texture_stands_out_from_any_ground(channels: int) -> None:
    dice = Dice(500, seeded())
    behind = torch.linspace(0, 1, 500)[:, None, None, None].expand(500, channels, 1, 1)
    ends = torch.tensor([[0.0, 1.0]])[:, None].expand(500, 1, 2)
    apart = (surface_for(behind, ends, dice) - behind).abs().amax(dim=(1, 2))
    far = torch.maximum(behind, 1 - behind)[:, 0, 0, 0]
    assert (apart[:, 1] >= 0.3 * far - 1e-6).all()
    assert (apart[:, 1] <= far + 1e-6).all()
    assert (apart[:, 0] <= apart[:, 1] + 1e-6).all()


def test_a_black_tint_is_a_number_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shading, "colours", lambda channels, dice: torch.zeros(dice.count, channels, 1, 1))
    shown = surface_for(torch.full((2, 1, 1, 1), 0.25), torch.ones(2, 3, 3), Dice(2, seeded()))
    assert (shown == 0.25).all()
