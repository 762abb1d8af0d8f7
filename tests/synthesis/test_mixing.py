"""Mixtures are 8-bit images of a set's own kind, and the same each time."""

import torch

from db3kd.data import from_arrays
from db3kd.synthesis import mixtures


def test_mixtures_are_the_same_each_time_and_others_with_another_seed() -> None:
    images = from_arrays(torch.rand(40, 1, 6, 6), name="some")
    first, again, other = mixtures(images, 90, seed=1), mixtures(images, 90, seed=1), mixtures(images, 90, seed=2)
    assert first.digest == again.digest != other.digest
    assert len(first) == len(set(first.ids)) == 90
    assert first.pixels.dtype == torch.uint8
    assert first.labels is None
    assert first.image_shape == (1, 6, 6)


def test_two_thirds_lie_between_two_images_and_a_third_is_noisy() -> None:
    flat = torch.stack([torch.zeros(1, 6, 6), torch.ones(1, 6, 6)])
    made = mixtures(from_arrays(flat, name="flat"), 300, seed=0).images().flatten(1)
    # A mixture of flat images is flat.
    assert torch.equal((made.amax(1) - made.amin(1) > 0.01).nonzero()[:, 0] % 3, torch.zeros(100, dtype=torch.int64))
    assert 0.3 < made.mean() < 0.7


def test_no_mixture_of_no_image() -> None:
    images = from_arrays(torch.rand(3, 1, 6, 6), name="some")
    assert len(mixtures(images, 0, seed=0)) == 0
