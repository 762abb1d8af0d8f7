"""The story without a single image: ask in rounds, teach the student, say how far to trust it, report.

A stage whose file is there is not done again. Beside `telling`, which is the story of images that are there. Called by
`db3kd run` and by `db3kd.distill_without_data`.
"""

from dataclasses import dataclass, field
from typing import cast

from pydantic import JsonValue
from torch import nn

from db3kd import __version__
from db3kd.data import Dataset
from db3kd.data.dataset import numbered
from db3kd.evaluation import mean_logits
from db3kd.models import build, parameter_count
from db3kd.pipeline import reporting
from db3kd.pipeline.asking import decide
from db3kd.pipeline.exploring import Explored, Exploring, explore
from db3kd.pipeline.imitating import Imitation, imitate
from db3kd.pipeline.repeating import kept_repeats, repeat, warnings_of
from db3kd.pipeline.reporting import HeldOut
from db3kd.pipeline.story import Budget, Progress, silent
from db3kd.pipeline.students import last_losses
from db3kd.pipeline.synthesized import check_makeable
from db3kd.pipeline.telling import STUDENT, check_images, write_report
from db3kd.pipeline.timing import spent_seconds, timed
from db3kd.pipeline.trusting import TRUST, Trust, describe_exploration, put_samples, write_trust
from db3kd.report.schema import Report, StudentFigures, TeacherFigures
from db3kd.runs import Run
from db3kd.teachers import Teacher


@dataclass(frozen=True)
class DatalessStory:
    """One whole run without images.

    Args:
        teacher: decides.
        exploring: how it is asked.
        imitation: how the student learns what the primers think.
        held_out: what the student is measured on, or None.
        budget: what may be spent; a budget that is reached ends the rounds.
        teacher_name: how the report calls the teacher.
        teacher_parameters: number of the teacher's weights, where it is known.
    """

    teacher: Teacher
    exploring: Exploring
    imitation: Imitation
    held_out: Dataset | None = None
    budget: Budget = field(default_factory=Budget)
    teacher_name: str = ""
    teacher_parameters: int | None = None


@dataclass(frozen=True)
class Learnt:
    """What came of asking.

    Args:
        explored: answers and primers.
        student: has learned from them.
        trust: how far it can be trusted.
    """

    explored: Explored
    student: nn.Module
    trust: Trust


def tell_without_data(run: Run, story: DatalessStory, *, progress: Progress = silent) -> Report:
    """Do all that is still to be done of a story without images.

    Args:
        run: remembers what is done.
        story: what to do.
        progress: hears how far it is.

    Returns:
        The report, which is also in the run as `report.json` and, with the extra `report`, as `report.html`.

    Raises:
        BudgetExhausted: not a single call is within the budget.
        InputError: the parts do not fit each other, or the run was made by another story.
        StorageError: the disk is full; what was bought is kept.
        TeacherError: the teacher failed for good; what was bought is kept.

    Cost: `exploring.queries` at most, and `budget.repeats` where the total leaves them; held-out images are booked
        apart.
    """
    return conclude_without_data(run, story, learn_without_data(run, story, progress=progress), progress=progress)


def learn_without_data(run: Run, story: DatalessStory, *, progress: Progress = silent) -> Learnt:
    """Ask and teach, and leave the report to others.

    Args:
        run: remembers what is done.
        story: what to do.
        progress: hears how far it is.

    Returns:
        Answers, student and trust.

    Raises:
        BudgetExhausted: as in `tell_without_data`, and the other errors as there.

    Cost: `exploring.queries` at most, and `budget.repeats` where the total leaves them.
    """
    check_dataless(story)
    run.adopt_teacher(story.teacher.spec.fingerprint)
    with timed(run):
        explored = explore(
            run, story.teacher, story.exploring, budget=story.budget, until_spent=True, progress=progress
        )
        # Without a total, the queries of the rounds are what may be spent.
        if story.budget.total is not None and not run.has(TRUST):
            pixels, decisions = explored.answers.questions.pixels, explored.answers.decisions
            made = Dataset("made images", numbered("made images", len(pixels)), pixels, None, ())
            repeat(run, story.teacher, made, decisions, budget=story.budget)
        student = imitate(run, STUDENT, explored, story.imitation, progress=progress)
        trust = write_trust(run, explored, student, device=story.exploring.device, progress=progress)
    return Learnt(explored, student, trust)


