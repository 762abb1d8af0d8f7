"""The methods that a user chooses between, as values: each makes its search for any pairs.

A method holds options only, so that one value serves every shard of a run and can be written down in a plan.
"""

import functools
import math
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import torch

from db3kd.boundary.bisection import Bisection
from db3kd.boundary.chain import Chain
from db3kd.boundary.directions import DirectionBank, low_frequencies
from db3kd.boundary.exemplars import Exemplars
from db3kd.boundary.goal import Pairs
from db3kd.boundary.guide import Guide
from db3kd.boundary.guided import Guided, GuidedOptions
from db3kd.boundary.nearest import Nearest
from db3kd.boundary.search import Search
from db3kd.boundary.sign_opt import SignOpt, SignOptOptions
from db3kd.teachers import TeacherSpec
from db3kd.tensors import Int, Tensor

ExemplarOrder = Literal["nearest", "random"]


@runtime_checkable
class Method(Protocol):
    """Makes searches."""

    @property
    def name(self) -> str:
        """The short name that tables and plans use."""
        ...

    @property
    def most_queries(self) -> int | None:
        """Most queries that one row can use, or None where it could always use more."""
        ...

    def search(self, pairs: Pairs, pool: Exemplars, spec: TeacherSpec) -> Search:
        """Make the search for these pairs.

        Args:
            pairs: the rows.
            pool: exemplars to start from.
            spec: the teacher's bounds and levels.

        Returns:
            A fresh search; it has asked nothing yet.
        """
        ...


@dataclass(frozen=True)
class SampleDistance:
    """SD: the distance to the nearest image of the class.

    Args:
        exemplars: how many images of the class to look at, at random; None for the whole pool (the reference
            implementation: 21).
    """

    exemplars: int | None = None

    @property
    def name(self) -> str:
        """The short name that tables and plans use."""
        return "sd"

    @property
    def most_queries(self) -> int:
        """Most queries that one row can use."""
        return 0

    def search(self, pairs: Pairs, pool: Exemplars, spec: TeacherSpec) -> Search:
        """Make the search; see `Method`. It asks nothing."""
        chosen = pool.nearest(pairs, 1) if self.exemplars is None else pool.random(pairs, self.exemplars)
        return Nearest(pairs, pool, chosen)


@dataclass(frozen=True)
class BoundaryDistance:
    """BD: the distance to the boundary on the way to images of the class.

    Args:
        exemplars: how many images to bisect towards.
        order: "nearest" takes the nearest ones; "random" is the paper's: the nearest and then any.
        tolerance: the bisection stops when its bracket is this part of the radius.
    """

    exemplars: int = 10
    order: ExemplarOrder = "nearest"
    tolerance: float = 1e-3

    @property
    def name(self) -> str:
        """The short name that tables and plans use."""
        return "bd"

    @property
    def most_queries(self) -> int:
        """Most queries that one row can use where no boundary is nearer than a 1,000th of its exemplar's distance."""
        return self.exemplars * (1 + math.ceil(math.log2(1000 / self.tolerance)))

    def search(self, pairs: Pairs, pool: Exemplars, spec: TeacherSpec) -> Bisection:
        """Make the search; see `Method`."""
        return Bisection(pairs, pool, self._choose(pairs, pool), spec, tolerance=self.tolerance)

    def _choose(self, pairs: Pairs, pool: Exemplars) -> Int[Tensor, "k m"]:
        if self.order == "random":
            return pool.random(pairs, self.exemplars)
        return pool.nearest(pairs, self.exemplars)


@dataclass(frozen=True)
class MinimalBoundaryDistance:
    """MBD: the distance to the boundary in the direction in which it is least, by Sign-OPT.

    Args:
        start: finds the crossings to go on from.
        sign_opt: how to step.
        seed: the random directions are drawn from it.
    """

    start: BoundaryDistance = field(default_factory=BoundaryDistance)
    sign_opt: SignOptOptions = field(default_factory=SignOptOptions)
    seed: int = 0

    @property
    def name(self) -> str:
        """The short name that tables and plans use."""
        return "mbd"

    @property
    def most_queries(self) -> None:
        """It could always use more."""
        return None

    def search(self, pairs: Pairs, pool: Exemplars, spec: TeacherSpec) -> Search:
        """Make the search; see `Method`."""
        first = self.start.search(pairs, pool, spec)
        bank = _bank(first.best.points.shape[1], self.sign_opt.directions, self.seed, first.best.points.device)
        return Chain(first, SignOpt(pairs, first.best, bank, spec, options=self.sign_opt))


@dataclass(frozen=True)
class GuidedDistance:
    """The distance to the boundary where a primer expects it, mended by asking.

    Args:
        guide: primers; without them, directions are taken from the lowest frequencies, and all is found by asking.
        subspace: about how many directions to ask in, where there is no guide to say.
        options: how to step.
        seed: the random directions are drawn from it.
    """

    guide: Guide | None = None
    subspace: int = 100
    options: GuidedOptions = field(default_factory=GuidedOptions)
    seed: int = 0

    @property
    def name(self) -> str:
        """The short name that tables and plans use."""
        return "guided"

    @property
    def most_queries(self) -> None:
        """It could always use more."""
        return None

    def search(self, pairs: Pairs, pool: Exemplars, spec: TeacherSpec) -> Search:
        """Make the search; see `Method`. It asks nothing, but looks at the primers."""
        best = Nearest(pairs, pool, pool.nearest(pairs, 1)).best
        device, block = best.points.device, self.options.directions
        bank = _subspace_bank(self.guide, spec.input_shape, self.subspace, block, self.seed, device)
        return Guided(pairs, best, bank, self.guide, spec, options=self.options)


@functools.lru_cache(maxsize=1)
def _subspace_bank(
    guide: Guide | None, shape: tuple[int, int, int], subspace: int, block: int, seed: int, device: torch.device
) -> DirectionBank:
    span = low_frequencies(shape, subspace) if guide is None else guide.subspace
    return DirectionBank(math.prod(shape), block=block, seed=seed, span=span, device=device)


@functools.lru_cache(maxsize=1)
def _bank(dimension: int, block: int, seed: int, device: torch.device) -> DirectionBank:
    # Drawing 64 MB of Gaussians takes longer than a small shard; every shard of a run uses the same ones.
    return DirectionBank(dimension, block=block, seed=seed, device=device)
