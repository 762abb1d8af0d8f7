"""The least distance to the boundary that a white-box attack finds: the yardstick for searches that see decisions only.

It looks inside the network, so only benchmarks may call it, on a teacher that is ours; no label is made of it.
"""

import math
from typing import NamedTuple

import torch
from torch import nn

from db3kd.boundary import Goals, Pairs
from db3kd.models.placement import place
from db3kd.tensors import Bool, Float, Int, Tensor

_ROWS_PER_CALL = 128
_FIRST_RADIUS = 1.0
_RADIUS_CHANGE = 0.05
_FIRST_STEP, _LAST_STEP = 1.0, 0.01


class WhiteBoxCrossings(NamedTuple):
    """The nearest point on the wanted side that each row met.

    Args:
        points: within the bounds, in input units; NaN where nothing was found.
        distances: L2 from the row's image, in input units; inf where nothing was found.
    """

    points: Float[Tensor, "k c h w"]
    distances: Float[Tensor, " k"]


def decoupled_minimum(
    module: nn.Module,
    pairs: Pairs,
    *,
    steps: int = 100,
    bounds: tuple[float, float] = (0.0, 1.0),
    device: str = "cpu",
) -> WhiteBoxCrossings:
    """Find points near each image that the network puts where its goal wants, with the network's gradients.

    Args:
        module: maps images to scores; left as it is.
        pairs: the rows.
        steps: gradient steps of each row.
        bounds: lowest and highest pixel value, in input units.
        device: where the network runs.

    Returns:
        What was found, on the CPU; the distance is an upper bound of the true minimum.

    Source: Rony et al. (2019), "Decoupling Direction and Norm", algorithm 1, with its constants. Deviations: the
        gradient is that of the log-odds of the goal's class, which points as that of the cross-entropy does but does
        not vanish where the network is certain; pixels are not rounded to 8 bits; the nearest point of all counts.
    """
    network = place(module, device).eval().requires_grad_(False)
    found = []
    for rows in torch.arange(len(pairs), device=pairs.image_of.device).split(_ROWS_PER_CALL):
        goals = Goals(pairs.goals.classes[rows].to(device), pairs.goals.reaching[rows].to(device))
        origins = pairs.images[pairs.image_of[rows]].to(device)
        found.append(_descend(network, origins, goals, steps=steps, bounds=bounds))
    return WhiteBoxCrossings(
        torch.cat([pairs.images[:0].cpu(), *(part.points.cpu() for part in found)]),
        torch.cat([pairs.images.new_zeros(0).cpu(), *(part.distances.cpu() for part in found)]),
    )


def _descend(
    network: nn.Module,
    origins: Float[Tensor, "b c h w"],
    goals: Goals,
    *,
    steps: int,
    bounds: tuple[float, float],
) -> WhiteBoxCrossings:
    """Step towards the goal on a sphere that shrinks where the point is across and grows where it is not."""
    b = len(origins)
    best_points, best_distances = torch.full_like(origins, torch.nan), origins.new_full((b,), torch.inf)
    points, radii = origins, origins.new_full((b,), _FIRST_RADIUS)
    for step in range(steps):
        across, uphill = _look(network, points, goals)
        distances = _lengths(points - origins)
        nearer = across & (distances < best_distances)
        best_distances = torch.where(nearer, distances, best_distances)
        best_points = torch.where(nearer[:, None, None, None], points, best_points)
        radii = radii * torch.where(across, 1 - _RADIUS_CHANGE, 1 + _RADIUS_CHANGE)
        moved = points - origins + _step_length(step, steps) * _with_length(uphill, torch.ones_like(radii))
        points = (origins + _with_length(moved, radii)).clamp(*bounds)
    return WhiteBoxCrossings(best_points, best_distances)


def _look(
    network: nn.Module, points: Float[Tensor, "b c h w"], goals: Goals
) -> tuple[Bool[Tensor, " b"], Float[Tensor, "b c h w"]]:
    """Which points are across, and where the log-odds of what the goal wants grow."""
    rows: Int[Tensor, " b"] = torch.arange(len(points), device=points.device)
    with torch.enable_grad():
        asked = points.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
        scores: Tensor = network(asked)
        own = scores.gather(1, goals.classes[:, None])[:, 0]
        others = scores.scatter(1, goals.classes[:, None], -torch.inf).logsumexp(dim=1)
        gain = torch.where(goals.reaching, own - others, others - own)
        (uphill,) = torch.autograd.grad(gain.sum(), asked)
    return goals.across(rows, scores.argmax(dim=1)), uphill


def _step_length(step: int, steps: int) -> float:
    """Falls along half a cosine."""
    return _LAST_STEP + (_FIRST_STEP - _LAST_STEP) * (1 + math.cos(math.pi * step / steps)) / 2


def _lengths(shifts: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
    lengths: Tensor = torch.linalg.vector_norm(shifts.flatten(1), dim=1)
    return lengths


def _with_length(shifts: Float[Tensor, "b c h w"], lengths: Float[Tensor, " b"]) -> Float[Tensor, "b c h w"]:
    """Scale to these lengths; a shift of no length stays none."""
    factors = lengths / _lengths(shifts).clamp(min=torch.finfo(shifts.dtype).tiny)
    return shifts * factors[:, None, None, None]
