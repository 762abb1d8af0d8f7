"""Noise is the same each time, fits the teacher, and is chosen class by class."""

import pytest
import torch

from db3kd.errors import PlanError
from db3kd.pools import NoiseOptions, choose_of_each, draw_noise
from known_teachers import HalfSpace, Sectors

FEW = NoiseOptions(images_per_class=10)


def test_a_round_is_the_same_each_time_and_another_seed_or_round_is_another_one() -> None:
    spec = Sectors().spec
    first = draw_noise(spec, FEW, 0, seed=0)
    assert first.shape == (50, 1, 8, 8)
    assert torch.equal(first, draw_noise(spec, FEW, 0, seed=0))
    assert not torch.equal(first, draw_noise(spec, FEW, 1, seed=0))
    assert not torch.equal(first, draw_noise(spec, FEW, 0, seed=1))


def test_it_has_images_of_every_brightness_and_grain() -> None:
    noise = draw_noise(Sectors(shape=(1, 16, 16)).spec, NoiseOptions(images_per_round=400), 0, seed=0).flatten(1)
    means, grains = noise.mean(dim=1), (noise[:, 1:] - noise[:, :-1]).abs().mean(dim=1)
    assert means.min() < 0.2
    assert means.max() > 0.6
    assert grains.min() < 0.1
    assert grains.max() > 0.4


def test_it_lies_within_the_teachers_bounds_and_on_its_levels() -> None:
    wide = draw_noise(HalfSpace().spec, FEW, 0, seed=0)
    assert -100 <= wide.min() < -90
    assert 90 < wide.max() <= 100
    levels = draw_noise(Sectors(levels=256).spec, FEW, 0, seed=0) * 255
    assert (levels - levels.round()).abs().max() < 1e-4


def test_the_first_images_of_each_class_are_chosen_and_none_of_a_class_that_never_showed_up() -> None:
    decisions = torch.tensor([2, 0, 2, 2, 0, 3])
    assert choose_of_each(decisions, 2, 5).tolist() == [0, 1, 2, 4, 5]


def test_what_no_noise_can_be_is_named_at_once() -> None:
    with pytest.raises(PlanError, match=r"(?s)images_per_class.*deviation"):
        NoiseOptions(images_per_class=0, deviation=-1.0)
