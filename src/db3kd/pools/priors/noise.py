"""Families without objects: noise of one scale and of many, 1/f fields, and patchworks of surfaces.

Called through `db3kd.pools.priors.FAMILIES`.
"""

import torch

from db3kd.pools.priors.blending import blend, smooth_masks
from db3kd.pools.priors.fields import Dice, Shape, coarse_fields, fractal_fields
from db3kd.pools.priors.shading import coloured, surfaces
from db3kd.tensors import Float, Tensor

_SCALES = 4


def uniform_noise(image_shape: Shape, dice: Dice) -> Float[Tensor, "n c h w"]:
    """Draw independent pixels, uniform within a random part of the range."""
    ends = torch.rand(2, dice.count, 1, 1, 1, generator=dice.generator)
    return torch.lerp(ends[0], ends[1], dice.rand(*image_shape))


def multiscale_noise(image_shape: Shape, dice: Dice) -> Float[Tensor, "n c h w"]:
    """Draw noise of several scales on top of each other, two such images mixed through a smooth mask.

    Source: the image priors of DIP-KD (2026), in words of our own: weights and scales are drawn differently.
    """
    first, second = (_layers(image_shape, dice) for _ in range(2))
    return blend(first, second, smooth_masks(image_shape[1:], dice))


def fractals(image_shape: Shape, dice: Dice) -> Float[Tensor, "n c h w"]:
    """Draw 1/f fields, each channel partly of its own."""
    channels = image_shape[0]
    shared = own = fractal_fields(image_shape[1:], dice)[:, None]
    if channels > 1:
        own = fractal_fields(image_shape[1:], Dice(dice.count * channels, dice.generator)).view(-1, *image_shape)
    own_share = dice.rand(1, 1, 1)
    level = dice.rand(channels, 1, 1)
    contrast = dice.between(0.05, 0.5)[:, None]
    return (level + contrast * torch.lerp(shared, own, own_share)).clamp(0, 1)


def patchworks(image_shape: Shape, dice: Dice) -> Float[Tensor, "n c h w"]:
    """Draw two textured surfaces, joined through a smooth mask."""
    first, second = (surfaces(image_shape, dice) for _ in range(2))
    return blend(first, second, smooth_masks(image_shape[1:], dice))


def _layers(image_shape: Shape, dice: Dice) -> Float[Tensor, "n c h w"]:
    weights = torch.randn(dice.count, _SCALES, generator=dice.generator).mul_(2).softmax(dim=1)
    total = torch.zeros(dice.count, *image_shape[1:])
    for layer in range(_SCALES):
        total += weights[:, layer, None, None] * coarse_fields(image_shape[1:], dice)
    return coloured((0.5 + 0.5 * total).clamp(0, 1), image_shape[0], dice)
