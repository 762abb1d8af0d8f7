"""Objects on flat ground: where they lie, what they are like, and their ground where there is none."""

import pytest
import torch

from db3kd.pools.priors.fields import Dice
from db3kd.pools.priors.objects import bodies, dead_leaves, object_textures, shapes, shown, silhouettes, strokes
from made_answers import seeded

SHAPE = (1, 20, 24)


@pytest.mark.parametrize(
    ("draw", "least", "most"), [(shapes, 0.1, 0.6), (silhouettes, 0.1, 0.7), (bodies, 0.1, 0.7), (strokes, 0.05, 0.4)]
)
def test_objects_take_a_part_of_the_image_and_the_ground_the_rest(draw: object, least: float, most: float) -> None:
    assert callable(draw)
    images = draw(SHAPE, Dice(200, seeded()), "light")
    assert images.shape == (200, *SHAPE)
    assert images.min() >= 0
    assert images.max() <= 1
    covered = (images < 1 - 1e-5).float().mean(dim=(1, 2, 3))
    assert least < covered.mean() < most
    assert len(images.flatten(1).unique(dim=0)) > 180


def test_most_silhouettes_are_symmetric() -> None:
    covered = silhouettes((1, 24, 24), Dice(300, seeded()), "dark")[:, 0] > 0.05
    alike = (covered == covered.flip(2)).float().mean(dim=(1, 2)) > 0.93
    assert 0.5 < alike.float().mean() < 0.95


def test_leaves_lie_over_all_of_a_surface_and_each_has_one_colour() -> None:
    images = dead_leaves((3, 24, 24), Dice(50, seeded()))
    assert images.shape == (50, 3, 24, 24)
    assert 0 <= images.min() < images.max() <= 1
    # Within a leaf neighbours are the same to the bit, in all three channels.
    same = (images.diff(dim=3) == 0).all(dim=1).float().mean(dim=(1, 2))
    assert 0.05 < same.min() < same.max() < 0.9


def test_half_of_the_textures_are_mirrored() -> None:
    drawn = object_textures((8, 12), Dice(1_000, seeded()))
    mirrored = torch.isclose(drawn, drawn.flip(2), atol=1e-6).all(dim=2).all(dim=1).float().mean()
    # And so are those that are flat.
    assert 0.55 < mirrored < 0.75


def test_near_the_edge_of_a_body_some_textures_are_lighter_or_darker() -> None:
    distances = torch.linspace(0, 1, 12).expand(1_000, 8, 12)
    plain = object_textures((8, 12), Dice(1_000, seeded()))
    rimmed = object_textures((8, 12), Dice(1_000, seeded()), distances)
    assert 0 <= rimmed.min() < rimmed.max() <= 1
    changed = (rimmed - plain).abs()
    assert (changed[:, :, 0].amax(dim=1) > 1e-3).float().mean() == pytest.approx(0.4, abs=0.06)
    assert changed[:, :, 0].mean() > 3 * changed[:, :, 6].mean()


def test_without_an_object_the_ground_is_shown() -> None:
    behind = torch.rand(40, 3, 1, 1, generator=seeded())
    found = shown(torch.zeros(40, 8, 12), behind, torch.rand(40, 8, 12), Dice(40, seeded()))
    assert torch.allclose(found, behind.expand(40, 3, 8, 12), atol=1e-5)


def test_most_objects_have_marks_on_them() -> None:
    # What is flat and fills the image shows nothing but its marks.
    found = shown(torch.ones(300, 12, 12), torch.zeros(300, 1, 1, 1), torch.ones(300, 12, 12), Dice(300, seeded()))
    marked = (found.flatten(1).amax(dim=1) - found.flatten(1).amin(dim=1) > 1e-3).float().mean()
    assert 0.4 < marked <= 0.65
