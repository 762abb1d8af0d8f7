"""Margin: what a committee is unsure of, all expected classes alike where it is unsure of them alike."""

import pytest
import torch

from db3kd.acquisition import Margin
from db3kd.acquisition.duplicates import unlike
from db3kd.answers import Candidates
from made_answers import NONE, SHAPE, seeded

COUNT, RARE = 2000, 100


def _candidates() -> Candidates:
    pixels = torch.randint(0, 256, (COUNT, *SHAPE), dtype=torch.uint8, generator=seeded())
    assert unlike(pixels, pixels[:0]).all()
    return Candidates(pixels, ("images",) * COUNT)


def test_a_class_of_one_in_twenty_is_asked_about_as_often_as_the_others() -> None:
    believed = torch.tensor([0.6, 0.4, 0.0, 0.0]).repeat(2, COUNT, 1)
    believed[:, :RARE] = torch.tensor([0.4, 0.6, 0.0, 0.0])
    chosen = Margin().choose(_candidates(), believed, NONE, 60, seeded(3))
    assert int((chosen < RARE).sum()) == pytest.approx(30, abs=10), "a fair draw would hold three"


def test_of_a_class_the_images_with_the_smaller_margin_are_asked_about() -> None:
    believed = torch.tensor([0.95, 0.05, 0.0, 0.0]).repeat(2, COUNT, 1)
    believed[:, ::2] = torch.tensor([0.55, 0.45, 0.0, 0.0])
    chosen = Margin().choose(_candidates(), believed, NONE, 60, seeded(3))
    assert int((chosen % 2 == 0).sum()) >= 55
