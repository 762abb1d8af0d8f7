"""Transforms change images as they say, each image in its own way, and leave them in [0, 1]."""

import pytest
import torch

from db3kd.augmentation import TRANSFORMS, possible, transform
from db3kd.augmentation.transforms import Transform
from made_answers import seeded

SHAPES = [(1, 16, 16), (3, 24, 12)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("way", TRANSFORMS, ids=lambda way: way.name)
def test_each_transform_changes_images_in_their_bounds_and_the_same_again(
    way: Transform, shape: tuple[int, int, int]
) -> None:
    if way not in possible(shape[0]):
        return
    images = torch.rand(6, *shape, generator=seeded(3))
    changed, again, other = (transform(images, {way.name: way.strong}, seeded(seed)) for seed in (0, 0, 1))
    assert changed.shape == images.shape
    assert 0 <= float(changed.min()) <= float(changed.max()) <= 1
    assert not torch.equal(changed, images)
    assert torch.equal(changed, again)
    assert not torch.equal(changed, other)
    assert torch.equal(images, torch.rand(6, *shape, generator=seeded(3)))


def test_colour_is_for_colour_alone() -> None:
    assert {way.name for way in possible(3)} - {way.name for way in possible(1)} == {"colour"}


def test_nothing_asked_for_is_nothing_done() -> None:
    images = torch.rand(4, 1, 8, 8, generator=seeded())
    assert torch.equal(transform(images, {}, seeded()), images)
    assert torch.equal(transform(images, {"mirror": 0.0, "noise": 0.0}, seeded()), images)


def test_a_full_mirror_is_the_mirrored_image() -> None:
    images = torch.rand(4, 3, 8, 8, generator=seeded())
    assert torch.allclose(transform(images, {"mirror": 1.0}, seeded(), full=True), images.flip(3), atol=1e-5)


def test_half_of_the_images_are_mirrored_in_a_view() -> None:
    images = torch.rand(200, 1, 4, 4, generator=seeded())
    mirrored = transform(images, {"mirror": 1.0}, seeded(5))
    share = (mirrored - images.flip(3)).abs().amax(dim=(1, 2, 3)).lt(1e-5).float().mean()
    assert 0.35 < float(share) < 0.65


def test_a_shift_moves_by_its_part_of_the_side() -> None:
    image = torch.zeros(1, 1, 20, 20)
    image[0, 0, 10, 10] = 1.0
    moved = transform(image, {"shift": 0.1}, seeded(2), full=True)[0, 0]
    row, column = divmod(int(moved.argmax()), 20)
    assert {abs(row - 10), abs(column - 10)} == {2}


def test_a_hole_is_as_large_as_it_says() -> None:
    images = torch.rand(50, 1, 20, 20, generator=seeded())
    holed = transform(images, {"hole": 0.5}, seeded(), full=True)
    inside = (holed != images).flatten(1).sum(dim=1)
    assert int(inside.max()) == 100
    assert int(inside.min()) >= 25
