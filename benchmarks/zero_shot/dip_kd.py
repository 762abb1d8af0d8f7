"""Images in the style of DIP-KD (2026): diverse priors, moved away from each other as a network sees them.

Written from the method's description, with no code of its own; what is not said there is chosen simply. Costs no query.
Called by `baselines`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional

from db3kd.data.dataset import as_bytes
from db3kd.models.placement import find_device, place
from db3kd.pools.priors.blending import blend, warp
from db3kd.tensors import Float, Tensor, UInt8

_PART = 256
_LEVELS = 255.0
_SHARPENINGS = 10
_BLUR = 5
_TEMPERATURE = 0.2
# Gradients for each image, and the root mean square of a step, in input units.
_STEPS, _STEP_LENGTH = 10, 0.02
# `warp` turns by up to an eighth of a half turn at strength 1; theirs by up to 45 degrees.
_STRENGTH = 2.0


def draw_priors(count: int, image_shape: tuple[int, int, int], generator: torch.Generator) -> UInt8[Tensor, "n c h w"]:
    """Draw noise of many scales, turned, bent and cropped, pasted on another such image or on a flat colour.

    Args:
        count: how many.
        image_shape: channels, height and width.
        generator: of all choices.

    Returns:
        8-bit images.

    Source: DIP-KD (2026): uniform noise at scales 1, 2, 4, ..., up-scaled and mixed with random softmax weights;
        turned by up to 45 degrees, warped elastically, cropped; two of them, or one on a flat colour, through a smooth
        mask. Deviation: the warp is that of `pools.priors`, which turns, stretches, moves and bends at once.
    """
    parts = [torch.zeros(0, *image_shape, dtype=torch.uint8)]
    for rows in torch.arange(count).split(_PART):
        first, second = (
            warp(_many_scales(len(rows), image_shape, generator), generator, strength=_STRENGTH) for _ in range(2)
        )
        flat = torch.rand(len(rows), image_shape[0], 1, 1, generator=generator)
        alone = torch.rand(len(rows), 1, 1, 1, generator=generator) < 1 / 2
        masks = _sharpened_masks(len(rows), image_shape[1:], generator)
        images = blend(torch.where(alone, flat.expand_as(second), second), first, masks)
        parts.append(as_bytes(images))
    return torch.cat(parts)


def spread(
    network: nn.Module,
    pixels: UInt8[Tensor, "n c h w"],
    generator: torch.Generator,
    *,
    device: str = "cpu",
) -> UInt8[Tensor, "n c h w"]:
    """Move images away from each other in a network's features, each staying near to a warped view of itself.

    Args:
        network: it ends in a linear layer, whose input is taken for features; left as it is.
        pixels: where to start.
        generator: of the views.
        device: where it runs.

    Returns:
        As many images.

    Source: DIP-KD (2026), its contrastive loss; InfoNCE over parts of 256 images here, at temperature 0.2.
    """
    placed, target = place(network, device).eval().requires_grad_(False), find_device(device)
    moved = [pixels[:0]]
    with _features_of(placed) as seen:
        for part in pixels.split(_PART):
            points = part.to(torch.float32) / _LEVELS
            for _ in range(_STEPS if len(part) > 1 else 0):
                asked = points.clone().requires_grad_()
                for view in (asked, warp(asked, generator)):
                    placed(view.to(target))
                (way,) = torch.autograd.grad(_crowding(seen.pop(0), seen.pop(0)), asked)
                size = way.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp(min=torch.finfo(way.dtype).tiny)
                points = (points - _STEP_LENGTH * way / size).clamp(0, 1)
            moved.append(as_bytes(points))
    return torch.cat(moved)


@contextmanager
def _features_of(network: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what the last linear layer is given, call by call."""
    *_, last = (module for module in network.modules() if isinstance(module, nn.Linear))
    seen: list[Tensor] = []

    def collect(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen.append(given[0].flatten(1))

    hook = last.register_forward_pre_hook(collect)
    try:
        yield seen
    finally:
        hook.remove()


def _crowding(features: Float[Tensor, "b f"], views: Float[Tensor, "b f"]) -> Float[Tensor, ""]:
    """InfoNCE: low where an image is like its own view and unlike all others."""
    near = functional.normalize(features.float(), dim=1) @ functional.normalize(views.float(), dim=1).T
    own = torch.arange(len(near), device=near.device)
    return functional.cross_entropy(near / _TEMPERATURE, own, reduction="sum")


def _many_scales(count: int, image_shape: tuple[int, int, int], generator: torch.Generator) -> Float[Tensor, "n c h w"]:
    channels, height, width = image_shape
    scales = [2**power for power in range(max(height, width).bit_length())]
    weights = torch.randn(count, len(scales), generator=generator).mul_(2).softmax(dim=1)
    total = torch.zeros(count, *image_shape)
    for number, scale in enumerate(scales):
        coarse = torch.rand(count, channels, -(-height // scale), -(-width // scale), generator=generator)
        layer = functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=False)
        total += weights[:, number, None, None, None] * layer
    # A mean of many layers is gray: each image is stretched over the whole range.
    low, high = total.amin(dim=(1, 2, 3), keepdim=True), total.amax(dim=(1, 2, 3), keepdim=True)
    return (total - low) / (high - low).clamp(min=1e-6)


def _sharpened_masks(count: int, size: tuple[int, int], generator: torch.Generator) -> Float[Tensor, "n h w"]:
    """Ten rounds of blur and of the curve that draws values to 0 and 1."""
    masks = torch.rand(count, 1, *size, generator=generator)
    edge = _BLUR // 2
    for _ in range(_SHARPENINGS):
        masks = functional.avg_pool2d(functional.pad(masks, (edge,) * 4, mode="replicate"), _BLUR, stride=1)
        masks = torch.where(masks < 1 / 2, 2 * masks.square(), 1 - 2 * (1 - masks).square())
    return masks[:, 0]
