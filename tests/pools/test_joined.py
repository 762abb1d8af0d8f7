"""Several pools as one: by their sizes where all have one, else alike, and one makes up for what another lacks."""

import pytest
import torch

from db3kd.data import from_arrays
from db3kd.errors import PlanError
from db3kd.pools import ImagePool, Joined, Priors, Surrogates
from made_answers import NONE, PRIORS, SHAPE, add, answered, seeded


def _images(count: int, name: str) -> ImagePool:
    return ImagePool(from_arrays(torch.rand(count, *SHAPE, generator=seeded(count)), name=name))


def test_a_few_images_are_offered_beside_endless_ones_until_they_run_out() -> None:
    # Whichever comes first.
    some = _images(90, "some")
    for pool in (Joined([some, PRIORS]), Joined([PRIORS, some])):
        assert pool.size is None
        drawn = pool.draw(100, NONE, seeded())
        assert drawn.origins.count("images") == 50
        assert sum(bool(name) for name in drawn.ids) == 50
        assert drawn.origins[:50].count("images") > 10
    many = Joined([some, PRIORS]).draw(1000, NONE, seeded())
    assert (len(many), many.origins.count("images")) == (1000, 90)


@pytest.mark.parametrize("useless", ["images", "made"])
def test_one_whose_answers_are_all_alike_is_drawn_from_less_and_never_given_up(useless: str) -> None:
    pool, answers = Joined([_images(900, "many"), PRIORS]), NONE
    drawn = []
    for seed in range(3):
        some = pool.draw(200, answers, seeded(seed))
        at_hand = torch.tensor([origin == "images" for origin in some.origins])
        decisions = torch.arange(200) % 4
        answers = add(answers, some, decisions.masked_fill(at_hand == (useless == "images"), 0))
        drawn.append(int(at_hand.sum()) if useless == "images" else int((~at_hand).sum()))
    assert drawn[0] == 100
    assert 0 < max(drawn[1:]) < 40


def test_pools_with_a_size_are_drawn_from_in_proportion() -> None:
    pool = Joined([_images(90, "some"), Joined([_images(30, "other")])])
    drawn = pool.draw(40, NONE, seeded())
    assert sum(name.startswith("other/") for name in drawn.ids) == 10
    assert len(pool.draw(1000, NONE, seeded())) == pool.size == 120


def test_a_picture_that_two_pools_hold_is_offered_once() -> None:
    pictures = _images(90, "some")
    endless = Joined([pictures, Surrogates(pictures.images)]).draw(200, NONE, seeded())
    named = [name for name in endless.ids if name]
    assert len(endless) == 200
    assert len(named) == len(set(named)) > 60
    assert {origin for origin in endless.origins if origin in ("images", "surrogates")} == {"images"}
    twice = Joined([pictures, Joined([_images(30, "other"), pictures])])
    for count, most in ((60, 60), (500, 120)):
        drawn = twice.draw(count, NONE, seeded())
        assert len(drawn) == len(set(drawn.ids)) == most


def test_children_are_made_by_those_that_can_alone() -> None:
    # The last one would have nothing to make up for it.
    pool = Joined([PRIORS, _images(20, "some")])
    assert pool.children == PRIORS.children / 2
    made = pool.offspring(answered(), 30, seeded())
    assert len(made) == 30
    assert "images" not in made.origins
    assert not len(Joined([_images(20, "some")]).offspring(answered(), 30, seeded()))


def test_its_name_and_its_key_are_those_of_all() -> None:
    some, other = _images(20, "some"), _images(10, "other")
    assert Joined([some, Priors(SHAPE)]).name == f"images and {PRIORS.name}"
    assert Joined([some, other]).key != Joined([other, some]).key
    assert Joined([some, other]).key == Joined((some, other)).key


def test_nothing_to_join_is_refused() -> None:
    with pytest.raises(PlanError, match="at least one, got none"):
        Joined([])
    assert len(Joined([_images(20, "some")]).draw(0, NONE, seeded())) == 0
