"""Boundary pairs: two images that were answered differently, and the images between them.

Each halving asks about the middle of a pair and replaces the end that got the same answer; every probe is an image to
learn from, and the last ones lie at the teacher's boundary. Called by `active`.
"""

import torch

from db3kd.synthesis.answers import BISECTED, Answers, Questions
from db3kd.synthesis.candidates import parenthood
from db3kd.tensors import Float, Int, Tensor

_LEVELS = 255.0


class BoundaryPairs:
    """Bisects between images of different classes; proposes and observes, and never asks.

    Args:
        answers: what is known.
        count: pairs to bisect; fewer where there is one class alone.
        generator: of the choice.
    """

    def __init__(self, answers: Answers, count: int, generator: torch.Generator) -> None:
        first, second = differing_pairs(answers, count, generator)
        pixels = answers.questions.pixels
        self._low, self._high = (pixels[rows].to(torch.float32) / _LEVELS for rows in (first, second))
        self._own = answers.decisions[first]
        self._families = answers.questions.families[first]

    def __len__(self) -> int:
        return len(self._own)

    @property
    def ends(self) -> tuple[Float[Tensor, "k c h w"], Float[Tensor, "k c h w"]]:
        """Give the two ends of each pair, in [0, 1]: the first is of its image's own class, the second of others."""
        return self._low, self._high

    def propose(self) -> Questions:
        """Give the middle of each pair."""
        middle = torch.lerp(self._low, self._high, 0.5)
        return Questions((middle * _LEVELS).round().to(torch.uint8), torch.full((len(self),), BISECTED), self._families)

    def observe(self, decisions: Int[Tensor, " k"]) -> None:
        """Take the answers to what was proposed last, one for each pair."""
        middle = torch.lerp(self._low, self._high, 0.5)
        same = (decisions == self._own)[:, None, None, None]
        self._low, self._high = torch.where(same, middle, self._low), torch.where(same, self._high, middle)


def differing_pairs(
    answers: Answers, count: int, generator: torch.Generator, *, looked_at: int = 2000
) -> tuple[Int[Tensor, " k"], Int[Tensor, " k"]]:
    """Choose pairs of near images of different classes, each class being first equally often.

    Args:
        answers: what is known.
        count: pairs.
        generator: of the choice.
        looked_at: images among which the nearest is sought.

    Returns:
        Positions in the answers; none where there is one class alone.
    """
    weights = parenthood(answers)
    parents = (weights > 0).nonzero()[:, 0]
    if len(answers.decisions[parents].unique()) < 2 or count == 0:
        return torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)
    first = torch.multinomial(weights, count, replacement=True, generator=generator)
    pool = torch.multinomial(weights, min(looked_at, len(parents)), generator=generator)
    # One of each class, so that every image finds another class in the pool.
    pool = torch.cat([pool, _one_of_each(answers, parents)])
    distances = _distances(answers, first, pool)
    alike = answers.decisions[first][:, None] == answers.decisions[pool][None]
    return first, pool[distances.masked_fill(alike, torch.inf).argmin(dim=1)]


def _one_of_each(answers: Answers, parents: Int[Tensor, " m"]) -> Int[Tensor, " p"]:
    order = parents[answers.decisions[parents].argsort(stable=True)]
    counts = torch.bincount(answers.decisions[parents], minlength=answers.num_classes)
    return order[(counts.cumsum(0) - counts)[counts > 0]]


def _distances(answers: Answers, first: Int[Tensor, " k"], pool: Int[Tensor, " p"]) -> Float[Tensor, "k p"]:
    pixels = answers.questions.pixels
    ends, others = (pixels[rows].flatten(1).to(torch.float32) / _LEVELS for rows in (first, pool))
    return torch.cdist(ends, others)
