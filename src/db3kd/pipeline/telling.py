"""The story from images to report, stage by stage; a stage whose file is there is not done again.

Called by `db3kd run` and by the Python API.
"""

import logging
from typing import cast

from pydantic import JsonValue
from torch import nn

from db3kd import __version__
from db3kd.data import Dataset
from db3kd.errors import InputError, RunError
from db3kd.models import build
from db3kd.pipeline import reporting
from db3kd.pipeline.asking import decide
from db3kd.pipeline.labelling import TRANSFER, label
from db3kd.pipeline.lessons import lesson_costs, lesson_names, lessons, own_label
from db3kd.pipeline.repeating import kept_repeats, warnings_of
from db3kd.pipeline.story import Budget, Distillation, Progress, Story, silent
from db3kd.pipeline.students import kept_network, last_losses, train
from db3kd.pipeline.supplement import Supplement, check_supplement, supplement_for
from db3kd.pipeline.synthesized import PICTURE, kept_figures
from db3kd.pipeline.timing import spent_seconds, timed
from db3kd.report.page import render
from db3kd.report.schema import Report, TeacherFigures, from_json, to_json
from db3kd.runs import Run
from db3kd.teachers import TeacherSpec
from db3kd.transfer import TransferSet, transfer_from_bytes

STUDENT = "student"
REPORT = "report.json"
PAGE = "report.html"

_log = logging.getLogger(__name__)


def tell(run: Run, story: Story, *, progress: Progress = silent) -> Report:
    """Do all that is still to be done of a story.

    Args:
        run: remembers what is done.
        story: what to do.
        progress: hears how far it is.

    Returns:
        The report, which is also in the run as `report.json` and, with the extra `report`, as `report.html`.

    Raises:
        BudgetExhausted: the budget is spent; what was bought is kept.
        InputError: the parts do not fit each other, or the run was made by another story.
        StorageError: the disk is full; what was bought is kept.
        TeacherError: the teacher failed for good; what was bought is kept.

    Cost: one query an image, `labelling.queries_per_pair` at most for each image and other class; held-out
        images are booked apart.
    """
    check(story)
    run.adopt_teacher(story.teacher.spec.fingerprint)
    with timed(run):
        transfer = label(
            run,
            story.teacher,
            story.images,
            story.labelling,
            budget=story.budget,
            priming=story.priming,
            progress=progress,
        )
        students = teach(run, transfer, story.distillation, device=story.device, progress=progress)
    return conclude(run, story, transfer, students, progress=progress)


def check(story: Story) -> None:
    """Refuse a story whose parts do not fit, before a query is spent on it.

    Args:
        story: what is asked for.

    Raises:
        InputError: teacher, images, student and labels do not fit each other, or the student is to learn from what
            will not be there.
    """
    spec, learning = story.teacher.spec, story.distillation
    check_images(spec, story.images, labelled=learning.classes == "true" or "true-labels" in learning.baselines)
    if story.held_out is not None:
        check_images(spec, story.held_out)
    if learning.classes == "true" and story.images.labels is None:
        raise InputError(
            f"classes = 'true' needs images with labels, and {story.images.name} has none; nothing was asked: use "
            "classes = 'decisions'"
        )
    if learning.queries_per_pair is not None and learning.queries_per_pair not in story.labelling.snapshots:
        raise InputError(
            f"the student is to learn from the distances at {learning.queries_per_pair} queries a pair, which are not "
            f"among the snapshots {story.labelling.snapshots}; nothing was asked: add them there"
        )
    check_supplement(story)
    # Built and dropped: a student that cannot be built must not show after the budget is spent.
    build(learning.student, story.images.image_shape, spec.num_classes)


def check_images(spec: TeacherSpec, images: Dataset, *, labelled: bool = True) -> None:
    """Refuse images that a teacher cannot be asked about, before a query is spent on them.

    Args:
        spec: of the teacher.
        images: what it is to be asked about.
        labelled: whether their labels, where they have some, will be compared with the teacher's classes.

    Raises:
        InputError: there is no image, or images and teacher differ in bounds, shape or classes.
    """
    if not len(images):
        raise InputError(f"{images.name} holds no image; nothing was asked: name other images")
    if spec.bounds != (0.0, 1.0):
        raise InputError(
            f"images are given in [0, 1], and the teacher's bounds are {spec.bounds}: it would be asked about other "
            "pictures than these; nothing was asked: say how images are brought to it, with scale = 255 for instance "
            "in place of bounds = [0, 255], or let a callable rescale its images itself, with the bounds 0, 1"
        )
    if images.image_shape != tuple(spec.input_shape):
        raise InputError(
            f"the teacher takes images of shape {tuple(spec.input_shape)}, and those of {images.name} are "
            f"{images.image_shape}; nothing was asked: name other images, or another teacher"
        )
    if labelled and images.labels is not None and int(images.labels.max()) >= spec.num_classes:
        raise InputError(
            f"the teacher knows {spec.num_classes} classes, and the labels of {images.name} go up to "
            f"{int(images.labels.max())}; nothing was asked: name other images, or another teacher"
        )


