"""The stage in which students learn: what they are taught, and the stage itself.

There is one way to teach. A lesson gives images and what to learn about them, epoch by epoch: the same ones each time
(`FixedLesson`), or a new set of candidates every few epochs (`EndlessLesson`).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import nn
from torch.nn import functional

from db3kd.answers import Answers
from db3kd.boundary import Distances
from db3kd.context import Context
from db3kd.data import Dataset
from db3kd.errors import InputError
from db3kd.evaluation import mean_logits
from db3kd.models import weights
from db3kd.pipeline.learn import Fixed, Lessons, network_of, train_part
from db3kd.pipeline.story import Baseline, EndlessLesson, FixedLesson, Lesson, Student
from db3kd.pools import Pool
from db3kd.pools.supply import supply
from db3kd.runs import Keeper, Kept, Key, Outline, Part, key_of
from db3kd.tensors import Float, Tensor, UInt8
from db3kd.training import Material, Objective, Recipe, adapted, student_recipe

STUDENT = "student"
_LEAST_CANDIDATES, _MOST_CANDIDATES = 1024, 16_384
_LEAST_EPOCHS, _MOST_EPOCHS, _QUERIES_OF_LEAST_EPOCHS = 60, 480, 25_000
_LEAST_PASSES, _MOST_SETS = 2, 60


@dataclass(frozen=True, eq=False)
class Bought:
    """What a run has bought, and what networks of ours made of it."""

    answers: Answers
    mixtures: Answers
    committee: tuple[nn.Module, ...] = ()
    distances: Distances | None = None

    @property
    def digest(self) -> str:
        """Tells what a student learned from."""
        digest = hashlib.sha256(f"{self.answers.digest}/{self.mixtures.digest}".encode())
        for member in self.committee:
            for tensor in member.state_dict().values():
                digest.update(tensor.contiguous().numpy().tobytes())
        if self.distances is not None:
            for tensor in self.distances.tensors().values():
                digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()


@final
class Teach:
    """Trains one student."""

    kind = weights.FORMAT

    def __init__(
        self,
        name: str,
        lessons: Lessons,
        architecture: str,
        recipe: Recipe,
        *,
        about: Key,
        source: str,
        num_classes: int,
        seed: int,
    ) -> None:
        self._name, self._lessons, self._architecture, self._recipe = name, lessons, architecture, recipe
        self._about, self._num_classes, self._seed = about, num_classes, seed
        # A recipe that follows from what was bought is exchanged with it.
        self.source = f"{source}/{json.dumps(key_of(recipe))}"

    @property
    def outline(self) -> Outline:
        return Outline(self._name, (Part(self._name, epochs=self._recipe.epochs),))

    @property
    def key(self) -> Key:
        return {"student": self._architecture, "seed": self._seed, **self._about}

    def make(self, number: int, before: Sequence[Kept], keeper: Keeper) -> Kept:
        """Train it, or go on with it."""
        return train_part(
            keeper,
            self,
            self.outline.parts[0],
            self._lessons,
            architecture=self._architecture,
            recipe=self._recipe,
            num_classes=self._num_classes,
            seed=self._seed,
        )

    def join(self, parts: Sequence[Kept]) -> nn.Module:
        return network_of(parts[0])


def settled_recipe(lesson: Lesson, student: Student, questions: int) -> Recipe:
    """Choose how a student learns: as it says, or by a preset with what it changes."""
    return student.recipe or adapted(recipe_for(lesson, student.architecture, questions), student.changes)


def recipe_for(lesson: Lesson, architecture: str, questions: int) -> Recipe:
    """Choose a preset: the paper's for fixed labels; one cycle, longer after more questions, for endless candidates."""
    if isinstance(lesson, FixedLesson):
        return student_recipe(architecture)
    wanted = round(_LEAST_EPOCHS * questions / _QUERIES_OF_LEAST_EPOCHS)
    epochs = max(_LEAST_EPOCHS, min(_MOST_EPOCHS, wanted))
    return Recipe("adam", 2e-3, epochs, 128, schedule="one-cycle", precision="bfloat16")


