"""Images at hand are offered once each, with their labels, and make no children."""

import torch

from db3kd.data import from_arrays
from db3kd.pools import ImagePool
from made_answers import NONE, SHAPE, add, seeded

IMAGES = from_arrays(torch.rand(90, *SHAPE, generator=seeded(5)), torch.arange(90) % 4, name="some")


def test_labels_go_with_the_images() -> None:
    drawn = ImagePool(IMAGES).draw(20, NONE, seeded())
    assert drawn.labels is not None
    places = [IMAGES.ids.index(name) for name in drawn.ids]
    assert drawn.labels.tolist() == [place % 4 for place in places]
    assert torch.equal(drawn.pixels, IMAGES.pixels[places])


def test_what_was_asked_is_not_offered_again_and_the_rest_is_in_another_order_for_another_seed() -> None:
    pool = ImagePool(IMAGES)
    answers = add(NONE, pool.draw(60, NONE, seeded()))
    rest = {*IMAGES.ids} - {*answers.images.ids}
    first, second = (pool.draw(100, answers, seeded(seed)) for seed in (1, 2))
    assert {*first.ids} == {*second.ids} == rest
    assert first.ids != second.ids
    assert pool.size == 90, "what was asked still is of the pool"


def test_other_images_are_another_pool() -> None:
    assert ImagePool(IMAGES).key == ImagePool(IMAGES).key != ImagePool(IMAGES.subset(torch.arange(89))).key
    assert not len(ImagePool(IMAGES).offspring(NONE, 5, seeded()))
