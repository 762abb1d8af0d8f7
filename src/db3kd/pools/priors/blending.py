"""Images out of two others or out of one: smooth masks, blends, warps.

They serve the families and, in the active rounds, the recombination of images that the teacher has answered. Nothing
here asks.
"""

import math

import torch
from torch.nn import functional

from db3kd.pools.priors.fields import Dice, Frame, Size, coordinates, fractal_fields
from db3kd.tensors import Bool, Float, Tensor

_MOST_TURN = math.pi / 8
_SEEN = 0.05
_SHARPEST = 2.5


def smooth_masks(size: Size, dice: Dice) -> Float[Tensor, "n h w"]:
    """Draw masks of few large parts, mostly 0 or 1, with soft edges between."""
    fields = fractal_fields(size, dice, slopes=(2.0, 3.5))
    return torch.sigmoid(dice.between(1.0, 8.0) * (fields + dice.between(-0.7, 0.7)))


def blend(
    first: Float[Tensor, "n c #h #w"], second: Float[Tensor, "n c #h #w"], masks: Float[Tensor, "n h w"]
) -> Float[Tensor, "n c h w"]:
    """Show the second image where a mask is 1, the first where it is 0; either may be one colour."""
    return torch.lerp(first, second, masks[:, None])


def warp(
    images: Float[Tensor, "n c h w"], generator: torch.Generator, *, strength: float = 1.0
) -> Float[Tensor, "n c h w"]:
    """Turn, stretch, move and bend images; what lies beyond an edge continues the edge."""
    size, dice = (images.shape[2], images.shape[3]), Dice(len(images), generator)
    angle = strength * dice.between(-_MOST_TURN, _MOST_TURN)
    stretch = [torch.exp(strength * dice.between(-0.2, 0.2)) for _ in range(2)]
    moved = [strength * dice.between(-0.2, 0.2) for _ in range(2)]
    at = coordinates(size)
    y = stretch[0] * (torch.cos(angle) * at.y - torch.sin(angle) * at.x) + moved[0]
    x = stretch[1] * (torch.cos(angle) * at.x + torch.sin(angle) * at.y) + moved[1]
    bend = strength * dice.between(0.0, 0.06)
    y, x = (place + bend * fractal_fields(size, dice, slopes=(2.5, 3.5)) for place in (y, x))
    return _resampled(images, Frame(y, x))


def framed(images: Float[Tensor, "n c h w"], grounds: Float[Tensor, "n c 1 1"], dice: Dice) -> Float[Tensor, "n c h w"]:
    """Bring most objects to the middle and let them fill the image, as who takes pictures of things does."""
    height, width = images.shape[2:]
    seen = (images - grounds).abs().amax(dim=1) > _SEEN
    at = coordinates((height, width))
    top, bottom = _extent(seen.any(dim=2), at.y.flatten(), 1 / height)
    left, right = _extent(seen.any(dim=1), at.x.flatten(), 1 / width)
    chosen = dice.chance(0.6)[:, 0, 0]
    zoom = torch.where(chosen, torch.maximum(bottom - top, right - left) / 2, 1.0)[:, None, None]
    middle = [torch.where(chosen, (low + high) / 2, 0.0)[:, None, None] for low, high in ((top, bottom), (left, right))]
    return _resampled(images, Frame(middle[0] + zoom * at.y, middle[1] + zoom * at.x))


def _extent(
    seen: Bool[Tensor, "n s"], place: Float[Tensor, " s"], half: float
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Where the first pixel that is seen begins and the last one ends, two pixels apart at least; all of nothing."""
    low = torch.where(seen, place, 1.0).amin(dim=1)
    high = torch.where(seen, place, -1.0).amax(dim=1)
    empty = ~seen.any(dim=1)
    low = torch.where(empty, -1.0, (low - half).clamp(max=1 - 4 * half))
    return low, torch.where(empty, 1.0, torch.maximum(high + half, low + 4 * half))


def _resampled(images: Float[Tensor, "n c h w"], at: Frame) -> Float[Tensor, "n c h w"]:
    """Show at each pixel what an image has at another place."""
    y, x = torch.broadcast_tensors(*at)
    grid = torch.stack([x, y], dim=-1)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False).clamp(0, 1)


def focused(images: Float[Tensor, "n c h w"], dice: Dice) -> Float[Tensor, "n c h w"]:
    """Sharpen three of four images by a random amount, as pictures are that were made smaller; the rest stay."""
    amount = dice.between(0.0, _SHARPEST) * dice.chance(0.75)
    return (images + amount[:, None] * (images - blurred(images, 1))).clamp(0, 1)


def blurred(images: Float[Tensor, "n c h w"], reach: int) -> Float[Tensor, "n c h w"]:
    """Average each pixel with those so many pixels around it, twice; beyond an edge there is nothing to count."""
    for _ in range(2):
        images = functional.avg_pool2d(images, 2 * reach + 1, 1, reach, count_include_pad=False)
    return images


def relight(images: Float[Tensor, "n c h w"], dice: Dice) -> Float[Tensor, "n c h w"]:
    """Change brightness by a power between 1/2 and 2, and contrast towards black by up to a half."""
    power = torch.exp2(2 * dice.rand(1, 1, 1) - 1)
    return (images.clamp(0, 1) ** power * (0.5 + 0.7 * dice.rand(1, 1, 1))).clamp(0, 1)
