"""Minimal boundary distance (MBD): Sign-OPT, which turns a direction until the boundary is near.

At a point of the boundary, random directions are added to the row's own, one query each: whether the point is still
across is the sign of the change in distance, and the signed directions add up to the way down. A line search follows.
It goes on from crossings that another search has found (`Chain`).
"""

import functools
from dataclasses import field
from enum import IntEnum
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge, Gt, Lt

from db3kd.arguments import checked_options
from db3kd.boundary.bisection import Bisection, BoundaryDistance
from db3kd.boundary.crossing import BestCrossings, Outcome
from db3kd.boundary.exemplars import Exemplars
from db3kd.boundary.goal import Pairs
from db3kd.boundary.guide import Guide
from db3kd.boundary.normals import DirectionBank, Drawn, Estimates, unit
from db3kd.boundary.rays import Rays
from db3kd.boundary.search import Probes, Turn, none_left
from db3kd.teachers import TeacherSpec
from db3kd.tensors import Bool, Float, Int, Tensor

_FIRST_SHRINK = 0.01
_LEAST_STEP = 1e-4


@checked_options
class MinimalBoundaryDistance:
    """The distance to the boundary in the direction in which it is least, by Sign-OPT; the defaults are the paper's.

    Args:
        start: finds the crossings to go on from.
        directions: random directions per estimate of the way down.
        smoothing: length of a random direction added to the row's unit direction (the paper's beta).
        step: first step of a row's line search, along the mean signed direction.
        tolerance: a radius is bisected to this part of itself.
        line_search_steps: most trials of one line search.
        least_smoothing: a row whose line search fails divides its smoothing by 10, down to this value.
        patience: a row is stalled when so many of its line searches have failed.
        seed: the random directions are drawn from it.
    """

    start: BoundaryDistance = field(default_factory=BoundaryDistance)
    directions: Annotated[int, Ge(1)] = 200
    smoothing: Annotated[float, Gt(0)] = 1e-3
    step: Annotated[float, Gt(0)] = 0.2
    tolerance: Annotated[float, Gt(0), Lt(1)] = 1e-5
    line_search_steps: Annotated[int, Ge(1)] = 15
    least_smoothing: Annotated[float, Gt(0)] = 1e-5
    patience: Annotated[int, Ge(1)] = 3
    seed: int = 0

    name: ClassVar[str] = "mbd"
    most_queries: ClassVar[None] = None
    usual_queries: ClassVar[int] = 1000
    guided: ClassVar[bool] = False

    def search(self, pairs: Pairs, exemplars: Exemplars, spec: TeacherSpec, guide: Guide | None = None) -> "Chain":
        first = self.start.search(pairs, exemplars, spec)
        return Chain(first, SignOpt(pairs, first.best, spec, self))


@functools.lru_cache(maxsize=1)
def _bank(dimension: int, block: int, seed: int, device: torch.device) -> DirectionBank:
    # Drawing 64 MB of Gaussians takes longer than a small shard; every shard of a run uses the same ones.
    return DirectionBank(dimension, block=block, seed=seed, device=device)


class _Phase(IntEnum):
    WAITING = 0
    ESTIMATE = 1
    TURN = 2
    STALLED = 3
    ARRIVED = 4


