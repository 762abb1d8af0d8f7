"""Candidates come fresh and as children, as many as asked for, and in an order that tells nothing."""

from collections import Counter
from dataclasses import dataclass

import pytest
import torch

from db3kd.answers import Answers, Candidates
from db3kd.errors import PlanError
from db3kd.pools.pool import Key
from db3kd.pools.supply import supply
from made_answers import NONE, SHAPE, answered, seeded


@dataclass(frozen=True)
class _Numbered:
    """Offers images whose origin says which ones they are."""

    size: int | None = None
    children: float = 0.0
    name = "numbered"

    @property
    def key(self) -> Key:
        return {"type": self.name}

    def draw(self, count: int, answers: Answers, generator: torch.Generator) -> Candidates:
        count = count if self.size is None else min(count, self.size)
        return Candidates(torch.zeros(count, *SHAPE, dtype=torch.uint8), tuple(f"fresh{row}" for row in range(count)))

    def offspring(self, answers: Answers, count: int, generator: torch.Generator) -> Candidates:
        return Candidates(torch.ones(count, *SHAPE, dtype=torch.uint8), tuple(f"made/{row}" for row in range(count)))


def test_what_has_a_size_keeps_the_order_it_was_drawn_in() -> None:
    found = supply(_Numbered(size=50), answered(), 80, seeded())
    assert found.origins == tuple(f"fresh{row}" for row in range(50))


@pytest.mark.parametrize(
    ("size", "children", "made"), [(None, 0.25, 15), (None, 0.0, 0), (30, 0.5, 30), (None, 1.0, 60)]
)
def test_a_share_are_children_and_all_are_mixed(size: int | None, children: float, made: int) -> None:
    found = supply(_Numbered(size, children), answered(), 60, seeded())
    fresh = Counter(origin.partition("/")[0] == "made" for origin in found.origins)
    assert (fresh[True], len(set(found.origins))) == (made, len(found))
    assert len(found) == 60
    assert torch.equal(found.pixels[:, 0, 0, 0] == 1, torch.tensor(["/" in origin for origin in found.origins]))
    others = [origin for origin in found.origins if "/" not in origin]
    assert not others or others != sorted(others, key=lambda name: int(name.removeprefix("fresh")))
    again = supply(_Numbered(size, children), answered(), 60, seeded())
    assert again.origins == found.origins
    assert supply(_Numbered(size, children), answered(), 60, seeded(1)).origins != found.origins


def test_without_an_answer_there_are_no_children() -> None:
    assert not any("/" in origin for origin in supply(_Numbered(children=0.5), NONE, 60, seeded()).origins)


def test_a_count_that_is_none_is_refused() -> None:
    with pytest.raises(PlanError, match="count must be"):
        supply(_Numbered(), NONE, 2.5, seeded())  # type: ignore[arg-type]  # wrong on purpose
