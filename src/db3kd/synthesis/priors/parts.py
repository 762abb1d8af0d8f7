"""Parts of which objects are made, each drawn at random: shapes, trunks, gaps, limbs, handles and strokes.

Each is a signed distance in coordinates from -1 to 1, positive inside; a stroke is a line without thickness, so that it
is negative but on it. Called by `objects`, which textures them.
"""

import math

import torch

from db3kd.synthesis.priors.fields import between, chance, coordinates
from db3kd.synthesis.priors.outlines import Frame, box, capsule, ellipse, frame, full_frame, profile
from db3kd.tensors import Float, Tensor

_SEGMENTS = 12


def shape(
    count: int,
    size: tuple[int, int],
    generator: torch.Generator,
    *,
    largest: float = 1.0,
    scale: Float[Tensor, "n 1 1"] | None = None,
) -> Float[Tensor, "n h w"]:
    """Give the signed distance to an ellipse or a box, anywhere and turned anyhow."""
    scale = between(0.15, largest, count, generator) if scale is None else scale
    centre = (between(-0.7, 0.7, count, generator), between(-0.7, 0.7, count, generator))
    straight = chance(0.4, count, generator)
    angle = torch.where(straight, torch.zeros(count, 1, 1), between(0.0, math.pi, count, generator))
    at = frame(coordinates(*size), centre, angle)
    aspect = torch.exp(between(-0.8, 0.8, count, generator))
    radii = (scale * aspect.clamp(max=1.0), scale / aspect.clamp(min=1.0))
    return torch.where(chance(0.5, count, generator), ellipse(at, radii), box(at, radii))


def trunk(at: Frame, generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """Give what lies between two profiles, which are mostly each other's mirror image."""
    count = len(at.y)
    top = -between(0.45, 1.0, count, generator)
    bottom = between(0.45, 1.0, count, generator)
    position = (at.y - top) / (bottom - top)
    widest = between(0.15, 1.0, count, generator)
    relief = between(0.1, 1.0, count, generator)
    right = widest * (1 - relief * profile(position, generator))
    other = widest * (1 - relief * profile(position, generator))
    flat = widest * between(0.2, 0.9, count, generator)
    kind = torch.rand(count, 1, 1, generator=generator)
    left = torch.where(kind < 0.6, right, torch.where(kind < 0.8, other, flat))
    return torch.minimum(torch.minimum(right - at.x, left + at.x), torch.minimum(at.y - top, bottom - at.y))


def gap(mirrored: Frame, generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """Give a part to leave out along the axis, mostly open at one end."""
    count = len(mirrored.y)
    start = between(-0.8, 0.6, count, generator)
    end = torch.where(
        chance(0.7, count, generator), torch.ones(count, 1, 1), start + between(0.2, 1.0, count, generator)
    )
    position = (mirrored.y - start) / (end - start)
    wide = between(0.03, 0.4, count, generator) * torch.lerp(
        torch.ones(()), profile(position, generator), between(0.0, 1.0, count, generator)
    )
    inside = torch.minimum(wide - mirrored.x, torch.minimum(mirrored.y - start, end - mirrored.y))
    moved = between(-0.1, 0.6, count, generator).clamp(min=0) * chance(0.3, count, generator)
    aside = torch.minimum(wide - (mirrored.x - moved).abs(), torch.minimum(mirrored.y - start, end - mirrored.y))
    return torch.where(moved > 0, aside, inside)


def limb(mirrored: Frame, generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """Give two mirrored limbs that come out of the trunk anywhere, in any direction but inwards."""
    count = len(mirrored.y)
    start = (between(-0.9, 0.5, count, generator), between(0.0, 0.5, count, generator))
    length = between(0.3, 1.6, count, generator)
    angle = between(-0.5, math.pi / 2, count, generator)
    return bent_limb(mirrored, start, length, angle, between(0.06, 0.35, count, generator), generator)


def bent_limb(
    at: Frame,
    start: tuple[Float[Tensor, "n 1 1"], Float[Tensor, "n 1 1"]],
    length: Float[Tensor, "n 1 1"],
    angle: Float[Tensor, "n 1 1"],
    thickness: Float[Tensor, "n 1 1"],
    generator: torch.Generator,
) -> Float[Tensor, "n h w"]:
    """Give a limb that is thinner towards its end, mostly, and half the time bent at a joint.

    Args:
        at: coordinates.
        start: (y, x) of its beginning.
        length: along both its parts.
        angle: of the first; 0 goes outwards, a quarter turn downwards.
        thickness: at its beginning.
        generator: of all other choices.

    Returns:
        Signed distances.
    """
    count = len(at.y)
    share = between(0.3, 0.7, count, generator)
    joint = _reached(start, share * length, angle)
    bend = between(-0.9, 0.9, count, generator) * chance(0.5, count, generator)
    end = _reached(joint, (1 - share) * length, angle + bend)
    last = thickness * between(0.3, 1.1, count, generator)
    middle = torch.lerp(thickness, last, share)
    upper = capsule(at, start, joint, thickness=(thickness, middle))
    return torch.maximum(upper, capsule(at, joint, end, thickness=(middle, last)))


def _reached(
    start: tuple[Float[Tensor, "n 1 1"], Float[Tensor, "n 1 1"]],
    length: Float[Tensor, "n 1 1"],
    angle: Float[Tensor, "n 1 1"],
) -> tuple[Float[Tensor, "n 1 1"], Float[Tensor, "n 1 1"]]:
    """Where a line ends, both (y, x); an angle of 0 goes outwards, a quarter turn downwards."""
    return start[0] + length * torch.sin(angle), start[1] + length * torch.cos(angle)


def handle(mirrored: Frame, generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """Give a ring about the axis."""
    count = len(mirrored.y)
    height = between(-0.9, 0.9, count, generator)
    radii = (between(0.2, 0.7, count, generator), between(0.15, 0.7, count, generator))
    ring = ellipse(Frame(mirrored.y - height, mirrored.x), radii)
    return between(0.02, 0.1, count, generator) - ring.abs()


def stroke(count: int, size: tuple[int, int], generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """Give the distance to a curve through a few random points, 0 on it and negative beside it."""
    at = full_frame(count, size)
    knots = 1.5 * torch.rand(count, 4, 2, generator=generator) - 0.75
    # A quarter of the curves come back to where they began.
    closing = chance(0.25, count, generator)
    knots = torch.cat([knots[:, :3], torch.where(closing, knots[:, :1], knots[:, 3:])], dim=1)
    time = torch.linspace(0, 1, _SEGMENTS + 1)
    # A cubic Bezier curve, reaching out beyond its middle knots so that it bends as far as they lie.
    knots = torch.cat([knots[:, :1], 1.6 * knots[:, 1:3], knots[:, 3:]], dim=1)
    weights = torch.stack([(1 - time) ** 3, 3 * time * (1 - time) ** 2, 3 * time**2 * (1 - time), time**3])
    points = torch.einsum("nkd,kt->ntd", knots, weights).clamp(-0.95, 0.95)[..., None, None]
    inside = torch.full((count, *size), -4.0)
    for segment in range(_SEGMENTS):
        start, end = points[:, segment], points[:, segment + 1]
        inside = torch.maximum(inside, capsule(at, (start[:, 0], start[:, 1]), (end[:, 0], end[:, 1])))
    return inside
