"""Images pushed away from the teacher's boundary, step by step: the paper's way to images without data.

At each step the nearest boundary of each image is searched, untargeted, by any of the searches, and the image moves
away from it as far as its class allows. What was found at one step is where the search of the next one starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

import torch
from annotated_types import Ge, Gt

from db3kd.arguments import check_arguments, checked_options
from db3kd.boundary import Crossings, Exemplars, Guide, GuidedDistance, Method, Pairs, interrogate
from db3kd.context import HERE, Context
from db3kd.errors import PlanError
from db3kd.models.placement import find_device
from db3kd.teachers import Teacher
from db3kd.tensors import Float, Int, Tensor

_MOST_USUAL = 200


@checked_options
class Repulsion:
    """How images are pushed away from the boundary.

    Args:
        method: searches for the nearest boundary.
        queries_per_step: most queries of one search, for one image; by default what the method usually takes, 200 at
            most.
        steps: how often each image is pushed.
        keep: after which of these steps the images are kept.
        step: how far an image is pushed, in input units.
        halvings: how often a step is halved, while the class would change, before the image stays where it is.
    """

    method: Method = field(default_factory=GuidedDistance)
    queries_per_step: Annotated[int, Ge(1)] | None = None
    steps: Annotated[int, Ge(1)] = 40
    keep: tuple[Annotated[int, Ge(1)], ...] = (5, 10, 15, 20, 25, 30, 35, 40)
    step: Annotated[float, Gt(0)] = 0.5
    halvings: Annotated[int, Ge(0)] = 5

    def __post_init__(self) -> None:
        if not self.keep or max(self.keep) > self.steps:
            raise PlanError(f"keep must name some of the steps 1 to {self.steps}, got {self.keep}; nothing was done")

    @property
    def queries_per_search(self) -> int:
        """Most queries of one search, for one image."""
        return self.queries_per_step or min(self.method.usual_queries, _MOST_USUAL)

    @property
    def most_queries(self) -> int:
        """Most queries for one image, over all steps."""
        searching = self.queries_per_search
        most = searching if self.method.most_queries is None else min(searching, self.method.most_queries)
        return self.steps * (most + 1 + self.halvings)


@dataclass(frozen=True)
class Repelled:
    """What became of n images: how they were at each of the s steps after which they are kept, and what each cost.

    For each of the t steps, `distances` say how far the nearest boundary was before the push, inf where none was found,
    and `pushes` how far the image went, after clipping; 0 where it stayed.
    """

    images: Float[Tensor, "s n c h w"]
    distances: Float[Tensor, "t n"]
    pushes: Float[Tensor, "t n"]
    queries: Int[Tensor, " n"]


class _OwnFirst:
    """Exemplars with a point of each image's own before them, known to be across; NaN where none is known."""

    def __init__(self, others: Exemplars, points: Float[Tensor, "n d"]) -> None:
        self._others, self._points = others, points

    def __len__(self) -> int:
        return len(self._others) + len(self._points)

    def images(self, rows: Int[Tensor, " b"]) -> Float[Tensor, "b d"]:
        # The images' own points come after all others.
        own = rows - len(self._others)
        found = self._others.images(rows.clamp(max=len(self._others) - 1))
        found[own >= 0] = self._points[own[own >= 0]]
        return found

    def nearest(self, pairs: Pairs, count: int) -> Int[Tensor, "k m"]:
        return self._before(pairs, self._others.nearest(pairs, count))

    def random(self, pairs: Pairs, count: int) -> Int[Tensor, "k m"]:
        return self._before(pairs, self._others.random(pairs, count))

    def _before(self, pairs: Pairs, chosen: Int[Tensor, "k m"]) -> Int[Tensor, "k m"]:
        known = self._points.isfinite().all(dim=1)[pairs.image_of]
        own = len(self._others) + pairs.image_of
        return torch.where(known[:, None], torch.cat([own[:, None], chosen[:, :-1]], dim=1), chosen)


