"""Random numbers and smooth random fields, which all families are painted with.

A field is a gray image of mean 0 and standard deviation 1. Everything is a function of a generator, in batches, on the
CPU; coordinates run from -1 to 1 over the image, whatever its size. Called by the families beside this module.
"""

import math
from typing import NamedTuple

import torch
from torch.nn import functional

from db3kd.tensors import Bool, Float, Int, Tensor

_LEAST = 1e-6


class Coordinates(NamedTuple):
    """Where each pixel's centre is.

    Args:
        y: from -1 at the top to 1 at the bottom.
        x: from -1 at the left to 1 at the right.
    """

    y: Float[Tensor, "1 h 1"]
    x: Float[Tensor, "1 1 w"]


def coordinates(height: int, width: int) -> Coordinates:
    """Give the centres of an image's pixels, from -1 to 1."""
    y = (torch.arange(height) + 0.5) * (2 / height) - 1
    x = (torch.arange(width) + 0.5) * (2 / width) - 1
    return Coordinates(y[None, :, None], x[None, None, :])


def pixel_of(height: int, width: int) -> float:
    """Give the width of a pixel in coordinates, the larger of both."""
    return 2.0 / min(height, width)


def between(low: float, high: float, count: int, generator: torch.Generator) -> Float[Tensor, "n 1 1"]:
    """Draw a number for each image, uniform between two."""
    return low + (high - low) * torch.rand(count, 1, 1, generator=generator)


def chance(share: float, count: int, generator: torch.Generator) -> Bool[Tensor, "n 1 1"]:
    """Draw for each image whether something happens to it."""
    return torch.rand(count, 1, 1, generator=generator) < share


def whole(low: int, high: int, count: int, generator: torch.Generator) -> Int[Tensor, " n"]:
    """Draw a whole number for each image, from `low` to `high`, both included."""
    return torch.randint(low, high + 1, (count,), generator=generator)


def standardised(fields: Float[Tensor, "n h w"]) -> Float[Tensor, "n h w"]:
    """Bring each field to mean 0 and standard deviation 1; a flat one becomes 0."""
    centred = fields - fields.mean(dim=(1, 2), keepdim=True)
    return centred / centred.square().mean(dim=(1, 2), keepdim=True).sqrt().clamp(min=_LEAST)


def fractal_fields(
    count: int, size: tuple[int, int], generator: torch.Generator, *, slopes: tuple[float, float] = (0.5, 2.5)
) -> Float[Tensor, "n h w"]:
    """Draw 1/f noise: Gaussian fields whose amplitudes fall as a power of the frequency.

    Args:
        count: how many.
        size: height and width.
        generator: of all choices.
        slopes: least and most of that power, one drawn for each field; natural images have about 1.

    Returns:
        n fields; they wrap around.
    """
    height, width = size
    frequency = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None, :])
    frequency = frequency * max(height, width)
    power = between(*slopes, count, generator)
    amplitudes = frequency.clamp(min=1.0) ** -power * (frequency > 0)
    parts = torch.randn(count, height, width // 2 + 1, 2, generator=generator)
    return standardised(torch.fft.irfft2(torch.view_as_complex(parts) * amplitudes, s=(height, width)))


def coarse_fields(count: int, size: tuple[int, int], generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """Draw uniform noise on a coarse grid, of 2x2 up to every pixel, brought to full size smoothly.

    Args:
        count: how many.
        size: height and width.
        generator: of all choices.

    Returns:
        n fields, each of one scale.
    """
    steps = max(1, round(math.log2(max(2, min(size)))))
    step_of = whole(1, steps, count, generator)
    fields = torch.zeros(count, *size)
    for step in range(1, steps + 1):
        rows = (step_of == step).nonzero()[:, 0]
        if len(rows):
            # The same number of cells along the shorter side; the longer one gets more of them.
            cells = [max(2, round(side * 2**step / min(size))) for side in size]
            cells = [min(cell, side) for cell, side in zip(cells, size, strict=True)]
            drawn = torch.rand(len(rows), 1, *cells, generator=generator)
            fields[rows] = functional.interpolate(drawn, size=size, mode="bilinear", align_corners=False)[:, 0]
    return standardised(fields)
