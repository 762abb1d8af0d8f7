"""What the rounds gained: two committees on the answers that were set aside, and how it is kept beside the answers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from torch import nn

from db3kd.answers import Answers
from db3kd.evaluation import Gain, Trust, measure_gain, measure_trust, predict_together
from db3kd.runs import Keeper, Kept


def compare(
    answers: Answers,
    before: Sequence[nn.Module],
    after: Sequence[nn.Module],
    keeper: Keeper,
    *,
    since: int,
    learned_longer: bool = False,
) -> list[Gain]:
    """Tell what later members know more than those after `since` answers; nothing where no answer is set aside."""
    rows = (answers.aside & answers.decided).nonzero()[:, 0]
    if not before or not after or not len(rows):
        return []
    pixels, device = answers.images.pixels[rows], keeper.context.device
    earlier, later = (predict_together(members, pixels, device=device) for members in (before, after))
    decisions = answers.decisions[rows]
    queries = len(answers)
    gain = measure_gain(earlier, later, decisions, since=since, queries=queries, learned_longer=learned_longer)
    keeper.context.tracker("agreement", queries, {"agreement": gain.after, "gain": gain.after - gain.before})
    return [gain]


def trust_in(answers: Answers, members: Sequence[nn.Module], keeper: Keeper) -> Trust:
    """Tell how far a committee agrees with the answers set aside."""
    rows, device = answers.unseen(), keeper.context.device
    said = predict_together(members, answers.images.pixels[rows], device=device) if len(rows) else rows
    return measure_trust(said, answers)


def as_text(gains: Sequence[Gain]) -> Mapping[str, str]:
    """Write a gain as it stands beside answers; nothing where there is none."""
    return {"gain": json.dumps(asdict(gains[0]))} if gains else {}


def gains_of(parts: Sequence[Kept]) -> list[Gain]:
    """Read the gains that stand beside answers."""
    return [Gain(**json.loads(part.about["gain"])) for part in parts if "gain" in part.about]
