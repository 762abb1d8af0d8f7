"""Distances to simple outlines, in batches: capsules, boxes, ellipses, and bodies between two profiles.

A signed distance is positive inside, in coordinates from -1 to 1; `cover` turns it into a soft-edged stencil. Called
by the families beside this module.
"""

from typing import NamedTuple

import torch

from db3kd.synthesis.priors.fields import Coordinates, between, chance, coordinates, pixel_of, whole
from db3kd.tensors import Float, Tensor

_KNOTS = 8
_LEAST = 1e-4


class Frame(NamedTuple):
    """Coordinates of an outline of its own for each image: moved, turned, mirrored.

    Args:
        y: along the outline's second axis.
        x: along its first axis.
    """

    y: Float[Tensor, "n h w"]
    x: Float[Tensor, "n h w"]


def frame(
    place: Coordinates, centre: tuple[Float[Tensor, "n 1 1"], Float[Tensor, "n 1 1"]], angle: Float[Tensor, "n 1 1"]
) -> Frame:
    """Move the origin to a centre (y, x) and turn the axes by an angle."""
    y, x = place.y - centre[0], place.x - centre[1]
    cosine, sine = torch.cos(angle), torch.sin(angle)
    return Frame(cosine * y - sine * x, cosine * x + sine * y)


def cover(
    distances: Float[Tensor, "n h w"], generator: torch.Generator, *, softest: float = 1.5
) -> Float[Tensor, "n h w"]:
    """Turn signed distances into stencils with edges of half a pixel up to `softest` pixels."""
    count, height, width = distances.shape
    soft = pixel_of(height, width) * between(0.3, softest, count, generator)
    return (0.5 + distances / (2 * soft)).clamp(0, 1)


def ellipse(at: Frame, radii: tuple[Float[Tensor, "n 1 1"], Float[Tensor, "n 1 1"]]) -> Float[Tensor, "n h w"]:
    """Give the distance to ellipses of radii (y, x), to first order."""
    scaled = torch.hypot(at.y / radii[0], at.x / radii[1])
    return (1 - scaled) * torch.minimum(*radii)


def box(at: Frame, radii: tuple[Float[Tensor, "n 1 1"], Float[Tensor, "n 1 1"]]) -> Float[Tensor, "n h w"]:
    """Give the distance to boxes of half sides (y, x)."""
    return torch.minimum(radii[0] - at.y.abs(), radii[1] - at.x.abs())


def capsule(
    at: Frame,
    start: tuple[Float[Tensor, "n 1 1"], Float[Tensor, "n 1 1"]],
    end: tuple[Float[Tensor, "n 1 1"], Float[Tensor, "n 1 1"]],
    *,
    thickness: tuple[Float[Tensor, "n 1 1"] | float, Float[Tensor, "n 1 1"] | float] = (0.0, 0.0),
) -> Float[Tensor, "n h w"]:
    """Give the distance to the line from `start` to `end`, both (y, x), as thick as said at each, evenly between."""
    along = (end[0] - start[0], end[1] - start[1])
    squared = (along[0].square() + along[1].square()).clamp(min=_LEAST)
    share = (((at.y - start[0]) * along[0] + (at.x - start[1]) * along[1]) / squared).clamp(0, 1)
    thick = thickness[0] + (thickness[1] - thickness[0]) * share
    return thick - torch.hypot(at.y - start[0] - share * along[0], at.x - start[1] - share * along[1])


def profile(position: Float[Tensor, "n h w"], generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """Draw a random profile for each image and read it off at positions from 0 to 1.

    Args:
        position: where to read; beyond 0 and 1 the profile goes on flat.
        generator: of all choices.

    Returns:
        Values from 0 to 1. A profile has 2 to 8 knots, joined by straight lines, smoothly or by steps.
    """
    count = len(position)
    values = torch.rand(count, _KNOTS, generator=generator)
    last = whole(1, _KNOTS - 1, count, generator)[:, None, None]
    scaled = position.clamp(0, 1) * last
    below = scaled.floor().clamp(max=_KNOTS - 2).long()
    share = scaled - below
    kind = torch.rand(count, 1, 1, generator=generator)
    smooth = share.square() * (3 - 2 * share)
    share = torch.where(kind < 0.45, share, torch.where(kind < 0.8, smooth, (share > 0.5).to(share.dtype)))
    low = values.gather(1, below.flatten(1)).view_as(share)
    high = values.gather(1, (below + 1).flatten(1)).view_as(share)
    return torch.lerp(low, high, share)


def full_frame(count: int, size: tuple[int, int]) -> Frame:
    """Give each image its plain coordinates."""
    place = coordinates(*size)
    return Frame(place.y.expand(count, *size), place.x.expand(count, *size))


def turned(at: Frame, generator: torch.Generator, *, upright: float = 0.65) -> Frame:
    """Lay some frames on their side, and turn half of those over; no other angle comes out."""
    count = len(at.y)
    lying = ~chance(upright, count, generator)
    over = chance(0.5, count, generator)
    y, x = torch.where(lying, at.x, at.y), torch.where(lying, at.y, at.x)
    return Frame(torch.where(over, -y, y), x)
