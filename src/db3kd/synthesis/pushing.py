"""Candidates that the primers' gradients push: towards a class that is wanted, or towards disagreement.

Costs no query. A push is smooth, as the things are that a camera sees, and short: far from where they learned, primers
are sure of anything. Called by `active`.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from db3kd.models.placement import find_device, place
from db3kd.synthesis.answers import PUSHED, Questions
from db3kd.synthesis.priors.blending import blurred
from db3kd.tensors import Float, Int, Tensor

_PART = 256
_LEVELS = 255.0


def push(
    primers: Sequence[nn.Module],
    start: Questions,
    wanted: Int[Tensor, " n"],
    *,
    steps: int = 5,
    length: float = 0.06,
    device: str = "cpu",
) -> Questions:
    """Move images by the primers' gradients, on as smooth a way as these allow.

    Args:
        primers: networks that map images to logits; left as they are.
        start: where to start.
        wanted: the class that each is to become; -1 to make the primers disagree.
        steps: gradients for each image.
        length: root mean square of a step, in input units.
        device: where the primers run.

    Returns:
        As many candidates, of the kind "pushed".

    Cost: no query; `steps` passes of each primer forward and backward.
    """
    target = find_device(device)
    placed = [place(primer, device).eval().requires_grad_(False) for primer in primers]
    moved = [start.pixels[:0]]
    for rows in torch.arange(len(start)).split(_PART):
        points, classes = start.pixels[rows].to(target, torch.float32) / _LEVELS, wanted[rows].to(target)
        for _ in range(steps):
            way = _smoothed(_gradient(placed, points, classes))
            size = way.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp(min=torch.finfo(way.dtype).tiny)
            points = (points + length * way / size).clamp(0, 1)
        moved.append((points * _LEVELS).round().to(torch.uint8).cpu())
    return Questions(torch.cat(moved), torch.full((len(start),), PUSHED), start.families)


def _gradient(
    primers: Sequence[nn.Module], points: Float[Tensor, "b c h w"], wanted: Int[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    with torch.enable_grad():
        asked = points.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
        logs = torch.stack([functional.log_softmax(primer(asked), dim=1) for primer in primers])
        mean = logs.exp().mean(dim=0)
        apart = torch.special.entr(mean).sum(dim=1) - torch.special.entr(logs.exp()).sum(dim=2).mean(dim=0)
        reached = mean.gather(1, wanted.clamp(min=0)[:, None])[:, 0].clamp(min=1e-6).log()
        gain: Tensor = torch.where(wanted >= 0, reached, apart).sum()
        (slope,) = torch.autograd.grad(gain, asked)
    return slope.contiguous()


def _smoothed(slopes: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """Blur over a seventh of the image's shorter side."""
    return blurred(slopes, max(1, min(slopes.shape[2:]) // 14))
