"""Images of two classes that are learned in no time."""

import torch

from db3kd.tensors import Int, Tensor, UInt8


def bright_halves(
    count: int, shape: tuple[int, int, int] = (1, 28, 28)
) -> tuple[UInt8[Tensor, "n c h w"], Int[Tensor, " n"]]:
    """Class 0 is bright on the left, class 1 on the right."""
    generator = torch.Generator().manual_seed(7)
    labels = torch.arange(count) % 2
    pixels = torch.randint(0, 128, (count, *shape), dtype=torch.uint8, generator=generator)
    half = shape[2] // 2
    pixels[labels == 0, :, :, :half] += 100
    pixels[labels == 1, :, :, half:] += 100
    return pixels, labels