def check_dataless(story: DatalessStory) -> None:
    """Refuse a story whose parts do not fit, before a query is spent on it.

    Args:
        story: what is asked for.

    Raises:
        InputError: teacher, held-out images, student and primers do not fit each other.
    """
    spec = story.teacher.spec
    # Built and dropped: a network that cannot be built must not show after the budget is spent.
    for architecture in (story.imitation.student, story.exploring.architecture):
        build(architecture, spec.input_shape, spec.num_classes)
    check_makeable(spec)
    if story.held_out is not None:
        check_images(spec, story.held_out)


def conclude_without_data(run: Run, story: DatalessStory, learnt: Learnt, *, progress: Progress = silent) -> Report:
    """Measure the student and write the report.

    Args:
        run: keeps the report.
        story: what was done.
        learnt: what came of it.
        progress: hears of the held-out questions.

    Returns:
        The report.

    Cost: one query per held-out image, booked apart from the budget.
    """
    repeats = kept_repeats(run)
    exploration, held_out = describe_exploration(learnt.trust, story.exploring), None
    with timed(run):
        if story.held_out is not None:
            decisions = decide(
                run, story.teacher, story.held_out, budget=Budget(), stage="held-out", held_out=True, progress=progress
            )
            held_out = reporting.decided(story.held_out, decisions, story.teacher.spec)
        # The queries that it rests on are those that were answered: a kill may have cost more.
        student = reporting.measure(
            exploration.method,
            learnt.student,
            held_out,
            queries=len(learnt.explored.answers),
            images=len(learnt.explored.answers),
            seed=story.imitation.seed,
            device=story.exploring.device,
        ).model_copy(update={"last_loss": last_losses(run).get(STUDENT)})
        put_samples(run, learnt.explored)
    report = Report(
        title=f"{story.imitation.student} from {story.teacher_name or 'a teacher'} without any image",
        db3kd_version=__version__,
        teacher=TeacherFigures(
            accuracy=None if held_out is None else held_out.teacher_accuracy,
            parameters=story.teacher_parameters,
            name=story.teacher_name,
        ),
        students=(student, *_ensemble(story, learnt.explored, held_out)),
        queries=reporting.account_of(run.statement(), repeats),
        notes=warnings_of(repeats),
        seconds=spent_seconds(run),
        class_names=_class_names(story),
        exploration=exploration,
        settings=cast("dict[str, JsonValue]", run.plan() or {}),
    )
    write_report(run, report, None)
    return report


def _ensemble(story: DatalessStory, explored: Explored, held_out: HeldOut | None) -> tuple[StudentFigures, ...]:
    """The primers together, beside the student that learned from them; nothing where there is nothing to measure on."""
    if held_out is None:
        return ()
    said = mean_logits(explored.primers, held_out.images, device=story.exploring.device).argmax(dim=1)
    labels = held_out.images.labels
    return (
        StudentFigures(
            name="ensemble",
            label=f"its primers together, {len(explored.primers)} x {story.exploring.architecture}",
            accuracy=None if labels is None else (said == labels).double().mean().item(),
            agreement=(said == held_out.decisions).double().mean().item(),
            queries=len(explored.answers),
            parameters=sum(map(parameter_count, explored.primers)),
            images=len(explored.answers),
        ),
    )


def _class_names(story: DatalessStory) -> tuple[str, ...]:
    """What the held-out images call the teacher's classes, where they name all of them."""
    names = () if story.held_out is None else story.held_out.class_names
    return names if len(names) == story.teacher.spec.num_classes else ()
