"""Random directions around each row's crossing, asked one by one, and the signs that came back.

Across or not is the sign of a direction's part along the boundary's normal; the signed mean of many is an estimate of
the normal. Sign-OPT and the guided search draw their directions from different spaces and leave the rest to this.
"""

from typing import NamedTuple

import torch

from db3kd.boundary.directions import DirectionBank
from db3kd.boundary.goal import Pairs
from db3kd.tensors import Bool, Float, Int, Tensor


class Drawn(NamedTuple):
    """Directions to ask in next.

    Args:
        rows: the row of each; a row may come several times.
        directions: unit vectors.
    """

    rows: Int[Tensor, " b"]
    directions: Float[Tensor, "b d"]


class Estimates:
    """The estimate that each row is at, and how far it is.

    Args:
        pairs: the rows; their keys choose the directions.
        bank: directions, in blocks of `count`.
        count: directions of one estimate.
    """

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
        """Give the next directions of rows; they are told of these next.

        Args:
            rows: rows that estimate, each once.
            counts: how many for each, at most what is missing.

        Returns:
            The directions, row by row.
        """
        self._rows = torch.repeat_interleave(rows, counts)
        within = torch.arange(len(self._rows), device=rows.device) - torch.repeat_interleave(
            counts.cumsum(0) - counts, counts
        )
        self._places = self._place[self._rows] + within
        directions = self._bank.take(self._keys[self._rows], self._finished[self._rows], self._places)
        return Drawn(self._rows, directions)

    def observe(self, across: Bool[Tensor, " b"]) -> None:
        """Note the signs of the directions that were drawn last."""
        self._signs[self._rows, self._places] = across.to(self._signs.dtype) * 2 - 1
        self._place += torch.bincount(self._rows, minlength=len(self._place))

    def finish(self, rows: Int[Tensor, " r"]) -> Float[Tensor, "r d"]:
        """End the estimates of rows that lack nothing.

        Args:
            rows: the rows; their next estimate draws other directions.

        Returns:
            The mean of their directions, each with its sign: the nearer to the wanted side, the more along it.
        """
        mean = self._bank.weigh(self._keys[rows], self._finished[rows], self._signs[rows])
        self._finished[rows] += 1
        return mean
