"""The families by name, and how images of one are painted: in parts that fit into memory, on 8-bit steps.

A new family is a function in a module of this folder and a line in `FAMILIES`.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from db3kd.answers import Candidates
from db3kd.data.dataset import as_bytes
from db3kd.errors import PlanError
from db3kd.pools.priors.fields import Dice, Shape
from db3kd.pools.priors.noise import fractals, multiscale_noise, patchworks, uniform_noise
from db3kd.pools.priors.objects import bodies, dead_leaves, shapes, silhouettes, strokes
from db3kd.pools.priors.pictures import glyphs, outlines, pasted, pictures
from db3kd.pools.priors.shading import Ground
from db3kd.tensors import Float, Tensor, UInt8

# A family holds some twenty floats a pixel at its height; this keeps a part below 200 MB, and within the caches.
_PIXELS_PER_PART = 512 * 784


@dataclass(frozen=True)
class Family:
    """One kind of procedural images: its name in reports, and what gives images in [0, 1]."""

    name: str
    draw: Callable[[Shape, Dice], Float[Tensor, "n c h w"]]


_GROUNDS: Mapping[str, Ground] = {"": "any", " on dark": "dark", " on light": "light"}
_OBJECTS = {"shapes": shapes, "silhouettes": silhouettes, "bodies": bodies, "strokes": strokes}
_PICTURES = {"glyphs": glyphs, "pictures": pictures, "picture outlines": outlines}


def _on_grounds(drawings: Mapping[str, Callable[..., Float[Tensor, "n c h w"]]]) -> Iterator[Family]:
    """Each drawing on every kind of ground."""
    for name, draw in drawings.items():
        for where, ground in _GROUNDS.items():
            yield Family(name + where, partial(draw, ground=ground))


PROCEDURAL = (
    Family("uniform noise", uniform_noise),
    Family("multi-scale noise", multiscale_noise),
    Family("fractal fields", fractals),
    Family("patchworks", patchworks),
    Family("dead leaves", dead_leaves),
    *_on_grounds(_OBJECTS),
)
# Out of what db3kd holds.
PICTURED = (*_on_grounds(_PICTURES), Family("pictures on surfaces", pasted))
FAMILIES = (*PROCEDURAL, *PICTURED)
# Out of pictures of the user's own: what is cut out of them, by the name of the family. See `surrogates`.
AS_THEY_ARE = "surrogates"
WARPED = f"{AS_THEY_ARE}, warped"
SURROGATE: Mapping[str, Callable[..., Float[Tensor, "n c h w"]]] = {
    **{
        f"{AS_THEY_ARE}, {name}{where}": partial(draw, ground=ground)
        for name, draw in (("cut out", pictures), ("outlines", outlines))
        for where, ground in _GROUNDS.items()
    },
    f"{AS_THEY_ARE}, on surfaces": pasted,
}


def check_shape(image_shape: Shape) -> None:
    """Refuse a shape that no image has."""
    if len(image_shape) != 3 or min(image_shape) < 1 or min(image_shape[1:]) < 2:
        raise PlanError(
            f"images need a shape of three positive numbers (c, h, w), at least 2x2 pixels, got {image_shape}; "
            "none was painted"
        )


def paint(family: Family, count: int, image_shape: Shape, generator: torch.Generator) -> UInt8[Tensor, "n c h w"]:
    """Paint images of a family."""
    check_shape(image_shape)
    most = max(1, _PIXELS_PER_PART // math.prod(image_shape))
    parts = [torch.zeros(0, *image_shape, dtype=torch.uint8)]
    for start in range(0, count, most):
        parts.append(as_bytes(family.draw(image_shape, Dice(min(most, count - start), generator))))
    return torch.cat(parts)


def paint_all(
    families: Sequence[Family], numbers: Sequence[int], image_shape: Shape, generator: torch.Generator
) -> Candidates:
    """Paint so many images of each family, one family after the other."""
    drawing = list(zip(families, numbers, strict=True))
    pixels = [paint(family, number, image_shape, generator) for family, number in drawing]
    return Candidates(torch.cat(pixels), tuple(family.name for family, number in drawing for _ in range(number)))
