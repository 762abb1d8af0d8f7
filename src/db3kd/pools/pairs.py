"""Boundary pairs: two images that were answered differently, and the images between them.

Each halving asks about the middle of a pair and replaces the end that got the same answer; every probe is an image to
learn from, and the last ones lie at the teacher's boundary.
"""

from typing import NamedTuple

import torch

from db3kd.answers import Answers, Candidates
from db3kd.arguments import check_arguments
from db3kd.data.dataset import as_bytes
from db3kd.pools.priors.children import parenthood
from db3kd.tensors import Float, Int, Tensor

_LOOKED_AT = 2000
_NOBODY = torch.zeros(0, dtype=torch.int64)


class Ends(NamedTuple):
    """The two ends of each pair, in [0, 1]: of the class of its first image, and of other classes."""

    own: Float[Tensor, "k c h w"]
    other: Float[Tensor, "k c h w"]


class BoundaryPairs:
    """Bisects `count` pairs of near images of different classes; proposes and observes, and never asks."""

    def __init__(self, answers: Answers, count: int, generator: torch.Generator) -> None:
        check_arguments(BoundaryPairs.__init__, locals())
        first, second = _differing_pairs(answers, count, generator)
        self.ends = Ends(answers.images.images(first), answers.images.images(second))
        self._own = answers.decisions[first]
        self._origins = answers.children("between", first)

    def __len__(self) -> int:
        return len(self._own)

    def propose(self) -> Candidates:
        """Give the middle of each pair."""
        return Candidates(as_bytes(self._middle()), self._origins)

    def observe(self, decisions: Int[Tensor, " k"]) -> None:
        """Take the answers to what was proposed last, one for each pair."""
        middle, same = self._middle(), (decisions == self._own)[:, None, None, None]
        self.ends = Ends(torch.where(same, middle, self.ends.own), torch.where(same, self.ends.other, middle))

    def _middle(self) -> Float[Tensor, "k c h w"]:
        return torch.lerp(*self.ends, 0.5)


def _differing_pairs(
    answers: Answers, count: int, generator: torch.Generator
) -> tuple[Int[Tensor, " k"], Int[Tensor, " k"]]:
    """Rows of near images of different classes, each class being first equally often; none of one class alone."""
    weights = parenthood(answers)
    parents = (weights > 0).nonzero()[:, 0]
    if len(answers.decisions[parents].unique()) < 2 or count == 0:
        return _NOBODY, _NOBODY
    first = torch.multinomial(weights, count, replacement=True, generator=generator)
    near = torch.multinomial(weights, min(_LOOKED_AT, len(parents)), generator=generator)
    # One of each class, so that every image finds another class among them.
    order = parents[answers.decisions[parents].argsort(stable=True)]
    counts = torch.bincount(answers.decisions[parents], minlength=answers.num_classes)
    near = torch.cat([near, order[(counts.cumsum(0) - counts)[counts > 0]]])
    distances = torch.cdist(answers.images.images(first).flatten(1), answers.images.images(near).flatten(1))
    alike = answers.decisions[first][:, None] == answers.decisions[near][None]
    return first, near[distances.masked_fill(alike, torch.inf).argmin(dim=1)]
