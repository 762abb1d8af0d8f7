"""Families without objects: noise of one scale and of many, 1/f fields, and patchworks of surfaces.

Called through `db3kd.synthesis.priors.FAMILIES`.
"""

import torch

from db3kd.synthesis.priors.blending import blend, smooth_masks
from db3kd.synthesis.priors.fields import between, coarse_fields, fractal_fields
from db3kd.synthesis.priors.shading import coloured, colours, surfaces
from db3kd.tensors import Float, Tensor

_SCALES = 4


def uniform_noise(
    count: int, image_shape: tuple[int, int, int], generator: torch.Generator
) -> Float[Tensor, "n c h w"]:
    """Draw independent pixels, uniform within a random part of the range.

    Args:
        count: how many.
        image_shape: channels, height and width.
        generator: of all choices.

    Returns:
        n images in [0, 1].
    """
    ends = torch.rand(2, count, 1, 1, 1, generator=generator)
    return torch.lerp(ends[0], ends[1], torch.rand(count, *image_shape, generator=generator))


def multiscale_noise(
    count: int, image_shape: tuple[int, int, int], generator: torch.Generator
) -> Float[Tensor, "n c h w"]:
    """Draw noise of several scales on top of each other, two such images mixed through a smooth mask.

    Source: the image priors of DIP-KD (2026), in words of our own: weights and scales are drawn differently.

    Args:
        count: how many.
        image_shape: channels, height and width.
        generator: of all choices.

    Returns:
        n images in [0, 1].
    """
    layers = [_layers(count, image_shape, generator) for _ in range(2)]
    return blend(layers[0], layers[1], smooth_masks(count, image_shape[1:], generator))


def fractals(count: int, image_shape: tuple[int, int, int], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
    """Draw 1/f fields, each channel partly of its own.

    Args:
        count: how many.
        image_shape: channels, height and width.
        generator: of all choices.

    Returns:
        n images in [0, 1].
    """
    channels, height, width = image_shape
    shared = fractal_fields(count, (height, width), generator)[:, None]
    own = shared
    if channels > 1:
        own = fractal_fields(count * channels, (height, width), generator).view(count, *image_shape)
    apart = torch.rand(count, 1, 1, 1, generator=generator)
    level = torch.rand(count, channels, 1, 1, generator=generator)
    contrast = between(0.05, 0.5, count, generator)[:, None]
    return (level + contrast * torch.lerp(shared, own, apart)).clamp(0, 1)


def patchworks(count: int, image_shape: tuple[int, int, int], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
    """Draw two textured surfaces, joined through a smooth mask.

    Args:
        count: how many.
        image_shape: channels, height and width.
        generator: of all choices.

    Returns:
        n images in [0, 1].
    """
    first, second = (surfaces(count, image_shape, generator) for _ in range(2))
    return blend(first, second, smooth_masks(count, image_shape[1:], generator))


def _layers(count: int, image_shape: tuple[int, int, int], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
    channels, height, width = image_shape
    weights = torch.randn(count, _SCALES, generator=generator).mul_(2).softmax(dim=1)
    total = torch.zeros(count, height, width)
    for layer in range(_SCALES):
        total += weights[:, layer, None, None] * coarse_fields(count, (height, width), generator)
    return coloured(
        (0.5 + 0.5 * total).clamp(0, 1), colours(count, channels, generator), colours(count, channels, generator)
    )
