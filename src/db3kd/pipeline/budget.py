"""What a run may spend, and how many of it go to which questions."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from db3kd.ledger import Limits, Prices

# Below so many queries for each repeated one, no query is set apart for them.
_LEAST_SHARE = 20
_USUAL_QUESTIONS = 10_000


@dataclass(frozen=True)
class Budget:
    """How many queries may be spent, and what they cost."""

    total: int | None = None
    images: int | None = None
    stages: Mapping[str, int] = field(default_factory=dict)
    repeats: int = 16
    prices: Prices = field(default=Prices())

    def limits(self, stage: str) -> Limits:
        """Give the limits that an account of a stage is opened with."""
        return Limits(run=self.total, stage=self.stages.get(stage))

    def questions(self, size: int | None) -> int:
        """Tell how many images of a pool are asked about."""
        allowed = self.stages.get("answers")
        wanted = _USUAL_QUESTIONS if size is None else size
        if self.images is not None:
            wanted = self.images if size is None else min(self.images, size)
        elif self.total is not None and (size is None or self.total < size):
            reserved = self.repeats if self.total >= _LEAST_SHARE * self.repeats else 0
            wanted = self.total - reserved
        return wanted if allowed is None else min(wanted, allowed)

    def most_mixtures(self, images: int, *, spent: int) -> int | None:
        """Tell how many mixtures the total leaves beside what was asked, and repeated questions if it has those too."""
        if self.total is None:
            return None
        left, repeats = max(0, self.total - spent), min(self.repeats, images)
        return left - repeats if left >= repeats else left

    def for_each_pair(self, pairs: int, *, before: int) -> int | None:
        """Tell how many queries the total leaves for each pair of an image and a class; None for no limit."""
        return None if self.total is None else max(0, self.total - before) // max(1, pairs)
