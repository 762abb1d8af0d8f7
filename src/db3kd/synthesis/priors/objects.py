"""Families of objects on flat ground: shapes, silhouettes, bodies between two profiles, and strokes.

Called through `db3kd.synthesis.priors.FAMILIES`.
"""

import math

import torch

from db3kd.synthesis.priors.fields import between, chance, coordinates, fractal_fields, pixel_of, whole
from db3kd.synthesis.priors.outlines import Frame, box, capsule, cover, ellipse, frame, full_frame, profile, turned
from db3kd.synthesis.priors.shading import Ground, grounds, laid_on, surface_for, surfaces, textures
from db3kd.tensors import Float, Tensor

_MOST_SHAPES = 4
_MOST_LEAVES = 24
_SEGMENTS = 12
_MOST_STROKES = 3


def shapes(
    count: int, image_shape: tuple[int, int, int], generator: torch.Generator, *, ground: Ground = "any"
) -> Float[Tensor, "n c h w"]:
    """Draw one to four ellipses and boxes with soft edges, textured.

    Args:
        count: how many.
        image_shape: channels, height and width.
        generator: of all choices.
        ground: what they lie on.

    Returns:
        n images in [0, 1].
    """
    channels, height, width = image_shape
    behind = grounds(count, channels, ground, generator)
    images = behind.expand(count, *image_shape)
    number = whole(1, _MOST_SHAPES, count, generator)[:, None, None]
    for layer in range(_MOST_SHAPES):
        stencil = cover(_shape(count, (height, width), generator, largest=0.9), generator, softest=4.0)
        surface = surface_for(behind, textures(count, (height, width), generator), generator)
        images = laid_on(images, surface, stencil * (layer < number))
    return images


