"""Pools by their names fit the images that are at hand."""

import pytest
import torch

from db3kd.data import Dataset, from_arrays
from db3kd.errors import PlanError
from db3kd.names import POOLS, find
from db3kd.pipeline.sources import make_pool
from db3kd.pools import ImagePool, Priors, Surrogates
from known_teachers import Constant
from made_answers import NONE, SHAPE, seeded

IMAGES = from_arrays(torch.rand(20, *SHAPE, generator=seeded()))
SPEC = Constant(shape=SHAPE).spec


@pytest.mark.parametrize(
    ("name", "images", "kind"),
    [("images", IMAGES, ImagePool), ("surrogates", IMAGES, Surrogates), ("priors", None, Priors)],
)
def test_a_pool_is_made_of_what_is_at_hand(name: str, images: Dataset | None, kind: type) -> None:
    made = make_pool(name, images, SPEC, find(POOLS, name))
    assert isinstance(made, kind)
    assert made.draw(3, NONE, seeded()).pixels.shape[1:] == SHAPE


@pytest.mark.parametrize(("name", "images"), [("images", None), ("surrogates", None), ("priors", IMAGES)])
def test_one_that_does_not_fit_is_refused(name: str, images: Dataset | None) -> None:
    with pytest.raises(PlanError, match=f"the pool '{name}'"):
        make_pool(name, images, SPEC, find(POOLS, name))
