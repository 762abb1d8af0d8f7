"""Things that are cut out and shown elsewhere: their colours, their light, and what lies behind them."""

import pytest
import torch

from db3kd.pools.priors import pictures as families
from db3kd.pools.priors.fields import Dice
from db3kd.pools.priors.pictures import emojis, glyphs, outlines, pasted, pictures, recoloured
from db3kd.tensors import Float, Tensor
from made_answers import seeded

GRAY, COLOUR = (1, 14, 18), (3, 18, 14)


def _white(dice: Dice) -> Float[Tensor, "n 4 s s"]:
    return torch.ones(dice.count, 4, 8, 8)


def _nothing(dice: Dice) -> Float[Tensor, "n 4 s s"]:
    return torch.zeros(dice.count, 4, 8, 8)


def test_emoji_are_black_where_they_cover_nothing() -> None:
    drawn = emojis(Dice(20, seeded()))
    assert drawn.shape[:2] == (20, 4)
    assert 0 <= drawn.min() < drawn.max() <= 1
    assert (drawn[:, :3] <= drawn[:, 3:] + 1 / 255).all()
    assert len(drawn.flatten(1).unique(dim=0)) > 10


def test_half_of_the_colours_stay_and_white_stays_white() -> None:
    images = torch.rand(600, 3, 2, 2, generator=seeded())
    shown = recoloured(images, 3, Dice(600, seeded(1)))
    same = (shown - images).abs().amax(dim=(1, 2, 3)) < 1e-6
    assert same.float().mean() == pytest.approx(0.5, abs=0.07)
    for channels in (1, 3, 4):
        white = recoloured(torch.ones(20, 3, 2, 2), channels, Dice(20, seeded()))
        assert torch.allclose(white, torch.ones(20, channels, 2, 2), atol=1e-5)
    gray = recoloured(images, 1, Dice(600, seeded(1)))
    usual = torch.tensor([0.299, 0.587, 0.114]) @ images.flatten(2)
    assert ((gray.flatten(1) - usual.view(600, -1)).abs().amax(dim=1) < 1e-5).float().mean() == pytest.approx(
        0.5, abs=0.07
    )


@pytest.mark.parametrize("shape", [GRAY, COLOUR])
def test_a_thing_lies_near_the_middle_of_its_ground_in_its_light(shape: tuple[int, int, int]) -> None:
    shown = pictures(shape, Dice(300, seeded()), "dark", _white)
    assert shown.shape == (300, *shape)
    middle = shown[:, :, shape[1] // 2, shape[2] // 2]
    assert middle.min() >= 0.6 - 1e-5
    assert middle.max() <= 1
    assert (shown[:, :, 0, 0] == 0).float().mean() > 0.7
    # What lies behind a thing does not shine through.
    assert pictures(shape, Dice(300, seeded()), "light", _white)[:, :, shape[1] // 2, shape[2] // 2].min() < 0.7


def test_where_nothing_is_cut_out_the_ground_is_seen() -> None:
    dice = Dice(30, seeded())
    assert (pictures(COLOUR, dice, "dark", _nothing) == 0).all()
    assert (pictures(COLOUR, dice, "light", _nothing) == 1).all()
    assert torch.allclose(outlines(COLOUR, dice, "light", _nothing), torch.ones(30, *COLOUR), atol=1e-5)
    surfaces = pasted(GRAY, dice, _nothing)
    # A surface has a texture of its own.
    assert (surfaces.flatten(1).std(dim=1) > 1e-3).float().mean() > 0.5


def test_some_surfaces_show_two_things() -> None:
    seen: list[int] = []

    def counted(dice: Dice) -> Float[Tensor, "n 4 s s"]:
        seen.append(dice.count)
        return _white(dice)

    shown = pasted(GRAY, Dice(200, seeded()), counted)
    assert seen == [200, 200]
    bright = (shown >= 0.6 - 1e-5).float().mean(dim=(1, 2, 3))
    assert bright.min() > 0.1


def test_an_outline_has_a_texture_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "shown", lambda stencil, behind, drawn, dice: drawn[:, None])
    drawn = outlines(GRAY, Dice(300, seeded()), "dark", _white)
    assert (drawn.flatten(1).std(dim=1) > 1e-3).float().mean() > 0.6


def test_an_outline_lies_on_its_ground() -> None:
    shown = outlines(GRAY, Dice(300, seeded()), "dark", _white)
    assert shown.shape == (300, *GRAY)
    assert 0 <= shown.min() < shown.max() <= 1
    middle = shown[:, 0, 7, 9]
    assert (middle > 0).float().mean() > 0.9
    assert middle.std() > 0.1


def test_glyphs_are_mostly_ground_and_differ() -> None:
    shown = glyphs(GRAY, Dice(200, seeded()), "dark")
    assert shown.shape == (200, *GRAY)
    assert 0.4 < (shown == 0).float().mean() < 0.95
    assert (shown.flatten(1).amax(dim=1) > 0).float().mean() > 0.95
    assert len(shown.flatten(1).unique(dim=0)) > 190
    coloured = glyphs(COLOUR, Dice(200, seeded()), "light")
    assert (coloured != coloured[:, :1]).any(dim=1).flatten(1).any(dim=1).float().mean() > 0.4
