"""What a search brings back: points on the other side of the teacher's boundary.

The point itself is kept as it was sent; its distance follows from it. So a crossing is a valid upper bound at
any moment, and it is still across when asked again. Searches fill `BestCrossings`; callers read `Crossings`.
"""

from dataclasses import dataclass
from enum import IntEnum

import torch

from db3kd.boundary.goal import Pairs
from db3kd.tensors import Float, Int, Tensor


class Outcome(IntEnum):
    """How the search of a row ended."""

    FOUND = 0
    NO_START = 1
    STALLED = 2
    BUDGET = 3

    @property
    def sentence(self) -> str:
        """What the outcome means to the user, and what to do."""
        return _SENTENCES[self]


_SENTENCES = {
    Outcome.FOUND: "The search came to its end by itself.",
    Outcome.NO_START: "No image of the wanted class was known to start from: label more images, or let the class be.",
    Outcome.STALLED: "No step shortened the distance any more before the queries of the pair were used up.",
    Outcome.BUDGET: "The pair's queries were used up; the distance is what they bought, and more would shorten it.",
}


@dataclass(frozen=True)
class Crossings:
    """The best crossing of each of k rows.

    Args:
        points: the points as they were sent, in input units; NaN where nothing was found.
        distances: L2 from the row's image to its point, in input units; inf where nothing was found.
        queries: queries that each row paid for itself.
        outcomes: an `Outcome` per row.
    """

    points: Float[Tensor, "k c h w"]
    distances: Float[Tensor, " k"]
    queries: Int[Tensor, " k"]
    outcomes: Int[Tensor, " k"]


class BestCrossings:
    """The nearest crossing that each row has met so far; a search owns one and offers it what comes back across."""

    def __init__(self, pairs: Pairs) -> None:
        self._origins = pairs.images.flatten(1)
        self._image_of = pairs.image_of
        k, d = len(pairs), self._origins.shape[1]
        self.points: Float[Tensor, "k d"] = self._origins.new_full((k, d), torch.nan)
        self.distances: Float[Tensor, " k"] = self._origins.new_full((k,), torch.inf)

    def offer(self, rows: Int[Tensor, " b"], points: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
        """Keep the points that are nearer than what their rows had, and give their distances; a row may come twice."""
        distances: Float[Tensor, " b"] = torch.linalg.vector_norm(points - self._origins[self._image_of[rows]], dim=1)
        nearer = (distances < self.distances[rows]).nonzero()[:, 0]
        nearer = nearer[distances[nearer].argsort(stable=True)]
        nearer = nearer[_first_of_each(rows[nearer])]
        self.points[rows[nearer]] = points[nearer]
        self.distances[rows[nearer]] = distances[nearer]
        return distances

    def directions(self, rows: Int[Tensor, " r"]) -> Float[Tensor, "r d"]:
        """Give the unit directions from the rows' images to their crossings."""
        return (self.points[rows] - self._origins[self._image_of[rows]]) / self.distances[rows][:, None]


def _first_of_each(rows: Int[Tensor, " b"]) -> Int[Tensor, " u"]:
    """Where each row comes for the first time."""
    order = rows.argsort(stable=True)
    ordered = rows[order]
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return order[new]
