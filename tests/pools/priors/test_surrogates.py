"""Images out of pictures of another kind: each picture once as it is, things cut out of their ground, any shape."""

from dataclasses import replace

import pytest
import torch

from db3kd.answers import Answers
from db3kd.data import from_arrays
from db3kd.errors import PlanError
from db3kd.pools import Surrogates
from db3kd.pools.priors import PROCEDURAL
from db3kd.pools.priors.fields import Dice
from db3kd.pools.priors.surrogates import cut_out
from made_answers import NONE, SHAPE, add, seeded

PICTURES = from_arrays(torch.rand(30, *SHAPE, generator=seeded(5)), torch.arange(30) % 4, name="pictures")


def test_each_picture_is_asked_about_once_as_it_is_and_warped_after_that() -> None:
    pool, answers = Surrogates(PICTURES), NONE
    for seed in range(4):
        answers = add(answers, pool.draw(300, answers, seeded(seed)))
    plain = [name for name, origin in zip(answers.images.ids, answers.origins, strict=True) if origin == "surrogates"]
    assert sorted(plain) == sorted(PICTURES.ids)
    assert answers.images.labels is None
    assert answers.origins.count("surrogates, warped") > 30
    assert len(set(answers.origins)) == len(PROCEDURAL) + 9


def test_a_picture_that_is_set_aside_comes_back_in_no_form() -> None:
    asked = Answers(PICTURES, torch.arange(30) % 4, ("surrogates",) * 30, 4, torch.arange(30) % 3 == 0)
    left = PICTURES.subset((~asked.aside).nonzero()[:, 0])
    drawn, without, whole = (
        pool.draw(200, answers, seeded())
        for pool, answers in (
            (Surrogates(PICTURES), asked),
            (Surrogates(left), asked),
            (Surrogates(PICTURES), replace(asked, aside=asked.aside & False)),
        )
    )
    assert drawn.origins == without.origins == whole.origins
    assert torch.equal(drawn.pixels, without.pixels)
    assert not torch.equal(drawn.pixels, whole.pixels)


def test_where_all_pictures_are_set_aside_procedural_images_are_left() -> None:
    pool = Surrogates(PICTURES)
    plain = Answers(PICTURES, torch.zeros(30, dtype=torch.int64), ("surrogates",) * 30, 4, torch.ones(30).bool())
    drawn = pool.draw(50, plain, seeded())
    assert len(drawn) == 50
    assert not any(origin.startswith("surrogates") for origin in drawn.origins)


def test_children_are_made_across_pictures_and_procedural_images() -> None:
    # White pictures and black shapes: an image with both is a child of both.
    pictures = from_arrays(torch.cat([torch.ones(20, *SHAPE), torch.zeros(20, *SHAPE)]), name="parents")
    origins = ("surrogates",) * 20 + ("shapes",) * 20
    answers = Answers(pictures, torch.arange(40) // 20, origins, 4, torch.zeros(40).bool())
    children = Surrogates(PICTURES).offspring(answers, 200, seeded())
    flat, kinds = children.images().flatten(1), set(children.origins)
    assert kinds == {"recombined/surrogates", "recombined/shapes"}
    both = flat.max(dim=1).values - flat.min(dim=1).values > 0.4
    for origin in kinds:
        assert both[torch.tensor([one == origin for one in children.origins])].float().mean() > 0.05
    alone = Surrogates(PICTURES).offspring(answers.take(torch.arange(20)), 100, seeded()).images().flatten(1)
    assert (alone.max(dim=1).values - alone.min(dim=1).values).max() < 0.05


def test_a_thing_is_cut_out_of_a_ground_of_one_colour() -> None:
    images = torch.full((2, 3, 16, 16), 0.8)
    images[:, :, 5:11, 4:12] = torch.tensor([0.9, 0.1, 0.3])[:, None, None]
    colours, covered = cut_out(images, Dice(2, seeded())).split([3, 1], dim=1)
    assert torch.equal(covered[:, 0] > 0.5, images[:, 1] < 0.5)
    assert torch.equal(colours, images * covered)


def test_where_there_is_no_ground_of_one_colour_the_middle_is_cut_out() -> None:
    images = torch.rand(20, 1, 24, 24, generator=seeded())
    covered = cut_out(images, Dice(20, seeded(1)))[:, 3]
    assert covered[:, 11:13, 11:13].min() == 1
    assert max(covered[:, 0].max(), covered[:, :, -1].max()) < 0.2


@pytest.mark.parametrize("shape", [(3, 40, 24), (4, 9, 9), (1, 2, 2), (2, 17, 30)])
def test_pictures_of_any_shape_will_do(shape: tuple[int, int, int]) -> None:
    pool = Surrogates(from_arrays(torch.rand(3, *shape, generator=seeded()).movedim(1, -3)))
    drawn = pool.draw(120, NONE, seeded())
    assert drawn.pixels.shape == (120, *shape)
    assert drawn.pixels.dtype == torch.uint8 or drawn.pixels.max() <= 1


def test_no_picture_is_refused() -> None:
    with pytest.raises(PlanError, match="holds none"):
        Surrogates(from_arrays(torch.zeros(0, *SHAPE)))
