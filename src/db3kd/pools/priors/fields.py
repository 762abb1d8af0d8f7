"""Random numbers, coordinates and smooth random fields, which all families are painted with.

A field is a gray image of mean 0 and standard deviation 1. Everything is drawn in batches, on the CPU; coordinates run
from -1 to 1 over the image, whatever its size. Called by the families in this folder.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch.nn import functional

from db3kd.tensors import Bool, Float, Int, Tensor

_LEAST = 1e-6

# Channels, height and width; height and width.
Shape = tuple[int, int, int]
Size = tuple[int, int]
# A number for each image, and (y, x) for each.
Number = Float[Tensor, "n 1 1"]
Point = tuple[Number, Number]


class Frame(NamedTuple):
    """Where each pixel's centre is, from -1 to 1: the same for all images, or moved, turned and mirrored for each."""

    y: Float[Tensor, "#n h #w"]
    x: Float[Tensor, "#n #h w"]


@dataclass(frozen=True)
class Dice:
    """Random numbers for each of `count` images, out of one generator that moves on."""

    count: int
    generator: torch.Generator

    def rand(self, *shape: int) -> Float[Tensor, "n *shape"]:
        """Draw numbers from 0 to 1."""
        return torch.rand(self.count, *shape, generator=self.generator)

    def between(self, low: float, high: float) -> Number:
        """Draw a number that is uniform between two."""
        return low + (high - low) * torch.rand(self.count, 1, 1, generator=self.generator)

    def chance(self, share: float) -> Bool[Tensor, "n 1 1"]:
        """Draw whether something happens."""
        return torch.rand(self.count, 1, 1, generator=self.generator) < share

    def whole(self, low: int, high: int) -> Int[Tensor, " n"]:
        """Draw a whole number, from `low` to `high`, both included."""
        return torch.randint(low, high + 1, (self.count,), generator=self.generator)


def coordinates(size: Size) -> Frame:
    """Give the centres of an image's pixels."""
    y, x = ((torch.arange(side) + 0.5) * (2 / side) - 1 for side in size)
    return Frame(y[None, :, None], x[None, None, :])


def standardised(fields: Float[Tensor, "n h w"]) -> Float[Tensor, "n h w"]:
    """Bring each field to mean 0 and standard deviation 1; a flat one becomes 0."""
    centred = fields - fields.mean(dim=(1, 2), keepdim=True)
    return centred / centred.square().mean(dim=(1, 2), keepdim=True).sqrt().clamp(min=_LEAST)


def fractal_fields(size: Size, dice: Dice, *, slopes: tuple[float, float] = (0.5, 2.5)) -> Float[Tensor, "n h w"]:
    """Draw 1/f noise: Gaussian fields whose amplitudes fall as a power of the frequency."""
    height, width = size
    frequency = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None, :])
    frequency = frequency * max(size)
    power = dice.between(*slopes)
    amplitudes = frequency.clamp(min=1.0) ** -power * (frequency > 0)
    parts = torch.randn(dice.count, height, width // 2 + 1, 2, generator=dice.generator)
    return standardised(torch.fft.irfft2(torch.view_as_complex(parts) * amplitudes, s=size))


def coarse_fields(size: Size, dice: Dice) -> Float[Tensor, "n h w"]:
    """Draw uniform noise on a coarse grid, of 2x2 up to every pixel, brought to full size smoothly."""
    steps = max(1, round(math.log2(max(2, min(size)))))
    step_of = dice.whole(1, steps)
    fields = torch.zeros(dice.count, *size)
    for step in range(1, steps + 1):
        rows = (step_of == step).nonzero()[:, 0]
        if len(rows):
            # The same number of cells along the shorter side; the longer one gets more of them.
            cells = [min(side, max(2, round(side * 2**step / min(size)))) for side in size]
            drawn = torch.rand(len(rows), 1, *cells, generator=dice.generator)
            fields[rows] = functional.interpolate(drawn, size=size, mode="bilinear", align_corners=False)[:, 0]
    return standardised(fields)
