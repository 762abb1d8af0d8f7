"""Boundary distance (BD): how far the teacher's boundary is on the way to images of the wanted class.

Along the line from the image to each exemplar, the boundary is bisected; the nearest crossing stays. An exemplar
that cannot win costs one query. Sign-OPT starts from what is found here.
"""

import math
from typing import Annotated, ClassVar, Literal

import torch
from annotated_types import Ge, Gt, Lt

from db3kd.arguments import checked_options
from db3kd.boundary.crossing import BestCrossings, Outcome
from db3kd.boundary.exemplars import Exemplars
from db3kd.boundary.goal import Pairs
from db3kd.boundary.guide import Guide
from db3kd.boundary.search import Probes, Turn, none_left
from db3kd.teachers import TeacherSpec
from db3kd.tensors import Bool, Float, Int, Tensor

_LEAST_RADIUS = 1e-6


@checked_options
class BoundaryDistance:
    """The distance to the boundary on the way to images of the class.

    Args:
        exemplars: how many images to bisect towards.
        order: "nearest" takes the nearest ones; "random" is the paper's: the nearest and then any.
        tolerance: the bisection stops when its bracket is this part of the radius.
    """

    exemplars: Annotated[int, Ge(1)] = 10
    order: Literal["nearest", "random"] = "nearest"
    tolerance: Annotated[float, Gt(0), Lt(1)] = 1e-3

    name: ClassVar[str] = "bd"
    guided: ClassVar[bool] = False

    @property
    def most_queries(self) -> int:
        """Most queries that one row can use where no boundary is nearer than a 1,000th of its exemplar's distance."""
        return self.exemplars * (1 + math.ceil(math.log2(1000 / self.tolerance)))

    @property
    def usual_queries(self) -> int:
        """As many as it can use."""
        return self.most_queries

    def search(self, pairs: Pairs, exemplars: Exemplars, spec: TeacherSpec, guide: Guide | None = None) -> "Bisection":
        choose = exemplars.random if self.order == "random" else exemplars.nearest
        return Bisection(pairs, exemplars, choose(pairs, self.exemplars), spec, tolerance=self.tolerance)


class Bisection:
    """Bisects towards one exemplar after the other, in the order chosen; the first -1 ends a row's list.

    A further exemplar is first tried at the best distance so far and dropped if it is not across there.
    One that lies nearer than the best distance is known to be across: nothing is asked for that.

    Cost: about log2(1 / tolerance) + 3 for the first exemplar, 1 for a loser, log2(1 / tolerance) for a winner.

    Source: Wang (2021), section 3.2, "boundary distance". Deviations: the tolerance is relative; exemplars are across
        for the teacher; see docs/methods/boundary-distance.md.
    """

    def __init__(
        self, pairs: Pairs, exemplars: Exemplars, chosen: Int[Tensor, "k m"], spec: TeacherSpec, *, tolerance: float
    ) -> None:
        self.pairs = pairs
        self.best = BestCrossings(pairs)
        self._origins = pairs.images.flatten(1)
        self._exemplars, self._chosen, self._spec = exemplars, chosen, spec
        self._tolerance = tolerance
        k = len(pairs)
        self._slot = torch.zeros_like(pairs.image_of)
        # The exemplar of each row as floats: converting it anew for each probe would take as long as the rest.
        self._ends = torch.zeros_like(self.best.points)
        self._length = self._origins.new_zeros(k)
        self._low, self._high = self._origins.new_zeros(k), self._origins.new_zeros(k)
        self._bisecting = torch.zeros_like(pairs.image_of, dtype=torch.bool)
        self.done: Bool[Tensor, " k"] = torch.zeros_like(self._bisecting)
        self._turn = Turn(torch.arange(k, device=pairs.image_of.device))
        self._asked = none_left(pairs)
        self._radii = self._origins.new_zeros(0)
        self._open(torch.arange(k, device=self.done.device))

    def propose(self, remaining: Int[Tensor, " k"], limit: int) -> Probes:
        """One probe for each row that is not done; see `Search`."""
        rows, _ = self._turn.take((~self.done).to(remaining.dtype), remaining, limit)
        middle = (self._low[rows] + self._high[rows]) / 2
        self._radii = torch.where(self._bisecting[rows], middle, self._high[rows])
        images = self._origins[self.pairs.image_of[rows]]
        share = self._radii / self._length[rows].clamp(min=torch.finfo(torch.float32).tiny)
        points = torch.lerp(images, self._ends[rows], share[:, None]).unflatten(1, self.pairs.images.shape[1:])
        self._asked = Probes(rows, self._spec.admit(points))
        return self._asked

    def observe(self, decisions: Int[Tensor, " b"]) -> None:
        """Halve the brackets, and go on to the next exemplar where one is finished; see `Search`."""
        rows, radii = self._asked.rows, self._radii
        across = self.pairs.goals.across(rows, decisions)
        bisected = self._bisecting[rows]
        self.best.offer(rows[across], self._asked.points.flatten(1)[across])
        self._high[rows] = torch.where(across, radii, self._high[rows])
        self._low[rows] = torch.where(~across & bisected, radii, self._low[rows])
        self._bisecting[rows] = bisected | across
        finished = rows[self._is_settled(rows) | ~self._bisecting[rows]]
        self._slot[finished] += 1
        self._open(finished)

    def outcomes(self) -> Int[Tensor, " k"]:
        """`FOUND`, `NO_START` where there was no exemplar, else `BUDGET`; see `Search`."""
        found = torch.where(self.done, int(Outcome.FOUND), int(Outcome.BUDGET))
        return torch.where(self._chosen[:, 0] < 0, int(Outcome.NO_START), found)

    def _is_settled(self, rows: Int[Tensor, " r"]) -> Bool[Tensor, " r"]:
        low, high, length = self._low[rows], self._high[rows], self._length[rows]
        # Where everything down to the image is across, no relative tolerance is ever met.
        fine = self._tolerance * high + self._spec.level_step / 4
        return (high - low <= fine) | (high <= _LEAST_RADIUS * length)

    def _open(self, rows: Int[Tensor, " r"]) -> None:
        """Turn to the exemplar at each row's slot, or be done where there is none."""
        slots = self._slot[rows]
        last = self._chosen.shape[1] - 1
        chosen = torch.where(slots <= last, self._chosen[rows, slots.clamp(max=last)], -1)
        self.done[rows[chosen < 0]] = True
        rows, chosen = rows[chosen >= 0], chosen[chosen >= 0]
        ends = self._exemplars.images(chosen)
        lengths: Float[Tensor, " r"] = torch.linalg.vector_norm(ends - self._origins[self.pairs.image_of[rows]], dim=1)
        nearer = lengths < self.best.distances[rows]
        self.best.offer(rows[nearer], ends[nearer])
        self._ends[rows] = ends
        self._length[rows] = lengths
        self._low[rows] = 0.0
        self._high[rows] = self.best.distances[rows]
        self._bisecting[rows] = nearer
