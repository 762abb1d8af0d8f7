"""The story from images to report, stage by stage; a stage whose file is there is not done again.

Called by `db3kd run` and by the Python API.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from db3kd import __version__
from db3kd.errors import InputError
from db3kd.pipeline import reporting
from db3kd.pipeline.labelling import decide, label
from db3kd.pipeline.story import Budget, Distillation, Progress, Story, silent
from db3kd.pipeline.students import last_losses, lessons, train
from db3kd.report.page import render
from db3kd.report.schema import Report, TeacherFigures, to_json
from db3kd.runs import Run
from db3kd.transfer import TransferSet

STUDENT = "student"
_SECONDS = "seconds.jsonl"


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
    with _timed(run):
        transfer = label(
            run, story.teacher, story.images, story.labelling, budget=story.budget, progress=progress
        )
        students = teach(run, transfer, story.distillation, device=story.device, progress=progress)
        return conclude(run, story, transfer, students, progress=progress)


def check(story: Story) -> None:
    """Refuse a story whose parts do not fit, before a query is spent on it.

    Args:
        story: what is asked for.

    Raises:
        InputError: there is no image, or images and teacher differ in shape.
    """
    for images in (story.images, story.held_out):
        if images is None:
            continue
        if not len(images):
            raise InputError(f"{images.name} holds no image; nothing was asked: name other images")
        if images.image_shape != tuple(story.teacher.spec.input_shape):
            raise InputError(
                f"the teacher takes images of shape {tuple(story.teacher.spec.input_shape)}, and those of {images.name} "
                f"are {images.image_shape}; nothing was asked: name other images, or another teacher"
            )


def teach(
    run: Run, transfer: TransferSet, distillation: Distillation, *, device: str = "cpu", progress: Progress = silent
) -> dict[str, nn.Module]:
    """Train the students of a run: the baselines and its own.

    Args:
        run: keeps them; the run's own is `student.safetensors`, a baseline `NAME.safetensors`.
        transfer: what was bought.
        distillation: how they learn from it.
        device: where.
        progress: hears the epochs.

    Returns:
        Trained students by the names that reports use; the last one is the run's own.

    Cost: none.
    """
    objectives = lessons(transfer, distillation)
    own = list(objectives)[-1]
    return {
        name: train(
            run,
            STUDENT if name == own else name,
            transfer.images,
            objective,
            architecture=distillation.student,
            recipe=distillation.recipe,
            seed=distillation.seed,
            device=device,
            progress=progress,
        )
        for name, objective in objectives.items()
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
    if story.held_out is not None:
        decisions = decide(
            run, story.teacher, story.held_out, budget=Budget(), stage="held-out", held_out=True, progress=progress
        )
        held_out = reporting.HeldOut(story.held_out, decisions)
    losses = last_losses(run)
    own = list(students)[-1]
    figures = [
        reporting.measure(
            name,
            student,
            held_out,
            queries=reporting.queries_of(name, transfer),
            images=len(transfer),
            seed=story.distillation.seed,
            device=story.device,
        ).model_copy(update={"last_loss": losses.get(STUDENT if name == own else name)})
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
        queries=reporting.account_of(run.statement()),
        seconds=spent_seconds(run),
        class_names=transfer.images.class_names,
        labellings=(reporting.describe_labelling(transfer),),
        settings=run.plan() or {},
    )
    write_report(run, report, transfer)
    return report


def write_report(run: Run, report: Report, transfer: TransferSet) -> None:
    """Write `report.json`, and `report.html` where the extra `report` is installed."""
    run.put("report.json", to_json(report).encode())
    try:
        page = render(report, reporting.examples(run, transfer))
    except InputError:
        return
    run.put("report.html", page.encode())


def spent_seconds(run: Run) -> float:
    """Add up the wall time of all sessions of a run that ended by themselves."""
    return sum(float(str(line["seconds"])) for line in run.lines(name=_SECONDS))


@contextmanager
def _timed(run: Run) -> Iterator[None]:
    """Note how long a session took, also where an error ends it."""
    started = time.monotonic()
    try:
        yield
    finally:
        run.append_line({"seconds": time.monotonic() - started}, name=_SECONDS)
