"""The stage that buys distances, shard by shard, with a committee to guide it where the search wants one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import nn

from db3kd.answers import Answers
from db3kd.boundary import (
    OWN_CLASS,
    Distances,
    ExemplarPool,
    Guide,
    Measurement,
    Outcome,
    find_subspace,
    measure_shard,
)
from db3kd.data import Dataset
from db3kd.errors import BudgetExhausted
from db3kd.pipeline.asking import teacher_key
from db3kd.pipeline.budget import Budget
from db3kd.runs import Keeper, Kept, Key, Outline, Part, key_of, numbered_part
from db3kd.teachers import Teacher
from db3kd.tensors import Float, Int, Tensor

NAME = "distances"
EXAMPLES = 64
SHARD = "db3kd-distances-2"
_SUBSPACE = "db3kd-subspace-2"
_GUIDE = "guide.jsonl"
_ROWS_BYTES_PER_SHARD = 16 * 2**20
_MOST_IMAGES_PER_SHARD = 512


@dataclass(frozen=True, eq=False)
class Measured:
    """What the stage brought."""

    distances: Distances
    points: Float[Tensor, "e c h w"]
    passes: int
    seconds: float = 0.0
    whole: bool = True


@final
@dataclass(frozen=True, eq=False)
class MeasureDistances:
    """Buys the distances of all answered images."""

    teacher: Teacher
    answers: Answers
    measurement: Measurement
    guide: Guide | None
    budget: Budget
    seed: int

    kind = SHARD

    @cached_property
    def source(self) -> str:
        return source_of(self.answers, self.guide)

    @cached_property
    def _shards(self) -> tuple[Int[Tensor, " b"], ...]:
        return shards_of(len(self.answers), self.teacher.spec.input_shape, self.answers.num_classes)

    @property
    def outline(self) -> Outline:
        return outline_of(len(self.answers), self.teacher.spec.input_shape, self.answers.num_classes, self.measurement)

    @property
    def key(self) -> Key:
        return {**teacher_key(self.teacher.spec), "measurement": key_of(self.measurement), "seed": self.seed}

    @cached_property
    def _exemplars(self) -> ExemplarPool:
        answers = self.answers
        return ExemplarPool(answers.images, answers.decisions, num_classes=answers.num_classes)

    def make(self, number: int, before: Sequence[Kept], keeper: Keeper) -> Kept:
        """Measure one shard; where the budget ends, its answers wait in the journal."""
        rows, answers = self._shards[number], self.answers
        started = 0 if self.guide is None else self.guide.passes
        try:
            with keeper.asking(self.teacher, self, number, limits=self.budget.limits(NAME)) as oracle:
                tensors = measure_shard(
                    oracle,
                    answers.images.subset(rows),
                    answers.decisions[rows],
                    self._exemplars,
                    self.measurement,
                    guide=self.guide,
                    examples=EXAMPLES if number == 0 else 0,
                    context=keeper.context,
                )
        except BudgetExhausted:
            return Kept({}, {"ended": "budget"}, whole=False)
        about = {"method": self.measurement.method.name}
        if self.guide is not None:
            about["passes"] = str(self.guide.passes - started)
        # Where the teacher abstained, there may be fewer shards than were foretold.
        return Kept(tensors, about, last=number == len(self._shards) - 1)

    def join(self, parts: Sequence[Kept]) -> Measured:
        """Put the shards together; what a budget left unmeasured has no distance."""
        tables = [dict(part.tensors) for part in parts if part.whole]
        done = sum(len(table["distances"]) for table in tables)
        if done < len(self.answers):
            tables.append(self._unmeasured(done))
        distances = Distances.from_tensors(self.answers.images.ids, tables, self.measurement.method.name)
        none = torch.zeros(0, *self.teacher.spec.input_shape)
        return Measured(
            distances,
            tables[0].get("example_points", none),
            sum(int(part.about.get("passes", 0)) for part in parts),
            whole=done == len(self.answers),
        )

    def _unmeasured(self, done: int) -> dict[str, Tensor]:
        shape = (len(self.answers) - done, self.answers.num_classes)
        outcomes = torch.full(shape, int(Outcome.BUDGET)).scatter(1, self.answers.decisions[done:, None], OWN_CLASS)
        nowhere = torch.full(shape, torch.inf)
        empty = {"distances": nowhere, "queries": torch.zeros(shape, dtype=torch.int64), "outcomes": outcomes}
        return empty | {f"snapshots.{count}": nowhere for count in self.measurement.snapshots}


def source_of(answers: Answers, guide: Guide | None) -> str:
    """Say what a search was made of: the images where it begins, and a committee that may guide it."""
    return f"{answers.digest}/{'' if guide is None else guide.fingerprint}"


def settled_queries(keeper: Keeper) -> int:
    """Tell how many queries a pair a run has measured with; 0 where it has measured none, or at no query."""
    key = keeper.key(numbered_part(NAME, 0))
    return int(key.get("measurement", {}).get("queries_per_pair") or 0)


def outline_of(images: int, shape: tuple[int, int, int], num_classes: int, measurement: Measurement) -> Outline:
    """Tell beforehand what distances cost, at most."""
    each = (num_classes - 1) * (0 if measurement.method.most_queries == 0 else measurement.queries)
    shards = enumerate(shards_of(images, shape, num_classes))
    parts = tuple(Part(numbered_part(NAME, number), len(rows) * each) for number, rows in shards)
    return Outline(NAME, parts, "shards")


def shards_of(images: int, shape: tuple[int, int, int], num_classes: int) -> tuple[Int[Tensor, " b"], ...]:
    """Divide images into shards; no image makes none."""
    return torch.arange(images).split(images_per_shard(shape, num_classes)) if images else ()


def images_per_shard(shape: tuple[int, int, int], num_classes: int) -> int:
    """Choose how many images a shard has: a float for each pixel of each row takes 16 MiB; a search holds a few."""
    bytes_per_image = 4 * math.prod(shape) * (num_classes - 1)
    return max(1, min(_MOST_IMAGES_PER_SHARD, _ROWS_BYTES_PER_SHARD // bytes_per_image))


@final
@dataclass(frozen=True, eq=False)
class FindSubspace:
    """Finds the directions of a committee's gradients, and keeps them: a run that goes on has the same."""

    name: str
    members: Sequence[nn.Module]
    images: Dataset
    count: int
    source: str

    kind = _SUBSPACE

    @property
    def outline(self) -> Outline:
        return Outline(self.name, (Part(self.name),))

    @property
    def key(self) -> Key:
        return {"count": self.count}

    def make(self, number: int, before: Sequence[Kept], keeper: Keeper) -> Kept:
        return Kept({"subspace": find_subspace(self.members, self.images, self.count, keeper.context)})

    def join(self, parts: Sequence[Kept]) -> Float[Tensor, "m d"]:
        return parts[0].tensors["subspace"]


def guide_by(name: str, members: Sequence[nn.Module], answers: Answers, count: int, keeper: Keeper) -> Guide:
    """Make a committee guide a search; it is asked at no query."""
    images = answers.images
    subspace = keeper.perform(FindSubspace(name, members, images, count, answers.digest))
    return Guide(members, subspace, device=keeper.context.device)


def guide_seconds(guide: Guide, keeper: Keeper) -> float:
    """Note how long a committee has guided in this session, and add all sessions up: no matter for a part's bytes."""
    if guide.passes:
        keeper.run.append_line({"seconds": guide.seconds}, name=_GUIDE)
    return sum(float(str(line["seconds"])) for line in keeper.run.lines(name=_GUIDE))
