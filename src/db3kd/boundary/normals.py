"""Estimates of the boundary's normal at the crossing of each row: random directions, and the signs that came back.

Across or not is the sign of a direction's part along the normal, so the signed mean of many directions estimates it.
Sign-OPT and the guided search draw their directions from different spaces and leave the rest to this.
"""

import math
from typing import NamedTuple

import torch

from db3kd.boundary.crossing import BestCrossings
from db3kd.boundary.goal import Pairs
from db3kd.tensors import Bool, Float, Int, Tensor

_MOST_BYTES = 64 * 2**20
# What a committee's normal is worth before anything was asked, and after how many probes these count as much.
_EXPECTED_COSINE, _TRUST = 0.5, 60.0
# About the length of a normal's part in the span of the directions.
_IN_SPAN = 0.8
_MOST_COSINE = 0.95


class DirectionBank:
    """Blocks of random unit vectors, in the space of orthonormal ones where a span is given; all rows share them.

    A row takes its next block by its own key and counter, so that what it sees does not depend on its batch mates, at
    a twentieth of the cost of fresh Gaussians.
    """

    def __init__(
        self,
        dimension: int,
        *,
        block: int,
        seed: int,
        span: Float[Tensor, "m d"] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        # Two blocks at least: one alone would show every row the same directions over and over.
        blocks = max(2, _MOST_BYTES // (4 * dimension * block))
        self.freedom = dimension if span is None else len(span)
        drawn = torch.randn(blocks * block, self.freedom, generator=torch.Generator().manual_seed(seed))
        if span is not None:
            drawn = drawn @ span.cpu()
        self._directions: Float[Tensor, "m d"] = unit(drawn).to(device)
        self._blocks, self._block = blocks, block

    def take(
        self, keys: Int[Tensor, " b"], counters: Int[Tensor, " b"], places: Int[Tensor, " b"]
    ) -> Float[Tensor, "b d"]:
        """Give the direction at each place (0 to block - 1) of the block that key and counter lead to."""
        blocks = (keys + counters) % self._blocks
        return self._directions[blocks * self._block + places]

    def weigh(
        self, keys: Int[Tensor, " r"], counters: Int[Tensor, " r"], weights: Float[Tensor, "r m"]
    ) -> Float[Tensor, "r d"]:
        """Give the mean of a block's directions, each times its weight."""
        # Row by row in a fixed order: that of a matrix product depends on how many rows there are.
        blocks = self._directions.view(self._blocks, self._block, -1)[(keys + counters) % self._blocks]
        return (weights[:, :, None] * blocks).mean(dim=1)


class Drawn(NamedTuple):
    """Unit vectors to ask in next, and the row of each."""

    rows: Int[Tensor, " b"]
    directions: Float[Tensor, "b d"]


class Estimates:
    """The estimate that each row is at, and how far it is; the rows' keys choose the directions."""

    def __init__(self, pairs: Pairs, bank: DirectionBank, count: int) -> None:
        self._keys, self._bank, self._count = pairs.keys, bank, count
        self._signs = torch.zeros(len(pairs), count, dtype=pairs.images.dtype, device=pairs.images.device)
        self._place, self._finished = torch.zeros_like(pairs.image_of), torch.zeros_like(pairs.image_of)
        self._rows = self._places = self._place[:0]

    @property
    def missing(self) -> Int[Tensor, " k"]:
        """Directions that each row's estimate still lacks."""
        return self._count - self._place

    def begin(self, rows: Int[Tensor, " r"]) -> None:
        """Let rows begin their next estimate."""
        self._place[rows] = 0

    def draw(self, rows: Int[Tensor, " r"], counts: Int[Tensor, " r"]) -> Drawn:
        """Give so many of the next directions of each row, row by row; `observe` hears of these next."""
        self._rows = torch.repeat_interleave(rows, counts)
        begins = torch.repeat_interleave(counts.cumsum(0) - counts, counts)
        self._places = self._place[self._rows] + torch.arange(len(self._rows), device=rows.device) - begins
        directions = self._bank.take(self._keys[self._rows], self._finished[self._rows], self._places)
        return Drawn(self._rows, directions)

    def observe(self, across: Bool[Tensor, " b"]) -> None:
        """Note the signs of the directions that were drawn last."""
        self._signs[self._rows, self._places] = across.to(self._signs.dtype) * 2 - 1
        self._place += torch.bincount(self._rows, minlength=len(self._place))

    def finish(self, rows: Int[Tensor, " r"]) -> Float[Tensor, "r d"]:
        """End estimates: give the mean of the directions, each with its sign. The next one draws others."""
        mean = self._bank.weigh(self._keys[rows], self._finished[rows], self._signs[rows])
        self._finished[rows] += 1
        return mean


class Evidence:
    """What each row knows of its normal: its estimates so far, the older ones faded by `memory`, and a committee's.

    Each counts by its cosine to the true normal, as far as that can be told.
    """

    def __init__(self, best: BestCrossings, *, memory: float, probes: int, freedom: int) -> None:
        self._sum, self._weight = torch.zeros_like(best.points), torch.zeros_like(best.distances)
        self._memory, self._probes, self._freedom = memory, probes, freedom

    def add(self, rows: Int[Tensor, " r"], estimates: Float[Tensor, "r d"]) -> None:
        """Add an estimate of each of these rows."""
        self._sum[rows] = self._memory * self._sum[rows] + estimates
        self._weight[rows] = self._memory * self._weight[rows] + 1

    def normals(self, rows: Int[Tensor, " r"], expected: Float[Tensor, "r d"] | None) -> Float[Tensor, "r d"]:
        """Give the likeliest unit normals of rows with an estimate, and with a committee's where there is one."""
        seen = self._sum[rows] / self._weight[rows][:, None]
        if expected is None:
            return unit(seen)
        probes = self._probes * self._weight[rows]
        # Of N signed random unit directions in m dimensions the mean is sqrt(2 / (pi m)) of the normal, and 1 / sqrt(N)
        # of noise. So its cosine is known, and how far the committee's normal agrees with it tells the committee's.
        share = (2 / (math.pi * self._freedom)) ** 0.5
        cosine_seen = _IN_SPAN * share / (share**2 + 1 / probes).sqrt()
        observed = (seen * expected).sum(dim=1) / (share * _IN_SPAN)
        cosine = (probes * observed + _TRUST * _EXPECTED_COSINE) / (probes + _TRUST)
        cosine = cosine.clamp(0.0, _MOST_COSINE)
        trust, trust_seen = cosine / (1 - cosine**2), cosine_seen / (1 - cosine_seen**2)
        return unit(trust[:, None] * expected + trust_seen[:, None] * unit(seen))


def low_frequencies(shape: tuple[int, int, int], count: int) -> Float[Tensor, "m d"]:
    """Give the lowest cosines of each channel, orthonormal: about so many, a square of frequencies in each channel.

    Source: the low-frequency subspace of Guo et al. (2019), "Low Frequency Adversarial Perturbation".
    """
    channels, height, width = shape
    side = max(1, min(height, width, math.isqrt(count // channels)))
    waves: Tensor = torch.einsum("ai,bj->abij", _cosines(side, height), _cosines(side, width)).reshape(side**2, -1)
    every: Tensor = torch.block_diag(*[waves] * channels)
    return every


def _cosines(count: int, length: int) -> Float[Tensor, "count length"]:
    """The first cosines of the discrete cosine transform, each of length 1."""
    waves: Tensor = torch.cos(math.pi / length * torch.arange(count)[:, None] * (torch.arange(length) + 0.5))
    return unit(waves)


def unit(vectors: Float[Tensor, "r d"]) -> Float[Tensor, "r d"]:
    """Scale vectors to length 1; one of no length stays as it is."""
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    return vectors / lengths.clamp(min=torch.finfo(vectors.dtype).tiny)
