"""The student as a prior: where a network of ours expects the teacher's boundary to be.

A primer has learned from the teacher's decisions, and unlike the teacher it can be looked into. Its gradients cost no
query; they are counted and timed here, apart. Asked by the guided search; primers are trained by the pipeline.
"""

import hashlib
import time
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from db3kd.boundary.directions import unit
from db3kd.boundary.goal import Goals
from db3kd.models.placement import find_device, is_faster_in_bfloat16, place
from db3kd.tensors import Bool, Float, Int, Tensor

# Always so many rows a pass, the last one filled up: a row's gradient must not depend on how many others there are.
_BLOCK = 64
# On 360 pairs, 4 / 8 / 16 looks come to 1.63 / 1.59 / 1.58 of the white-box minimum at 200 queries a pair.
_LOOKS = 8
_OVERSHOOT = 1.02
_LONGEST_STEP = 1.0


class Slopes(NamedTuple):
    """How the primers' margin towards each row's goal lies at a point.

    Args:
        normals: its gradient.
        margins: positive where the primers are across.
    """

    normals: Float[Tensor, "b d"]
    margins: Float[Tensor, " b"]


class Guide:
    """Primers, as normals of the boundary between what they would decide.

    Gradients are means over the primers, and over a few small fixed shifts of the point, since a single gradient of a
    network is rough: on Fashion-MNIST the cosine to the teacher's own rises from 0.45 to 0.50 with one primer.

    Args:
        primers: networks that map images to scores; they are copied.
        subspace: orthonormal directions in which the boundary's normals mostly lie; see `principal_directions`.
        noise: standard deviation of the shifts, in input units.
        bounds: lowest and highest pixel value.
        device: where the primers run.
    """

    def __init__(
        self,
        primers: Sequence[nn.Module],
        subspace: Float[Tensor, "m d"],
        *,
        noise: float = 0.05,
        bounds: tuple[float, float] = (0.0, 1.0),
        device: str = "cpu",
    ) -> None:
        self.subspace = subspace
        self.passes, self.seconds = 0, 0.0
        self._primers = [place(primer, device).eval().requires_grad_(False) for primer in primers]
        self._device, self._bounds, self._noise = find_device(device), bounds, noise
        self._shifts: list[Tensor] = []
        self._fingerprint = _digest(primers, noise)

    def __repr__(self) -> str:
        return f"Guide({self._fingerprint})"

    def slopes(self, points: Float[Tensor, "b c h w"], goals: Goals) -> Slopes:
        """Look at the margin of points.

        Args:
            points: within the bounds.
            goals: what each point's row wants.

        Returns:
            The mean gradients and margins, on the device of the points.

        Cost: no query; `looks` passes of a primer forward and backward for each point.
        """
        started = time.perf_counter()
        parts = [self._look(points[block], goals, block) for block in torch.arange(len(points)).split(_BLOCK)]
        self.seconds += time.perf_counter() - started
        self.passes += self.looks * len(points)
        return Slopes(
            torch.cat([points.flatten(1)[:0], *(part.normals for part in parts)]),
            torch.cat([points.new_zeros(0), *(part.margins for part in parts)]),
        )

    @property
    def looks(self) -> int:
        """Passes for one gradient: a look of each primer, at 8 shifts in all or more."""
        return len(self._primers) * -(-_LOOKS // len(self._primers))

    def expect(self, images: Float[Tensor, "b c h w"], goals: Goals, *, steps: int = 4) -> Float[Tensor, "b c h w"]:
        """Find a near point at which the primers would cross the boundary.

        Args:
            images: where to start.
            goals: what each row wants.
            steps: times that the boundary is taken for flat and gone to.

        Returns:
            A point for each image; nothing is promised of the teacher.

        Cost: no query; `steps` gradients for each image.

        Source: Moosavi-Dezfooli et al. (2016), "DeepFool". Deviations: each step starts from the image again, so that
            the point is a near one, and is at most 1 long.
        """
        origins, points = images.flatten(1), images
        for _ in range(steps):
            normals, margins = self.slopes(points, goals)
            here = points.flatten(1)
            shortfall = margins - (normals * (here - origins)).sum(dim=1)
            squares = (normals**2).sum(dim=1).clamp(min=torch.finfo(normals.dtype).tiny)
            step = origins - normals * (_OVERSHOOT * shortfall / squares)[:, None] - here
            lengths = torch.linalg.vector_norm(step, dim=1, keepdim=True)
            here = here + step * (_LONGEST_STEP / lengths.clamp(min=_LONGEST_STEP))
            points = here.clamp(*self._bounds).view_as(images)
        return points

    def _look(self, points: Float[Tensor, "p c h w"], goals: Goals, block: Int[Tensor, " p"]) -> Slopes:
        filled = torch.zeros(_BLOCK, *points.shape[1:], device=self._device)
        classes = torch.zeros(_BLOCK, dtype=torch.int64, device=self._device)
        reaching = torch.ones(_BLOCK, dtype=torch.bool, device=self._device)
        filled[: len(points)] = points.to(self._device)
        classes[: len(points)] = goals.classes[block].to(self._device)
        reaching[: len(points)] = goals.reaching[block].to(self._device)
        slopes = [
            margin_slopes(self._primers[number % len(self._primers)], filled + shift, classes, reaching)
            for number, shift in enumerate(self._shift_of(points))
        ]
        normals = torch.stack([slope.normals for slope in slopes]).mean(dim=0)
        margins = torch.stack([slope.margins for slope in slopes]).mean(dim=0)
        return Slopes(normals[: len(points)].to(points.device), margins[: len(points)].to(points.device))

    def _shift_of(self, points: Float[Tensor, "p c h w"]) -> list[Float[Tensor, "c h w"]]:
        if not self._shifts:
            generator = torch.Generator().manual_seed(0)
            drawn = torch.randn(self.looks, *points.shape[1:], generator=generator)
            self._shifts = list((self._noise * drawn).to(self._device))
        return self._shifts


def margin_slopes(
    network: nn.Module,
    points: Float[Tensor, "b c h w"],
    classes: Int[Tensor, " b"],
    reaching: Bool[Tensor, " b"],
) -> Slopes:
    """Differentiate how far a network is from deciding as each row wants.

    A CPU that is faster in bfloat16 computes so here: a gradient of a network that only advises loses
    nothing by it, where a teacher's decisions would change.

    Args:
        network: maps images to scores, without gradients of its weights.
        points: where to look.
        classes: the class to reach or to leave.
        reaching: which of the two.

    Returns:
        The gradient of the class's score less the highest other one, or of the opposite.
    """
    with torch.enable_grad():
        asked = points.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
        with torch.autocast(points.device.type, torch.bfloat16, enabled=is_faster_in_bfloat16(points.device)):
            scores: Tensor = network(asked)
        scores = scores.float()
        own = scores.gather(1, classes[:, None])[:, 0]
        others = scores.scatter(1, classes[:, None], -torch.inf).amax(dim=1)
        margins = torch.where(reaching, own - others, others - own)
        (normals,) = torch.autograd.grad(margins.sum(), asked)
    return Slopes(normals.contiguous().flatten(1), margins.detach())


def principal_directions(normals: Float[Tensor, "n d"], count: int) -> Float[Tensor, "m d"]:
    """Find the directions in which most of the normals lie.

    Args:
        normals: gradients of primers at many points; their lengths do not matter.
        count: how many directions; never more than there are.

    Returns:
        Orthonormal directions, the most important first.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        _, _, directions = torch.svd_lowrank(unit(normals), q=min(count, *normals.shape), niter=4)
    return directions.T.contiguous()


def _digest(primers: Sequence[nn.Module], noise: float) -> str:
    digest = hashlib.sha256(f"{noise}".encode())
    for primer in primers:
        for name, tensor in sorted(primer.state_dict().items()):
            digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
