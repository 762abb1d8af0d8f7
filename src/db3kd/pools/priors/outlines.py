"""Outlines as distances, in batches: capsules, boxes and ellipses, and the parts of objects, each drawn at random.

A signed distance is positive inside, in coordinates from -1 to 1; `cover` turns it into a soft-edged stencil. A stroke
is a line without thickness, so that it is negative but on it. Called by `objects` and `figures`.
"""

import math

import torch

from db3kd.pools.priors.fields import Dice, Frame, Number, Point, Size, coordinates
from db3kd.tensors import Float, Tensor

_KNOTS = 8
_LEAST = 1e-4
_SEGMENTS = 12
# The share of frames whose axis stays upright.
_UPRIGHT = 0.65


def pixel_of(size: Size) -> float:
    """Give the width of a pixel in coordinates, the larger of both."""
    return 2.0 / min(size)


def moved(at: Frame, centre: Point, angle: Number) -> Frame:
    """Move the origin to a centre (y, x) and turn the axes by an angle."""
    y, x = at.y - centre[0], at.x - centre[1]
    cosine, sine = torch.cos(angle), torch.sin(angle)
    return Frame(cosine * y - sine * x, cosine * x + sine * y)


def turned(at: Frame, dice: Dice) -> Frame:
    """Lay some frames on their side, and turn half of all over; no other angle comes out."""
    lying = ~dice.chance(_UPRIGHT)
    over = dice.chance(0.5)
    y, x = torch.where(lying, at.x, at.y), torch.where(lying, at.y, at.x)
    return Frame(torch.where(over, -y, y), x)


def cover(distances: Float[Tensor, "n h w"], dice: Dice, *, softest: float = 1.5) -> Float[Tensor, "n h w"]:
    """Turn signed distances into stencils with edges of 0.3 up to `softest` pixels to either side."""
    soft = pixel_of((distances.shape[1], distances.shape[2])) * dice.between(0.3, softest)
    return (0.5 + distances / (2 * soft)).clamp(0, 1)


def ellipse(at: Frame, radii: Point) -> Float[Tensor, "n h w"]:
    """Give the distance to ellipses of radii (y, x), to first order."""
    scaled = torch.hypot(at.y / radii[0], at.x / radii[1])
    return (1 - scaled) * torch.minimum(*radii)


def box(at: Frame, radii: Point) -> Float[Tensor, "n h w"]:
    """Give the distance to boxes of half sides (y, x)."""
    return torch.minimum(radii[0] - at.y.abs(), radii[1] - at.x.abs())


def capsule(
    at: Frame, start: Point, end: Point, *, thickness: tuple[Number | float, Number | float] = (0.0, 0.0)
) -> Float[Tensor, "n h w"]:
    """Give the distance to the line from `start` to `end`, both (y, x), as thick as said at each, evenly between."""
    along = (end[0] - start[0], end[1] - start[1])
    squared = (along[0].square() + along[1].square()).clamp(min=_LEAST)
    share = (((at.y - start[0]) * along[0] + (at.x - start[1]) * along[1]) / squared).clamp(0, 1)
    thick = thickness[0] + (thickness[1] - thickness[0]) * share
    return thick - torch.hypot(at.y - start[0] - share * along[0], at.x - start[1] - share * along[1])


def profile(position: Float[Tensor, "n h w"], dice: Dice) -> Float[Tensor, "n h w"]:
    """Draw a random profile for each image and read it off at positions from 0 to 1."""
    values = dice.rand(_KNOTS)
    last = dice.whole(1, _KNOTS - 1)[:, None, None]
    scaled = position.clamp(0, 1) * last
    below = scaled.floor().clamp(max=_KNOTS - 2).long()
    share = scaled - below
    kind = dice.rand(1, 1)
    smooth = share.square() * (3 - 2 * share)
    share = torch.where(kind < 0.45, share, torch.where(kind < 0.8, smooth, (share > 0.5).to(share.dtype)))
    low = values.gather(1, below.flatten(1)).view_as(share)
    high = values.gather(1, (below + 1).flatten(1)).view_as(share)
    return torch.lerp(low, high, share)


def shape(size: Size, dice: Dice, *, largest: float = 1.0, scale: Number | None = None) -> Float[Tensor, "n h w"]:
    """Give an ellipse or a box, anywhere and turned anyhow."""
    scale = dice.between(0.15, largest) if scale is None else scale
    centre = (dice.between(-0.7, 0.7), dice.between(-0.7, 0.7))
    straight = dice.chance(0.4)
    at = moved(coordinates(size), centre, dice.between(0.0, math.pi).masked_fill(straight, 0.0))
    aspect = torch.exp(dice.between(-0.8, 0.8))
    radii = (scale * aspect.clamp(max=1.0), scale / aspect.clamp(min=1.0))
    return torch.where(dice.chance(0.5), ellipse(at, radii), box(at, radii))


