"""How many images a budget asks about, and what it leaves for a search."""

import pytest

from db3kd.ledger import Limits
from db3kd.pipeline.budget import Budget


@pytest.mark.parametrize(
    ("budget", "size", "questions"),
    [
        (Budget(), 500, 500),
        (Budget(), None, 10_000),
        (Budget(1000), 500, 500),
        (Budget(500), 500, 500),
        # A few are kept to ask again, where that is little.
        (Budget(400), 500, 384),
        (Budget(319), 500, 319),
        (Budget(400, repeats=0), 500, 400),
        (Budget(12_000), None, 11_984),
        (Budget(0), 500, 0),
        (Budget(stages={"answers": 30}), 500, 30),
        (Budget(20, stages={"answers": 30}), 500, 20),
        (Budget(stages={"answers": 30}), None, 30),
        (Budget(100, images=40), 500, 40),
        (Budget(images=600), 500, 500),
    ],
)
def test_a_pool_is_asked_about_as_far_as_the_total_reaches(
    budget: Budget, size: int | None, questions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    assert budget.questions(size) == questions


def test_pairs_share_what_is_left() -> None:
    assert Budget(1000).for_each_pair(90, before=100) == 10
    assert Budget(50).for_each_pair(90, before=100) == 0
    assert Budget().for_each_pair(90, before=100) is None


def test_limits() -> None:
    budget = Budget(100, stages={"distances": 40})
    assert budget.limits("distances") == Limits(100, 40)
    assert budget.limits("answers") == Limits(100, None)
