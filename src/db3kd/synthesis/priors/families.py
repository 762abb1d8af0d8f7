"""The families by name, and how images of one are painted: in parts that fit into memory, on 8-bit steps.

A new family is a function in a module beside this one and a line in `FAMILIES`.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch

from db3kd.errors import PlanError
from db3kd.synthesis.priors.noise import fractals, multiscale_noise, patchworks, uniform_noise
from db3kd.synthesis.priors.objects import bodies, dead_leaves, shapes, silhouettes, strokes
from db3kd.tensors import Float, Tensor, UInt8

_LEVELS = 255
# A family holds some twenty floats a pixel at its height; this keeps a part below 200 MB, and within the caches.
_PIXELS_PER_PART = 512 * 784


@dataclass(frozen=True)
class Family:
    """One kind of procedural images.

    Args:
        name: as reports call it.
        draw: gives images in [0, 1] for a count, an image shape and a generator.
    """

    name: str
    draw: Callable[[int, tuple[int, int, int], torch.Generator], Float[Tensor, "n c h w"]]


FAMILIES = (
    Family("uniform noise", uniform_noise),
    Family("multi-scale noise", multiscale_noise),
    Family("1/f fields", fractals),
    Family("patchworks", patchworks),
    Family("dead leaves", dead_leaves),
    Family("shapes", shapes),
    Family("shapes on dark", partial(shapes, ground="dark")),
    Family("shapes on light", partial(shapes, ground="light")),
    Family("silhouettes", silhouettes),
    Family("silhouettes on dark", partial(silhouettes, ground="dark")),
    Family("silhouettes on light", partial(silhouettes, ground="light")),
    Family("bodies", bodies),
    Family("bodies on dark", partial(bodies, ground="dark")),
    Family("bodies on light", partial(bodies, ground="light")),
    Family("strokes", strokes),
    Family("strokes on dark", partial(strokes, ground="dark")),
    Family("strokes on light", partial(strokes, ground="light")),
)


def paint(
    family: Family, count: int, image_shape: tuple[int, int, int], generator: torch.Generator
) -> UInt8[Tensor, "n c h w"]:
    """Paint images of a family.

    Args:
        family: which kind.
        count: how many.
        image_shape: channels, height and width.
        generator: of all choices; it moves on.

    Returns:
        8-bit images, so that what is asked is what is kept.

    Raises:
        PlanError: a shape that no image has.

    Cost: no query.
    """
    if len(image_shape) != 3 or min(image_shape) < 1 or min(image_shape[1:]) < 2:
        raise PlanError(
            f"images need a shape of three positive numbers (c, h, w), at least 2x2 pixels, got {image_shape}; "
            "none was painted"
        )
    none = torch.zeros(0, *image_shape, dtype=torch.uint8)
    return torch.cat([none, *_parts(family, count, image_shape, generator)])


def _parts(
    family: Family, count: int, image_shape: tuple[int, int, int], generator: torch.Generator
) -> Iterator[UInt8[Tensor, "b c h w"]]:
    most = max(1, _PIXELS_PER_PART // math.prod(image_shape))
    for start in range(0, count, most):
        images = family.draw(min(most, count - start), image_shape, generator)
        yield (images * _LEVELS).round_().to(torch.uint8)
