"""Students taught in different ways, trained alike and measured alike: the table of the demo and of the frontier.

Every method stands beside what it has to beat, on the same images. Trainings are kept in a run, so that an interrupted
comparison goes on. What was bought is made elsewhere; nothing here asks a teacher.
"""

import hashlib
from collections.abc import Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import cached_property

from torch import nn

from db3kd.answers import Answers
from db3kd.context import Context
from db3kd.errors import InputError
from db3kd.evaluation import logits
from db3kd.models.placement import one_thread
from db3kd.pipeline.bought import Bought, cost_of
from db3kd.pipeline.conclude import mean_of
from db3kd.pipeline.held_out import Measurer
from db3kd.pipeline.learn import Fixed, Lessons, train_together
from db3kd.pipeline.lessons import fixed_material
from db3kd.pipeline.story import FixedLesson, Student
from db3kd.pipeline.teach import Teach
from db3kd.report.figures import StudentFigures
from db3kd.runs import Keeper, key_of
from db3kd.softening import Smoothed
from db3kd.training import Material, Objective, student_recipe

# At which the white box's logits are softened and compared, as the paper's labels are.
_TEMPERATURE = 20.0


@dataclass(frozen=True, eq=False)
class Contender:
    """What the students of one row learn."""

    name: str
    lessons: Lessons
    queries: int
    images: int
    label: str = ""

    @cached_property
    def digest(self) -> str:
        """Tells it from another one of its name."""
        material, _ = self.lessons.material(0)
        objective = material.objective
        pixels = material.pixels if material.rows is None else material.pixels[material.rows]
        found = hashlib.sha256(pixels.contiguous().numpy().tobytes())
        for part in (objective.labels, objective.soft_labels):
            found.update(b"" if part is None else part.contiguous().numpy().tobytes())
        return found.hexdigest()


def baselines(answers: Answers, whitebox: nn.Module, lesson: FixedLesson, context: Context) -> tuple[Contender, ...]:
    """Give what every method has to beat: true labels, decisions bare and smoothed, a white box's logits."""
    known = answers.known()
    labels, pixels, count = known.images.labels, known.images.pixels, len(known)
    if labels is None:
        raise InputError(
            f"a comparison with true labels needs images that have them, and {known.images.name!r} has none; nothing "
            "was trained: name labelled images"
        )
    standard = Objective(
        labels=labels if lesson.classes == "true" else known.decisions,
        soft_labels=(logits(whitebox, known.images, device=context.device) / _TEMPERATURE).softmax(dim=1),
        temperature=_TEMPERATURE,
        hard_weight=lesson.hard_weight,
        soft_weight=lesson.soft_weight,
    )
    smoothed = FixedLesson(Smoothed(), lesson.hard_weight, lesson.soft_weight, lesson.classes)
    return (
        Contender("true-labels", Fixed(Material(pixels, Objective(labels=labels))), 0, count),
        Contender("hard-decisions", Fixed(Material(pixels, Objective(labels=known.decisions))), len(answers), count),
        by_lesson("smoothed-decisions", Bought(answers, known.take(known.learned()[:0])), smoothed, context),
        Contender("logits", Fixed(Material(pixels, standard)), 0, count),
    )


def by_lesson(name: str, bought: Bought, lesson: FixedLesson, context: Context) -> Contender:
    """Give a row that learns what was bought in the way of a lesson."""
    lessons = Fixed(fixed_material(lesson, bought, context))
    return Contender(name, lessons, cost_of(lesson, bought), len(bought.answers.learned()))


def compare(
    keeper: Keeper, contenders: Sequence[Contender], measurer: Measurer, student: Student, *, seeds: Sequence[int]
) -> tuple[StudentFigures, ...]:
    """Train a student by each row with each seed, side by side where there are cores, and measure all of them."""
    assert measurer.answers is not None, "a comparison is made on held-out images"
    recipe, classes = student.recipe or student_recipe(student.architecture), measurer.answers.num_classes
    stages = {
        (row, seed): Teach(
            f"{student.architecture.replace(':', '.')}.{contender.name}.{contender.images}.seed{seed}",
            contender.lessons,
            student.architecture,
            recipe,
            about={"lesson": contender.name, "recipe": key_of(recipe)},
            digest=contender.digest,
            num_classes=classes,
            seed=seed,
        )
        for row, contender in enumerate(contenders)
        for seed in seeds
    }
    missing = {
        place: stage.training for place, stage in stages.items() if keeper.read(stage.outline.parts[0], stage) is None
    }
    fixed = all(isinstance(contender.lessons, Fixed) for contender in contenders)
    # On a cluster all networks of a call learn the same, and these do not.
    beside = len(missing) > 1 and fixed and not keeper.context.clustered
    beside = beside and next(iter(missing.values())).is_worth_a_process(keeper)
    networks = dict[tuple[int, int], nn.Module]()
    with closing(train_together(list(missing.values()), keeper)) as together, one_thread() if fixed else nullcontext():
        for place, stage in stages.items():
            if beside and place in missing:
                stage.ahead = next(together)
            networks[place] = keeper.perform(stage)
    return tuple(
        _mean([measurer(_figures(contender, seed), networks[row, seed]) for seed in seeds], contender.label)
        for row, contender in enumerate(contenders)
    )


def _figures(contender: Contender, seed: int) -> StudentFigures:
    return StudentFigures(name=contender.name, queries=contender.queries, images=contender.images, seeds=(seed,))


def _mean(found: Sequence[StudentFigures], label: str) -> StudentFigures:
    """The mean over the seeds; what has no mean, such as the calibration, is that of the first seed."""
    accuracies = tuple(one.accuracy for one in found if one.accuracy is not None)
    return found[0].model_copy(
        update={
            "accuracy": mean_of(accuracies),
            "agreement": mean_of([one.agreement for one in found]),
            "seeds": tuple(seed for one in found for seed in one.seeds),
            "accuracy_by_seed": accuracies,
            "label": label,
        }
    )
