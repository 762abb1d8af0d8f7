"""What a committee teaches a student (`CommitteeLesson`): its opinions on a whole pool, or on endless candidates."""

from collections.abc import Sequence
from functools import cached_property
from typing import final

import torch
from torch import nn
from torch.nn import functional

from db3kd.context import Context
from db3kd.data import Dataset
from db3kd.evaluation import mean_logits
from db3kd.pipeline.bought import Bought
from db3kd.pipeline.story import CommitteeLesson
from db3kd.pools import Pool
from db3kd.pools.supply import supply
from db3kd.tensors import Float, Int, Tensor, UInt8
from db3kd.training import Material, Objective, Recipe

_LEAST_CANDIDATES, _MOST_CANDIDATES = 1024, 16_384
_LEAST_PASSES, _MOST_SETS = 2, 60
_LEAST_KNOWN = 0.5


@final
class WholePool:
    """What the committee thinks of each image of a pool, and of those that were asked about the teacher's decision."""

    def __init__(
        self, lesson: CommitteeLesson, bought: Bought, images: Dataset, recipe: Recipe, context: Context
    ) -> None:
        self._lesson, self._bought, self._images, self._recipe = lesson, bought, images, recipe
        self._context = context

    def material(self, epoch: int) -> tuple[Material, int]:
        answers, temperature = self._bought.answers, self._lesson.temperature
        pixels = self._images.pixels
        thought = opinions_of(self._bought.committee, pixels, temperature, self._context)
        soft, known = thought[:, : answers.num_classes], thought[:, : answers.num_classes].sum(dim=1)
        soft = soft / known[:, None]
        named = ((self._images.places.get(name), row) for row, name in enumerate(answers.images.ids))
        both = [(place, row) for place, row in named if place is not None]
        places, asked = torch.tensor(both, dtype=torch.int64).view(-1, 2).unbind(dim=1)
        decided = answers.decided[asked] & ~answers.aside[asked]
        soft[places[decided]] = _with_decisions(
            soft[places[decided]], answers.decisions[asked[decided]], self._lesson.trust
        )
        # An image that is of no class, or likely so, would teach nothing; what is set aside is seen by no training.
        known[places] = decided.to(known.dtype)
        kept = (known >= _LEAST_KNOWN).nonzero()[:, 0]
        rows = None
        if 0 < len(kept) < len(pixels):
            rows, soft = kept, soft[kept]
        return Material(pixels, Objective(soft_labels=soft, temperature=temperature), rows=rows), self._recipe.epochs


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

    def _think(self, pixels: UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"]) -> Float[Tensor, "n num_classes"]:
        if not len(pixels):
            # A pool of which all was asked has no other images.
            return torch.zeros(0, self._bought.answers.num_classes)
        return opinions_of(self._bought.committee, pixels, self._lesson.temperature, self._context)


def opinions_of(
    committee: Sequence[nn.Module],
    pixels: UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"],
    temperature: float,
    context: Context,
) -> Float[Tensor, "n num_classes"]:
    """Tell what a committee thinks of images, at a temperature."""
    return (mean_logits(committee, pixels, device=context.device) / temperature).softmax(dim=1)


def _with_decisions(
    thought: Float[Tensor, "b num_classes"], decisions: Int[Tensor, " b"], trust: float
) -> Float[Tensor, "b num_classes"]:
    """Mix opinions with what the teacher said."""
    return torch.lerp(thought, functional.one_hot(decisions, thought.shape[1]).to(thought.dtype), trust)


def fitting_candidates(answers: int) -> int:
    """Choose how many candidates a set of an endless lesson has, where it does not say so itself."""
    return max(_LEAST_CANDIDATES, min(_MOST_CANDIDATES, 4 * answers))
