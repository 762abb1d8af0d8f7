"""Families out of pictures: glyphs, and things cut out of pictures, on flat grounds, on surfaces or as outlines.

Called through `db3kd.pools.priors.FAMILIES` with emoji, and by `surrogates` with pictures of the user's own.
"""

import math
from collections.abc import Callable

import torch
from torch.nn import functional

from db3kd.pools.priors.blending import blend
from db3kd.pools.priors.fields import Dice, Frame, Shape, Size, coordinates
from db3kd.pools.priors.objects import object_textures, shown
from db3kd.pools.priors.outlines import moved
from db3kd.pools.priors.shading import Ground, grounds, surface_for, surfaces, textures
from db3kd.pools.priors.tiles import emoji
from db3kd.pools.priors.tiles import glyphs as glyph_tiles
from db3kd.tensors import Float, Tensor

_NEIGHBOURS, _OUTLINED, _FLAT, _PLAIN, _UPRIGHT = 0.3, 0.3, 0.6, 0.5, 0.6
_GRAY = (0.299, 0.587, 0.114)
# Red, green and blue, black where nothing is, and how much of each pixel is covered: one for each image.
Cutouts = Callable[[Dice], Float[Tensor, "n 4 s s"]]


def emojis(dice: Dice) -> Float[Tensor, "n 4 s s"]:
    """Draw emoji that db3kd holds."""
    return emoji()[dice.whole(0, len(emoji()) - 1)]


def glyphs(image_shape: Shape, dice: Dice, ground: Ground = "any") -> Float[Tensor, "n c h w"]:
    """Draw letters, digits and signs: filled or outlined, flat or textured, some with a neighbour at the edge."""
    size = image_shape[1:]
    stencil = _glyph(size, dice, aside=0.15)
    beside = _glyph(size, dice, aside=1.6) * dice.chance(_NEIGHBOURS)[:, None]
    covered = torch.maximum(stencil, beside)
    around = functional.max_pool2d(covered, 3, 1, 1)
    covered = torch.where(dice.chance(_OUTLINED)[:, None], around - covered, covered)[:, 0]
    behind = grounds(image_shape[0], ground, dice)
    drawn = textures(size, dice).masked_fill(dice.chance(_FLAT), 1.0)
    return blend(behind.expand(dice.count, *image_shape), surface_for(behind, drawn, dice), covered)


def pictures(
    image_shape: Shape, dice: Dice, ground: Ground = "any", cutouts: Cutouts = emojis
) -> Float[Tensor, "n c h w"]:
    """Show things, cut out of their background, on a flat ground."""
    behind = grounds(image_shape[0], ground, dice).expand(dice.count, *image_shape)
    return _pasted(behind, cutouts, dice, aside=0.1)


def pasted(image_shape: Shape, dice: Dice, cutouts: Cutouts = emojis) -> Float[Tensor, "n c h w"]:
    """Paste one or two things on a textured surface."""
    images = _pasted(surfaces(image_shape, dice), cutouts, dice, aside=0.3)
    return torch.where(dice.chance(_NEIGHBOURS)[:, None], _pasted(images, cutouts, dice, aside=0.8), images)


def outlines(
    image_shape: Shape, dice: Dice, ground: Ground = "any", cutouts: Cutouts = emojis
) -> Float[Tensor, "n c h w"]:
    """Draw the outline of things with a texture of our own."""
    size = image_shape[1:]
    stencil = _placed(cutouts(dice)[:, 3:], size, dice, aside=0.1)[:, 0]
    behind = grounds(image_shape[0], ground, dice)
    return shown(stencil, behind, object_textures(size, dice), dice)


def _glyph(size: Size, dice: Dice, *, aside: float) -> Float[Tensor, "n 1 h w"]:
    return _placed(glyph_tiles()[dice.whole(0, len(glyph_tiles()) - 1)], size, dice, aside=aside)


def _pasted(
    behind: Float[Tensor, "n c h w"], cutouts: Cutouts, dice: Dice, *, aside: float
) -> Float[Tensor, "n c h w"]:
    """Things on images, half in their own colours, half in others."""
    channels, height, width = behind.shape[1:]
    placed = _placed(cutouts(dice), (height, width), dice, aside=aside)
    covered, light = placed[:, 3:], dice.between(0.6, 1.2)[:, None]
    drawn = recoloured(placed[:, :3], channels, dice)
    return (torch.minimum(drawn * light, covered) + (1 - covered) * behind).clamp(0, 1)


def recoloured(images: Float[Tensor, "n 3 h w"], channels: int, dice: Dice) -> Float[Tensor, "n k h w"]:
    """Let each channel show some of red, green and blue; half of the images stay as they are, or become gray."""
    plain = torch.eye(3) if channels == 3 else torch.tensor(_GRAY).expand(channels, 3)
    other = (3 * dice.rand(channels, 3)).softmax(dim=2)
    return torch.einsum("nkc,nchw->nkhw", torch.where(dice.chance(_PLAIN), plain, other), images)


def _placed(tiles: Float[Tensor, "n c s s"], size: Size, dice: Dice, *, aside: float) -> Float[Tensor, "n c h w"]:
    """Bring tiles to a size: somewhere near the middle, mirrored half the time, most of them upright."""
    shorter = min(size)
    if shorter < tiles.shape[-1]:
        tiles = functional.interpolate(tiles, size=(shorter, shorter), mode="bilinear", antialias=True)
    at = coordinates(size)
    at = Frame(at.y * (size[0] / shorter), at.x * (size[1] / shorter))
    centre = (aside * dice.between(-1.0, 1.0), aside * dice.between(-1.0, 1.0))
    angle = dice.between(-math.pi / 4, math.pi / 4).masked_fill(dice.chance(_UPRIGHT), 0.0)
    at = moved(at, centre, angle)
    zoom, aspect = dice.between(0.6, 1.1), torch.exp(dice.between(-0.25, 0.25))
    side = torch.where(dice.chance(0.5), 1.0, -1.0)
    y, x = torch.broadcast_tensors(at.y * aspect / zoom, side * at.x / (aspect * zoom))
    grid = torch.stack([x, y], dim=-1)
    return functional.grid_sample(tiles, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
