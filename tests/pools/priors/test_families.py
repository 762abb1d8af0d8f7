"""Every family: any size, gray and colour, in bounds, the same each time, and no two images alike."""

import pytest
import torch

from db3kd.errors import PlanError
from db3kd.pools.priors import FAMILIES, Family, paint

_BY_NAME = {family.name: family for family in FAMILIES}


@pytest.fixture(params=FAMILIES, ids=lambda family: family.name)
def family(request: pytest.FixtureRequest) -> Family:
    assert isinstance(request.param, Family)
    return request.param


@pytest.mark.parametrize("shape", [(1, 8, 8), (4, 9, 20)])
def test_any_shape_and_the_same_each_time(family: Family, shape: tuple[int, int, int]) -> None:
    first, again, other = (paint(family, 6, shape, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert first.shape == (6, *shape)
    assert first.dtype == torch.uint8
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_images_of_a_family_differ(family: Family) -> None:
    images = paint(family, 64, (1, 28, 28), torch.Generator().manual_seed(0))
    assert len(torch.unique(images.flatten(1), dim=0)) >= 60


def test_families_have_names_of_their_own() -> None:
    assert len(_BY_NAME) == len(FAMILIES)


@pytest.mark.parametrize("name", ["shapes", "silhouettes", "bodies", "strokes"])
def test_objects_lie_on_the_ground_that_was_asked_for(name: str) -> None:
    for ground, level in (("dark", 0), ("light", 255)):
        images = paint(_BY_NAME[f"{name} on {ground}"], 100, (1, 20, 20), torch.Generator().manual_seed(0))
        corners = images[:, 0, [0, 0, -1, -1], [0, -1, 0, -1]]
        assert (corners == level).float().mean() > 0.6
        # And something lies on it.
        assert ((images != level).flatten(1).any(1)).float().mean() > 0.85


def test_colour_is_colour_and_not_only_that() -> None:
    for family in FAMILIES[1:]:
        images = paint(family, 60, (3, 12, 12), torch.Generator().manual_seed(0)).float()
        spread = (images.amax(1) - images.amin(1)).flatten(1).mean(1)
        assert (spread > 4).float().mean() > 0.25, family.name


def test_part_of_a_large_image_is_like_a_small_one() -> None:
    # What is drawn is given in parts of the image, so that its share of the image does not depend on the size.
    for name in ("bodies on dark", "silhouettes on dark", "shapes on dark"):
        brightness = [
            float(paint(_BY_NAME[name], 200, (1, side, side), torch.Generator().manual_seed(0)).float().mean() / 255)
            for side in (12, 36)
        ]
        assert brightness[0] == pytest.approx(brightness[1], rel=0.2), name


def test_none_of_none_and_no_image_without_pixels() -> None:
    generator = torch.Generator().manual_seed(0)
    assert paint(FAMILIES[0], 0, (1, 8, 8), generator).shape == (0, 1, 8, 8)
    with pytest.raises(PlanError, match="at least 2x2"):
        paint(FAMILIES[0], 1, (1, 1, 8), generator)


@pytest.mark.slow
def test_a_large_image() -> None:
    for family in FAMILIES:
        assert paint(family, 3, (3, 224, 224), torch.Generator().manual_seed(0)).shape == (3, 3, 224, 224)
