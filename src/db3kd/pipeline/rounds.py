"""The rounds of a story: how many questions each has, and whether networks look at them."""

from typing import cast

from db3kd.acquisition import Step, Way
from db3kd.pipeline.story import Story
from db3kd.runs import Keeper

# What the answers of a pool are called in a run.
NAME = "answers"


def plan_rounds(story: Story, keeper: Keeper) -> tuple[Step, ...]:
    """Divide the questions: as a run was begun, and further rounds where its budget was raised."""
    wanted, channels = story.budget.questions(story.pool.size), story.teacher.spec.input_shape[0]
    begun = next((outline for outline in keeper.declared() if outline.name == NAME), None)
    if begun is None or not begun.parts:
        return story.rounds.steps(wanted, size=story.pool.size, channels=channels)
    known = tuple(Step(cast("Way", part.way), part.queries) for part in begun.parts)
    if begun.queries >= wanted:
        # What was planned stays planned; the budget ends it.
        return known
    by_lot = not has_judges(story)
    return (*known, *story.rounds.further(known, wanted, size=story.pool.size, channels=channels, by_lot=by_lot))


def has_judges(story: Story) -> bool:
    """Whether networks look at the rounds: to choose, or to see where a target is reached."""
    return story.acquisition.committee or story.rounds.target_agreement is not None
