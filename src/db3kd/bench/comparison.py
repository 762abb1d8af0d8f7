"""Students taught in different ways, trained alike and measured alike: the table that the demo and `frontier` show.

A baseline stands beside every method, on the same images. Trainings are kept in a run, so an interrupted comparison
goes on. What was bought is made elsewhere; nothing here asks a teacher.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

from torch import nn

from db3kd.evaluation import logits
from db3kd.pipeline.lessons import Lesson, own_lesson
from db3kd.pipeline.reporting import HeldOut, measure
from db3kd.pipeline.story import Distillation, Progress, silent
from db3kd.pipeline.students import train
from db3kd.report.schema import StudentFigures
from db3kd.runs import Run
from db3kd.training import Objective
from db3kd.transfer import TransferSet


def baseline_lessons(transfer: TransferSet, whitebox: nn.Module, distillation: Distillation) -> tuple[Lesson, ...]:
    """What every method has to beat: true labels, the teacher's decisions, bare and smoothed, and a white box's logits.

    Args:
        transfer: images with labels, and the teacher's decisions.
        whitebox: the teacher's network, which only a comparison may look into.
        distillation: temperature and weights of standard knowledge distillation (Hinton et al., 2015).

    Returns:
        Four lessons on the same images. The smoothed decisions are soft labels in which all other classes are alike:
        what they bring is not owed to any distance.
    """
    labels, images = transfer.images.labels, transfer.images
    assert labels is not None, "a comparison with true labels needs images that have them"
    soft = (logits(whitebox, images) / distillation.temperature).softmax(dim=1)
    classes = labels if distillation.classes == "true" else transfer.decisions
    smoothed = own_lesson("smoothed-decisions", transfer, distillation.softened_by("smoothed"))
    standard = Objective(
        labels=classes,
        soft_labels=soft,
        temperature=distillation.temperature,
        hard_weight=distillation.hard_weight,
        soft_weight=distillation.soft_weight,
    )
    return (
        Lesson("true-labels", images, Objective(labels=labels), 0),
        Lesson("hard-decisions", images, Objective(labels=transfer.decisions), len(transfer)),
        smoothed,
        Lesson("logits", images, standard, 0),
    )


def distance_lessons(transfers: Sequence[TransferSet], distillation: Distillation) -> tuple[Lesson, ...]:
    """One lesson for each transfer set, named after the method that bought it."""
    return tuple(own_lesson(one.provenance["method"], one, distillation) for one in transfers)


def compare(
    run: Run,
    lessons: Sequence[Lesson],
    held_out: HeldOut,
    distillation: Distillation,
    *,
    seeds: Sequence[int],
    device: str = "cpu",
    progress: Progress = silent,
) -> tuple[StudentFigures, ...]:
    """Train a student by each lesson with each seed, and measure all of them.

    Args:
        run: keeps the trained students.
        lessons: how to teach.
        held_out: what to measure on.
        distillation: architecture and recipe, the same for all.
        seeds: of weights and order; the same for all.
        device: where to train.
        progress: hears the epochs.

    Returns:
        Figures of each lesson, the mean over the seeds, after the last epoch.

    Cost: none.
    """
    table = []
    for lesson in lessons:
        found = []
        for seed in seeds:
            student = train(
                run,
                f"{distillation.student}.{lesson.name}.{len(lesson.images)}.seed{seed}",
                lesson.images,
                lesson.objective,
                architecture=distillation.student,
                recipe=distillation.recipe,
                images_per_epoch=lesson.images_per_epoch,
                seed=seed,
                device=device,
                progress=progress,
            )
            found.append(
                measure(
                    lesson.name,
                    student,
                    held_out,
                    queries=lesson.queries,
                    # Of the images at hand: mixtures and probes were made for them, and paid for them.
                    images=lesson.images_per_epoch or len(lesson.images),
                    seed=seed,
                    device=device,
                )
            )
        table.append(_mean(found, label=lesson.label))
    return tuple(table)


def _mean(found: Sequence[StudentFigures], *, label: str) -> StudentFigures:
    """The mean over the seeds; what has no mean, such as the calibration, is that of the first seed."""
    averages: Mapping[str, float | None] = {
        "accuracy": _average([one.accuracy for one in found]),
        "agreement": _average([one.agreement for one in found]),
    }
    by_seed = tuple(one.accuracy for one in found if one.accuracy is not None)
    seeds = tuple(seed for one in found for seed in one.seeds)
    return found[0].model_copy(update={**averages, "seeds": seeds, "accuracy_by_seed": by_seed, "label": label})


def _average(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
