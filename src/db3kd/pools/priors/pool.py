"""The pool of procedural images: fresh ones of every family, and children of those that were answered."""

from typing import Annotated, Literal

import torch
from annotated_types import Interval
from pydantic import JsonValue

from db3kd.answers import Answers, Candidates
from db3kd.arguments import checked_options
from db3kd.pools.pool import Key
from db3kd.pools.priors.children import recombined
from db3kd.pools.priors.families import FAMILIES, PROCEDURAL, Family, check_shape, paint_all
from db3kd.pools.priors.shares import drawn_of_each

FamilySet = Literal["procedural", "all"]


def families_of(asked: FamilySet) -> tuple[Family, ...]:
    """Give the families that a set stands for."""
    return FAMILIES if asked == "all" else PROCEDURAL


@checked_options
class Priors:
    """Procedural images, without end; see `Pool`.

    Args:
        image_shape: channels, height and width of an image.
        children: the share of a round's candidates that is made out of answered images.
        families: "procedural", as published methods have them, or "all" for the glyphs and pictures that db3kd holds
            too.
    """

    image_shape: tuple[int, int, int]
    children: Annotated[float, Interval(ge=0, le=1)] = 0.5
    families: FamilySet = "procedural"

    name = "priors"
    size = None

    def __post_init__(self) -> None:
        check_shape(self.image_shape)

    @property
    def key(self) -> Key:
        """What tells it from other pools: one more family draws other images."""
        families: list[JsonValue] = [family.name for family in families_of(self.families)]
        return {"type": self.name, "children": self.children, "families": families}

    def draw(self, count: int, answers: Answers, generator: torch.Generator) -> Candidates:
        """Paint new images, the families by what their answers were worth, one family after the other; see `Pool`."""
        families = families_of(self.families)
        numbers = drawn_of_each([family.name for family in families], count, answers, generator)
        return paint_all(families, numbers, self.image_shape, generator)

    def offspring(self, answers: Answers, count: int, generator: torch.Generator) -> Candidates:
        """Recombine images that were answered, of this pool or of another one; see `Pool`."""
        return recombined(answers, count, generator)
