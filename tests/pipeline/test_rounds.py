"""Rounds are planned once, and a larger budget adds to them; networks look at them where somebody asked for that."""

from dataclasses import replace
from pathlib import Path

import pytest

from db3kd.acquisition import Acquisition, Disagreement, Margin, Random
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.rounds import has_judges, plan_rounds
from db3kd.pipeline.tell import foretell
from db3kd.runs import Run
from made_runs import Small, keeper_of, stories, story


def test_rounds_are_planned_once_and_a_larger_budget_adds_some(tmp_path: Path) -> None:
    described = stories(Small())["rounds"]
    with Run(tmp_path) as run:
        keeper = keeper_of(run)

        def plan(total: int) -> tuple[int, ...]:
            changed = replace(described, budget=Budget(total))
            steps = plan_rounds(changed, keeper)
            keeper.declare(foretell(changed, keeper))
            return tuple(step.size for step in steps)

        first = plan(12)
        assert sum(first) == 12
        assert plan(12) == plan(6) == first
        more = plan(24)
        assert more[: len(first)] == first
        assert sum(more) == 24
        assert plan(24) == more


def test_all_at_once_is_one_round_of_the_whole_pool(tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        (step,) = plan_rounds(story(Small()), keeper_of(run))
    assert (step.way, step.size) == ("lot", 24)


@pytest.mark.parametrize(
    ("acquisition", "target", "judged"),
    [(Random(), None, False), (Random(), 0.9, True), (Margin(), None, True), (Disagreement(), 0.9, True)],
    ids=["by lot", "to a target", "chosen", "both"],
)
def test_networks_look_where_they_choose_or_see_an_end(
    acquisition: Acquisition, target: float | None, judged: bool
) -> None:
    described = stories(Small())["pool"]
    rounds = replace(described.rounds, target_agreement=target)
    assert has_judges(replace(described, acquisition=acquisition, rounds=rounds)) is judged
