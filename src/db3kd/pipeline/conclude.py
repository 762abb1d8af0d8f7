"""The last stage: students measured on held-out images, and all figures gathered for the report.

The teacher's decisions on held-out images are booked outside the budget: evaluation never spends it.
"""

import logging
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import cast

from pydantic import JsonValue
from torch import nn

from db3kd import __version__
from db3kd.augmentation import approve
from db3kd.boundary import closeness
from db3kd.errors import InputError, RunError
from db3kd.evaluation import measure_trust, never_decided, predict, predict_together
from db3kd.evaluation.curve import forecast_of
from db3kd.ledger import Prices, Statement
from db3kd.models import parameter_count
from db3kd.pipeline.ask_again import Repeats
from db3kd.pipeline.bought import cost_of
from db3kd.pipeline.held_out import Measurer, measurer_of
from db3kd.pipeline.pictures import examples_of, picture_of
from db3kd.pipeline.settling import following
from db3kd.pipeline.story import CommitteeLesson, Story
from db3kd.pipeline.teach import STUDENT, taught
from db3kd.pipeline.tell import Purchase, own_name
from db3kd.report.distances import DistanceFigures, summarise
from db3kd.report.examples import Example
from db3kd.report.figures import (
    TOGETHER,
    AskingFigures,
    CommitteeFigures,
    Ended,
    Queries,
    StudentFigures,
    TeacherFigures,
)
from db3kd.report.page import render
from db3kd.report.schema import Report, from_json, to_json
from db3kd.runs import Keeper, Run, spent_seconds, timed

REPORT, PAGE, PICTURE = "report.json", "report.html", "pictures.png"

_log = logging.getLogger(__name__)


def conclude(story: Story, keeper: Keeper, purchase: Purchase, students: Mapping[str, nn.Module]) -> Report:
    """Measure the students and write the report.

    Cost: one query per held-out image, booked outside the budget.
    """
    run, bought, story = keeper.run, purchase.bought, following(story, purchase.committee)
    # Timed for itself: the report is to hold the time of its own figures too.
    with timed(run):
        measurer = measurer_of(story, keeper)
        figures = _students(story, keeper, purchase, students, measurer)
        committee = committee_figures(purchase, measurer)
    own = students[own_name(story)]
    names = story.teacher.spec.class_names or bought.answers.images.class_names or _names_of(story)
    report = Report(
        title=f"{story.student.architecture} from {story.names.get('teacher') or 'a teacher'} on "
        f"{bought.answers.images.name}",
        db3kd_version=__version__,
        teacher=teacher_figures(story, measurer),
        students=figures,
        queries=account_of(run.statement(), purchase.repeats, story.budget.prices),
        seconds=spent_seconds(run),
        class_names=names,
        asking=asking_figures(story, purchase, own, device=keeper.context.device),
        committee=committee,
        distances=() if (found := distance_figures(purchase)) is None else (found,),
        repulsion=purchase.repulsion,
        settings=cast("dict[str, JsonValue]", run.plan() or {}),
        images=story.readings,
        notes=(
            *(sentence for reading in story.readings for sentence in reading.sentences),
            *(() if purchase.repeats is None else purchase.repeats.warnings),
        ),
    )
    write_report(run, report, examples_of(purchase, names), picture_of(purchase))
    return report


def distance_figures(purchase: Purchase) -> DistanceFigures | None:
    """Sum up the distances; None where no search was wanted."""
    if purchase.measured is None:
        return None
    answers = purchase.bought.answers
    return summarise(purchase.measured.distances, answers.decisions[answers.learned()])


def teacher_figures(story: Story, measurer: Measurer) -> TeacherFigures:
    """Say what is known of the teacher."""
    size = story.names.get("parameters")
    return TeacherFigures(
        accuracy=measurer.teacher_accuracy,
        parameters=None if size is None else int(size),
        name=story.names.get("teacher", ""),
    )


def account_of(statement: Statement, repeats: Repeats | None = None, prices: Prices | None = None) -> Queries:
    """Bring the ledger's statement into the report's form, with what came of asking again and what it cost."""
    money = None if prices is None else prices.money(statement.charged, statement.bill)
    return Queries(
        total=statement.total,
        by_stage=statement.by_stage,
        held_out=statement.held_out,
        unsettled=statement.unsettled,
        repeated=None if repeats is None else repeats.asked,
        changed=0 if repeats is None else repeats.changed,
        charged_again=statement.charged_again,
        bills=statement.bills,
        held_out_bills=statement.held_out_bills,
        prices=None if money is None else prices,
        money=money,
    )


def write_report(run: Run, report: Report, examples: Sequence[Example], picture: bytes = b"") -> None:
    """Write `report.json`, and `report.html` where the extra `report` is installed."""
    run.put(REPORT, to_json(report).encode())
    if picture:
        run.put(PICTURE, picture)
    try:
        page = render(report, examples, sheet=picture)
    except InputError as error:
        _log.info("%s", error)
        return
    run.put(PAGE, page.encode())


def begun_report(run: Run) -> Report:
    """Say what is known of a run that has no report yet: its teacher, where a plan names it, and its queries."""
    teacher = (run.plan() or {}).get("teacher")
    name = str(teacher.get("uri", "")) if isinstance(teacher, dict) else ""
    return Report(
        title="a run that is not at its end",
        db3kd_version=__version__,
        teacher=TeacherFigures(name=name),
        students=(),
        queries=account_of(run.statement()),
    )


