"""Images at hand: a data set whose rows are asked about once each."""

from dataclasses import dataclass

import torch

from db3kd.answers import Answers, Candidates
from db3kd.data import Dataset
from db3kd.pools.pool import Key
from db3kd.tensors import Int, Tensor


@dataclass(frozen=True, eq=False)
class ImagePool:
    """The images of a data set; see `Pool`.

    Args:
        images: with the ids by which answers tell what was asked.
    """

    images: Dataset

    name = "images"
    children = 0.0

    @property
    def size(self) -> int:
        """How many images it has."""
        return len(self.images)

    @property
    def key(self) -> Key:
        """What tells it from other pools."""
        return {"type": self.name, "images": self.images.digest}

    def draw(self, count: int, answers: Answers, generator: torch.Generator) -> Candidates:
        """Give rows that were not asked about, in random order; see `Pool`."""
        left = self.images.without(answers.images.ids)
        return self._take(left[torch.randperm(len(left), generator=generator)[:count]])

    def offspring(self, answers: Answers, count: int, generator: torch.Generator) -> Candidates:
        """Make none; see `Pool`."""
        return self._take(torch.zeros(0, dtype=torch.int64))

    def _take(self, rows: Int[Tensor, " b"]) -> Candidates:
        some = self.images.subset(rows)
        return Candidates(some.pixels, (self.name,) * len(rows), some.ids, some.labels)
