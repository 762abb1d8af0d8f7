"""Near-duplicates are found among what was asked and among the candidates themselves."""

import pytest
import torch

from db3kd.acquisition import duplicates
from db3kd.acquisition.duplicates import unlike
from made_answers import NONE, PRIORS, seeded


def test_near_duplicates_are_told_from_what_is_new() -> None:
    known = PRIORS.draw(50, NONE, seeded()).pixels
    # The flat grounds of some families may be alike by themselves.
    known = known[unlike(known, known[:0])]
    new = PRIORS.draw(50, NONE, seeded(1)).pixels
    assert not unlike(known, known).any()
    assert unlike(new, known).float().mean() > 0.9
    twice = torch.cat([new, new])
    assert not unlike(twice, known)[len(new) :].any()


def test_images_in_floating_point_have_the_same_duplicates() -> None:
    known = PRIORS.draw(50, NONE, seeded()).pixels
    moved = (known.int() + 1).clamp(max=255).to(torch.uint8)
    exact = unlike(moved, known)
    assert exact.float().mean() < 0.8
    # A mean on the border of a step may fall on either side of it.
    assert (unlike(moved.float() / 255, known) == exact).float().mean() > 0.9


def test_large_images_are_looked_at_in_small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.randint(0, 256, (40, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images[30:] = images[:10]
    whole = unlike(images[5:], images[:5])
    monkeypatch.setattr(duplicates, "_VALUES_OF_A_PART", 3 * 16 * 16 * 7)
    assert torch.equal(unlike(images[5:], images[:5]), whole)
    assert int(whole.sum()) == 25