class SignOpt:
    """Sign-OPT over all rows at once, each in a phase of its own; it goes on from the best crossings it is given.

    Cost: `options.directions` queries an estimate, and 1 to about 20 for each trial of a line search.

    Source: Cheng et al. (2020), "Sign-OPT", algorithm 1, as Wang (2021) uses it. Deviations: a trial that is
        not across at the radius to beat costs one query instead of a walk; steps are a row's own; the direction is read
        off the point after clipping; see docs/methods/minimal-boundary-distance.md.
    """

    def __init__(self, pairs: Pairs, best: BestCrossings, spec: TeacherSpec, options: MinimalBoundaryDistance) -> None:
        self.pairs, self.best = pairs, best
        self._spec, self._options = spec, options
        self._origins = pairs.images.flatten(1)
        self._phase = torch.full_like(pairs.image_of, _Phase.WAITING)
        self._rays = Rays(pairs, best, spec, tolerance=options.tolerance, first_shrink=_FIRST_SHRINK)
        # The best direction and distance of each row when its estimate began.
        self._aim = torch.zeros_like(best.points)
        self._radius, self._step, self._smoothing = (torch.zeros_like(best.distances) for _ in range(3))
        self._descent = torch.zeros_like(best.points)
        bank = _bank(best.points.shape[1], options.directions, options.seed, best.points.device)
        self._estimates = Estimates(pairs, bank, options.directions)
        self._trials, self._gains, self._failures = (torch.zeros_like(pairs.image_of) for _ in range(3))
        self._turn = Turn(torch.arange(len(pairs), device=pairs.image_of.device))
        # What was proposed last: first the directions of rows that estimate, then a point of each row in a line search.
        self._asked = none_left(pairs)
        self._estimating = 0

    def begin(self, rows: Int[Tensor, " r"]) -> None:
        """Let rows go on from their best crossings; rows without one stay out."""
        rows = rows[self.best.distances[rows].isfinite()]
        self._step[rows] = self._options.step
        self._smoothing[rows] = self._options.smoothing
        self._estimate(rows)
        self._arrive(rows)

    def propose(self, remaining: Int[Tensor, " k"], limit: int) -> Probes:
        """The next random directions of rows that estimate, and one point of each row in a line search."""
        estimating = self._phase == _Phase.ESTIMATE
        searching = self._phase == _Phase.TURN
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
        """Note the signs, and move each line search on; see `Search`."""
        across = self.pairs.goals.across(self._asked.rows, decisions)
        split = self._estimating
        self._estimates.observe(across[:split])
        self._turn_by_signs((self._phase == _Phase.ESTIMATE) & (self._estimates.missing == 0))
        rows, points = self._asked.rows[split:], self._asked.points.flatten(1)[split:]
        ended = self._rays.observe(rows, points, across[split:])
        nearer = self._rays.gained(ended.settled)
        self._fail(torch.cat([ended.lost, ended.settled[~nearer]]))
        self._succeed(ended.settled[nearer])
        self._arrive(rows)

    def outcomes(self) -> Int[Tensor, " k"]:
        """`STALLED`, `NO_START` for rows that never began, else `BUDGET`; see `Search`."""
        stalled = torch.where(self._phase == _Phase.STALLED, int(Outcome.STALLED), int(Outcome.BUDGET))
        ended = torch.where(self._phase == _Phase.ARRIVED, int(Outcome.FOUND), stalled)
        return torch.where(self._phase == _Phase.WAITING, int(Outcome.NO_START), ended)

    def _arrive(self, rows: Int[Tensor, " r"]) -> None:
        """End the rows whose crossing is the image itself: there is no direction to turn and nothing to shorten."""
        self._phase[rows[self.best.distances[rows] == 0]] = _Phase.ARRIVED

    def _around(self, drawn: Drawn) -> Float[Tensor, "b d"]:
        """Points at the row's radius in directions a little off its own."""
        rows, directions = drawn
        aims = self._aim[rows].addcmul_(directions, self._smoothing[rows][:, None])
        scales = self._radius[rows] / torch.linalg.vector_norm(aims, dim=1)
        return self._origins[self.pairs.image_of[rows]].addcmul_(aims, scales[:, None])

    def _turn_by_signs(self, complete: Bool[Tensor, " k"]) -> None:
        rows = complete.nonzero()[:, 0]
        if not len(rows):
            return
        way, aim = self._estimates.finish(rows), self._aim[rows]
        # Along the ray itself nothing turns.
        self._descent[rows] = way - (way * aim).sum(dim=1, keepdim=True) * aim
        self._trials[rows] = self._gains[rows] = 0
        self._try(rows)

    def _try(self, rows: Int[Tensor, " r"]) -> None:
        """Turn by the row's step and ask whether that is across at the radius to beat."""
        aim = self.best.directions(rows) + self._step[rows][:, None] * self._descent[rows]
        self._rays.start(rows, unit(aim), self.best.distances[rows])
        self._trials[rows] += 1
        self._phase[rows] = _Phase.TURN

    def _succeed(self, rows: Int[Tensor, " r"]) -> None:
        """Grow the step while that goes well; a step that had to shrink first is left alone."""
        self._gains[rows] += 1
        grown = (self._gains[rows] == self._trials[rows]) & (self._trials[rows] < self._options.line_search_steps)
        self._estimate(rows[~grown])
        growing = rows[grown]
        self._step[growing] *= 2
        self._try(growing)

    def _fail(self, rows: Int[Tensor, " r"]) -> None:
        """Shrink the step until it helps; where none does, look more closely, and stall in the end."""
        gained = self._gains[rows] > 0
        after_gain, shrinking = rows[gained], rows[~gained]
        self._step[after_gain] /= 2
        self._estimate(after_gain)
        self._step[shrinking] /= 4
        hopeless = (self._step[shrinking] < _LEAST_STEP) | (self._trials[shrinking] >= self._options.line_search_steps)
        self._try(shrinking[~hopeless])
        given_up = shrinking[hopeless]
        self._step[given_up] = self._options.step
        self._smoothing[given_up] = (self._smoothing[given_up] / 10).clamp(min=self._options.least_smoothing)
        self._failures[given_up] += 1
        stalled = self._failures[given_up] >= self._options.patience
        self._estimate(given_up[~stalled])
        self._phase[given_up[stalled]] = _Phase.STALLED

    def _estimate(self, rows: Int[Tensor, " r"]) -> None:
        """Go back to the best direction and ask around it."""
        self._aim[rows] = self.best.directions(rows)
        self._radius[rows] = self.best.distances[rows]
        self._estimates.begin(rows)
        self._phase[rows] = _Phase.ESTIMATE
        if self._spec.levels is not None:
            # What moves each pixel by about a level: a probe that moves none by half a level asks the same again.
            least = self._spec.level_step * self._origins.shape[1] ** 0.5 / self._radius[rows]
            self._smoothing[rows] = self._smoothing[rows].maximum(least)


