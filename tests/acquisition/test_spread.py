"""A spread start asks about one image of each group, and of none that is known already."""

import pytest
import torch

from db3kd.acquisition import spread
from db3kd.acquisition.spread import draw_spread
from db3kd.answers import Answers, family_of, is_fresh
from db3kd.data import Dataset, from_arrays
from db3kd.pools import ImagePool
from made_answers import CLASSES, NONE, PRIORS, SHAPE, add, seeded

_GROUPS, _OF_EACH = 8, 40


def _grouped(sizes: tuple[int, ...] = (_OF_EACH,) * _GROUPS) -> Dataset:
    """Groups of images that look alike; the label says which group."""
    ground = torch.randint(0, 256, (len(sizes), *SHAPE), generator=seeded(1))
    ground = ground.reshape(len(sizes), 1, 2, 8, 2, 8).float().mean(dim=(3, 5), keepdim=True)
    means = ((ground - 127) * 8 + 127).clamp(20, 235).expand(-1, -1, -1, 8, -1, 8).reshape(len(sizes), *SHAPE)
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    noise = torch.randint(-4, 5, (len(labels), *SHAPE), generator=seeded(2))
    return from_arrays((means[labels] + noise).to(torch.uint8), labels)


def _answered(pool: ImagePool, rows: torch.Tensor, *, aside: bool = False) -> Answers:
    some = pool.images.subset(rows)
    zeros = torch.zeros(len(rows), dtype=torch.int64)
    return Answers(some, zeros, ("images",) * len(rows), CLASSES, torch.full((len(rows),), aside))


@pytest.mark.parametrize("seed", range(5))
def test_groups_have_an_image_whatever_their_size(seed: int) -> None:
    pool = ImagePool(_grouped((200, 100, 40, 20, 10, 6, 6, 6)))
    drawn = draw_spread(pool, NONE, 8, seeded(seed))
    assert drawn.labels is not None
    # By lot, half of them would have none. One group may still hide beside another.
    assert len(drawn.labels.unique()) >= 7
    assert set(drawn.origins) == {"spread/images"}
    assert not any(map(is_fresh, drawn.origins))
    assert family_of(drawn.origins[0]) == "images"


def test_no_group_around_a_learned_answer_is_asked_about_again() -> None:
    pool = ImagePool(_grouped())
    known = torch.arange(0, 3 * _OF_EACH, _OF_EACH)
    drawn = draw_spread(pool, _answered(pool, known), 5, seeded())
    assert drawn.labels is not None
    assert drawn.labels.sort().values.tolist() == [3, 4, 5, 6, 7]
    # What is set aside is not learned from: its group is asked about.
    drawn = draw_spread(pool, _answered(pool, known, aside=True), 8, seeded())
    assert drawn.labels is not None
    assert drawn.labels.sort().values.tolist() == list(range(8))
    assert not set(drawn.ids) & {pool.images.ids[row] for row in known.tolist()}


def test_no_image_is_drawn_twice_nor_a_copy_of_one() -> None:
    pool = ImagePool(_grouped())
    pixels = pool.images.pixels.repeat(3, 1, 1, 1)
    drawn = draw_spread(ImagePool(from_arrays(pixels)), NONE, 100, seeded())
    assert len(drawn) == len(drawn.pixels.flatten(1).unique(dim=0)) == 100
    assert draw_spread(pool, NONE, 100, seeded(3)).ids == draw_spread(pool, NONE, 100, seeded(3)).ids


def test_the_lot_draws_where_groups_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = ImagePool(_grouped())
    for given, count in ((pool, 0), (pool, 161), (pool, 1000), (PRIORS, 10)):
        drawn = draw_spread(given, NONE, count, seeded())
        assert len(drawn) == min(count, _GROUPS * _OF_EACH)
        assert all(map(is_fresh, drawn.origins))
    monkeypatch.setattr(spread, "_MOST_GROUPS", 4)
    assert all(map(is_fresh, draw_spread(pool, NONE, 5, seeded()).origins))
    everything = add(NONE, draw_spread(pool, NONE, 1000, seeded()))
    assert len(draw_spread(pool, everything, 3, seeded())) == 0


def test_images_that_are_all_alike_are_drawn_all_the_same() -> None:
    pool = ImagePool(from_arrays(torch.full((30, *SHAPE), 7, dtype=torch.uint8)))
    assert len(set(draw_spread(pool, NONE, 5, seeded()).ids)) == 5