def repel(
    oracle: Teacher,
    images: Float[Tensor, "n c h w"],
    ids: Sequence[str],
    decisions: Int[Tensor, " n"],
    exemplars: Exemplars,
    repulsion: Repulsion,
    *,
    guide: Guide | None = None,
    context: Context = HERE,
) -> Repelled:
    """Push images away from the boundary; what becomes of one does not depend on the others.

    Args:
        oracle: is asked; an `Oracle`, or something that remembers its answers.
        images: where they start, within the teacher's bounds and on its levels.
        ids: a name of each image, which its random choices are drawn by.
        decisions: the teacher's class of each image; it keeps it.
        exemplars: images of other classes, where the first searches start.
        repulsion: how.
        guide: a committee that guides the searches.
        context: where the searches run, and the seed that random choices are drawn from, with the id and the step.

    Returns:
        The images at the steps asked for.

    Raises:
        BudgetExhausted: the ledger allows no more; what the oracle was told can be replayed.

    Cost: at most `repulsion.most_queries` for each image: a search and one query or a few for each push.

    Source: Wang (2021), section 3.3 and its reference implementation. Deviations: a search starts from what the one
        before found and not from random directions; each image has its own step, which is halved a few times and not
        for ever; see docs/methods/repulsion.md.
    """
    check_arguments(repel, locals())
    device = find_device(context.device)
    images, own = images.to(device), decisions.to(device)
    crossings = torch.full_like(images.flatten(1), torch.nan)
    queries = torch.zeros_like(own)
    kept, distances, pushes = [], [], []
    for step in range(1, repulsion.steps + 1):
        names = [f"{name}/{step}" for name in ids]
        pairs = Pairs.leaving_own_class(images, names, own, seed=context.seed)
        search = repulsion.method.search(pairs, _OwnFirst(exemplars, crossings), oracle.spec, guide)
        found = interrogate(oracle, search, queries_per_pair=repulsion.queries_per_search).crossings
        crossings = found.points.flatten(1)
        moved = _push(oracle, pairs, found, repulsion)
        images, queries = moved.images, queries + found.queries + moved.queries
        distances.append(found.distances.cpu())
        pushes.append(moved.lengths.cpu())
        if step in repulsion.keep:
            kept.append(images.cpu())
    return Repelled(torch.stack(kept), torch.stack(distances), torch.stack(pushes), queries.cpu())


class _Moved(NamedTuple):
    """Images after a push."""

    images: Float[Tensor, "n c h w"]
    lengths: Float[Tensor, " n"]
    queries: Int[Tensor, " n"]


def _push(oracle: Teacher, pairs: Pairs, found: Crossings, repulsion: Repulsion) -> _Moved:
    """Move each image straight away from its crossing, as far as its class allows."""
    images, spec = pairs.images.clone(), oracle.spec
    queries = torch.zeros_like(pairs.image_of)
    # At distance 0 there is no way to go, and without a crossing nothing to go away from.
    pushed = found.distances.isfinite() & (found.distances > 0)
    away = (pairs.images - found.points) / found.distances[:, None, None, None]
    lengths = torch.full_like(found.distances, repulsion.step)
    for _ in range(repulsion.halvings + 1):
        rows = pushed.nonzero()[:, 0]
        points = spec.admit(pairs.images[rows] + lengths[rows][:, None, None, None] * away[rows])
        # In a corner of the bounds, or by less than half a level, nothing moves: its class is known.
        new = (points != pairs.images[rows]).flatten(1).any(dim=1)
        pushed[rows[~new]] = False
        rows, points = rows[new], points[new]
        if not len(rows):
            break
        queries[rows] += 1
        stayed = ~pairs.goals.across(rows, oracle(points))
        images[rows[stayed]] = points[stayed]
        pushed[rows[stayed]] = False
        lengths[rows] /= 2
    moved: Tensor = torch.linalg.vector_norm((images - pairs.images).flatten(1), dim=1)
    return _Moved(images, moved, queries)
