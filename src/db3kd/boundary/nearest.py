"""Sample distance (SD): how far the nearest image of the wanted class is.

It asks nothing: the exemplars' decisions are known. It is the start of every other search.
"""

import torch

from db3kd.boundary.crossing import BestCrossings, Outcome
from db3kd.boundary.exemplars import Exemplars
from db3kd.boundary.goal import Pairs
from db3kd.boundary.search import Probes, none_left
from db3kd.tensors import Int, Tensor


class Nearest:
    """The nearest exemplar of each row, as a search that proposes nothing.

    Args:
        pairs: the rows.
        pool: where the exemplars come from.
        exemplars: for each row, pool rows to measure; the first that are -1 and all after them are left out.

    Cost: none.

    Source: Wang (2021), section 3.2, "sample distance".
    """

    def __init__(self, pairs: Pairs, pool: Exemplars, exemplars: Int[Tensor, "k m"]) -> None:
        self.pairs = pairs
        self.best = BestCrossings(pairs)
        for column in exemplars.T:
            rows = (column >= 0).nonzero()[:, 0]
            self.best.offer(rows, pool.images(column[rows]))

    def propose(self, remaining: Int[Tensor, " k"], limit: int) -> Probes:
        """Ask nothing; see `Search`."""
        return none_left(self.pairs)

    def observe(self, decisions: Int[Tensor, " b"]) -> None:
        """Learn nothing; see `Search`."""

    def outcomes(self) -> Int[Tensor, " k"]:
        """`FOUND`, or `NO_START` where the pool has no exemplar; see `Search`."""
        return torch.where(self.best.distances.isfinite(), int(Outcome.FOUND), int(Outcome.NO_START))
