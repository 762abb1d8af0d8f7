"""What surfaces look like: textures, the colours that they are shown in, and the ground behind them.

A texture is gray; `coloured` shows it between two colours, which for one channel are two grays. Called by the
families beside this module.
"""

import math
from typing import Literal

import torch

from db3kd.synthesis.priors.fields import (
    between,
    chance,
    coarse_fields,
    coordinates,
    fractal_fields,
)
from db3kd.tensors import Float, Tensor

Ground = Literal["dark", "light", "any"]
_GRAYISH = 0.3
_FLAT = 0.15


def textures(count: int, size: tuple[int, int], generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """Draw gray textures: sums of a few of a ramp, stripes, checks, 1/f noise, coarse noise and fine noise.

    Args:
        count: how many.
        size: height and width.
        generator: of all choices.

    Returns:
        n textures, from 0 to 1; about every seventh is flat, and the part of the range that one takes differs.
    """
    parts = (
        _ramps(count, size, generator),
        _stripes(count, size, generator),
        _stripes(count, size, generator) * _stripes(count, size, generator),
        fractal_fields(count, size, generator) / 2,
        coarse_fields(count, size, generator) / 2,
        torch.rand(count, *size, generator=generator) * 2 - 1,
    )
    total = torch.zeros(count, *size)
    for part, share in zip(parts, (0.5, 0.2, 0.1, 0.5, 0.3, 0.2), strict=True):
        total += part * between(0.0, 1.0, count, generator) * chance(share, count, generator)
    contrast = between(0.0, 0.8, count, generator) * ~chance(_FLAT, count, generator)
    level = between(0.2, 0.8, count, generator)
    return (level + contrast * total).clamp(0, 1)


def coloured(
    textures: Float[Tensor, "n h w"],
    first: Float[Tensor, "n c 1 1"],
    second: Float[Tensor, "n c 1 1"],
) -> Float[Tensor, "n c h w"]:
    """Show textures between two colours each."""
    return torch.lerp(first, second, textures[:, None])


def surfaces(count: int, image_shape: tuple[int, int, int], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
    """Draw textures in colours of their own.

    Args:
        count: how many.
        image_shape: channels, height and width.
        generator: of all choices.

    Returns:
        n images in [0, 1].
    """
    channels, height, width = image_shape
    drawn = textures(count, (height, width), generator)
    return coloured(drawn, colours(count, channels, generator), colours(count, channels, generator))


def colours(count: int, channels: int, generator: torch.Generator) -> Float[Tensor, "n c 1 1"]:
    """Draw a colour for each image; about a third are gray, as all are where there is one channel."""
    own = torch.rand(count, channels, 1, 1, generator=generator)
    gray = torch.rand(count, 1, 1, 1, generator=generator)
    grayish = torch.rand(count, 1, 1, 1, generator=generator) < _GRAYISH
    return torch.where(grayish, gray.expand_as(own), own)


def grounds(count: int, channels: int, kind: Ground, generator: torch.Generator) -> Float[Tensor, "n c 1 1"]:
    """Draw a flat ground for each image.

    Args:
        count: how many.
        channels: of an image.
        kind: "dark" is 0, "light" is 1, "any" any colour.
        generator: of all choices.

    Returns:
        A colour for each image.
    """
    match kind:
        case "dark":
            return torch.zeros(count, channels, 1, 1)
        case "light":
            return torch.ones(count, channels, 1, 1)
        case "any":
            return colours(count, channels, generator)


def laid_on(
    ground: Float[Tensor, "n c #h #w"], surface: Float[Tensor, "n c h w"], cover: Float[Tensor, "n h w"]
) -> Float[Tensor, "n c h w"]:
    """Lay a surface on a ground where it covers.

    Args:
        ground: what is behind.
        surface: what is in front.
        cover: from 0, where the ground shows, to 1.

    Returns:
        Both in one image.
    """
    return torch.lerp(ground.expand_as(surface), surface, cover[:, None])


def surface_for(
    ground: Float[Tensor, "n c 1 1"], drawn: Float[Tensor, "n h w"], generator: torch.Generator
) -> Float[Tensor, "n c h w"]:
    """Show textures in colours that stand out from a ground: the darkest part may come near it, the rest does not."""
    count, channels = ground.shape[:2]
    far = (ground < 0.5).to(torch.float32)
    tint = colours(count, channels, generator)
    # The strongest channel goes at least so far; the others follow in the proportions of a random colour.
    away = (0.3 + 0.7 * torch.rand(count, 1, 1, 1, generator=generator)) * tint / tint.amax(dim=1, keepdim=True)
    bright = torch.lerp(ground, far, away)
    near = torch.lerp(ground, bright, torch.rand(count, 1, 1, 1, generator=generator))
    return coloured(drawn, near, bright)


def _ramps(count: int, size: tuple[int, int], generator: torch.Generator) -> Float[Tensor, "n h w"]:
    place = coordinates(*size)
    angle = between(0.0, 2 * math.pi, count, generator)
    return torch.cos(angle) * place.x + torch.sin(angle) * place.y


def _stripes(count: int, size: tuple[int, int], generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """Waves of any direction, half of them along an axis, from one period in the image to one in three pixels."""
    place = coordinates(*size)
    turned = between(0.0, math.pi, count, generator)
    straight = (math.pi / 2) * (torch.rand(count, 1, 1, generator=generator) * 2).floor()
    angle = torch.where(chance(0.5, count, generator), straight, turned)
    most = math.log(max(2.0, min(size) / 3))
    periods = torch.exp(between(0.0, most, count, generator))
    phase = between(0.0, 2 * math.pi, count, generator)
    wave = torch.sin(math.pi * periods * (torch.cos(angle) * place.x + torch.sin(angle) * place.y) + phase)
    return torch.where(chance(0.5, count, generator), wave, (4 * wave).clamp(-1, 1))
