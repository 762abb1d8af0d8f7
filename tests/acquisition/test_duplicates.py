"""Near-duplicates are found among what was asked and among the candidates themselves."""

from dataclasses import replace

import pytest
import torch

from db3kd.acquisition.duplicates import draw_new, unlike
from db3kd.data import from_arrays, thumbnails
from db3kd.pools import ImagePool, Joined, Pool
from made_answers import NONE, PRIORS, SHAPE, add, seeded


def _with_copies(distinct: int, copies: int, *, seed: int = 0, name: str = "array") -> ImagePool:
    pixels = torch.randint(0, 256, (distinct, *SHAPE), dtype=torch.uint8, generator=seeded(seed))
    return ImagePool(from_arrays(pixels.repeat(copies, 1, 1, 1), name=name))


POOLS = {
    "images": _with_copies(50, 6),
    "two": Joined((_with_copies(20, 6, name="one"), _with_copies(30, 6, seed=1, name="other"))),
}


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
    monkeypatch.setattr(thumbnails, "_VALUES_OF_A_PART", 3 * 16 * 16 * 7)
    assert torch.equal(unlike(images[5:], images[:5]), whole)
    assert int(whole.sum()) == 25


@pytest.mark.parametrize("pool", POOLS.values(), ids=POOLS)
def test_a_draw_passes_over_copies_while_the_pool_has_others(pool: Pool) -> None:
    answers = add(NONE, draw_new(pool, NONE, 20, seeded()))
    answers = add(answers, draw_new(pool, answers, 25, seeded(1)))
    answers = add(answers, draw_new(pool, answers, 25, seeded(2)))
    assert len(set(answers.images.ids)) == len(answers) == 70
    assert unlike(answers.images.pixels, NONE.images.pixels).nonzero()[:, 0].tolist() == list(range(50))
    rest = draw_new(pool, answers, 1000, seeded(3))
    assert len(rest) == 230, "all that is left"


@pytest.mark.parametrize("count", [0, 1, 30, 50, 80])
def test_without_copies_a_draw_is_the_draw_of_the_pool(count: int) -> None:
    pool = _with_copies(60, 1)
    answers = add(NONE, pool.draw(10, NONE, seeded()))
    mine, its = draw_new(pool, answers, count, seeded(1)), pool.draw(count, answers, seeded(1))
    assert list(mine.ids) == list(its.ids)
    assert torch.equal(draw_new(PRIORS, NONE, 40, seeded()).pixels, PRIORS.draw(40, NONE, seeded()).pixels)


def test_of_a_very_large_pool_two_images_for_each_question_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db3kd.pools.pool._MOST_BYTES", 1)
    pool = _with_copies(1, 40)
    assert len(draw_new(pool, NONE, 10, seeded())) == 10


def test_a_picture_that_is_set_aside_more_than_once_is_frequent_and_drawn_once_more() -> None:
    pool = _with_copies(1, 40)
    for aside, others in ((1, 0), (2, 1)):
        other = _with_copies(60, 1, seed=3, name="other")
        first = add(NONE, pool.draw(aside, NONE, seeded()))
        answers = replace(first, aside=torch.ones(aside, dtype=torch.bool))
        drawn = draw_new(Joined([pool, other]), answers, 60, seeded(1))
        assert sum(not name.startswith("other/") for name in drawn.ids) == others
