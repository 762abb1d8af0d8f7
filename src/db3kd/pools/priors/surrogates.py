"""The pool of surrogates: procedural images, and others out of pictures that have nothing to do with the teacher.

Any folder of pictures does. They are asked about as they are, each once; warped; cut out of their background, on flat
grounds and on surfaces; and as outlines with textures of our own. Children are made across all of these.
"""

from dataclasses import replace
from functools import partial
from typing import Annotated

import torch
from annotated_types import Interval

from db3kd.answers import Answers, Candidates, together
from db3kd.arguments import checked_options
from db3kd.data import Dataset
from db3kd.errors import PlanError
from db3kd.pools.images import ImagePool
from db3kd.pools.pool import Key
from db3kd.pools.priors.blending import relight, warp
from db3kd.pools.priors.children import recombined
from db3kd.pools.priors.families import AS_THEY_ARE, SURROGATE, WARPED, Family, paint_all
from db3kd.pools.priors.fields import Dice, Shape, coordinates
from db3kd.pools.priors.pictures import recoloured
from db3kd.pools.priors.pool import FamilySet, families_of
from db3kd.pools.priors.shares import drawn_of_each
from db3kd.tensors import Float, Int, Tensor

# A border is of one colour where so much of it comes near that; what is farther away than that is no ground.
_NEAR, _ONE_COLOUR = 0.08, 0.7
_COLOURS = 3


@checked_options
class Surrogates:
    """Procedural images and pictures of another kind than the teacher's, without end; see `Pool`.

    Args:
        pictures: of the shape that the teacher takes.
        children: the share of a round's candidates that is made out of answered images.
        families: procedural images that stand beside them, "procedural" or "all" as in the pool `priors`.
    """

    pictures: Dataset
    children: Annotated[float, Interval(ge=0, le=1)] = 0.5
    families: FamilySet = "procedural"

    name = "surrogates"
    size = None

    def __post_init__(self) -> None:
        if not len(self.pictures):
            raise PlanError(f"surrogates are made of pictures, and {self.pictures.name} holds none; name others")

    @property
    def key(self) -> Key:
        """What tells it from other pools."""
        names = [family.name for family in families_of(self.families)]
        return {"type": self.name, "pictures": self.pictures.digest, "children": self.children, "families": [*names]}

    def draw(self, count: int, answers: Answers, generator: torch.Generator) -> Candidates:
        """Give pictures as they are, and make others, the families by what their answers were worth; see `Pool`.

        Nothing is made of a picture that is set aside: it would tell of it.
        """
        kept = self.pictures.without(answers.images.ids[row] for row in answers.unseen().tolist())
        families = self._families(kept)
        names = [one.name for one in families]
        if not len(kept):
            return paint_all(families, drawn_of_each(names, count, answers, generator), self._shape, generator)
        *numbers, plain = drawn_of_each([*names, AS_THEY_ARE], count, answers, generator)
        given = ImagePool(self.pictures).draw(plain, answers, generator)
        given = replace(given, origins=(AS_THEY_ARE,) * len(given), labels=None)
        # Each is asked about once; what is wanted beyond that comes warped.
        numbers[names.index(WARPED)] += plain - len(given)
        return together([paint_all(families, numbers, self._shape, generator), given])

    def offspring(self, answers: Answers, count: int, generator: torch.Generator) -> Candidates:
        """Recombine images that were answered, of whatever family; see `Pool`."""
        return recombined(answers, count, generator)

    @property
    def _shape(self) -> Shape:
        return self.pictures.image_shape

    def _families(self, rows: Int[Tensor, " k"]) -> tuple[Family, ...]:
        """The families that have no end: procedural ones, and those made of some of the pictures."""
        if not len(rows):
            return families_of(self.families)
        cutouts = partial(_cutouts, self.pictures, rows)
        made = (Family(name, partial(draw, cutouts=cutouts)) for name, draw in SURROGATE.items())
        return (*families_of(self.families), Family(WARPED, partial(_warped, self.pictures, rows)), *made)


def _some(pictures: Dataset, rows: Int[Tensor, " k"], dice: Dice) -> Float[Tensor, "n c h w"]:
    return pictures.images(rows[dice.whole(0, len(rows) - 1)])


def _warped(pictures: Dataset, rows: Int[Tensor, " k"], image_shape: Shape, dice: Dice) -> Float[Tensor, "n c h w"]:
    """Show whole pictures: warped, half of them mirrored, half relit, half of the coloured in other colours."""
    images = _some(pictures, rows, dice)
    if image_shape[0] == _COLOURS:
        images = recoloured(images, _COLOURS, dice)
    images = torch.where(dice.chance(0.5)[:, None], images.flip(3), images)
    images = warp(images, dice.generator)
    return torch.where(dice.chance(0.5)[:, None], relight(images, dice), images)


def _cutouts(pictures: Dataset, rows: Int[Tensor, " k"], dice: Dice) -> Float[Tensor, "n 4 s s"]:
    """Draw pictures, their middle square, cut out of their background."""
    images = _some(pictures, rows, dice)
    side = min(images.shape[2:])
    top, left = ((whole - side) // 2 for whole in images.shape[2:])
    return cut_out(images[:, :, top : top + side, left : left + side], dice)


def cut_out(images: Float[Tensor, "n c s s"], dice: Dice) -> Float[Tensor, "n 4 s s"]:
    """Tell things from their ground: what differs from a border of one colour; else, what an ellipse covers.

    Gives red, green and blue, black where nothing is, and how much of each pixel is covered.
    """
    border = torch.cat([images[:, :, 0], images[:, :, -1], images[:, :, :, 0], images[:, :, :, -1]], dim=2)
    ground = border.median(dim=2).values[:, :, None]
    one_colour = ((border - ground).abs().amax(dim=1) < _NEAR).float().mean(dim=1) > _ONE_COLOUR
    differs = ((images - ground[..., None]).abs().amax(dim=1) / _NEAR - 1).clamp(0, 1)
    at = coordinates((images.shape[2], images.shape[3]))
    reach = torch.hypot(at.y / dice.between(0.5, 1.0), at.x / dice.between(0.5, 1.0))
    ellipse = ((1 - reach) * dice.between(3.0, 12.0)).clamp(0, 1)
    covered = torch.where(one_colour[:, None, None], differs, ellipse)[:, None]
    if images.shape[1] != _COLOURS:
        images = images.mean(dim=1, keepdim=True).expand(-1, _COLOURS, -1, -1)
    return torch.cat([images * covered, covered], dim=1)
