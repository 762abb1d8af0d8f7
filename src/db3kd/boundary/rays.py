"""Line searches along rays from the images, one for each row that is in one.

First: is the ray across at a radius? Then down in growing steps until it no longer is, then between the two. Sign-OPT
and the guided search turn rays and leave the rest to this.
"""

from enum import IntEnum
from typing import NamedTuple

import torch

from db3kd.boundary.crossing import BestCrossings
from db3kd.boundary.goal import Pairs
from db3kd.teachers import TeacherSpec
from db3kd.tensors import Bool, Float, Int, Tensor


class _Phase(IntEnum):
    IDLE = 0
    TRY = 1
    SHRINK = 2
    BISECT = 3


class Ended(NamedTuple):
    """Rows whose line search ended: not across at the radius tried first, or at a crossing within the tolerance."""

    lost: Int[Tensor, " l"]
    settled: Int[Tensor, " s"]


class Rays:
    """The ray of each row, and how far its line search is.

    The first step down is `first_shrink` of the radius; each further one is twice as long, up to a half.

    Cost: 1 query for a ray that is lost, else about 3 + log2(1 / tolerance).
    """

    def __init__(
        self, pairs: Pairs, best: BestCrossings, spec: TeacherSpec, *, tolerance: float, first_shrink: float
    ) -> None:
        self._origins, self._image_of = pairs.images.flatten(1), pairs.image_of
        self._best, self._spec = best, spec
        self._tolerance, self._first_shrink = tolerance, first_shrink
        self._phase = torch.full_like(pairs.image_of, _Phase.IDLE)
        self._aims = torch.zeros_like(best.points)
        self._low, self._high, self._shrink, self._to_beat = (torch.zeros_like(best.distances) for _ in range(4))
        self._radii = self._low[:0]

    @property
    def busy(self) -> Bool[Tensor, " k"]:
        """Which rows are in a line search."""
        return self._phase != _Phase.IDLE

    def start(
        self,
        rows: Int[Tensor, " r"],
        aims: Float[Tensor, "r d"],
        radii: Float[Tensor, " r"],
        *,
        low: Float[Tensor, " r"] | float = 0.0,
        halving: bool = False,
    ) -> None:
        """Ask whether a ray is across at a radius, and if so how far down, by halves at once or in growing steps."""
        self._aims[rows] = aims
        self._high[rows] = radii
        self._low[rows] = low
        self._to_beat[rows] = self._best.distances[rows]
        self._shrink[rows] = 0.5 if halving else self._first_shrink
        self._phase[rows] = _Phase.TRY

    def bisect(self, rows: Int[Tensor, " r"], aims: Float[Tensor, "r d"], high: Float[Tensor, " r"]) -> None:
        """Bisect from the image to a radius that is known to be across."""
        self.start(rows, aims, high)
        self._phase[rows] = _Phase.BISECT

    def points(self, rows: Int[Tensor, " r"]) -> Float[Tensor, "r d"]:
        """Give the point at which each of these line searches wants to look; `observe` hears of it next."""
        phase, low, high = self._phase[rows], self._low[rows], self._high[rows]
        middle = (low + high) / 2
        radii = torch.where(phase == _Phase.SHRINK, (high * (1 - self._shrink[rows])).maximum(middle), high)
        self._radii = torch.where(phase == _Phase.BISECT, middle, radii)
        return self._origins[self._image_of[rows]].addcmul_(self._aims[rows], self._radii[:, None])

    def observe(self, rows: Int[Tensor, " r"], points: Float[Tensor, "r d"], across: Bool[Tensor, " r"]) -> Ended:
        """Move each line search on by whether the point that was sent came back across."""
        self._best.offer(rows[across], points[across])
        phase, radii = self._phase[rows], self._radii
        self._high[rows] = torch.where(across, radii, self._high[rows])
        self._low[rows] = torch.where(across, self._low[rows], radii)
        shrinking = phase == _Phase.SHRINK
        self._shrink[rows[shrinking]] = (self._shrink[rows[shrinking]] * 2).clamp(max=0.5)
        self._phase[rows[shrinking & ~across]] = _Phase.BISECT
        tried = phase == _Phase.TRY
        self._phase[rows[tried & across]] = _Phase.SHRINK
        lost = rows[tried & ~across]
        settled = rows[(self._phase[rows] == _Phase.BISECT) & self._is_settled(rows)]
        self._phase[lost] = self._phase[settled] = _Phase.IDLE
        return Ended(lost, settled)

    def gained(self, rows: Int[Tensor, " r"]) -> Bool[Tensor, " r"]:
        """Tell which rows came nearer since their line search began, by more than its tolerance."""
        # Rounded to levels, a ray may end where the best crossing was: across, and no nearer.
        return self._best.distances[rows] < (1 - self._tolerance) * self._to_beat[rows]

    def _is_settled(self, rows: Int[Tensor, " r"]) -> Bool[Tensor, " r"]:
        fine = self._tolerance * self._high[rows] + self._spec.level_step / 4
        return self._high[rows] - self._low[rows] <= fine
