"""What a larger budget may not add to: answers for which a later stage has bought something already.

Mixtures are made of the answers as they were; a search begins at them, takes its examples among them, and is guided by
what has learned them. More answers would make all of that useless, so they are refused before the first is asked.
"""

import json
from collections.abc import Sequence

from db3kd.errors import RunMismatch
from db3kd.pipeline import measure
from db3kd.pipeline.ask_again import REPEATS
from db3kd.pipeline.ask_all import MIXTURES
from db3kd.pipeline.asking import ANSWERS
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.push import NOISE_MIXTURES
from db3kd.pipeline.repel import REPULSION
from db3kd.pipeline.rounds import NAME
from db3kd.pipeline.story import Pushed, Story, Taken
from db3kd.runs import Keeper, Outline, key_of, numbered_part

_LATER = {NAME: (MIXTURES, measure.NAME), MIXTURES: (measure.NAME,), NOISE_MIXTURES: (REPULSION,)}
_KEYS = {NAME: "budget.images, budget.answers, budget.total and the end of the rounds"}
_OTHER_KEYS = "budget.mixtures and budget.total"


def check_growth(story: Story, stages: Sequence[Outline], keeper: Keeper) -> None:
    """Refuse to ask more for a stage where a later one has bought something for it as it was; a RunMismatch."""
    if _has_another_pool(story, keeper):
        # That is refused by itself when the answers are read.
        return
    for stage in stages:
        later = _LATER.get(stage.name, ())
        if stage.name == MIXTURES and story.measurement is not None and not story.measurement.method.guided:
            # Its distances know nothing of mixtures.
            continue
        bought = [name for name in later if _is_bought(name, keeper)]
        more = _more(story, stage, keeper) if bought else 0
        if more:
            raise RunMismatch(
                f"{keeper.run.folder} would be asked up to {more:,} more questions for {stage.name!r}, and what it has "
                f"bought for {' and '.join(map(repr, bought))} belongs to the answers as they are: it could not be "
                f"used any more. Nothing was changed or spent: leave {_KEYS.get(stage.name, _OTHER_KEYS)} as they "
                "were, or ask for more in another run directory"
            )


def _has_another_pool(story: Story, keeper: Keeper) -> bool:
    if isinstance(story.pool, Pushed | Taken):
        return False
    kept = keeper.key(numbered_part(NAME, 0))
    return "pool" in kept and kept["pool"] != json.loads(json.dumps(key_of(story.pool.key)))


def is_built_upon(stage: str, keeper: Keeper) -> bool:
    """Tell whether a later stage has bought something for what this one has: it stays so then, and both are used."""
    return any(_is_bought(later, keeper) for later in _LATER[stage])


def _is_bought(stage: str, keeper: Keeper) -> bool:
    """Whether anything was paid for a stage: in a part that cost queries, or in a journal."""
    parts = (stage, *(numbered_part(stage, number) for number in range(keeper.count(stage) + 1)))
    return any(keeper.noted(part) or (keeper.has(part) and keeper.about(part).get("queries") != "0") for part in parts)


def _more(story: Story, stage: Outline, keeper: Keeper) -> int:
    """Tell how many questions a stage would still ask, if the budget reaches for a call of them."""
    (standing,) = keeper.standing((stage,))
    noted = sum(keeper.noted(part.name) for part in stage.parts if not keeper.has(part.name))
    ahead = standing.ahead - noted
    if stage.name == NAME and story.budget.images is not None:
        ahead = min(ahead, story.budget.images - _answered(keeper) - noted)
    if stage.name == MIXTURES and (most := most_mixtures(story.budget, _answered(keeper), keeper)) is not None:
        ahead = min(ahead, most - noted)
    limits = story.budget.limits(MIXTURES if stage.name == NOISE_MIXTURES else stage.name)
    statement, batch = keeper.run.statement(), story.teacher.spec.max_batch
    spent = ((limits.run, statement.total), (limits.stage, statement.by_stage.get(stage.name, 0)))
    left = min((limit - count for limit, count in spent if limit is not None), default=ahead)
    # A run that goes on divides its questions into the calls of one that was not interrupted.
    call = min(batch - noted % batch, ahead)
    return min(ahead, left) if 0 < call <= left else 0


def most_mixtures(budget: Budget, images: int, keeper: Keeper) -> int | None:
    """Tell how many mixtures the total pays, those that were asked included; None for no limit."""
    by_stage = keeper.run.statement().by_stage
    spent = sum(rows for stage, rows in by_stage.items() if stage not in (MIXTURES, REPEATS))
    return budget.most_mixtures(images, spent=spent)


def _answered(keeper: Keeper) -> int:
    """Count the answers in the finished rounds of a run."""
    rounds = (keeper.look(numbered_part(NAME, number), ANSWERS) for number in range(keeper.count(NAME)))
    return sum(len(part.tensors["decisions"]) for part in rounds if part is not None)
