"""The guided search: a committee says where the boundary should be, and the teacher is asked whether it is.

It starts where the committee expects the crossing, follows its normal along the boundary while that helps, and then
asks around the crossing, in directions in which normals lie, to correct the normal. It works without a committee too.
"""

import functools
import math
from enum import IntEnum
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt, Interval, Lt

from db3kd.arguments import checked_options
from db3kd.boundary.crossing import BestCrossings, Outcome
from db3kd.boundary.exemplars import Exemplars
from db3kd.boundary.goal import Pairs
from db3kd.boundary.guide import Guide
from db3kd.boundary.normals import DirectionBank, Drawn, Estimates, Evidence, low_frequencies, unit
from db3kd.boundary.rays import Rays
from db3kd.boundary.sample import SampleDistance
from db3kd.boundary.search import Probes, Turn, none_left
from db3kd.teachers import TeacherSpec
from db3kd.tensors import Bool, Float, Int, Tensor

_FIRST_SHRINK = 0.04
_LEAST_GAIN = 0.005
_WIDEST = 1.45


@checked_options
class GuidedDistance:
    """The distance to the boundary where a committee expects it, corrected by asking.

    Without a guide, directions are taken from the lowest frequencies, and all is found by asking.

    Args:
        directions: random directions per estimate of the normal.
        subspace: about how many dimensions they are drawn from, where there is no guide to say.
        smoothing: length of a random direction, as a part of the radius.
        memory: what an estimate keeps of the ones before.
        tolerance: a radius is bisected to this part of itself.
        follows: most steps by the committee's normal alone.
        tries: angles that are tried in one step, each half of the one before.
        patience: a row is stalled when so many estimates in a row have brought nothing.
        reach: multiples of the distance that the committee expects, at which its direction is tried.
        seed: the random directions are drawn from it.
    """

    directions: Annotated[int, Ge(1)] = 20
    subspace: Annotated[int, Ge(1)] = 100
    smoothing: Annotated[float, Gt(0)] = 0.05
    memory: Annotated[float, Interval(ge=0, lt=1)] = 0.9
    tolerance: Annotated[float, Gt(0), Lt(1)] = 0.02
    follows: Annotated[int, Ge(0)] = 6
    tries: Annotated[int, Ge(1)] = 5
    patience: Annotated[int, Ge(1)] = 30
    reach: tuple[Annotated[float, Gt(0)], ...] = (1.5, 2.5, 4.0)
    seed: int = 0

    name: ClassVar[str] = "guided"
    most_queries: ClassVar[None] = None
    usual_queries: ClassVar[int] = 50
    guided: ClassVar[bool] = True

    def search(self, pairs: Pairs, exemplars: Exemplars, spec: TeacherSpec, guide: Guide | None = None) -> "Guided":
        """Make the search; see `Method`. It asks nothing, but looks at the committee."""
        return Guided(pairs, SampleDistance().search(pairs, exemplars, spec).best, guide, spec, self)


@functools.lru_cache(maxsize=1)
def _bank(
    guide: Guide | None, shape: tuple[int, int, int], subspace: int, block: int, seed: int, device: torch.device
) -> DirectionBank:
    span = low_frequencies(shape, subspace) if guide is None else guide.subspace
    return DirectionBank(math.prod(shape), block=block, seed=seed, span=span, device=device)


class _Phase(IntEnum):
    WAITING = 0
    REACH = 1
    APPROACH = 2
    FOLLOW = 3
    PROBE = 4
    TURN = 5
    STALLED = 6
    ARRIVED = 7


