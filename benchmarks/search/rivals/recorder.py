"""Stands between an attack and the network: counts each row, and keeps the best crossing at each query count.

So a rival is measured by its questions and their answers, not by what it reports: a point that was sent and came back
as the target is a crossing, whatever the attack makes of it. Knows neither foolbox nor ART. Used by `worker`.
"""

import math
from collections.abc import Callable, Sequence

import torch

from db3kd.tensors import Float, Int, Tensor


class EnoughAsked(Exception):
    """The largest query count is reached; it ends an attack from within, and is caught where the attack was called."""


class Recorder:
    """Answers the questions of one attack on one pair.

    Args:
        network: maps images in [0, 1] to decisions.
        image: where distances are measured from.
        target: the class to reach.
        start: a point that the network puts in the target class; it is the best crossing after 0 queries.
        counts: query counts at which the best distance is wanted; at least one, none twice.
    """

    def __init__(
        self,
        network: Callable[[Float[Tensor, "b c h w"]], Int[Tensor, " b"]],
        image: Float[Tensor, "c h w"],
        target: int,
        *,
        start: Float[Tensor, "c h w"],
        counts: Sequence[int],
    ) -> None:
        self.queries = 0
        self._network, self._image, self._target = network, image, target
        self._counts = tuple(sorted(counts))
        self._best = float(torch.linalg.vector_norm(start - image))
        self._reached: list[float] = []

    def decide(self, points: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """Answer a question of the attack.

        Args:
            points: the rows to decide, in the order in which they count; brought into [0, 1] before they are sent.

        Returns:
            The decisions.

        Raises:
            EnoughAsked: the largest count is reached; rows beyond it were not sent.

        Cost: one query a row.
        """
        sent = points[: self._counts[-1] - self.queries].clamp(0, 1)
        decisions = self._network(sent)
        distances = torch.linalg.vector_norm((sent - self._image).flatten(1), dim=1)
        for decision, distance in zip(decisions.tolist(), distances.tolist(), strict=True):
            self.queries += 1
            # The comparison is false for a point that is not a number.
            if decision == self._target and distance < self._best:
                self._best = distance
            if self.queries == self._counts[len(self._reached)]:
                self._reached.append(self._best)
        if self.queries == self._counts[-1]:
            raise EnoughAsked
        return decisions

    def distances(self) -> tuple[float, ...]:
        """Give the best distance at each query count, ascending; a count never reached has the last best."""
        return (*self._reached, *[self._best] * (len(self._counts) - len(self._reached)))


def never_across(counts: Sequence[int]) -> tuple[float, ...]:
    """Give the distances of a pair whose start is not across: there is nothing to search from."""
    return (math.inf,) * len(counts)
