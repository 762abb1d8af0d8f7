"""A committee as a guide: where networks of ours expect the teacher's boundary to be, and which way its normals lie.

They have learned from the teacher's decisions, and unlike the teacher they can be looked into. Their gradients cost no
query; they are counted and timed here. Asked by the guided search; `db3kd.training` makes committees.
"""

import hashlib
import time
from typing import NamedTuple

import torch
from torch import nn

from db3kd.arguments import check_arguments
from db3kd.boundary.goal import Goals
from db3kd.boundary.normals import unit
from db3kd.context import HERE, Context
from db3kd.data import Dataset
from db3kd.models.placement import Members, find_device, is_faster_in_bfloat16, place
from db3kd.tensors import Float, Int, Tensor

# Always so many rows a pass, the last one filled up: a row's gradient must not depend on how many others there are.
_BLOCK = 64
# On 360 pairs, 4 / 8 / 16 looks come to 1.63 / 1.59 / 1.58 of the white-box minimum at 200 queries a pair.
_LOOKS = 8
# The standard deviation of these looks, in input units.
_NOISE = 0.05
_OVERSHOOT = 1.02
_LONGEST_STEP = 1.0
# Where normals are looked at for the subspace: so many images, drawn with repetition, and how far off them.
_LOOKED_AT, _SHIFT = 6000, 0.05


class Slopes(NamedTuple):
    """The committee's margin towards each row's goal, positive where it is across, and the margin's gradient."""

    normals: Float[Tensor, "b d"]
    margins: Float[Tensor, " b"]


