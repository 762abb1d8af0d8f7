"""Several pools as one, such as images at hand and procedural ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from db3kd.answers import Answers, Candidates, together
from db3kd.arguments import check_arguments
from db3kd.errors import PlanError
from db3kd.pools.pool import Key, Pool
from db3kd.pools.priors.shares import source_shares
from db3kd.tensors import Int, Tensor

# What two pools hold is made up for by other images; each time a part of these may be such as well.
_MOST_TRIES = 10


@dataclass(frozen=True, eq=False)
class Joined:
    """Several pools as one; see `Pool`.

    Args:
        pools: at least one. Where all have a size, each is drawn from in proportion to it; where one is endless, by
            what the answers so far were worth, at first all alike, and it makes up for what the others cannot give.
    """

    pools: Sequence[Pool]

    def __post_init__(self) -> None:
        check_arguments(type(self).__init__, vars(self))
        if not self.pools:
            raise PlanError("pools to be joined must be at least one, got none; nothing was drawn: name one")

    @property
    def name(self) -> str:
        """What plans and reports call it."""
        return " and ".join(pool.name for pool in self.pools)

    @property
    def size(self) -> int | None:
        """How many images all of them have; None where one is endless."""
        sizes = [pool.size for pool in self.pools if pool.size is not None]
        return sum(sizes) if len(sizes) == len(self.pools) else None

    @property
    def key(self) -> Key:
        """What tells it from other pools."""
        return {"type": "joined", "pools": [dict(pool.key) for pool in self.pools]}

    @property
    def children(self) -> float:
        """The mean over the pools; see `Pool`."""
        return sum(pool.children for pool in self.pools) / len(self.pools)

    def draw(self, count: int, answers: Answers, generator: torch.Generator) -> Candidates:
        """Give images of all pools in random order, what several of them hold once; see `Pool`."""
        offer = self._of_all if self.size is None else self._of_limited
        made = offer(count, answers, generator)
        return made.take(torch.randperm(len(made), generator=generator))

    def _of_limited(self, count: int, answers: Answers, generator: torch.Generator) -> Candidates:
        parts = [pool.draw(count, answers, generator) for pool in self.pools]
        # A pool of twice the size has twice as many rows before any place in the line.
        places = [torch.arange(len(part)) / (pool.size or 1) for part, pool in zip(parts, self.pools, strict=True)]
        both, order = together(parts), torch.cat(places).argsort(stable=True)
        return both.take(_once(both, order)[:count])

    def _of_all(self, count: int, answers: Answers, generator: torch.Generator) -> Candidates:
        """Draw from all pools by what their answers were worth; the endless make up for what the others lack."""
        limited = [pool.draw(count, answers, generator) for pool in self.pools if pool.size is not None]
        endless = [partial(pool.draw, answers=answers, generator=generator) for pool in self.pools if pool.size is None]
        shares = source_shares(answers, [set(part.origins) for part in limited], len(endless))
        made = _divided([*(part.first for part in limited), *endless], shares, count)
        for _ in range(_MOST_TRIES):
            kept = _once(made, torch.arange(len(made)))
            if len(kept) == len(made):
                return made
            made = together([made.take(kept), endless[-1](count - len(kept))])
        return made.take(_once(made, torch.arange(len(made))))

    def offspring(self, answers: Answers, count: int, generator: torch.Generator) -> Candidates:
        """Make images out of answered ones, as many by each pool that does so; see `Pool`."""
        makers = [pool for pool in self.pools if pool.children] or self.pools
        makes = [partial(pool.offspring, answers, generator=generator) for pool in makers]
        return _divided(makes, [1.0] * len(makes), count)


def _once(candidates: Candidates, order: Int[Tensor, " n"]) -> Int[Tensor, " m"]:
    """Leave out of an order what has the name of an earlier one; what has no name stays."""
    if not candidates.ids:
        return order
    first: dict[str | int, int] = {}
    for row in order.tolist():
        first.setdefault(candidates.ids[row] or row, row)
    return torch.tensor([*first.values()], dtype=torch.int64)


def _divided(sources: Sequence[Callable[[int], Candidates]], shares: Sequence[float], count: int) -> Candidates:
    """Take its share of each source; what one lacks is divided among those after it."""
    parts: list[Candidates] = []
    for place, take in enumerate(sources):
        left = count - sum(map(len, parts))
        parts.append(take(int(left * (shares[place] / sum(shares[place:])))))
    return together(parts)
