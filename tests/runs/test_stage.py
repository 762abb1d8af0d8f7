"""Keys name their fields, so that what differs can be told; an object that says nothing of itself has none."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from db3kd.acquisition import Disagreement, Rounds
from db3kd.boundary import GuidedDistance, Measurement, MinimalBoundaryDistance
from db3kd.errors import PlanError
from db3kd.pools import ImagePool, Priors
from db3kd.runs import Outline, Part, key_of
from db3kd.training import Committee, Recipe
from known_teachers import Sectors, draw_images
from made_runs import dataset


@dataclass(frozen=True)
class Options:
    """Some options."""

    number: int = 1
    names: tuple[str, ...] = ("a",)
    inner: Recipe | None = None
    constant: ClassVar[str] = "left out"


class Told:
    """Says of itself what tells it from others."""

    key: ClassVar[dict[str, object]] = {"type": "told", "options": Options()}


def test_a_dataclass_becomes_its_fields_by_name() -> None:
    assert key_of(Options(2)) == {"type": "Options", "number": 2, "names": ["a"], "inner": None}
    assert key_of({"some": Options(inner=Recipe())})["some"]["inner"]["type"] == "Recipe"  # type: ignore[index]  # JSON
    assert key_of(Told())["options"]["number"] == 1  # type: ignore[index]  # JSON


@pytest.mark.parametrize("value", [object(), Options, {1, 2}], ids=["object", "class", "set"])
def test_what_says_nothing_of_itself_is_refused(value: object) -> None:
    with pytest.raises(PlanError, match="frozen dataclass"):
        key_of(value)


def test_all_options_of_ours_have_keys() -> None:
    images = dataset(draw_images(Sectors(), 3))
    options: tuple[object, ...] = (
        Measurement(MinimalBoundaryDistance(), 50, (10,)),
        Measurement(GuidedDistance()),
        Rounds(),
        Disagreement(),
        Committee(),
        Recipe(),
        ImagePool(images),
        Priors((1, 16, 16)),
    )
    keys = [key_of(one) for one in options]
    assert all(isinstance(key, dict) and key["type"] for key in keys)
    assert len({str(key) for key in keys}) == len(options)


def test_an_outline_adds_its_parts_up() -> None:
    assert Outline("some", (Part("some/00000", 5), Part("some/00001", 7, 2))).queries == 12