def trunk(at: Frame, dice: Dice) -> Float[Tensor, "n h w"]:
    """Give what lies between two profiles, which are mostly each other's mirror image."""
    top, bottom = -dice.between(0.45, 1.0), dice.between(0.45, 1.0)
    position = (at.y - top) / (bottom - top)
    widest, relief = dice.between(0.15, 1.0), dice.between(0.1, 1.0)
    right, other = (widest * (1 - relief * profile(position, dice)) for _ in range(2))
    flat = widest * dice.between(0.2, 0.9)
    kind = dice.rand(1, 1)
    left = torch.where(kind < 0.6, right, torch.where(kind < 0.8, other, flat))
    return torch.minimum(torch.minimum(right - at.x, left + at.x), torch.minimum(at.y - top, bottom - at.y))


def gap(mirrored: Frame, dice: Dice) -> Float[Tensor, "n h w"]:
    """Give a part to leave out along the axis, mostly open at one end."""
    start = dice.between(-0.8, 0.6)
    opened = dice.chance(0.7)
    end = (start + dice.between(0.2, 1.0)).masked_fill(opened, 1.0)
    position = (mirrored.y - start) / (end - start)
    wide = dice.between(0.03, 0.4) * torch.lerp(torch.ones(()), profile(position, dice), dice.between(0.0, 1.0))
    along = torch.minimum(mirrored.y - start, end - mirrored.y)
    aside = dice.between(-0.1, 0.6).clamp(min=0) * dice.chance(0.3)
    across = torch.where(aside > 0, (mirrored.x - aside).abs(), mirrored.x)
    return torch.minimum(wide - across, along)


def limb(mirrored: Frame, dice: Dice) -> Float[Tensor, "n h w"]:
    """Give two mirrored limbs that come out of the trunk anywhere, in any direction but inwards."""
    start = (dice.between(-0.9, 0.5), dice.between(0.0, 0.5))
    length = dice.between(0.3, 1.6)
    angle = dice.between(-0.5, math.pi / 2)
    return bent_limb(mirrored, start, length, angle, dice.between(0.06, 0.35), dice)


def bent_limb(
    at: Frame, start: Point, length: Number, angle: Number, thickness: Number, dice: Dice
) -> Float[Tensor, "n h w"]:
    """Give a limb that is thinner towards its end, mostly, and half the time bent at a joint."""
    share = dice.between(0.3, 0.7)
    joint = _reached(start, share * length, angle)
    bend = dice.between(-0.9, 0.9) * dice.chance(0.5)
    end = _reached(joint, (1 - share) * length, angle + bend)
    last = thickness * dice.between(0.3, 1.1)
    middle = torch.lerp(thickness, last, share)
    upper = capsule(at, start, joint, thickness=(thickness, middle))
    return torch.maximum(upper, capsule(at, joint, end, thickness=(middle, last)))


def _reached(start: Point, length: Number, angle: Number) -> Point:
    """Where a line ends, both (y, x); an angle of 0 goes outwards, a quarter turn downwards."""
    return start[0] + length * torch.sin(angle), start[1] + length * torch.cos(angle)


def handle(mirrored: Frame, dice: Dice) -> Float[Tensor, "n h w"]:
    """Give a ring about the axis."""
    height = dice.between(-0.9, 0.9)
    radii = (dice.between(0.2, 0.7), dice.between(0.15, 0.7))
    ring = ellipse(Frame(mirrored.y - height, mirrored.x), radii)
    return dice.between(0.02, 0.1) - ring.abs()


def stroke(size: Size, dice: Dice) -> Float[Tensor, "n h w"]:
    """Give the distance to a curve through a few random points, 0 on it and negative elsewhere."""
    knots = 1.5 * dice.rand(4, 2) - 0.75
    # A quarter of the curves come back to where they began.
    last = torch.where(dice.chance(0.25), knots[:, :1], knots[:, 3:])
    # A cubic Bezier curve, reaching out beyond its middle knots so that it bends as far as they lie.
    knots = torch.cat([knots[:, :1], 1.6 * knots[:, 1:3], last], dim=1)
    time = torch.linspace(0, 1, _SEGMENTS + 1)
    weights = torch.stack([(1 - time) ** 3, 3 * time * (1 - time) ** 2, 3 * time**2 * (1 - time), time**3])
    points = torch.einsum("nkd,kt->ntd", knots, weights).clamp(-0.95, 0.95)[..., None, None]
    at, inside = coordinates(size), torch.full((dice.count, *size), -4.0)
    for segment in range(_SEGMENTS):
        start, end = points[:, segment], points[:, segment + 1]
        inside = torch.maximum(inside, capsule(at, (start[:, 0], start[:, 1]), (end[:, 0], end[:, 1])))
    return inside
