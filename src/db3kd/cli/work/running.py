"""The work of `db3kd run`, and of its dry run: a plan with images, one that makes them, or one without any."""

from dataclasses import replace
from pathlib import Path

from db3kd.cli.display import Stages, showing
from db3kd.cli.work.estimates import show_estimate, some_noise
from db3kd.cli.work.evaluating import print_report
from db3kd.cli.work.kept import keep_answers, keep_known_classes, kept_sections
from db3kd.cli.work.watching import Watched
from db3kd.data import Dataset
from db3kd.models import build
from db3kd.pipeline import tell
from db3kd.pipeline.estimate import (
    StageEstimate,
    check_run,
    estimate,
    estimate_exploring,
    estimate_pushing,
)
from db3kd.pipeline.synthesized import check_makeable, kept_figures
from db3kd.pipeline.synthesizing import Pushing, synthesize
from db3kd.pipeline.telling import check
from db3kd.pipeline.telling_dataless import check_dataless, tell_without_data
from db3kd.pipeline.timing import timed
from db3kd.plan import Plan, open_story, read_plan
from db3kd.plan.dataless import open_dataless_story, settle
from db3kd.plan.opening import open_budget
from db3kd.plan.synthesis import open_pushing
from db3kd.plan.teachers import OpenedTeacher, open_teacher
from db3kd.report.schema import Report
from db3kd.runs import Run
from db3kd.teachers import TeacherSpec


def run_plan(plan_file: Path, folder: Path, *, device: str, as_json: bool) -> None:
    """Do all that is still to be done of a plan.

    Args:
        plan_file: the plan.
        folder: of the run.
        device: where everything runs.
        as_json: print the report's JSON.
    """
    plan = read_plan(plan_file)
    with Run(folder) as run:
        opened = open_teacher(plan.teacher, device=device)
        tell_it = _explore if plan.explores else _tell
        report = tell_it(run, plan, opened, device=device)
        print_report(run, report, as_json=as_json)


def foretell(plan_file: Path, folder: Path, *, measure: bool, device: str, as_json: bool) -> None:
    """Tell queries, time and money of a plan beforehand.

    Args:
        plan_file: the plan.
        folder: of the run, which may be there already.
        measure: ask the teacher a few calls, outside the budget.
        device: where everything would run.
        as_json: print JSON.
    """
    plan = read_plan(plan_file)
    with Run(folder) as run:
        opened = open_teacher(plan.teacher, device=device)
        foresee = _foresee_exploring if plan.explores else _foresee
        stages = foresee(run, plan, opened, device=device)
        spent = run.statement().total
    show_estimate(stages, opened.teacher, plan.budget, spent=spent, measure=measure, as_json=as_json)


def _tell(run: Run, plan: Plan, opened: OpenedTeacher, *, device: str) -> Report:
    """A plan with images, or one that makes them before by repulsion."""
    pushing = _pushing(plan, opened.teacher.spec, device=device)
    # Before the run is bound to it: a plan that cannot be done may be mended and given again.
    ahead = some_noise(opened.teacher.spec) if pushing is not None else None
    story = open_story(plan, device=device, opened=opened, made=ahead)
    check(story)
    run.adopt(plan.sections())
    run.adopt_teacher(opened.teacher.spec.fingerprint)
    keep_answers(run, opened.teacher, plan.budget)
    if plan.images is not None:
        keep_known_classes(run, opened.teacher, plan.images, story.images)
    with showing() as stages:
        if pushing is not None:
            made = _push(run, plan, opened, pushing, stages)
            story = open_story(plan, device=device, opened=opened, made=made)
        return tell(run, replace(story, teacher=Watched(story.teacher, stages.hear_rows)), progress=stages)


def _pushing(plan: Plan, spec: TeacherSpec, *, device: str) -> Pushing | None:
    if plan.synthesize is None:
        return None
    check_makeable(spec)
    pushing = open_pushing(plan.synthesize, device=device)
    if pushing.priming is not None:
        build(pushing.priming.architecture, spec.input_shape, spec.num_classes)
    return pushing


def _push(run: Run, plan: Plan, opened: OpenedTeacher, pushing: Pushing, stages: Stages) -> Dataset:
    with timed(run):
        watched = Watched(opened.teacher, stages.hear_rows)
        return synthesize(run, watched, pushing, budget=open_budget(plan.budget), progress=stages).images


def _explore(run: Run, plan: Plan, opened: OpenedTeacher, *, device: str) -> Report:
    """A plan without images, whose teacher is asked about made ones."""
    plan = settle(plan, opened.teacher.spec, kept_sections(run).synthesize)
    story = open_dataless_story(plan, opened, device=device)
    check_dataless(story)
    run.adopt(plan.sections())
    run.adopt_teacher(opened.teacher.spec.fingerprint)
    keep_answers(run, opened.teacher, plan.budget)
    with showing() as stages:
        watched = replace(story, teacher=Watched(story.teacher, stages.hear_rows))
        return tell_without_data(run, watched, progress=stages)


def _foresee(run: Run, plan: Plan, opened: OpenedTeacher, *, device: str) -> tuple[StageEstimate, ...]:
    spec = opened.teacher.spec
    pushing = _pushing(plan, spec, device=device)
    story = open_story(plan, device=device, opened=opened, made=None if pushing is None else some_noise(spec))
    check(story)
    check_run(run, plan.sections(), spec.fingerprint)
    if pushing is None:
        return estimate(run, story)
    figures = kept_figures(run)
    most = pushing.starts(spec.num_classes) * len(pushing.repulsion.keep) if figures is None else figures.images
    return (*estimate_pushing(run, pushing, spec), *estimate(run, story, made=most))


def _foresee_exploring(run: Run, plan: Plan, opened: OpenedTeacher, *, device: str) -> tuple[StageEstimate, ...]:
    plan = settle(plan, opened.teacher.spec, kept_sections(run).synthesize)
    story = open_dataless_story(plan, opened, device=device)
    check_dataless(story)
    check_run(run, plan.sections(), opened.teacher.spec.fingerprint)
    return estimate_exploring(run, story.exploring, story.held_out, budget=story.budget)