def student_files(transfer: TransferSet, distillation: Distillation) -> dict[str, str]:
    """Tell what each student of a run is called in its folder, by the names that reports use; its own comes last."""
    *baselines, own = lesson_names(transfer, distillation)
    return {**{name: name for name in baselines}, own: STUDENT}


def teach(
    run: Run,
    transfer: TransferSet,
    distillation: Distillation,
    *,
    supplement: Supplement | None = None,
    device: str = "cpu",
    progress: Progress = silent,
) -> dict[str, nn.Module]:
    """Train the students of a run: the baselines and its own.

    Args:
        run: keeps them; the run's own is `student.safetensors`, a baseline `NAME.safetensors`.
        transfer: what was bought.
        distillation: how they learn from it.
        supplement: what they learn from beside it, where that was read already; None to read it here.
        device: where.
        progress: hears the epochs.

    Returns:
        Trained students by the names that reports use; the last one is the run's own.

    Cost: none.
    """
    files = student_files(transfer, distillation)
    kept = {name: trained for name, file in files.items() if (trained := kept_network(run, file)) is not None}
    if len(kept) == len(files):
        return kept
    if supplement is None:
        supplement = supplement_for(run, transfer, distillation)
    taught = lessons(transfer, distillation, supplement, device=device)
    return {
        name: train(
            run,
            files[name],
            lesson.images,
            lesson.objective,
            architecture=distillation.student,
            recipe=distillation.recipe,
            images_per_epoch=lesson.images_per_epoch,
            # The decisions may lack the last class, which the teacher can give all the same.
            num_classes=transfer.num_classes,
            seed=distillation.seed,
            device=device,
            progress=progress,
        )
        for name, lesson in taught.items()
    }


def conclude(
    run: Run, story: Story, transfer: TransferSet, students: dict[str, nn.Module], *, progress: Progress = silent
) -> Report:
    """Measure the students and write the report.

    Args:
        run: keeps the report.
        story: what was done.
        transfer: what was bought.
        students: by the names that reports use.
        progress: hears of the held-out questions.

    Returns:
        The report.

    Cost: one query per held-out image, booked apart from the budget.
    """
    held_out = None
    losses = last_losses(run)
    files = student_files(transfer, story.distillation)
    costs = lesson_costs(transfer, story.distillation)
    repeats = kept_repeats(run)
    # Timed apart from what comes before: the report is to hold the time of its own figures too.
    with timed(run):
        if story.held_out is not None:
            decisions = decide(
                run, story.teacher, story.held_out, budget=Budget(), stage="held-out", held_out=True, progress=progress
            )
            held_out = reporting.decided(story.held_out, decisions, story.teacher.spec)
        figures = [
            reporting.measure(
                name,
                student,
                held_out,
                queries=costs[name],
                images=len(transfer),
                seed=story.distillation.seed,
                device=story.device,
            ).model_copy(
                update={
                    "last_loss": losses.get(files[name]),
                    "label": own_label(story.distillation) if files[name] == STUDENT else "",
                }
            )
            for name, student in students.items()
        ]
    report = Report(
        title=f"{story.distillation.student} from {story.teacher_name or 'a teacher'} on {story.images.name}",
        db3kd_version=__version__,
        teacher=TeacherFigures(
            accuracy=None if held_out is None else held_out.teacher_accuracy,
            parameters=story.teacher_parameters,
            name=story.teacher_name,
        ),
        students=tuple(figures),
        queries=reporting.account_of(run.statement(), repeats),
        notes=warnings_of(repeats),
        seconds=spent_seconds(run),
        class_names=transfer.images.class_names,
        synthesis=kept_figures(run),
        primers=reporting.describe_primers(run, transfer, held_out, device=story.device),
        labellings=(reporting.describe_labelling(transfer),),
        settings=cast("dict[str, JsonValue]", run.plan() or {}),
    )
    write_report(run, report, transfer)
    return report


def write_report(run: Run, report: Report, transfer: TransferSet | None, *, shards: Run | None = None) -> None:
    """Write `report.json`, and `report.html` where the extra `report` is installed.

    Args:
        run: keeps them.
        report: the figures.
        transfer: says how far the examples on the page are; None where no distances were bought.
        shards: the run that bought the transfer set, where it is another one.
    """
    run.put(REPORT, to_json(report).encode())
    shown = [] if transfer is None else reporting.examples(shards or run, transfer)
    try:
        page = render(report, shown, strips=run.get(PICTURE) or b"")
    except InputError as error:
        _log.info("%s", error)
        return
    run.put(PAGE, page.encode())


def write_page(run: Run) -> Report:
    """Make `report.html` again from the figures that are there; nothing is measured anew.

    Args:
        run: holds the report.

    Returns:
        The report.

    Raises:
        RunError: there is no report yet.
        InputError: the extra `report` is not installed.

    Cost: none.
    """
    kept = run.get(REPORT)
    if kept is None:
        raise RunError(f"{run.folder} holds no {REPORT} yet; nothing was made: run its plan to the end, or evaluate it")
    report, bought = from_json(kept.decode()), run.get(TRANSFER)
    shown = [] if bought is None else reporting.examples(run, transfer_from_bytes(bought, str(run.folder / TRANSFER)))
    run.put(PAGE, render(report, shown, strips=run.get(PICTURE) or b"").encode())
    return report
