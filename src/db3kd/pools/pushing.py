"""Candidates that a committee's gradients push: towards a class that is wanted, or towards disagreement.

A push is smooth, as the things are that a camera sees, and short: far from where its members learned, a committee is
sure of anything.
"""

import torch
from torch.nn import functional

from db3kd.answers import Candidates, family_of
from db3kd.arguments import check_arguments
from db3kd.context import HERE, Context
from db3kd.data.dataset import as_bytes
from db3kd.errors import InputError
from db3kd.models.placement import Members, find_device, place
from db3kd.pools.priors.blending import blurred
from db3kd.tensors import Float, Int, Tensor

_PART = 256
_PUSHED_OF_CANDIDATES = 20
_TOWARDS_DISAGREEMENT = 0.25


def push(
    members: Members,
    start: Candidates,
    wanted: Int[Tensor, " n"],
    *,
    steps: int = 5,
    length: float = 0.06,
    context: Context = HERE,
) -> Candidates:
    """Move images by a committee's gradients, on as smooth a way as these allow, and give them in 8 bits.

    `wanted` is the class that each is to become, -1 to make the members disagree. Each image takes some `steps`, whose
    `length` is a root mean square in input units. The members are left as they are.

    Cost: no query; `steps` passes of each member forward and backward.
    """
    check_arguments(push, locals())
    if len(wanted) != len(start):
        raise InputError(
            f"{len(start):,} images need as many classes, got {len(wanted):,}; nothing was pushed: give one for each"
        )
    target = find_device(context.device)
    placed = [place(member, context.device).eval().requires_grad_(False) for member in members]
    moved = [torch.zeros(0, *start.pixels.shape[1:], dtype=torch.uint8)]
    images = start.images()
    for rows in torch.arange(len(start)).split(_PART):
        points, classes = images[rows].to(target), wanted[rows].to(target)
        for _ in range(steps):
            slopes = _gradient(placed, points, classes)
            # Over a seventh of the image's shorter side.
            way = blurred(slopes, max(1, min(slopes.shape[2:]) // 14))
            size = way.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp(min=torch.finfo(way.dtype).tiny)
            points = (points + length * way / size).clamp(0, 1)
        moved.append(as_bytes(points).cpu())
    return Candidates(torch.cat(moved), tuple(f"pushed/{family_of(origin)}" for origin in start.origins))


def push_some(
    members: Members,
    candidates: Candidates,
    beliefs: Float[Tensor, "k n num_classes"],
    generator: torch.Generator,
    *,
    context: Context = HERE,
) -> Candidates:
    """Push every 20th candidate, and give these: most towards classes expected seldom, a quarter to disagreement."""
    check_arguments(push_some, locals())
    count = max(1, len(candidates) // _PUSHED_OF_CANDIDATES)
    rows = torch.randperm(len(candidates), generator=generator)[:count]
    expected = torch.bincount(beliefs.mean(dim=0).argmax(dim=1), minlength=beliefs.shape[2])
    wanted: Int[Tensor, " b"] = torch.multinomial(1.0 / (expected + 1.0), count, replacement=True, generator=generator)
    differing = torch.rand(count, generator=generator) < _TOWARDS_DISAGREEMENT
    return push(members, candidates.take(rows), wanted.masked_fill(differing, -1), context=context)


def _gradient(
    members: Members, points: Float[Tensor, "b c h w"], wanted: Int[Tensor, " b"]
) -> Float[Tensor, "b c h w"]:
    with torch.enable_grad():
        asked = points.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
        logs = torch.stack([functional.log_softmax(member(asked), dim=1) for member in members])
        mean = logs.exp().mean(dim=0)
        differing = torch.special.entr(mean).sum(dim=1) - torch.special.entr(logs.exp()).sum(dim=2).mean(dim=0)
        reached = mean.gather(1, wanted.clamp(min=0)[:, None])[:, 0].clamp(min=1e-6).log()
        gain: Tensor = torch.where(wanted >= 0, reached, differing).sum()
        (slope,) = torch.autograd.grad(gain, asked)
    return slope.contiguous()
