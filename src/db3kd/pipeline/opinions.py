"""What a committee teaches a student (`CommitteeLesson`): its opinions on a whole pool, or on endless candidates."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import final

import torch
from torch import nn
from torch.nn import functional

from db3kd.augmentation import approve, transform
from db3kd.context import Context, silent
from db3kd.data import Dataset
from db3kd.data.copies import copies_of
from db3kd.data.dataset import as_bytes
from db3kd.evaluation import BATCH
from db3kd.models.placement import gather
from db3kd.pipeline.bought import Bought
from db3kd.pipeline.learn import ALWAYS
from db3kd.pipeline.scoring import scores_of
from db3kd.pipeline.story import CommitteeLesson
from db3kd.pools import Pool
from db3kd.pools.supply import supply
from db3kd.tensors import Float, Int, Pixels, Tensor, UInt8
from db3kd.training import Material, Objective, Recipe
from db3kd.training.orders import generator_of, order_of

_LEAST_CANDIDATES, _MOST_CANDIDATES = 1024, 16_384
_LEAST_PASSES, _MOST_SETS = 2, 60
_LEAST_KNOWN = 0.5
# A set of views is shown so often, since to ask the committee takes half as long as to learn; it takes so many bytes.
_PASSES, _BYTES_OF_VIEWS = 5, 256 * 2**20
# With views alone a small student copies the committee less well than with images as they are.
_CHANGED = 0.5


@final
class WholePool:
    """What the committee thinks of a pool's images, and of those that were asked about the teacher's decision.

    Half of the images, others each time, are shown in weak views, as far as the teacher does not mind, and the
    committee is asked about the view that is shown: what it thinks of an image need not hold for a view of it. Views
    are made anew every few epochs.

    Source: Beyer et al. (2022), "Knowledge distillation: a good teacher is patient and consistent".
    """

    def __init__(
        self,
        lesson: CommitteeLesson,
        bought: Bought,
        images: Dataset,
        recipe: Recipe,
        context: Context,
        most: int | None = None,
    ) -> None:
        self._lesson, self._bought, self._images, self._recipe = lesson, bought, images, recipe
        self._context, self._most = context, most or len(images)
        self._weak = {one.transform: one.weak for one in approve(bought.answers) if one.weak}

    def material(self, epoch: int) -> tuple[Material, int]:
        pixels, (rows, decisions) = self._images.pixels, self._taught
        size = min(len(rows), max(1, _BYTES_OF_VIEWS // pixels[0].nbytes))
        whole = size == len(rows)
        if not self._weak or self._recipe.epochs * size < len(rows):
            # Sets of views that do not cover the pool would show less than its images as they are.
            return self._teach(pixels, rows, decisions, self._context), ALWAYS
        passes = _PASSES if whole else 1
        number, seed = epoch // passes, self._context.seed
        places = torch.arange(size) if whole else order_of(len(rows), size, seed, number, purpose="taught")
        generator = generator_of(seed, number, "taught views", torch.device("cpu"))
        views = torch.cat([self._shown(some, generator) for some in rows[places].split(BATCH)])
        # Between the epochs of a student, whose progress is heard.
        made = self._teach(views, torch.arange(size), decisions[places], replace(self._context, progress=silent))
        # An epoch stays as long as the pool, whatever part of it is shown.
        return replace(made, images_per_epoch=None if whole else len(rows)), (number + 1) * passes

    def _shown(self, rows: Int[Tensor, " b"], generator: torch.Generator) -> UInt8[Tensor, "b c h w"]:
        images = gather(self._images.pixels, rows)
        changed = torch.rand((len(rows), 1, 1, 1), generator=generator) < _CHANGED
        return as_bytes(torch.where(changed, transform(images, self._weak, generator), images))

    def _teach(
        self, pixels: Pixels, rows: Int[Tensor, " b"], decisions: Int[Tensor, " b"], context: Context
    ) -> Material:
        """Ask the committee about some images, and mix in what was decided of them; -1 where nothing was."""
        temperature, classes = self._lesson.temperature, self._bought.answers.num_classes
        thought = opinions_of(self._bought.committee, pixels, temperature, context, rows)[:, :classes]
        known, decided = thought.sum(dim=1), decisions >= 0
        soft = thought / known[:, None]
        soft[decided] = _with_decisions(soft[decided], decisions[decided], self._lesson.trust)
        # An image that is likely of no class would teach nothing.
        kept = decided | (known >= _LEAST_KNOWN)
        if kept.any():
            rows, soft = rows[kept], soft[kept]
        objective = Objective(soft_labels=soft, temperature=temperature)
        return Material(pixels, objective, rows=None if len(rows) == len(pixels) else rows)

    @cached_property
    def _taught(self) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"]]:
        """Choose the rows that are taught, in their order, with what was decided of each; -1 where nothing was.

        Of a very large pool what was decided, and random others. What is set aside is seen by no training, nor are its
        copies, and what is of no class would teach nothing.
        """
        answers = self._bought.answers
        named = ((self._images.row_of(name), row) for row, name in enumerate(answers.images.ids))
        both = [(place, row) for place, row in named if place is not None]
        places, asked = torch.tensor(both, dtype=torch.int64).view(-1, 2).unbind(dim=1)
        known = answers.decided[asked] & ~answers.aside[asked]
        decisions = torch.full((len(self._images),), -1)
        decisions[places[known]] = answers.decisions[asked[known]]
        left = torch.ones(len(self._images), dtype=torch.bool)
        left[places[~known]] = left[copies_of(answers.images.pixels[answers.aside], self._images)] = False
        left &= decisions < 0
        others, generator = left.nonzero()[:, 0], torch.Generator().manual_seed(self._context.seed)
        if (free := max(0, self._most - int(known.sum()))) < len(others):
            others = others[torch.randperm(len(others), generator=generator)[:free]]
        rows = torch.cat([places[known], others]).sort().values
        return rows, decisions[rows]


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
