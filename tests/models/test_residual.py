"""The network for larger pictures."""

import pytest
import torch

from db3kd.errors import PlanError
from db3kd.models import Residual, build, parameter_count


@pytest.mark.parametrize(
    ("shape", "places"),
    [((1, 8, 8), 8), ((1, 28, 28), 28), ((3, 40, 40), 40), ((3, 41, 41), 21), ((3, 64, 64), 32), ((3, 224, 224), 28)],
)
def test_the_stages_see_at_most_forty_places_a_side(shape: tuple[int, int, int], places: int) -> None:
    network = Residual(shape, 5).eval()
    assert network.stem(torch.zeros(1, *shape)).shape[2:] == (places, places)
    assert network(torch.zeros(2, *shape)).shape == (2, 5)


def test_a_wide_picture_is_brought_down_by_its_longer_side() -> None:
    assert Residual((3, 60, 300), 5).stem(torch.zeros(1, 3, 60, 300)).shape[2:] == (8, 38)


def test_its_size_hardly_depends_on_the_picture() -> None:
    assert parameter_count(build("residual", (3, 64, 64), 10)) == 308_650
    assert parameter_count(build("residual", (3, 224, 224), 10)) < 330_000
    assert parameter_count(build("residual-half", (3, 64, 64), 10)) < 80_000


def test_too_small_a_picture_is_refused() -> None:
    with pytest.raises(PlanError, match="at least 8x8 pixels, got 7x28"):
        Residual((1, 7, 28), 5)
