"""Pools by their names fit the images that are at hand."""

import pytest
import torch

from db3kd.data import Dataset, from_arrays
from db3kd.errors import PlanError
from db3kd.pipeline.sources import make_pool
from db3kd.pools import ImagePool, Joined, Priors, Surrogates
from known_teachers import Constant
from made_answers import NONE, SHAPE, seeded

IMAGES = from_arrays(torch.rand(20, *SHAPE, generator=seeded()))
SPEC = Constant(shape=SHAPE).spec


@pytest.mark.parametrize(
    ("name", "images", "kind"),
    [("images", IMAGES, ImagePool), ("surrogates", IMAGES, Surrogates), ("priors", None, Priors)],
)
def test_a_pool_is_made_of_what_is_at_hand(name: str, images: Dataset | None, kind: type) -> None:
    made = make_pool([name], images, SPEC)
    assert isinstance(made, kind)
    assert made.draw(3, NONE, seeded()).pixels.shape[1:] == SHAPE


@pytest.mark.parametrize(("name", "images"), [("images", None), ("surrogates", None), ("priors", IMAGES)])
def test_one_that_does_not_fit_is_refused(name: str, images: Dataset | None) -> None:
    with pytest.raises(PlanError, match=f"the pool '{name}'"):
        make_pool([name], images, SPEC)


def test_several_are_one_and_none_is_in_it_twice() -> None:
    made = make_pool(["images", "priors", "images"], IMAGES, SPEC)
    assert isinstance(made, Joined)
    assert [type(one) for one in made.pools] == [ImagePool, Priors]
    # Surrogates make the images of priors themselves.
    for names in (["priors", "surrogates"], ["surrogates", "priors"]):
        assert isinstance(make_pool(names, IMAGES, SPEC), Surrogates)


def test_several_that_do_not_fit_are_refused() -> None:
    with pytest.raises(PlanError, match="the pool 'surrogates' is made of images, and none are named"):
        make_pool(["priors", "surrogates"], None, SPEC)
    with pytest.raises(PlanError, match="the name 'prior' is unknown"):
        make_pool(["images", "prior"], IMAGES, SPEC)
