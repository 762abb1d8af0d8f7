"""One search after the other, row by row: a row goes on to the second as soon as the first is done with it.

Nearest, then bisection, then Sign-OPT: since they share their best crossings, the distance never grows.
"""

from typing import Protocol, runtime_checkable

import torch

from db3kd.boundary.bisection import Bisection
from db3kd.boundary.search import Probes, Search
from db3kd.tensors import Int, Tensor


@runtime_checkable
class Continuation(Search, Protocol):
    """A search that goes on from crossings which another one has found."""

    def begin(self, rows: Int[Tensor, " r"]) -> None:
        """Let these rows go on from their best crossings."""
        ...


class Chain:
    """Hands the rows of a bisection on to a search that shares its best crossings.

    Args:
        first: finds crossings.
        second: shortens them; made with `first.best`.

    Cost: that of both, each row's in one count.
    """

    def __init__(self, first: Bisection, second: Continuation) -> None:
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
