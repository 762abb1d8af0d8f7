"""Every pool: what it offers fits, was not asked before, is the same for the same seed, and ends where it says."""

from collections.abc import Callable
from typing import cast

import pytest
import torch

from db3kd.answers import Answers, Candidates
from db3kd.data import from_arrays
from db3kd.names import POOLS, find
from db3kd.pools import Joined, Pool
from made_answers import NONE, SHAPE, add, answered, seeded

IMAGES = from_arrays(torch.rand(90, *SHAPE, generator=seeded(5)), torch.arange(90) % 4, name="some")
_ARGUMENTS: dict[str, tuple[object, ...]] = {"images": (IMAGES,), "priors": (SHAPE,), "surrogates": (IMAGES,)}


def _made(name: str) -> Pool:
    pool = cast(Pool, find(POOLS, name)(*_ARGUMENTS[name]))
    assert pool.name == name
    return pool


MAKERS: dict[str, Callable[[], Pool]] = {
    **{name: lambda name=name: _made(name) for name in POOLS},  # type: ignore[misc]  # bound at once
    "joined": lambda: Joined([_made("images"), _made("priors")]),
    "joined, all limited": lambda: Joined([_made("images"), Joined([_other()])]),
}


def _other() -> Pool:
    images = from_arrays(torch.rand(30, *SHAPE, generator=seeded(6)), name="other")
    return cast(Pool, find(POOLS, "images")(images))


@pytest.fixture(params=MAKERS)
def pool(request: pytest.FixtureRequest) -> Pool:
    made = MAKERS[request.param]()
    assert isinstance(made, Pool)
    return made


def _same(first: Candidates, second: Candidates) -> bool:
    return torch.equal(first.pixels, second.pixels) and (first.origins, first.ids) == (second.origins, second.ids)


def test_what_it_draws_fits_and_is_the_same_for_the_same_seed(pool: Pool) -> None:
    first, again, other = (pool.draw(40, NONE, seeded(seed)) for seed in (1, 1, 2))
    assert len(first) == len(first.origins) == 40
    assert first.pixels.shape[1:] == SHAPE
    assert 0 <= first.images().min() <= first.images().max() <= 1
    assert _same(first, again)
    assert not _same(first, other)
    assert len(pool.draw(0, NONE, seeded())) == 0


def test_a_generator_that_moves_on_gives_others(pool: Pool) -> None:
    generator = seeded()
    first, second = (pool.draw(40, answered(), generator) for _ in range(2))
    assert not _same(first, second)


def test_nothing_is_offered_that_was_asked_and_all_is_offered_at_last(pool: Pool) -> None:
    answers, generator = NONE, seeded()
    for _ in range(3):
        answers = add(answers, pool.draw(60, answers, generator))
    assert len(answers) == (180 if pool.size is None else pool.size)
    assert len(set(answers.images.ids)) == len(answers)
    assert len(answers.images.pixels.flatten(1).unique(dim=0)) > 0.97 * len(answers)


def test_children_have_parents_and_say_so(pool: Pool) -> None:
    answers = answered()
    made = pool.offspring(answers, 30, seeded(1))
    assert len(made) == (30 if pool.children else 0)
    assert all("/" in origin for origin in made.origins)
    assert made.pixels.shape[1:] == SHAPE
    assert _same(made, pool.offspring(answers, 30, seeded(1)))
    assert len(pool.offspring(NONE, 30, seeded())) == 0


def test_it_tells_itself_from_others(pool: Pool) -> None:
    keys = [maker().key for maker in MAKERS.values()]
    assert keys.count(pool.key) == 1
    assert all(isinstance(name, str) for name in pool.key)


def test_images_that_the_teacher_would_not_decide_are_no_parents() -> None:
    answers = answered(100)
    none = Answers(answers.images, torch.full((100,), 4), answers.origins, 4, answers.aside)
    assert len(MAKERS["priors"]().offspring(none, 30, seeded())) == 0
