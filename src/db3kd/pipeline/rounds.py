"""The rounds of a story: how many questions each has, and whether networks look at them."""

from collections.abc import Mapping
from typing import cast

from db3kd.acquisition import Step, Way
from db3kd.pipeline.story import Story
from db3kd.runs import Keeper, numbered_part

# What the answers of a pool are called in a run.
NAME = "answers"


def plan_rounds(story: Story, keeper: Keeper) -> tuple[Step, ...]:
    """Divide the questions: as a run was begun, and further rounds where its budget was raised."""
    begun = next((outline for outline in keeper.declared() if outline.name == NAME), None)
    if begun is not None and begun.parts:
        return _extended(tuple(Step(cast("Way", part.way), part.queries) for part in begun.parts), story)
    # What was declared is gone, or nothing was: whichever rounds a budget was raised after, those that are there tell.
    done = _done(keeper)
    plans = (_extended(done[:first], story) for first in range(len(done) + 1))
    return next(plan for plan in plans if plan[: len(done)] == done)


def _extended(known: tuple[Step, ...], story: Story) -> tuple[Step, ...]:
    """Add to rounds what the budget asks beyond them."""
    pool, channels = story.pool, story.teacher.spec.input_shape[0]
    wanted = story.budget.questions(pool.size)
    if not known:
        return story.rounds.steps(wanted, size=pool.size, channels=channels)
    if sum(step.size for step in known) >= wanted:
        # What was planned stays planned; the budget ends it.
        return known
    by_lot = not has_judges(story)
    return (*known, *story.rounds.further(known, wanted, size=pool.size, channels=channels, by_lot=by_lot))


def noted(step: Step) -> Mapping[str, str]:
    """Write a step as it stands beside its answers."""
    return {"way": step.way, "size": str(step.size)}


def _done(keeper: Keeper) -> tuple[Step, ...]:
    """Read the steps that stand beside answers, as they were planned."""
    rounds = (keeper.about(numbered_part(NAME, number)) for number in range(keeper.count(NAME)))
    return tuple(Step(cast("Way", about["way"]), int(about["size"])) for about in rounds if "size" in about)


def has_judges(story: Story) -> bool:
    """Whether networks look at the rounds: to choose, or to see where a target is reached."""
    return story.acquisition.committee or story.rounds.target_agreement is not None
