"""`db3kd evaluate` and `db3kd report`: a run's students, or one network, measured; its page made again."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from db3kd.cli import options
from db3kd.cli.display import print_json, print_pairs, remark
from db3kd.cli.options import content_of
from db3kd.cli.results import print_report
from db3kd.cli.session import open_session, read_images
from db3kd.cli.stories import finish
from db3kd.cli.tables import print_table
from db3kd.errors import InputError, RunError
from db3kd.evaluation import Evaluation
from db3kd.evaluation import evaluate as measure
from db3kd.ledger import Ledger
from db3kd.models import parameter_count, weights
from db3kd.oracle import Oracle
from db3kd.pipeline.asking import as_seen
from db3kd.pipeline.conclude import PAGE, PICTURE, read_report, write_report
from db3kd.pipeline.pictures import kept_examples
from db3kd.pipeline.rounds import NAME
from db3kd.pipeline.settling import check_images
from db3kd.pipeline.story import Story
from db3kd.pipeline.teach import STUDENT
from db3kd.pipeline.tell import foretell
from db3kd.plan import Content, open_teacher, parse_plan
from db3kd.progress import showing
from db3kd.report.tables import UNKNOWN, Column, Table, count, percent
from db3kd.runs import Keeper, existing
from db3kd.teachers import TeacherSpec
from db3kd.teachers.watched import WatchedTeacher


def evaluate(
    run: Annotated[Path | None, typer.Argument(help="Directory of a run.", metavar="[DIR]")] = None,
    *,
    held_out: options.HELD_OUT = None,
    weights_file: Annotated[Path | None, typer.Option("--weights", help="Measure this network instead.")] = None,
    data: Annotated[str | None, typer.Option(help="Images to measure it on.", metavar="SOURCE")] = None,
    teacher: options.TEACHER = None,
    settings: options.SET = None,
    device: options.DEVICE = "cpu",
    as_json: options.JSON = False,
) -> None:
    """Measure accuracy, agreement with the teacher and calibration; no budget counts held-out queries."""
    if (run is None) == (weights_file is None):
        raise typer.BadParameter("name either a run, or --weights with --data")
    if (weights_file is None) != (data is None) or (run is None and held_out is not None):
        raise typer.BadParameter("--weights and --data belong together; a run is measured on --held-out")
    asked = content_of(None, settings, held_out__source=held_out or data)
    named = content_of(None, None, teacher__uri=teacher)
    if weights_file is not None:
        _evaluate_network(weights_file, {**asked, **named}, device=device, as_json=as_json)
    if run is not None:
        _evaluate_run(run, asked, named, device=device, as_json=as_json)


def report(run: options.FOLDER, as_json: options.JSON = False) -> None:
    """Print the tables of a run's report and make its page again; nothing is measured or asked."""
    with existing(run) as opened:
        found, keeper = read_report(opened), Keeper(opened)
        # The page of another program, such as the demo, holds more than can be made again here.
        if keeper.count(NAME) or opened.get(PAGE) is None:
            write_report(opened, found, kept_examples(keeper, found.class_names), opened.get(PICTURE) or b"")
        print_report(opened, found, as_json=as_json)


def _evaluate_run(folder: Path, asked: Content, named: Content, *, device: str, as_json: bool) -> None:
    with existing(folder) as run:
        if run.plan() is None:
            raise RunError(
                f"{folder} holds no plan, since no command made it; nothing was measured: use --weights "
                f"{folder / STUDENT}.safetensors --data SOURCE"
            )
        session = open_session(run, asked, device, aside=named)
        keeper = session.keeper()
        if not keeper.has(STUDENT):
            raise RunError(f"{folder} holds no student yet; nothing was measured: go on with `db3kd distill` first")
        if session.story.held_out is None:
            raise InputError(f"{folder} names no held-out images; nothing was measured: name them with --held-out")
        session = replace(session, story=_without_spending(session.story, keeper))
        with session.adopted(), showing(remark) as stages:
            found = finish(session, stages)
        print_report(run, found, as_json=as_json)


def _without_spending(story: Story, keeper: Keeper) -> Story:
    """Give the story as far as it was done: no stage may spend more, and no student is trained."""
    spent = keeper.run.statement().by_stage
    stages = {outline.name: spent.get(outline.name, 0) for outline in foretell(story, keeper) if outline.queries}
    student = replace(story.student, baselines=tuple(name for name in story.student.baselines if keeper.has(name)))
    return replace(story, student=student, budget=replace(story.budget, stages=stages))


def _evaluate_network(file: Path, content: Content, *, device: str, as_json: bool) -> None:
    plan = parse_plan(content)
    assert plan.held_out is not None, "--data is given"
    network, header = weights.from_file(file)
    shape = weights.input_shape_of(header)
    images = read_images(plan.held_out, shape)
    check_images(TeacherSpec(shape, int(header["num_classes"])), images)
    decisions, asked = None, 0
    if plan.teacher is not None:
        teacher = open_teacher(plan.teacher, device=device).teacher
        images = as_seen(images, teacher.spec)
        check_images(teacher.spec, images)
        with showing(remark) as stages, Ledger(None) as ledger, ledger.account("held-out", held_out=True) as account:
            stages("held-out", 0, len(images), "images")
            decisions = Oracle(WatchedTeacher(teacher, stages.hear_rows), account)(images.images())
            stages("held-out", len(images), len(images), "images")
            asked = account.spent
    found = measure(network, images, decisions=decisions, labels=images.labels, device=device)
    if as_json:
        about = {"weights": str(file), "architecture": header["architecture"], "parameters": parameter_count(network)}
        print_json({**about, "data": images.name, "held_out_queries": asked, **asdict(found)})
        return
    _show(found, asked)


def _show(found: Evaluation, asked: int) -> None:
    calibration, error = found.calibration, UNKNOWN
    if calibration is not None:
        error = f"{percent(calibration.error)} against the {calibration.against}"
    shares = {"accuracy": percent(found.accuracy), "agreement": percent(found.agreement)}
    print_pairs({"images": f"{found.images:,}", **shares, "calibration error": error})
    columns = (Column("class"), Column("images"), Column("accuracy"), Column("decided"), Column("agreement"))
    rows = (
        (str(one.label), count(one.images), percent(one.accuracy), count(one.decided), percent(one.agreement))
        for one in found.classes
    )
    print_table(Table(columns, tuple(rows)))
    if asked:
        remark(f"the teacher was asked {asked:,} held-out queries, which no budget counts")
