"""What a committee teaches a student (`CommitteeLesson`): its opinions on a whole pool, or on endless candidates."""

from collections.abc import Sequence
from functools import cached_property
from typing import final

import torch
from torch import nn
from torch.nn import functional

from db3kd.augmentation import approve
from db3kd.context import Context
from db3kd.data import Dataset
from db3kd.data.copies import copies_of
from db3kd.pipeline.bought import Bought
from db3kd.pipeline.scoring import scores_of
from db3kd.pipeline.story import CommitteeLesson
from db3kd.pools import Pool
from db3kd.pools.supply import supply
from db3kd.tensors import Float, Int, Pixels, Tensor
from db3kd.training import Material, Objective, Recipe, Views

_LEAST_CANDIDATES, _MOST_CANDIDATES = 1024, 16_384
_LEAST_PASSES, _MOST_SETS = 2, 60
_LEAST_KNOWN = 0.5


@final
class WholePool:
    """What the committee thinks of each image of a pool, and of those that were asked about the teacher's decision."""

    def __init__(
        self,
        lesson: CommitteeLesson,
        bought: Bought,
        images: Dataset,
        recipe: Recipe,
        context: Context,
        most: int | None = None,
        *,
        transformed: bool = False,
    ) -> None:
        self._lesson, self._bought, self._images, self._recipe = lesson, bought, images, recipe
        self._context, self._most, self._transformed = context, most or len(images), transformed

    def material(self, epoch: int) -> tuple[Material, int]:
        answers, temperature = self._bought.answers, self._lesson.temperature
        pixels = self._images.pixels
        named = ((self._images.row_of(name), row) for row, name in enumerate(answers.images.ids))
        both = [(place, row) for place, row in named if place is not None]
        places, asked = torch.tensor(both, dtype=torch.int64).view(-1, 2).unbind(dim=1)
        decided = answers.decided[asked] & ~answers.aside[asked]
        rows = self._taught(places[decided])
        thought = opinions_of(self._bought.committee, pixels, temperature, self._context, rows)
        soft, known = thought[:, : answers.num_classes], thought[:, : answers.num_classes].sum(dim=1)
        soft = soft / known[:, None]
        # An image that is of no class, or likely so, would teach nothing; what is set aside is seen by no training.
        unseen = torch.cat([places[~decided], copies_of(answers.images.pixels[answers.aside], self._images)])
        known[torch.isin(rows, unseen)] = 0
        here = torch.searchsorted(rows, places[decided])
        known[here] = 1
        soft[here] = _with_decisions(soft[here], answers.decisions[asked[decided]], self._lesson.trust)
        kept = known >= _LEAST_KNOWN
        if kept.any():
            rows, soft = rows[kept], soft[kept]
        whole = len(rows) == len(pixels)
        objective = Objective(soft_labels=soft, temperature=temperature)
        # As far as most decisions stay: what the committee thinks of an image is taught of its views.
        views = Views({one.transform: one.strong for one in approve(answers)}) if self._transformed else None
        return Material(pixels, objective, views=views, rows=None if whole else rows), self._recipe.epochs

    def _taught(self, decided: Int[Tensor, " m"]) -> Int[Tensor, " n"]:
        """Choose the rows that are taught, in their order: of a very large pool what was decided, and random others."""
        if len(self._images) <= self._most:
            return torch.arange(len(self._images))
        drawn = torch.ones(len(self._images), dtype=torch.bool)
        drawn[decided] = False
        others, generator = drawn.nonzero()[:, 0], torch.Generator().manual_seed(self._context.seed)
        left = max(0, self._most - len(decided))
        return torch.cat([decided, others[torch.randperm(len(others), generator=generator)[:left]]]).sort().values


@final
class Endless:
    """Sets of candidates, and what the committee thinks of them and of answered images; see `CommitteeLesson`."""

    def __init__(self, lesson: CommitteeLesson, bought: Bought, pool: Pool, recipe: Recipe, context: Context) -> None:
        self._lesson, self._bought, self._pool = lesson, bought, pool
        self._context = context
        # Asking the committee takes longer than a pass over a set.
        self._passes = max(_LEAST_PASSES, -(-recipe.epochs // _MOST_SETS))
        self._candidates = lesson.candidates or fitting_candidates(len(bought.answers))

    def material(self, epoch: int) -> tuple[Material, int]:
        number = epoch // self._passes
        lesson, answers = self._lesson, self._bought.answers
        generator = torch.Generator().manual_seed((self._context.seed + 1) * 1_000_033 + number)
        rows = answers.learned()
        rows = rows[torch.randperm(len(rows), generator=generator)[: lesson.answered]]
        made = supply(self._pool, answers, self._candidates, generator)
        decided = _with_decisions(self._known[rows], answers.decisions[rows], lesson.trust)
        thought = [self._think(made.pixels), decided]
        pixels = torch.cat([made.pixels, answers.images.pixels[rows]])
        objective = Objective(soft_labels=torch.cat(thought), temperature=lesson.temperature)
        return Material(pixels, objective), (number + 1) * self._passes

    @cached_property
    def _known(self) -> Float[Tensor, "n num_classes"]:
        """What it thinks of answered images: asked once, and not for a student that is there already."""
        return self._think(self._bought.answers.images.pixels)

    def _think(self, pixels: Pixels) -> Float[Tensor, "n num_classes"]:
        if not len(pixels):
            # A pool of which all was asked has no other images.
            return torch.zeros(0, self._bought.answers.num_classes)
        return opinions_of(self._bought.committee, pixels, self._lesson.temperature, self._context)


def opinions_of(
    committee: Sequence[nn.Module],
    pixels: Pixels,
    temperature: float,
    context: Context,
    rows: Int[Tensor, " b"] | None = None,
) -> Float[Tensor, "b num_classes"]:
    """Tell what a committee thinks of some images, or of all, at a temperature."""
    return (scores_of(committee, pixels, context, rows).mean(dim=0) / temperature).softmax(dim=1)


def _with_decisions(
    thought: Float[Tensor, "b num_classes"], decisions: Int[Tensor, " b"], trust: float
) -> Float[Tensor, "b num_classes"]:
    """Mix opinions with what the teacher said."""
    return torch.lerp(thought, functional.one_hot(decisions, thought.shape[1]).to(thought.dtype), trust)


def fitting_candidates(answers: int) -> int:
    """Choose how many candidates a set of an endless lesson has, where it does not say so itself."""
    return max(_LEAST_CANDIDATES, min(_MOST_CANDIDATES, 4 * answers))
