"""Sample distance (SD): how far the nearest image of the wanted class is.

It asks nothing: the exemplars' decisions are known. It is the start of every other search.
"""

from typing import Annotated, ClassVar

import torch
from annotated_types import Ge

from db3kd.arguments import checked_options
from db3kd.boundary.crossing import BestCrossings, Outcome
from db3kd.boundary.exemplars import Exemplars
from db3kd.boundary.goal import Pairs
from db3kd.boundary.guide import Guide
from db3kd.boundary.search import Probes, none_left
from db3kd.teachers import TeacherSpec
from db3kd.tensors import Int, Tensor


@checked_options
class SampleDistance:
    """The distance to the nearest image of the class.

    Args:
        exemplars: how many images of the class to look at, at random; None for all of them (the reference
            implementation: 21).
    """

    exemplars: Annotated[int, Ge(1)] | None = None

    name: ClassVar[str] = "sd"
    most_queries: ClassVar[int] = 0
    usual_queries: ClassVar[int] = 0
    guided: ClassVar[bool] = False

    def search(self, pairs: Pairs, exemplars: Exemplars, spec: TeacherSpec, guide: Guide | None = None) -> "Nearest":
        count = self.exemplars
        chosen = exemplars.nearest(pairs, 1) if count is None else exemplars.random(pairs, count)
        return Nearest(pairs, exemplars, chosen)


class Nearest:
    """The nearest of the exemplars chosen for each row, as a search that proposes nothing.

    Source: Wang (2021), section 3.2, "sample distance".
    """

    def __init__(self, pairs: Pairs, exemplars: Exemplars, chosen: Int[Tensor, "k m"]) -> None:
        self.pairs = pairs
        self.best = BestCrossings(pairs)
        for column in chosen.T:
            rows = (column >= 0).nonzero()[:, 0]
            self.best.offer(rows, exemplars.images(column[rows]))

    def propose(self, remaining: Int[Tensor, " k"], limit: int) -> Probes:
        """Ask nothing; see `Search`."""
        return none_left(self.pairs)

    def observe(self, decisions: Int[Tensor, " b"]) -> None:
        """Learn nothing; see `Search`."""

    def outcomes(self) -> Int[Tensor, " k"]:
        """`FOUND`, or `NO_START` where there is no exemplar; see `Search`."""
        return torch.where(self.best.distances.isfinite(), int(Outcome.FOUND), int(Outcome.NO_START))