class Chain:
    """A bisection, and Sign-OPT after it, row by row; they share their best crossings, so no distance ever grows."""

    def __init__(self, first: Bisection, second: SignOpt) -> None:
        self.pairs, self.best = first.pairs, first.best
        self._first, self._second = first, second
        self._handed = torch.zeros_like(first.done)
        self._share = 0
        self._hand_on()

    def propose(self, remaining: Int[Tensor, " k"], limit: int) -> Probes:
        """Probes of both, in one batch; see `Search`."""
        asked = self._first.propose(remaining, limit)
        self._share = len(asked.rows)
        more = self._second.propose(remaining, max(1, limit - self._share))
        if not self._share:
            return more
        return Probes(torch.cat([asked.rows, more.rows]), torch.cat([asked.points, more.points]))

    def observe(self, decisions: Int[Tensor, " b"]) -> None:
        """Tell each search its part; see `Search`."""
        self._first.observe(decisions[: self._share])
        self._second.observe(decisions[self._share :])
        self._hand_on()

    def outcomes(self) -> Int[Tensor, " k"]:
        """Those of the second search where it has begun; see `Search`."""
        started = self._handed & self.best.distances.isfinite()
        return torch.where(started, self._second.outcomes(), self._first.outcomes())

    def _hand_on(self) -> None:
        ready = self._first.done & ~self._handed
        self._handed |= ready
        self._second.begin(ready.nonzero()[:, 0])
