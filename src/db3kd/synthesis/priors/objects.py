"""Families of objects on flat ground: shapes, silhouettes, bodies between two profiles, and strokes.

Called through `db3kd.synthesis.priors.FAMILIES`.
"""

import math

import torch

from db3kd.synthesis.priors.blending import focused, framed
from db3kd.synthesis.priors.fields import between, chance, fractal_fields, pixel_of, whole
from db3kd.synthesis.priors.figures import figure
from db3kd.synthesis.priors.outlines import Frame, cover, full_frame, turned
from db3kd.synthesis.priors.parts import gap, handle, limb, shape, stroke, trunk
from db3kd.synthesis.priors.shading import Ground, grounds, laid_on, surface_for, surfaces, textures
from db3kd.tensors import Float, Tensor

_MOST_SHAPES = 4
_MOST_LEAVES = 24
_MOST_STROKES = 3
_MOST_MARKS = 3
# How many bodies have a first pair of limbs, and a second.
_LIMBS = (0.6, 0.2)
_FIGURES = 0.5


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
        stencil = cover(shape(count, (height, width), generator, largest=0.9), generator, softest=4.0)
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
        stencil = cover(shape(count, image_shape[1:], generator, scale=largest), generator)
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
        n images in [0, 1]; most have marks on them, and most fill the frame.
    """
    size = image_shape[1:]
    fields = fractal_fields(count, size, generator, slopes=(1.2, 3.0))
    fields = torch.where(chance(0.7, count, generator), (fields + fields.flip(2)) / math.sqrt(2), fields)
    at = full_frame(count, size)
    aspect = torch.exp(between(-0.6, 0.6, count, generator))
    pull = between(1.0, 4.0, count, generator) * (torch.hypot(at.y * aspect, at.x / aspect) - 0.6)
    stencil = cover((fields - pull) * between(0.15, 0.5, count, generator), generator)
    behind = grounds(count, image_shape[0], ground, generator)
    return _shown(stencil, behind, _object_textures(count, size, generator), generator)


def bodies(
    count: int, image_shape: tuple[int, int, int], generator: torch.Generator, *, ground: Ground = "any"
) -> Float[Tensor, "n c h w"]:
    """Draw things about an axis: figures, and what lies between two profiles, some with a gap, limbs or a handle.

    Args:
        count: how many.
        image_shape: channels, height and width.
        generator: of all choices.
        ground: what they lie on.

    Returns:
        n images in [0, 1]; most have marks on them, and most fill the frame.
    """
    size = image_shape[1:]
    at = turned(full_frame(count, size), generator)
    lean = between(-0.15, 0.15, count, generator) * chance(0.3, count, generator)
    at = Frame(at.y, at.x - lean * at.y)
    mirrored = Frame(at.y, at.x.abs())
    body = trunk(at, generator)
    body = torch.where(chance(0.4, count, generator), torch.minimum(body, -gap(mirrored, generator)), body)
    for share in _LIMBS:
        limbs = torch.where(chance(share, count, generator), limb(mirrored, generator), -1.0)
        body = torch.maximum(body, limbs)
    held = torch.where(chance(0.15, count, generator), handle(mirrored, generator), -1.0)
    body = torch.where(chance(_FIGURES, count, generator), figure(mirrored, generator), torch.maximum(body, held))
    stencil = cover(body, generator)
    behind = grounds(count, image_shape[0], ground, generator)
    return _shown(stencil, behind, _object_textures(count, size, generator, body), generator)


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
    lines = torch.full((count, *size), -4.0)
    for layer in range(_MOST_STROKES):
        drawn = stroke(count, size, generator)
        lines = torch.where(layer < number, torch.maximum(lines, drawn), lines)
    thickness = between(0.6, 3.0, count, generator) * between(0.02, 0.07, count, generator)
    thickness = thickness.clamp(min=pixel_of(*size) / 2)
    stencil = cover(thickness + lines, generator)
    behind = grounds(count, channels, ground, generator)
    bright = torch.where(chance(0.6, count, generator), torch.ones(count, *size), textures(count, size, generator))
    return laid_on(behind, surface_for(behind, bright, generator), stencil)


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


def _shown(
    stencil: Float[Tensor, "n h w"],
    behind: Float[Tensor, "n c 1 1"],
    drawn: Float[Tensor, "n h w"],
    generator: torch.Generator,
) -> Float[Tensor, "n c h w"]:
    """Objects on their ground: most with marks on them, brought to fill the frame, and in focus."""
    surface = _marked(surface_for(behind, drawn, generator), behind, generator)
    return focused(framed(laid_on(behind, surface, stencil), behind, generator), generator)


def _marked(
    surface: Float[Tensor, "n c h w"], behind: Float[Tensor, "n c 1 1"], generator: torch.Generator
) -> Float[Tensor, "n c h w"]:
    """Surfaces, most of them with one to three small shapes or strokes of another surface, half of these mirrored."""
    count, _, height, width = surface.shape
    number = whole(1, _MOST_MARKS, count, generator) * chance(0.6, count, generator)[:, 0, 0]
    surface = surface.clone()
    for layer in range(_MOST_MARKS):
        rows = (layer < number).nonzero()[:, 0]
        if not len(rows):
            break
        own = surface_for(behind[rows], textures(len(rows), (height, width), generator), generator)
        covered = _marks(len(rows), (height, width), generator) * between(0.3, 1.0, len(rows), generator)
        surface[rows] = laid_on(surface[rows], own, covered)
    return surface


def _marks(count: int, size: tuple[int, int], generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """Stencils of small shapes, three of ten of strokes instead."""
    marks = shape(count, size, generator, scale=between(0.05, 0.5, count, generator))
    lines = chance(0.3, count, generator).flatten().nonzero()[:, 0]
    marks[lines] = between(0.02, 0.08, len(lines), generator) + stroke(len(lines), size, generator)
    mirrored = chance(0.5, count, generator)
    return cover(torch.where(mirrored, torch.maximum(marks, marks.flip(2)), marks), generator)