class Guided:
    """The guided search over all rows at once, each in a phase of its own; the best crossings are to fall back on.

    Cost: about 8 queries until the first crossing, 6 for each step, `options.directions` for each estimate.

    Source: ours; see docs/methods/guided.md. The step along the boundary is that of Reza et al. (2023), "CGBA".
    """

    def __init__(
        self, pairs: Pairs, best: BestCrossings, guide: Guide | None, spec: TeacherSpec, options: GuidedDistance
    ) -> None:
        self.pairs, self.best = pairs, best
        self._guide, self._spec, self._options = guide, spec, options
        self._origins = pairs.images.flatten(1)
        self._rays = Rays(pairs, best, spec, tolerance=options.tolerance, first_shrink=_FIRST_SHRINK)
        self._phase = torch.full_like(pairs.image_of, _Phase.WAITING)
        # Where the committee expects the crossing; then, in a step, the row's own direction and the one to turn to.
        self._aims, self._turns = torch.zeros_like(best.points), torch.zeros_like(best.points)
        self._expected, self._angle, self._radius, self._before = (torch.zeros_like(best.distances) for _ in range(4))
        device = best.points.device
        bank = _bank(guide, spec.input_shape, options.subspace, options.directions, options.seed, device)
        self._estimates = Estimates(pairs, bank, options.directions)
        self._evidence = Evidence(best, memory=options.memory, probes=options.directions, freedom=bank.freedom)
        self._tried, self._followed, self._failures = (torch.zeros_like(pairs.image_of) for _ in range(3))
        self._row_of = _rows_by_class(pairs, spec.num_classes)
        self._turn = Turn(pairs.image_of)
        self._asked = none_left(pairs)
        self._estimating = 0
        self._begin()

    def propose(self, remaining: Int[Tensor, " k"], limit: int) -> Probes:
        """Random directions of rows that estimate, and a point of each line search; see `Search`."""
        estimating = self._phase == _Phase.PROBE
        searching = self._rays.busy & (self._phase > _Phase.WAITING) & (self._phase < _Phase.STALLED)
        wants = torch.where(estimating, self._estimates.missing, searching.to(remaining.dtype))
        rows, counts = self._turn.take(wants, remaining, limit)
        many = estimating[rows]
        single, drawn = rows[~many], self._estimates.draw(rows[many], counts[many])
        points = torch.cat([self._around(drawn), self._rays.points(single)])
        self._estimating = len(drawn.rows)
        points = self._spec.admit(points.unflatten(1, self.pairs.images.shape[1:]))
        self._asked = Probes(torch.cat([drawn.rows, single]), points)
        return self._asked

    def observe(self, decisions: Int[Tensor, " b"]) -> None:
        """Move each row on, and hand each answer to all classes of its image; see `Search`."""
        rows, points = self._asked.rows, self._asked.points.flatten(1)
        across = self.pairs.goals.across(rows, decisions)
        split = self._estimating
        self._estimates.observe(across[:split])
        ended = self._rays.observe(rows[split:], points[split:], across[split:])
        self._share(rows, points, decisions)
        lost, settled = ended.lost, ended.settled
        self._reach(lost[self._phase[lost] == _Phase.REACH])
        missed = lost[self._phase[lost] > _Phase.APPROACH]
        again = self._tried[missed] < self._options.tries
        self._try(missed[again])
        self._move_on(torch.cat([missed[~again], settled]))
        self._turn_by_evidence((self._phase == _Phase.PROBE) & (self._estimates.missing == 0))
        self._phase[rows[self.best.distances[rows] == 0]] = _Phase.ARRIVED

    def outcomes(self) -> Int[Tensor, " k"]:
        """`STALLED`, `NO_START` for rows without an exemplar, else `BUDGET`; see `Search`."""
        stalled = torch.where(self._phase == _Phase.STALLED, int(Outcome.STALLED), int(Outcome.BUDGET))
        ended = torch.where(self._phase == _Phase.ARRIVED, int(Outcome.FOUND), stalled)
        return torch.where(self._phase == _Phase.WAITING, int(Outcome.NO_START), ended)

    def _begin(self) -> None:
        """Look where the committee expects the crossing, or bisect towards the exemplar."""
        self._phase[self.best.distances == 0] = _Phase.ARRIVED
        rows = (self._phase != _Phase.ARRIVED).nonzero()[:, 0]
        if self._guide is None:
            self._approach(rows)
            return
        images = self.pairs.images[self.pairs.image_of[rows]]
        offsets = (self._guide.expect(images, self.pairs.goals.of(rows)) - images).flatten(1)
        lengths = torch.linalg.vector_norm(offsets, dim=1)
        self._expected[rows] = lengths
        self._aims[rows] = offsets / lengths.clamp(min=torch.finfo(lengths.dtype).tiny)[:, None]
        self._phase[rows] = _Phase.REACH
        self._reach(rows)

    def _reach(self, rows: Int[Tensor, " r"]) -> None:
        """Try the expected direction a little further each time, while that would beat the exemplar."""
        factors = self._expected.new_tensor((0.0, *self._options.reach, torch.inf))
        low = factors[self._tried[rows]] * self._expected[rows]
        radii = factors[self._tried[rows] + 1] * self._expected[rows]
        worth = (radii > 0) & (radii < self.best.distances[rows])
        self._rays.start(rows[worth], self._aims[rows[worth]], radii[worth], low=low[worth], halving=True)
        self._tried[rows[worth]] += 1
        self._approach(rows[~worth])

    def _approach(self, rows: Int[Tensor, " r"]) -> None:
        """Bisect towards the nearest crossing that is known; wait where there is none."""
        known = self.best.distances[rows].isfinite()
        self._phase[rows[~known]] = _Phase.WAITING
        rows = rows[known]
        self._phase[rows] = _Phase.APPROACH
        self._rays.bisect(rows, self.best.directions(rows), self.best.distances[rows])

    def _move_on(self, rows: Int[Tensor, " r"]) -> None:
        """Choose what comes after a line search: follow the committee while it helps, then ask around."""
        gain = 1 - self.best.distances[rows] / self._before[rows].clamp(min=torch.finfo(self._before.dtype).tiny)
        gained = gain > _LEAST_GAIN
        started = self._phase[rows] <= _Phase.APPROACH
        followed = self._phase[rows] == _Phase.FOLLOW
        turned = self._phase[rows] == _Phase.TURN
        more = started | (followed & gained & (self._followed[rows] < self._options.follows))
        if self._guide is None:
            more = torch.zeros_like(more)
        self._failures[rows] = torch.where(turned & ~gained, self._failures[rows] + 1, 0)
        stalled = self._failures[rows] >= self._options.patience
        self._phase[rows[stalled]] = _Phase.STALLED
        self._probe(rows[~more & ~stalled])
        self._follow(rows[more])

    def _follow(self, rows: Int[Tensor, " r"]) -> None:
        """Step by the committee's normal alone."""
        if len(rows):
            self._phase[rows] = _Phase.FOLLOW
            self._followed[rows] += 1
            self._step(rows, self._expected_normals(rows))

    def _probe(self, rows: Int[Tensor, " r"]) -> None:
        """Ask around the best crossing."""
        self._phase[rows] = _Phase.PROBE
        self._estimates.begin(rows)
        self._aims[rows] = self.best.points[rows] - self._origins[self.pairs.image_of[rows]]
        self._radius[rows] = self.best.distances[rows]

    def _around(self, drawn: Drawn) -> Float[Tensor, "b d"]:
        """Points a little off the crossing that the row asks around."""
        rows, directions = drawn
        lengths = self._options.smoothing * self._radius[rows]
        if self._spec.levels is not None:
            # A probe that moves no pixel by half a level asks the same question again.
            lengths = lengths.clamp(min=self._spec.level_step * self._origins.shape[1] ** 0.5)
        centres = self._origins[self.pairs.image_of[rows]] + self._aims[rows]
        return centres.addcmul_(directions, lengths[:, None])

    def _turn_by_evidence(self, complete: Bool[Tensor, " k"]) -> None:
        """Step by what the answers and the committee say."""
        rows = complete.nonzero()[:, 0]
        if not len(rows):
            return
        self._evidence.add(rows, self._estimates.finish(rows))
        normals = self._evidence.normals(rows, None if self._guide is None else self._expected_normals(rows))
        self._phase[rows] = _Phase.TURN
        self._step(rows, normals)

    def _step(self, rows: Int[Tensor, " r"], normals: Float[Tensor, "r d"]) -> None:
        """Turn from the row's direction to a normal: on a flat boundary, the nearest point lies at their angle."""
        aims = self.best.directions(rows)
        cosines = (aims * normals).sum(dim=1)
        rest = normals - cosines[:, None] * aims
        lengths = torch.linalg.vector_norm(rest, dim=1)
        self._aims[rows] = aims
        self._turns[rows] = unit(rest)
        self._angle[rows] = torch.atan2(lengths, cosines).clamp(max=_WIDEST)
        self._radius[rows] = self._before[rows] = self.best.distances[rows]
        self._tried[rows] = 0
        self._try(rows)

    def _try(self, rows: Int[Tensor, " r"]) -> None:
        """Ask at the row's angle, where the circle through image and crossing is; half the angle comes next."""
        angles = self._angle[rows]
        aims = torch.cos(angles)[:, None] * self._aims[rows] + torch.sin(angles)[:, None] * self._turns[rows]
        self._rays.start(rows, aims, self._radius[rows] * torch.cos(angles))
        self._angle[rows] = angles / 2
        self._tried[rows] += 1

    def _share(self, rows: Int[Tensor, " b"], points: Float[Tensor, "b d"], decisions: Int[Tensor, " b"]) -> None:
        """Offer each point to the row of its image that wants what the teacher said."""
        receivers = self._row_of[self.pairs.image_of[rows], decisions]
        known = receivers >= 0
        self.best.offer(receivers[known], points[known])
        waiting = (self._phase == _Phase.WAITING) & self.best.distances.isfinite()
        self._approach(waiting.nonzero()[:, 0])

    def _expected_normals(self, rows: Int[Tensor, " r"]) -> Float[Tensor, "r d"]:
        assert self._guide is not None, "only asked where there is a guide"
        points = self.best.points[rows].unflatten(1, self.pairs.images.shape[1:])
        return unit(self._guide.slopes(points, self.pairs.goals.of(rows)).normals)


def _rows_by_class(pairs: Pairs, num_classes: int) -> Int[Tensor, "n answers"]:
    """The row of each image that a decision is news for, -1 where there is none."""
    # One more than there are classes: a teacher that gives none says so by that number, which is no row's goal.
    found: Int[Tensor, "n answers"] = torch.full((len(pairs.images), num_classes + 1), -1, device=pairs.image_of.device)
    reaching = pairs.goals.reaching.nonzero()[:, 0]
    found[pairs.image_of[reaching], pairs.goals.classes[reaching]] = reaching
    return found
