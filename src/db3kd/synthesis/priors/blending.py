"""Images out of two others or out of one: smooth masks, blends, warps.

They serve the families and, in the active rounds, the recombination of images that the teacher has answered. Nothing
here asks.
"""

import math

import torch
from torch.nn import functional

from db3kd.synthesis.priors.fields import between, chance, coordinates, fractal_fields
from db3kd.tensors import Bool, Float, Tensor

_MOST_TURN = math.pi / 8
_SEEN = 0.05
_SHARPEST = 2.5


def smooth_masks(count: int, size: tuple[int, int], generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """Draw masks of few large parts, mostly 0 or 1, with soft edges between.

    Args:
        count: how many.
        size: height and width.
        generator: of all choices.

    Returns:
        n masks in [0, 1].
    """
    fields = fractal_fields(count, size, generator, slopes=(2.0, 3.5))
    steepness = between(1.0, 8.0, count, generator)
    return torch.sigmoid(steepness * (fields + between(-0.7, 0.7, count, generator)))


def blend(
    first: Float[Tensor, "n c h w"], second: Float[Tensor, "n c h w"], masks: Float[Tensor, "n h w"]
) -> Float[Tensor, "n c h w"]:
    """Show the second image where a mask is 1, the first where it is 0."""
    return torch.lerp(first, second, masks[:, None])


def warp(
    images: Float[Tensor, "n c h w"], generator: torch.Generator, *, strength: float = 1.0
) -> Float[Tensor, "n c h w"]:
    """Turn, stretch, move and bend images; what lies beyond an edge continues the edge.

    Args:
        images: in [0, 1].
        generator: of all choices.
        strength: 1 turns by up to an eighth of a half turn, stretches each side by up to a fifth and moves by up to a
            tenth; proportional.

    Returns:
        As many images.
    """
    count, _, height, width = images.shape
    angle = strength * between(-_MOST_TURN, _MOST_TURN, count, generator)
    stretch = [torch.exp(strength * between(-0.2, 0.2, count, generator)) for _ in range(2)]
    moved = [strength * between(-0.2, 0.2, count, generator) for _ in range(2)]
    place = coordinates(height, width)
    y = stretch[0] * (torch.cos(angle) * place.y - torch.sin(angle) * place.x) + moved[0]
    x = stretch[1] * (torch.cos(angle) * place.x + torch.sin(angle) * place.y) + moved[1]
    bend = strength * between(0.0, 0.06, count, generator)
    y = y + bend * fractal_fields(count, (height, width), generator, slopes=(2.5, 3.5))
    x = x + bend * fractal_fields(count, (height, width), generator, slopes=(2.5, 3.5))
    grid = torch.stack([x, y], dim=-1)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False).clamp(0, 1)


def framed(
    images: Float[Tensor, "n c h w"], grounds: Float[Tensor, "n c 1 1"], generator: torch.Generator
) -> Float[Tensor, "n c h w"]:
    """Bring most objects to the middle and let them fill the image, as who takes pictures of things does.

    Args:
        images: objects on flat grounds.
        grounds: the colours of these.
        generator: of all choices.

    Returns:
        As many images; three fifths are framed, each in its own proportions, and the others as they came.
    """
    count, _, height, width = images.shape
    seen = (images - grounds).abs().amax(dim=1) > _SEEN
    place = coordinates(height, width)
    top, bottom = _extent(seen.any(dim=2), place.y.flatten(), 1 / height)
    left, right = _extent(seen.any(dim=1), place.x.flatten(), 1 / width)
    chosen = chance(0.6, count, generator)[:, 0, 0]
    zoom = torch.where(chosen, torch.maximum(bottom - top, right - left) / 2, 1.0)[:, None, None]
    middle = [torch.where(chosen, (low + high) / 2, 0.0)[:, None, None] for low, high in ((top, bottom), (left, right))]
    y, x = torch.broadcast_tensors(middle[0] + zoom * place.y, middle[1] + zoom * place.x)
    grid = torch.stack([x, y], dim=-1)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False).clamp(0, 1)


def _extent(
    seen: Bool[Tensor, "n s"], place: Float[Tensor, " s"], half: float
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Where the first pixel that is seen begins and the last one ends, two pixels apart at least; all of nothing."""
    low = torch.where(seen, place, 1.0).amin(dim=1)
    high = torch.where(seen, place, -1.0).amax(dim=1)
    empty = ~seen.any(dim=1)
    low = torch.where(empty, -1.0, (low - half).clamp(max=1 - 4 * half))
    return low, torch.where(empty, 1.0, torch.maximum(high + half, low + 4 * half))


def focused(images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
    """Sharpen three of four images by a random amount, as pictures are that were made smaller; the rest stay."""
    count = len(images)
    amount = between(0.0, _SHARPEST, count, generator) * chance(0.75, count, generator)
    return (images + amount[:, None] * (images - blurred(images, 1))).clamp(0, 1)


def blurred(images: Float[Tensor, "n c h w"], reach: int) -> Float[Tensor, "n c h w"]:
    """Average each pixel with those so many pixels around it, twice; beyond an edge there is nothing to count."""
    for _ in range(2):
        images = functional.avg_pool2d(images, 2 * reach + 1, 1, reach, count_include_pad=False)
    return images


def relight(images: Float[Tensor, "n c h w"], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
    """Change brightness by a power between 1/2 and 2, and contrast towards black by up to a half."""
    count = len(images)
    power = torch.exp2(2 * torch.rand(count, 1, 1, 1, generator=generator) - 1)
    gain = 0.5 + 0.7 * torch.rand(count, 1, 1, 1, generator=generator)
    return (images.clamp(0, 1) ** power * gain).clamp(0, 1)
