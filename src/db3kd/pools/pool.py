"""What a pool is: it offers images that nobody has asked about yet."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from pydantic import JsonValue

from db3kd.answers import Answers, Candidates

Key = Mapping[str, JsonValue]

_MOST_BYTES = 512 * 2**20
_LEAST_FOR_EACH = 2


@runtime_checkable
class Pool(Protocol):
    """Offers unlabelled images; it never asks, and holds no state: the answers say what was asked."""

    @property
    def name(self) -> str:
        """What plans and reports call it."""

    @property
    def size(self) -> int | None:
        """How many images it has; None where it never runs out."""

    @property
    def key(self) -> Key:
        """What tells it from other pools: a run that was begun with one goes on with no other."""

    @property
    def children(self) -> float:
        """The share of a round's candidates that it makes out of answered images; 0 where it makes none."""

    def draw(self, count: int, answers: Answers, generator: torch.Generator) -> Candidates:
        """Give images at random that are not among the answers, fewer where they run out; the generator moves on.

        A pool that has a size gives them in random order.

        Cost: no query.
        """

    def offspring(self, answers: Answers, count: int, generator: torch.Generator) -> Candidates:
        """Make images out of answered ones; none where the pool makes none or there is no parent.

        Answers that are set aside are no parents, since their children would tell of them.

        Cost: no query.
        """


def most_looked_at(bytes_per_image: int, count: int) -> int:
    """Tell how many images are looked at for so many questions: what fits into 512 MiB, two for each at any rate."""
    return max(_MOST_BYTES // bytes_per_image, _LEAST_FOR_EACH * count)