class Guide:
    """A committee, as normals of the boundary between what it would decide.

    Gradients are means over the members, and over a few small fixed shifts of the point, since a single gradient of a
    network is rough: on Fashion-MNIST the cosine to the teacher's own rises from 0.45 to 0.50 with one member.

    Args:
        members: networks that map images to scores; they are copied.
        subspace: orthonormal directions in which the boundary's normals mostly lie; see `find_subspace`.
        bounds: lowest and highest pixel value.
        device: where the members run.
    """

    def __init__(
        self,
        members: Members,
        subspace: Float[Tensor, "m d"],
        *,
        bounds: tuple[float, float] = (0.0, 1.0),
        device: str = "cpu",
    ) -> None:
        check_arguments(Guide.__init__, locals())
        self.subspace = subspace
        self.passes, self.seconds = 0, 0.0
        self._members = [place(member, device).eval().requires_grad_(False) for member in members]
        self._device, self._bounds = find_device(device), bounds
        self.fingerprint = _digest(members, _NOISE)

    def slopes(self, points: Float[Tensor, "b c h w"], goals: Goals) -> Slopes:
        """Look at the margin of points, in `looks` passes of a member forward and backward for each."""
        started = time.perf_counter()
        parts = [self._look(points, goals, block) for block in torch.arange(len(points)).split(_BLOCK)]
        self.seconds += time.perf_counter() - started
        self.passes += self.looks * len(points)
        return Slopes(
            torch.cat([points.flatten(1)[:0], *(part.normals for part in parts)]),
            torch.cat([points.new_zeros(0), *(part.margins for part in parts)]),
        )

    @property
    def looks(self) -> int:
        """Passes for one gradient: a look of each member, at 8 shifts in all or more."""
        return len(self._members) * -(-_LOOKS // len(self._members))

    def expect(self, images: Float[Tensor, "b c h w"], goals: Goals, *, steps: int = 4) -> Float[Tensor, "b c h w"]:
        """Find a near point at which the committee would cross the boundary, taking it for flat in each step.

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

    def _look(self, points: Float[Tensor, "b c h w"], goals: Goals, block: Int[Tensor, " p"]) -> Slopes:
        rows = torch.cat([block, block.new_zeros(_BLOCK - len(block))])
        asked, wanted = points[rows].to(self._device), goals.of(rows)
        wanted = Goals(wanted.classes.to(self._device), wanted.reaching.to(self._device))
        drawn = torch.randn(self.looks, *points.shape[1:], generator=torch.Generator().manual_seed(0))
        slopes = [
            margin_slopes(self._members[number % len(self._members)], asked + shift, wanted)
            for number, shift in enumerate((_NOISE * drawn).to(self._device))
        ]
        normals = torch.stack([slope.normals for slope in slopes]).mean(dim=0)
        margins = torch.stack([slope.margins for slope in slopes]).mean(dim=0)
        return Slopes(normals[: len(block)].to(points.device), margins[: len(block)].to(points.device))


def margin_slopes(network: nn.Module, points: Float[Tensor, "b c h w"], goals: Goals) -> Slopes:
    """Differentiate a class's score less the highest other one, or the opposite where it is not to be reached."""
    # Faster in bfloat16 on some CPUs: the gradient of a network that only advises loses nothing by it.
    with torch.enable_grad():
        asked = points.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
        with torch.autocast(points.device.type, torch.bfloat16, enabled=is_faster_in_bfloat16(points.device)):
            scores: Tensor = network(asked)
        scores = scores.float()
        own = scores.gather(1, goals.classes[:, None])[:, 0]
        others = scores.scatter(1, goals.classes[:, None], -torch.inf).amax(dim=1)
        margins = torch.where(goals.reaching, own - others, others - own)
        (normals,) = torch.autograd.grad(margins.sum(), asked)
    return Slopes(normals.contiguous().flatten(1), margins.detach())


def closeness(
    members: Members,
    images: Float[Tensor, "n c h w"],
    points: Float[Tensor, "n c h w"],
    classes: Int[Tensor, " n"],
) -> float:
    """Give the mean cosine of a committee's gradients to the way from images to their nearest crossings.

    That way is the boundary's normal there; the classes are those that the crossings reach. Cost: none.
    """
    check_arguments(closeness, locals())
    slopes = Guide(members, torch.zeros(0, points[0].numel())).slopes(points, Goals.reach(classes))
    ways = (points - images).flatten(1)
    return torch.nn.functional.cosine_similarity(slopes.normals, ways).mean().item()


def find_subspace(members: Members, images: Dataset, count: int, context: Context = HERE) -> Float[Tensor, "m d"]:
    """Find so many directions in which a committee's gradients mostly lie, orthonormal, the most important first.

    They are looked at a little off the images. Cost: none.
    """
    check_arguments(find_subspace, locals())
    generator = torch.Generator().manual_seed(context.seed)
    rows = torch.randint(len(images), (_LOOKED_AT,), generator=generator)
    normals = [_normals(member, images, rows, generator, device=context.device) for member in members]
    return principal_directions(torch.cat(normals), count)


def principal_directions(normals: Float[Tensor, "n d"], count: int) -> Float[Tensor, "m d"]:
    """Find the directions in which most of the normals lie, whatever their lengths; no more than there are."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        _, _, directions = torch.svd_lowrank(unit(normals), q=min(count, *normals.shape), niter=4)
    return directions.T.contiguous()


def _normals(
    member: nn.Module, images: Dataset, rows: Int[Tensor, " r"], generator: torch.Generator, *, device: str
) -> Float[Tensor, "r d"]:
    """Gradients of a member's margin towards random classes."""
    network = place(member, device).eval().requires_grad_(False)
    found = []
    for part in rows.split(_BLOCK):
        points = images.images(part)
        points = (points + _SHIFT * torch.randn(points.shape, generator=generator)).to(find_device(device))
        with torch.inference_mode():
            scores = network(points)
        # Any class but the one that it decides: the way to that one is long behind.
        shift = torch.randint(1, scores.shape[1], (len(part),), generator=generator).to(scores.device)
        classes = (scores.argmax(dim=1) + shift) % scores.shape[1]
        found.append(margin_slopes(network, points, Goals.reach(classes)).normals.cpu())
    return torch.cat(found)


def _digest(members: Members, noise: float) -> str:
    digest = hashlib.sha256(f"{noise}".encode())
    for member in members:
        for name, tensor in sorted(member.state_dict().items()):
            digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
