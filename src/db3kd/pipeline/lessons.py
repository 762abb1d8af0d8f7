"""What students are taught of labels: of the images that were asked about, the same ones in each epoch (`FixedLesson`).

What a committee thinks of a pool is in `opinions`.
"""

from collections.abc import Sequence

import torch

from db3kd.answers import Answers
from db3kd.context import Context
from db3kd.data import Dataset
from db3kd.errors import InputError
from db3kd.evaluation import mean_logits
from db3kd.pipeline.bought import Bought
from db3kd.pipeline.learn import Fixed, Lessons
from db3kd.pipeline.opinions import Endless, WholePool
from db3kd.pipeline.story import Baseline, FixedLesson, Lesson
from db3kd.pools import ImagePool, Pool
from db3kd.tensors import Float, Tensor
from db3kd.training import Material, Objective, Recipe


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
        opinions=_opinions(bought, together.images, context) if needs == "opinions" else None,
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


def baseline_lessons(answers: Answers, names: Sequence[Baseline]) -> dict[str, Lessons]:
    """Say what baselines learn: the images that were asked about, with their true labels or the bare decisions."""
    known = answers.known()
    labels = {"true-labels": known.images.labels, "hard-decisions": known.decisions}
    return {
        name: Fixed(Material(known.images.pixels, Objective(labels=found)))
        for name in names
        if (found := labels[name]) is not None
    }


def lessons_for(
    lesson: Lesson,
    bought: Bought,
    pool: Pool | None,
    recipe: Recipe,
    context: Context,
    *,
    most: int | None = None,
) -> Lessons:
    """Make a lesson of options and what was bought, or raise an InputError where it needs what was not.

    Of a pool of images that has more than `most`, so many are taught.
    """
    if isinstance(lesson, FixedLesson):
        return Fixed(fixed_material(lesson, bought, context))
    if not bought.committee or pool is None:
        raise InputError(
            "a lesson of a committee needs one, and a pool of images; nothing was trained: set committee.members, or, "
            "to learn from a run that trained none, lesson.kind=labels"
        )
    if isinstance(pool, ImagePool):
        return WholePool(lesson, bought, pool.images, recipe, context, most)
    return Endless(lesson, bought, pool, recipe, context)


def _distances_for(lesson: FixedLesson, bought: Bought, ids: Sequence[str]) -> Float[Tensor, "n num_classes"]:
    if bought.distances is None:
        raise InputError(
            f"softening = {lesson.softening.name!r} needs distances, and none were bought; nothing was trained: name a "
            "search, or take the softening 'smoothed'"
        )
    measured = bought.distances
    return (measured if lesson.queries_per_pair is None else measured.at(lesson.queries_per_pair)).of(ids)


def _opinions(bought: Bought, images: Dataset, context: Context) -> Float[Tensor, "n num_classes"]:
    if not bought.committee:
        raise InputError(
            "softening = 'opinions' needs a committee, and there is none; nothing was trained: set committee.members, "
            "or take another softening"
        )
    # A committee may know one class more, for what the teacher gave none.
    return mean_logits(bought.committee, images, device=context.device)[:, : bought.answers.num_classes]
