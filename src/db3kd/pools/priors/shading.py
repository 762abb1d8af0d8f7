"""What surfaces look like: textures, the colours that they are shown in, and the ground behind them.

A texture is gray; it is shown between two colours, which for one channel are two grays. Called by the families in this
folder.
"""

import math
from typing import Literal

import torch

from db3kd.pools.priors.blending import blend
from db3kd.pools.priors.fields import Dice, Shape, Size, coarse_fields, coordinates, fractal_fields
from db3kd.tensors import Float, Tensor

Ground = Literal["dark", "light", "any"]
_GRAYISH = 0.3
_FLAT = 0.15
# Below the smallest number that is drawn, other than 0.
_LEAST = 1e-9


def textures(size: Size, dice: Dice) -> Float[Tensor, "n h w"]:
    """Draw gray textures: sums of a few of a ramp, stripes, checks, 1/f noise, coarse noise and fine noise."""
    parts = (
        _ramps(size, dice),
        _stripes(size, dice),
        _stripes(size, dice) * _stripes(size, dice),
        fractal_fields(size, dice) / 2,
        coarse_fields(size, dice) / 2,
        dice.rand(*size) * 2 - 1,
    )
    total = torch.zeros(dice.count, *size)
    for part, share in zip(parts, (0.5, 0.2, 0.1, 0.5, 0.3, 0.2), strict=True):
        total += part * dice.between(0.0, 1.0) * dice.chance(share)
    contrast = dice.between(0.0, 0.8) * ~dice.chance(_FLAT)
    return (dice.between(0.2, 0.8) + contrast * total).clamp(0, 1)


def surfaces(image_shape: Shape, dice: Dice) -> Float[Tensor, "n c h w"]:
    """Draw textures in colours of their own."""
    return coloured(textures(image_shape[1:], dice), image_shape[0], dice)


def coloured(drawn: Float[Tensor, "n h w"], channels: int, dice: Dice) -> Float[Tensor, "n c h w"]:
    """Show textures between two random colours each."""
    return blend(colours(channels, dice), colours(channels, dice), drawn)


def colours(channels: int, dice: Dice) -> Float[Tensor, "n c 1 1"]:
    """Draw a colour for each image; about a third are gray, as all are where there is one channel."""
    own = dice.rand(channels, 1, 1)
    gray = dice.rand(1, 1, 1)
    return torch.where(dice.rand(1, 1, 1) < _GRAYISH, gray, own)


def grounds(channels: int, kind: Ground, dice: Dice) -> Float[Tensor, "n c 1 1"]:
    """Draw a flat ground for each image."""
    if kind == "any":
        return colours(channels, dice)
    return torch.full((dice.count, channels, 1, 1), 0.0 if kind == "dark" else 1.0)


def surface_for(
    ground: Float[Tensor, "n c 1 1"], drawn: Float[Tensor, "n h w"], dice: Dice
) -> Float[Tensor, "n c h w"]:
    """Show textures in colours that stand out from a ground: the darkest part may come near it, the rest does not."""
    far = (ground < 0.5).to(torch.float32)
    tint = colours(ground.shape[1], dice)
    # The strongest channel goes at least so far; the others follow in the proportions of a random colour.
    away = (0.3 + 0.7 * dice.rand(1, 1, 1)) * tint / tint.amax(dim=1, keepdim=True).clamp(min=_LEAST)
    bright = torch.lerp(ground, far, away)
    near = torch.lerp(ground, bright, dice.rand(1, 1, 1))
    return blend(near, bright, drawn)


def _ramps(size: Size, dice: Dice) -> Float[Tensor, "n h w"]:
    at = coordinates(size)
    angle = dice.between(0.0, 2 * math.pi)
    return torch.cos(angle) * at.x + torch.sin(angle) * at.y


def _stripes(size: Size, dice: Dice) -> Float[Tensor, "n h w"]:
    """Waves of any direction, half of them along an axis, from one period in the image to one in three pixels."""
    at = coordinates(size)
    turned = dice.between(0.0, math.pi)
    straight = (math.pi / 2) * (dice.rand(1, 1) * 2).floor()
    angle = torch.where(dice.chance(0.5), straight, turned)
    periods = torch.exp(dice.between(0.0, math.log(max(2.0, min(size) / 3))))
    phase = dice.between(0.0, 2 * math.pi)
    wave = torch.sin(math.pi * periods * (torch.cos(angle) * at.x + torch.sin(angle) * at.y) + phase)
    return torch.where(dice.chance(0.5), wave, (4 * wave).clamp(-1, 1))
