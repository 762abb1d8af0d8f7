"""Figures are mirror images of themselves, of one piece, and of very different outlines."""

import torch

from db3kd.pools.priors.fields import Dice, Frame, coordinates
from db3kd.pools.priors.figures import figure
from db3kd.tensors import Bool, Tensor


def _drawn(count: int, side: int, *, seed: int = 0) -> Bool[Tensor, "n h w"]:
    at = coordinates((side, side))
    at = Frame(at.y.expand(count, side, side), at.x.abs().expand(count, side, side))
    return figure(at, Dice(count, torch.Generator().manual_seed(seed))) > 0


def test_figures_are_symmetric_and_reproducible() -> None:
    shown = _drawn(100, 32)
    assert torch.equal(shown, shown.flip(2))
    assert torch.equal(shown, _drawn(100, 32))
    assert not torch.equal(shown, _drawn(100, 32, seed=1))


def test_figures_fill_a_part_of_the_image_and_differ() -> None:
    shown = _drawn(200, 32).flatten(1)
    share = shown.float().mean(dim=1)
    assert (share > 0.02).float().mean() > 0.95
    assert (share < 0.9).all()
    assert len(shown.unique(dim=0)) > 195


def test_limbs_come_out_of_the_trunk() -> None:
    # A row of a trunk without limbs is one run of pixels; limbs that hang next to it make three of it.
    shown = _drawn(200, 48)
    runs = (shown[:, :, 1:] & ~shown[:, :, :-1]).sum(dim=2) + shown[:, :, 0]
    hanging = (runs >= 3).any(dim=1).float().mean()
    assert 0.1 < hanging < 0.7
    # Most of what is seen hangs together: few rows within a figure are empty.
    rows = shown.any(dim=2)
    first, last = rows.float().argmax(dim=1), 47 - rows.flip(1).float().argmax(dim=1)
    gaps = (last - first + 1) - rows.sum(dim=1)
    assert (gaps == 0).float().mean() > 0.95
