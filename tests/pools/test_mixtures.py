"""Mixtures are 8-bit images of a set's own kind, and the same each time."""

import torch

from db3kd.answers import Answers
from db3kd.data import Dataset, from_arrays
from db3kd.pools import mixtures
from made_answers import seeded


def test_mixtures_are_the_same_each_time_and_others_with_another_seed() -> None:
    images = from_arrays(torch.rand(40, 1, 6, 6, generator=seeded()), name="some")
    first, again, other = mixtures(images, 90, seed=1), mixtures(images, 90, seed=1), mixtures(images, 90, seed=2)
    assert torch.equal(first.pixels, again.pixels)
    assert not torch.equal(first.pixels, other.pixels)
    assert len(first) == len(set(first.ids)) == 90
    assert first.ids[17] == "some/mixture/1/0000017"
    assert first.pixels.dtype == torch.uint8
    assert first.labels is None
    assert set(first.origins) == {"mixture"}


def test_two_thirds_lie_between_two_images_and_a_third_is_noisy() -> None:
    flat = torch.stack([torch.zeros(1, 6, 6), torch.ones(1, 6, 6)])
    made = mixtures(from_arrays(flat, name="flat"), 300, seed=0).images().flatten(1)
    # A mixture of flat images is flat.
    assert torch.equal((made.amax(1) - made.amin(1) > 0.01).nonzero()[:, 0] % 3, torch.zeros(100, dtype=torch.int64))
    assert 0.3 < made.mean() < 0.7


def test_what_is_set_aside_is_part_of_no_mixture() -> None:
    images = Dataset("some", ("a", "b"), torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1), None, ())
    none = torch.zeros(2, dtype=torch.int64)
    answers = Answers(images, none, ("images", "images"), 2, torch.tensor([False, True]))
    made = mixtures(answers, 60, seed=0)
    assert made.pixels[torch.arange(60) % 3 != 0].max() == 0


def test_no_mixture_of_no_image() -> None:
    images = from_arrays(torch.rand(3, 1, 6, 6, generator=seeded()), name="some")
    assert len(mixtures(images, 0, seed=0)) == 0