def read_report(run: Run) -> Report:
    """Read the report of a run; a RunError where there is none yet, an ArtifactError where it was changed."""
    kept = run.get(REPORT)
    if kept is None:
        raise RunError(f"{run.folder} holds no {REPORT} yet; nothing was made: go on with this run to its end first")
    return from_json(kept.decode())


def _students(
    story: Story,
    keeper: Keeper,
    purchase: Purchase,
    students: Mapping[str, nn.Module],
    measurer: Measurer,
) -> tuple[StudentFigures, ...]:
    losses = {str(line["part"]): float(str(line["loss"])) for line in keeper.run.lines()}
    own, asked = own_name(story), len(purchase.bought.answers)
    whole = story.images if isinstance(story.lesson, CommitteeLesson) else None
    learned = asked if whole is None else taught(story.student.architecture, whole)
    costs = {"true-labels": 0, "hard-decisions": asked, own: cost_of(story.lesson, purchase.bought)}
    if purchase.made is not None:
        costs = {
            name: cost and sum(purchase.made.figures.queries.values()) + cost - asked for name, cost in costs.items()
        }
    found = [
        measurer(
            StudentFigures(
                name=name,
                queries=costs[name],
                images=learned if name == own else asked,
                seeds=(keeper.context.seed,),
                last_loss=losses.get(STUDENT if name == own else name),
            ),
            network,
        )
        for name, network in students.items()
    ]
    return (*found, *_together(story, purchase, measurer))


def _together(story: Story, purchase: Purchase, measurer: Measurer) -> tuple[StudentFigures, ...]:
    """The committee as one, beside the student that learned its opinions; none where there is nothing to measure on."""
    answers, members = measurer.answers, purchase.bought.committee
    if answers is None or not members or not story.teaches_opinions or purchase.committee is None:
        return ()
    said = predict_together(members, answers.images, device=measurer.device)
    labels = answers.images.labels
    asked = len(purchase.bought.answers)
    return (
        StudentFigures(
            name=TOGETHER,
            label=f"its committee together, {len(members)} x {purchase.committee.architecture}",
            accuracy=None if labels is None else (said == labels).double().mean().item(),
            agreement=(said == answers.decisions).double().mean().item(),
            queries=asked + len(purchase.bought.mixtures),
            parameters=sum(map(parameter_count, members)),
            images=asked,
        ),
    )


def committee_figures(purchase: Purchase, measurer: Measurer) -> CommitteeFigures | None:
    """Measure the networks that learned the answers; None where there are none."""
    bought, measured = purchase.bought, purchase.measured
    if not bought.committee or purchase.committee is None:
        return None
    found = [measurer(StudentFigures(name="member"), member) for member in bought.committee]
    guided = measured is not None and bool(measured.passes)
    return CommitteeFigures(
        architecture=purchase.committee.architecture,
        members=len(bought.committee),
        queries=len(bought.answers.learned()) + len(bought.mixtures),
        accuracy=mean_of([one.accuracy for one in found]),
        agreement=mean_of([one.agreement for one in found]),
        cosine=cosine_of(purchase) if guided else None,
        passes=measured.passes if guided and measured is not None else None,
        seconds=measured.seconds if guided and measured is not None else None,
    )


def cosine_of(purchase: Purchase) -> float | None:
    """Tell how well the committee knows the boundary's normal at the nearest crossings of the first images."""
    measured = purchase.measured
    if measured is None or not len(measured.points):
        return None
    answers, points = purchase.bought.answers.known(), measured.points
    distances = measured.distances.distances[: len(points)]
    rows = (points.flatten(1).isfinite().all(dim=1) & (distances.amin(dim=1) > 0)).nonzero()[:, 0]
    if not len(rows):
        return None
    return closeness(
        purchase.bought.committee, answers.images.images(rows), points[rows], distances[rows].argmin(dim=1)
    )


def asking_figures(
    story: Story, purchase: Purchase, student: nn.Module | None = None, *, device: str = "cpu"
) -> AskingFigures:
    """Say what was asked and answered, and how far that makes a student trustworthy, where there is one."""
    answers = purchase.bought.answers
    rows = answers.unseen()
    trust = None
    if len(rows) and student is not None:
        trust = measure_trust(predict(student, answers.images.pixels[rows], device=device), answers)
    histogram, (names, codes) = answers.histogram(), answers.coded
    transforming = story.committee is not None and story.committee.learns_from(story.images)
    return AskingFigures(
        pool=story.pool.name,
        acquisition=story.acquisition.name,
        queries=len(answers),
        planned=max(purchase.planned, len(answers)),
        ended=cast("Ended", purchase.ended),
        class_histogram=tuple(histogram.tolist()),
        abstained=int((~answers.decided).sum()),
        never_decided=never_decided(histogram),
        by_origin=dict(zip(names, codes.bincount(minlength=len(names)).tolist(), strict=True)),
        gains=purchase.gains,
        after_1000_more=forecast_of(purchase.gains),
        transforms=approve(answers) if transforming else (),
        trust=trust,
    )


def _names_of(story: Story) -> tuple[str, ...]:
    """What the held-out images call the teacher's classes, where they name all of them."""
    names = () if story.held_out is None else story.held_out.class_names
    return names if len(names) == story.teacher.spec.num_classes else ()


def mean_of(values: Sequence[float | None]) -> float | None:
    """Give the mean of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
