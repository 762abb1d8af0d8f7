"""The pool of procedural images: fresh ones of every family, and children of those that were answered."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from annotated_types import Interval
from pydantic import JsonValue

from db3kd.answers import Answers, Candidates
from db3kd.options import check_options
from db3kd.pools.pool import Key
from db3kd.pools.priors.children import recombined
from db3kd.pools.priors.families import FAMILIES, PROCEDURAL, Family, check_shape, paint
from db3kd.pools.priors.shares import family_shares

FamilySet = Literal["procedural", "all"]


@dataclass(frozen=True)
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
        check_options(self)
        check_shape(self.image_shape)

    @property
    def key(self) -> Key:
        """What tells it from other pools: one more family draws other images."""
        families: list[JsonValue] = [family.name for family in self._drawn]
        return {"type": self.name, "children": self.children, "families": families}

    @property
    def _drawn(self) -> tuple[Family, ...]:
        return FAMILIES if self.families == "all" else PROCEDURAL

    def draw(self, count: int, answers: Answers, generator: torch.Generator) -> Candidates:
        """Paint new images, the families by what their answers were worth, one family after the other; see `Pool`."""
        shares = family_shares(answers, self._drawn)
        drawn = torch.multinomial(shares, count, replacement=True, generator=generator) if count else torch.zeros(0)
        numbers = torch.bincount(drawn.long(), minlength=len(self._drawn)).tolist()
        drawing = list(zip(self._drawn, numbers, strict=True))
        pixels = [paint(family, number, self.image_shape, generator) for family, number in drawing]
        return Candidates(torch.cat(pixels), tuple(family.name for family, number in drawing for _ in range(number)))

    def offspring(self, answers: Answers, count: int, generator: torch.Generator) -> Candidates:
        """Recombine images that were answered, of this pool or of another one; see `Pool`."""
        return recombined(answers, count, generator)