def fixed_material(lesson: FixedLesson, bought: Bought, context: Context) -> Material:
    """Say what a student learns of the images that were asked about."""
    answers = bought.answers.known()
    known = answers.images.labels if lesson.classes == "true" else answers.decisions
    if known is None:
        raise InputError(
            f"classes = 'true' needs images with labels, and {answers.images.name!r} has none; nothing was trained: "
            "use classes = 'decisions'"
        )
    count, together = len(answers), answers
    if lesson.mixtures and len(bought.mixtures):
        mixtures = bought.mixtures.known()
        together, known = answers.joined(mixtures), torch.cat([known, mixtures.decisions])
    softening, needs = lesson.softening, lesson.softening.needs
    soft = softening(
        together.decisions,
        distances=_distances_for(lesson, bought, together.images.ids) if needs == "distances" else None,
        opinions=_opinions(bought.committee, together.images, context) if needs == "opinions" else None,
        num_classes=answers.num_classes,
    )
    objective = Objective(
        labels=known,
        soft_labels=soft,
        temperature=softening.compare_at,
        hard_weight=lesson.hard_weight,
        soft_weight=lesson.soft_weight,
    )
    return Material(together.images.pixels, objective, count)


def baseline_lessons(answers: Answers, names: Sequence[Baseline], epochs: int) -> dict[str, Lessons]:
    """Say what baselines learn: the images that were asked about, with their true labels or the bare decisions."""
    known = answers.known()
    labels = {"true-labels": known.images.labels, "hard-decisions": known.decisions}
    return {
        name: Fixed(Material(known.images.pixels, Objective(labels=found)), epochs)
        for name in names
        if (found := labels[name]) is not None
    }


def lessons_for(lesson: Lesson, bought: Bought, pool: Pool | None, recipe: Recipe, context: Context) -> Lessons:
    """Make a lesson of options and what was bought, or raise an InputError where it needs what was not."""
    if isinstance(lesson, FixedLesson):
        return Fixed(fixed_material(lesson, bought, context), recipe.epochs)
    if not bought.committee or pool is None:
        raise InputError(
            "a lesson of endless candidates needs a committee and a pool that makes them; nothing was trained: set "
            "committee.members, or take the lesson 'labels'"
        )
    return Endless(lesson, bought, pool, recipe, context)


@final
class Endless:
    """Sets of candidates, and what the committee thinks of them and of answered images; see `EndlessLesson`."""

    def __init__(self, lesson: EndlessLesson, bought: Bought, pool: Pool, recipe: Recipe, context: Context) -> None:
        self._lesson, self._bought, self._pool, self._epochs = lesson, bought, pool, recipe.epochs
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
        decided = functional.one_hot(answers.decisions[rows], answers.num_classes).to(self._known.dtype)
        thought = [self._think(made.pixels), torch.lerp(self._known[rows], decided, lesson.trust)]
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
        scores = mean_logits(self._bought.committee, pixels, device=self._context.device)
        return (scores / self._lesson.temperature).softmax(dim=1)


def fitting_candidates(answers: int) -> int:
    """Choose how many candidates a set of an endless lesson has, where it does not say so itself."""
    return max(_LEAST_CANDIDATES, min(_MOST_CANDIDATES, 4 * answers))


def cost_of(lesson: Lesson, bought: Bought) -> int:
    """Tell how many queries a student's lesson rests on: decisions, and what of the rest it makes use of."""
    images = len(bought.answers)
    if isinstance(lesson, EndlessLesson):
        return images
    needs = lesson.softening.needs
    distances = bought.distances.cost if needs == "distances" and bought.distances is not None else 0
    # A search that a committee guided rests on what that learned from.
    return images + distances + (len(bought.mixtures) if needs != "nothing" or lesson.mixtures else 0)


def _distances_for(lesson: FixedLesson, bought: Bought, ids: Sequence[str]) -> Float[Tensor, "n num_classes"]:
    if bought.distances is None:
        raise InputError(
            f"softening = {lesson.softening.name!r} needs distances, and none were bought; nothing was trained: name a "
            "search, or take the softening 'smoothed'"
        )
    measured = bought.distances
    return (measured if lesson.queries_per_pair is None else measured.at(lesson.queries_per_pair)).of(ids)


def _opinions(committee: Sequence[nn.Module], images: Dataset, context: Context) -> Float[Tensor, "n num_classes"]:
    if not committee:
        raise InputError(
            "softening = 'opinions' needs a committee, and there is none; nothing was trained: set committee.members, "
            "or take another softening"
        )
    return mean_logits(committee, images, device=context.device)