def dead_leaves(count: int, image_shape: tuple[int, int, int], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
    """Draw many opaque shapes on top of each other, small ones more often than large ones.

    Source: the dead leaves model (Lee, Mumford and Huang, 2001), of ellipses and boxes.

    Args:
        count: how many.
        image_shape: channels, height and width.
        generator: of all choices.

    Returns:
        n images in [0, 1].
    """
    images = surfaces(count, image_shape, generator)
    for _ in range(_MOST_LEAVES):
        largest = 0.12 / (0.12 + torch.rand(count, 1, 1, generator=generator))
        stencil = cover(_shape(count, image_shape[1:], generator, scale=largest), generator)
        colour = torch.rand(count, image_shape[0], 1, 1, generator=generator)
        images = laid_on(images, colour.expand(count, *image_shape), stencil)
    return images


def silhouettes(
    count: int, image_shape: tuple[int, int, int], generator: torch.Generator, *, ground: Ground = "any"
) -> Float[Tensor, "n c h w"]:
    """Draw what smooth noise with a pull to the centre leaves above a level; most of them left-right symmetric.

    Args:
        count: how many.
        image_shape: channels, height and width.
        generator: of all choices.
        ground: what they lie on.

    Returns:
        n images in [0, 1].
    """
    channels, height, width = image_shape
    size = (height, width)
    fields = fractal_fields(count, size, generator, slopes=(1.2, 3.0))
    fields = torch.where(chance(0.7, count, generator), (fields + fields.flip(2)) / math.sqrt(2), fields)
    at = full_frame(count, size)
    aspect = torch.exp(between(-0.6, 0.6, count, generator))
    pull = between(1.0, 4.0, count, generator) * (torch.hypot(at.y * aspect, at.x / aspect) - 0.6)
    stencil = cover((fields - pull) * between(0.15, 0.5, count, generator), generator)
    behind = grounds(count, channels, ground, generator)
    return laid_on(behind, surface_for(behind, _object_textures(count, size, generator), generator), stencil)


def bodies(
    count: int, image_shape: tuple[int, int, int], generator: torch.Generator, *, ground: Ground = "any"
) -> Float[Tensor, "n c h w"]:
    """Draw things between two profiles about an axis, mostly mirrored, some with a gap, with limbs or with a handle.

    Args:
        count: how many.
        image_shape: channels, height and width.
        generator: of all choices.
        ground: what they lie on.

    Returns:
        n images in [0, 1].
    """
    channels, height, width = image_shape
    size = (height, width)
    at = turned(full_frame(count, size), generator)
    lean = between(-0.15, 0.15, count, generator) * chance(0.3, count, generator)
    at = Frame(at.y, at.x - lean * at.y)
    mirrored = Frame(at.y, at.x.abs())
    trunk = _trunk(at, generator)
    trunk = torch.where(chance(0.4, count, generator), torch.minimum(trunk, -_gap(mirrored, generator)), trunk)
    limbs = torch.where(chance(0.45, count, generator), _limb(mirrored, generator), -1.0)
    body = torch.maximum(trunk, limbs)
    handle = torch.where(chance(0.15, count, generator), _handle(mirrored, generator), -1.0)
    stencil = cover(torch.maximum(body, handle), generator)
    behind = grounds(count, channels, ground, generator)
    surface = surface_for(behind, _object_textures(count, size, generator, body), generator)
    return laid_on(behind, surface, stencil)


def strokes(
    count: int, image_shape: tuple[int, int, int], generator: torch.Generator, *, ground: Ground = "any"
) -> Float[Tensor, "n c h w"]:
    """Draw one to three bent strokes of a pen.

    Args:
        count: how many.
        image_shape: channels, height and width.
        generator: of all choices.
        ground: what they lie on.

    Returns:
        n images in [0, 1].
    """
    channels, height, width = image_shape
    size = (height, width)
    number = whole(1, _MOST_STROKES, count, generator)[:, None, None]
    nearest = torch.full((count, *size), 4.0)
    for stroke in range(_MOST_STROKES):
        drawn = _stroke(count, size, generator)
        nearest = torch.where(stroke < number, torch.minimum(nearest, drawn), nearest)
    thickness = between(0.6, 3.0, count, generator) * between(0.02, 0.07, count, generator) / 0.045 * 0.045
    thickness = thickness.clamp(min=pixel_of(*size) / 2)
    stencil = cover(thickness - nearest, generator)
    behind = grounds(count, channels, ground, generator)
    bright = torch.where(chance(0.6, count, generator), torch.ones(count, *size), textures(count, size, generator))
    return laid_on(behind, surface_for(behind, bright, generator), stencil)


def _shape(
    count: int,
    size: tuple[int, int],
    generator: torch.Generator,
    *,
    largest: float = 1.0,
    scale: Float[Tensor, "n 1 1"] | None = None,
) -> Float[Tensor, "n h w"]:
    """The signed distance to an ellipse or a box, anywhere and turned anyhow."""
    scale = between(0.15, largest, count, generator) if scale is None else scale
    centre = (between(-0.7, 0.7, count, generator), between(-0.7, 0.7, count, generator))
    straight = chance(0.4, count, generator)
    angle = torch.where(straight, torch.zeros(count, 1, 1), between(0.0, math.pi, count, generator))
    at = frame(coordinates(*size), centre, angle)
    aspect = torch.exp(between(-0.8, 0.8, count, generator))
    radii = (scale * aspect.clamp(max=1.0), scale / aspect.clamp(min=1.0))
    return torch.where(chance(0.5, count, generator), ellipse(at, radii), box(at, radii))


def _trunk(at: Frame, generator: torch.Generator) -> Float[Tensor, "n h w"]:
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


def _gap(mirrored: Frame, generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """A part to leave out along the axis, mostly open at one end."""
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


def _limb(mirrored: Frame, generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """Two mirrored limbs that come out of the trunk."""
    count = len(mirrored.y)
    start = (between(-0.9, 0.3, count, generator), between(0.0, 0.4, count, generator))
    length = between(0.2, 1.5, count, generator)
    angle = between(-0.5, math.pi / 2, count, generator)
    end = (start[0] + length * torch.sin(angle), start[1] + length * torch.cos(angle))
    return between(0.05, 0.25, count, generator) - capsule(mirrored, start, end)


def _handle(mirrored: Frame, generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """A ring about the axis."""
    count = len(mirrored.y)
    height = between(-0.9, 0.9, count, generator)
    radii = (between(0.2, 0.7, count, generator), between(0.15, 0.7, count, generator))
    ring = ellipse(Frame(mirrored.y - height, mirrored.x), radii)
    return between(0.02, 0.1, count, generator) - ring.abs()


def _object_textures(
    count: int,
    size: tuple[int, int],
    generator: torch.Generator,
    distances: Float[Tensor, "n h w"] | None = None,
) -> Float[Tensor, "n h w"]:
    """Textures, half of them mirrored; where a body is known, some are lighter or darker near its edge."""
    drawn = textures(count, size, generator)
    drawn = torch.where(chance(0.5, count, generator), (drawn + drawn.flip(2)) / 2, drawn)
    if distances is None:
        return drawn
    rim = torch.exp(-distances.clamp(min=0) / between(0.03, 0.3, count, generator))
    return (drawn + chance(0.4, count, generator) * between(-0.6, 0.6, count, generator) * rim).clamp(0, 1)


def _stroke(count: int, size: tuple[int, int], generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """The distance to a curve through a few random points."""
    at = full_frame(count, size)
    knots = 1.5 * torch.rand(count, 4, 2, generator=generator) - 0.75
    # Half of the curves come back to where they began.
    closing = chance(0.25, count, generator)
    knots = torch.cat([knots[:, :3], torch.where(closing, knots[:, :1], knots[:, 3:])], dim=1)
    time = torch.linspace(0, 1, _SEGMENTS + 1)
    # A cubic Bezier curve, reaching out beyond its middle knots so that it bends as far as they lie.
    knots = torch.cat([knots[:, :1], 1.6 * knots[:, 1:3], knots[:, 3:]], dim=1)
    weights = torch.stack([(1 - time) ** 3, 3 * time * (1 - time) ** 2, 3 * time**2 * (1 - time), time**3])
    points = torch.einsum("nkd,kt->ntd", knots, weights).clamp(-0.95, 0.95)[..., None, None]
    nearest = torch.full((count, *size), 4.0)
    for segment in range(_SEGMENTS):
        start, end = points[:, segment], points[:, segment + 1]
        nearest = torch.minimum(nearest, capsule(at, (start[:, 0], start[:, 1]), (end[:, 0], end[:, 1])))
    return nearest
