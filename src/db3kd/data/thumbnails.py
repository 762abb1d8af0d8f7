"""Thumbnails: a picture's means over a grid of 7x7, by which pictures are compared without any network."""

import torch
from torch.nn import functional

from db3kd.data import mapped
from db3kd.tensors import Float, Int, Tensor, UInt8

_CELLS = 7
_PART, _VALUES_OF_A_PART = 8192, 2**24


def thumbnails(
    pixels: UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"], rows: Int[Tensor, " k"] | None = None
) -> Float[Tensor, "k f"]:
    """Give the means of some images, or of each, over 7x7 cells, fewer of smaller images, in [0, 1].

    Images are read in parts, and pixels that lie in a file are let go after each.
    """
    side = (min(_CELLS, pixels.shape[2]), min(_CELLS, pixels.shape[3]))
    parts = [torch.zeros(0, pixels.shape[1] * side[0] * side[1])]
    size = max(1, min(_PART, _VALUES_OF_A_PART // max(1, pixels[:1].numel())))
    unit = 255.0 if pixels.dtype == torch.uint8 else 1.0
    for part in (torch.arange(len(pixels)) if rows is None else rows).split(size):
        means = functional.adaptive_avg_pool2d(pixels[part].to(torch.float32), side)
        parts.append(means.flatten(1) / unit)
        mapped.release(pixels)
    return torch.cat(parts)


def nearest(
    images: Float[Tensor, "n f"], others: Float[Tensor, "k f"]
) -> tuple[Int[Tensor, " n"], Float[Tensor, " n"]]:
    """Give for each thumbnail which of the others is nearest, and the square of its distance."""
    squares, found = others.square().sum(dim=1), list[tuple[Tensor, Tensor]]()
    for part in images.split(_PART):
        least, place = (squares - 2 * part @ others.T).min(dim=1)
        found.append((place, (least + part.square().sum(dim=1)).clamp(min=0)))
    places, distances = zip(*found, strict=True) if found else ((torch.zeros(0, dtype=torch.int64),), (squares[:0],))
    return torch.cat(places), torch.cat(distances)
