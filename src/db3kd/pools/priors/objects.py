"""Families of objects on flat ground: shapes, silhouettes, bodies between two profiles, and strokes.

Called through `db3kd.pools.priors.FAMILIES`.
"""

import math

import torch

from db3kd.pools.priors.blending import blend, focused, framed
from db3kd.pools.priors.fields import Dice, Frame, Shape, Size, coordinates, fractal_fields
from db3kd.pools.priors.figures import figure
from db3kd.pools.priors.outlines import cover, gap, handle, limb, pixel_of, shape, stroke, trunk, turned
from db3kd.pools.priors.shading import Ground, grounds, surface_for, surfaces, textures
from db3kd.tensors import Float, Tensor

_MOST_SHAPES = 4
_MOST_LEAVES = 24
_MOST_STROKES = 3
_MOST_MARKS = 3
# How many bodies have a first pair of limbs, and a second.
_LIMBS = (0.6, 0.2)
_FIGURES = 0.5


def shapes(image_shape: Shape, dice: Dice, ground: Ground = "any") -> Float[Tensor, "n c h w"]:
    """Draw one to four ellipses and boxes with soft edges, textured."""
    size = image_shape[1:]
    behind = grounds(image_shape[0], ground, dice)
    images = behind.expand(dice.count, *image_shape)
    number = dice.whole(1, _MOST_SHAPES)[:, None, None]
    for layer in range(_MOST_SHAPES):
        stencil = cover(shape(size, dice, largest=0.9), dice, softest=4.0)
        surface = surface_for(behind, textures(size, dice), dice)
        images = blend(images, surface, stencil * (layer < number))
    return images


def dead_leaves(image_shape: Shape, dice: Dice) -> Float[Tensor, "n c h w"]:
    """Draw many opaque shapes on top of each other, small ones more often than large ones.

    Source: the dead leaves model (Lee, Mumford and Huang, 2001), of ellipses and boxes.
    """
    images = surfaces(image_shape, dice)
    for _ in range(_MOST_LEAVES):
        stencil = cover(shape(image_shape[1:], dice, scale=0.12 / (0.12 + dice.rand(1, 1))), dice)
        images = blend(images, dice.rand(image_shape[0], 1, 1), stencil)
    return images


def silhouettes(image_shape: Shape, dice: Dice, ground: Ground = "any") -> Float[Tensor, "n c h w"]:
    """Draw what smooth noise with a pull to the centre leaves above a level; most of them left-right symmetric."""
    size = image_shape[1:]
    fields = fractal_fields(size, dice, slopes=(1.2, 3.0))
    fields = torch.where(dice.chance(0.7), (fields + fields.flip(2)) / math.sqrt(2), fields)
    at = coordinates(size)
    aspect = torch.exp(dice.between(-0.6, 0.6))
    pull = dice.between(1.0, 4.0) * (torch.hypot(at.y * aspect, at.x / aspect) - 0.6)
    stencil = cover((fields - pull) * dice.between(0.15, 0.5), dice)
    behind = grounds(image_shape[0], ground, dice)
    return shown(stencil, behind, object_textures(size, dice), dice)


def bodies(image_shape: Shape, dice: Dice, ground: Ground = "any") -> Float[Tensor, "n c h w"]:
    """Draw things about an axis: figures, and what lies between two profiles, some with a gap, limbs or a handle."""
    size = image_shape[1:]
    at = turned(coordinates(size), dice)
    at = Frame(at.y, at.x - dice.between(-0.15, 0.15) * dice.chance(0.3) * at.y)
    mirrored = Frame(at.y, at.x.abs())
    body = trunk(at, dice)
    body = torch.where(dice.chance(0.4), torch.minimum(body, -gap(mirrored, dice)), body)
    for share in _LIMBS:
        body = torch.maximum(body, torch.where(dice.chance(share), limb(mirrored, dice), -1.0))
    held = torch.where(dice.chance(0.15), handle(mirrored, dice), -1.0)
    body = torch.where(dice.chance(_FIGURES), figure(mirrored, dice), torch.maximum(body, held))
    stencil = cover(body, dice)
    behind = grounds(image_shape[0], ground, dice)
    return shown(stencil, behind, object_textures(size, dice, body), dice)


def strokes(image_shape: Shape, dice: Dice, ground: Ground = "any") -> Float[Tensor, "n c h w"]:
    """Draw one to three bent strokes of a pen."""
    size = image_shape[1:]
    number = dice.whole(1, _MOST_STROKES)[:, None, None]
    lines = torch.full((dice.count, *size), -4.0)
    for layer in range(_MOST_STROKES):
        drawn = stroke(size, dice)
        lines = torch.where(layer < number, torch.maximum(lines, drawn), lines)
    thickness = dice.between(0.6, 3.0) * dice.between(0.02, 0.07)
    stencil = cover(thickness.clamp(min=pixel_of(size) / 2) + lines, dice)
    behind = grounds(image_shape[0], ground, dice)
    flat = dice.chance(0.6)
    bright = textures(size, dice).masked_fill(flat, 1.0)
    return blend(behind, surface_for(behind, bright, dice), stencil)


def object_textures(size: Size, dice: Dice, distances: Float[Tensor, "n h w"] | None = None) -> Float[Tensor, "n h w"]:
    """Textures, half of them mirrored; where a body is known, some are lighter or darker near its edge."""
    drawn = textures(size, dice)
    drawn = torch.where(dice.chance(0.5), (drawn + drawn.flip(2)) / 2, drawn)
    if distances is None:
        return drawn
    rim = torch.exp(-distances.clamp(min=0) / dice.between(0.03, 0.3))
    return (drawn + dice.chance(0.4) * dice.between(-0.6, 0.6) * rim).clamp(0, 1)


def shown(
    stencil: Float[Tensor, "n h w"], behind: Float[Tensor, "n c 1 1"], drawn: Float[Tensor, "n h w"], dice: Dice
) -> Float[Tensor, "n c h w"]:
    """Objects on their ground: most with marks on them, brought to fill the frame, and in focus."""
    surface = _marked(surface_for(behind, drawn, dice), behind, dice)
    return focused(framed(blend(behind, surface, stencil), behind, dice), dice)


def _marked(
    surface: Float[Tensor, "n c h w"], behind: Float[Tensor, "n c 1 1"], dice: Dice
) -> Float[Tensor, "n c h w"]:
    """Surfaces, most of them with one to three small shapes or strokes of another surface, half of these mirrored."""
    size = (surface.shape[2], surface.shape[3])
    number = dice.whole(1, _MOST_MARKS) * dice.chance(0.6)[:, 0, 0]
    surface = surface.clone()
    for layer in range(_MOST_MARKS):
        rows = (layer < number).nonzero()[:, 0]
        if not len(rows):
            break
        some = Dice(len(rows), dice.generator)
        own = surface_for(behind[rows], textures(size, some), some)
        surface[rows] = blend(surface[rows], own, _marks(size, some) * some.between(0.3, 1.0))
    return surface


def _marks(size: Size, dice: Dice) -> Float[Tensor, "n h w"]:
    """Stencils of small shapes, three of ten of strokes instead."""
    marks = shape(size, dice, scale=dice.between(0.05, 0.5))
    lines = dice.chance(0.3).flatten().nonzero()[:, 0]
    some = Dice(len(lines), dice.generator)
    marks[lines] = some.between(0.02, 0.08) + stroke(size, some)
    mirrored = dice.chance(0.5)
    return cover(torch.where(mirrored, torch.maximum(marks, marks.flip(2)), marks), dice)
