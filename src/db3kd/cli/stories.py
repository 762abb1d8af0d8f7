"""`db3kd distill`, `label` and `synthesize`: a whole run, or a run up to a stage."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from db3kd.cli import options
from db3kd.cli.display import remark
from db3kd.cli.estimate import show_estimate
from db3kd.cli.options import content_of
from db3kd.cli.results import print_report, show_purchase
from db3kd.cli.session import Session, open_session
from db3kd.context import Tracker, untracked
from db3kd.errors import PlanError
from db3kd.pipeline.ask_again import REPEATS
from db3kd.pipeline.ask_all import HELD_OUT, MIXTURES
from db3kd.pipeline.conclude import conclude
from db3kd.pipeline.kept import kept_bought, kept_committee
from db3kd.pipeline.learn import COMMITTEE
from db3kd.pipeline.measure import NAME as DISTANCES
from db3kd.pipeline.settling import following
from db3kd.pipeline.teach import STUDENT
from db3kd.pipeline.tell import Purchase, Until, buy, foretell, teach_students, tell
from db3kd.plan import Content, merged
from db3kd.progress import Stages, showing
from db3kd.report.schema import Report
from db3kd.runs import Keeper, Outline, Run, existing, timed
from db3kd.runs.tracking import tracking

# What another run has bought belongs to these sections of its plan.
_TAKEN_OVER = ("teacher", "images", "pool", "rounds", "acquisition", "committee", "search")


def distill(
    *,
    run: options.RUN,
    teacher: options.TEACHER = None,
    images: options.IMAGES = None,
    budget: options.BUDGET = None,
    student: options.STUDENT = None,
    search: options.SEARCH = None,
    held_out: options.HELD_OUT = None,
    seed: options.SEED = None,
    plan: options.PLAN = None,
    settings: options.SET = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Learn from what this run has bought; nothing is asked.")
    ] = None,
    dry_run: options.DRY_RUN = False,
    measure: options.MEASURE = True,
    device: options.DEVICE = "cpu",
    ray: options.RAY = None,
    track: options.TRACK = None,
    as_json: options.JSON = False,
) -> None:
    """Copy what a teacher knows into a small network: questions, students, report.

    With --images, as many of them are asked about as the budget allows; without, images are made. The same command goes
    on with a run that was interrupted, without paying twice, and a larger --budget goes on with one that ended.
    """
    asked = content_of(
        plan,
        settings,
        teacher__uri=teacher,
        images__source=images,
        budget__total=budget,
        student__architecture=student,
        search__name=search,
        held_out__source=held_out,
        run__seed=seed,
        run__bought_by=None if source is None else str(source),
        cluster__address=ray,
    )
    with Run(run) as opened:
        session = open_session(opened, merged(_taken_over(opened, source), asked), device, dry=dry_run)
        if dry_run:
            _show_estimate(session, measure=measure, as_json=as_json)
            return
        with tracking(track, run) as tracker, session.adopted(), showing(remark) as stages:
            report = finish(session, stages, tracker)
        print_report(opened, report, as_json=as_json)


def _part(until: Until, told: str) -> Callable[..., None]:
    """Make the command that does a run up to a stage."""

    def command(
        *,
        run: options.RUN,
        teacher: options.TEACHER = None,
        images: options.IMAGES = None,
        pool: options.POOL = None,
        search: options.SEARCH = None,
        budget: options.BUDGET = None,
        seed: options.SEED = None,
        plan: options.PLAN = None,
        settings: options.SET = None,
        dry_run: options.DRY_RUN = False,
        measure: options.MEASURE = True,
        device: options.DEVICE = "cpu",
        ray: options.RAY = None,
        track: options.TRACK = None,
        as_json: options.JSON = False,
    ) -> None:
        named = {"teacher__uri": teacher, "images__source": images, "pool__kind": pool, "search__name": search}
        asked = content_of(plan, settings, **named, budget__total=budget, run__seed=seed, cluster__address=ray)
        with Run(run) as opened:
            session = open_session(opened, asked, device, dry=dry_run)
            if until == "answers" and session.plan.images is not None:
                raise PlanError("synthesize makes images, and some are named; nothing was asked: use label or distill")
            if dry_run:
                _show_estimate(session, until, measure=measure, as_json=as_json)
                return
            with (
                tracking(track, run) as tracker,
                session.adopted(),
                showing(remark) as shown,
                session.asking(shown) as story,
                timed(opened),
            ):
                purchase = buy(story, session.keeper(shown, tracker), until=until)
            show_purchase(session, purchase, as_json=as_json)
        remark(f"next: db3kd distill --run {run}")

    command.__doc__ = f"{told}; `distill` goes on in the same directory."
    return command


label = _part("distances", "Ask about images, and for distances where a search is named")
synthesize = _part("answers", "Make images for a teacher of which there are none: only its decisions are asked")


def _taken_over(run: Run, source: Path | None) -> Content:
    """The sections of another run's plan that belong to what it has bought; none where no other run is learned from."""
    section = (run.plan() or {}).get("run")
    bought_by = source or (section.get("bought_by") if isinstance(section, dict) else None)
    if bought_by is None:
        return {}
    with existing(bought_by) as other:
        plan = other.plan() or {}
    return {name: plan[name] for name in _TAKEN_OVER if name in plan}


def finish(session: Session, stages: Stages, tracker: Tracker = untracked) -> Report:
    """Do all that is still to be done of a run, which may learn from what another one has bought."""
    keeper, source = session.keeper(stages, tracker), session.plan.run.bought_by
    with session.asking(stages) as story:
        if source is None:
            purchase, students = tell(story, keeper)
            return conclude(story, keeper, purchase, students)
        with existing(source) as other, timed(session.run):
            session.run.adopt_teacher(story.teacher.spec)
            keeper.declare(_outlines(session, keeper))
            kept = Keeper(other)
            bought, committee = kept_bought(kept), kept_committee(kept, story.committee)
            students = teach_students(following(story, committee), keeper, bought, len(bought.answers))
        purchase = Purchase(bought, planned=len(bought.answers), committee=committee)
        return conclude(story, keeper, purchase, students)


def _show_estimate(session: Session, until: Until | None = None, *, measure: bool, as_json: bool) -> None:
    keeper = session.keeper()
    show_estimate(session, keeper, _outlines(session, keeper, until), measure=measure, as_json=as_json)


def _outlines(session: Session, keeper: Keeper, until: Until | None = None) -> tuple[Outline, ...]:
    """The stages that are going to be done; a run that learns from another one asks nothing but held-out images."""
    outlines = foretell(session.story, keeper)
    learning = (*session.story.student.baselines, STUDENT, HELD_OUT)
    if session.plan.run.bought_by is not None:
        return tuple(outline for outline in outlines if outline.name in learning)
    later = {
        None: (),
        "distances": (*learning, REPEATS),
        "answers": (*learning, REPEATS, MIXTURES, COMMITTEE, DISTANCES),
    }
    return tuple(outline for outline in outlines if outline.name not in later[until])
