"""What a run has bought, read back without its plan: for another student, a report or an export."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import final

from torch import nn

from db3kd.answers import Answers
from db3kd.boundary import Distances
from db3kd.errors import RunError
from db3kd.models import weights
from db3kd.pipeline import ask_all, learn, measure, rounds
from db3kd.pipeline.asking import ANSWERS, from_kept, to_kept
from db3kd.pipeline.bought import Bought
from db3kd.pipeline.learn import network_of
from db3kd.runs import Keeper, Kept, Key, Outline, Part, numbered_part
from db3kd.training import Committee

# The outline of answers that are kept as they are.
KEPT = Outline(rounds.NAME, (Part(numbered_part(rounds.NAME, 0)),), "rounds")


def kept_answers(keeper: Keeper) -> Answers:
    """Read the finished answers of a run, or raise a RunError where there are none."""
    parts = _parts(keeper, rounds.NAME, ANSWERS)
    if not parts:
        raise RunError(
            f"{keeper.run.folder} holds no finished answers yet; nothing was done: go on with this run first"
        )
    return reduce(Answers.joined, map(from_kept, parts))


def kept_bought(keeper: Keeper) -> Bought:
    """Read all that a run has bought, and its committee; see `kept_answers`."""
    answers = kept_answers(keeper)
    mixtures = keeper.look(ask_all.MIXTURES, ANSWERS)
    members: list[nn.Module] = [network_of(part) for part in _parts(keeper, learn.COMMITTEE, weights.FORMAT)]
    none = answers.take(answers.learned()[:0])
    mixed = none if mixtures is None else from_kept(mixtures)
    return Bought(answers, mixed, tuple(members), _kept_distances(keeper, answers))


def kept_committee(keeper: Keeper, wanted: Committee | None) -> Committee | None:
    """Say of which networks the committee of a run is, which may have been tried."""
    first = keeper.look(numbered_part(learn.COMMITTEE, 0), weights.FORMAT)
    return wanted if wanted is None or first is None else wanted.of(first.about["architecture"])


def _kept_distances(keeper: Keeper, answers: Answers) -> Distances | None:
    shards = _parts(keeper, measure.NAME, measure.SHARD)
    if not shards:
        return None
    ids = tuple(answers.images.ids[row] for row in answers.learned().tolist())
    tables = [shard.tensors for shard in shards]
    done = sum(len(table["distances"]) for table in tables)
    return Distances.from_tensors(ids[:done], tables, shards[0].about["method"])


def _parts(keeper: Keeper, stage: str, kind: str) -> list[Kept]:
    found = [keeper.look(numbered_part(stage, number), kind) for number in range(keeper.count(stage))]
    return [part for part in found if part is not None]


@final
@dataclass(frozen=True, eq=False)
class KeepAnswers:
    """Keeps answers that another stage made, in the place where answers are looked for; no query is spent."""

    answers: Answers

    kind = ANSWERS
    outline = KEPT

    @property
    def key(self) -> Key:
        return {"pool": self.answers.images.name}

    @property
    def source(self) -> str:
        return self.answers.digest

    def make(self, number: int, before: Sequence[Kept], keeper: Keeper) -> Kept:
        return to_kept(self.answers, {})

    def join(self, parts: Sequence[Kept]) -> Answers:
        return self.answers
