"""The work of `db3kd run`, and of its dry run."""

from dataclasses import replace
from pathlib import Path

from db3kd.cli.display import print_json, remark, showing
from db3kd.cli.work.evaluating import print_report
from db3kd.cli.work.kept import keep_answers
from db3kd.cli.work.tables import print_table
from db3kd.cli.work.watching import Watched
from db3kd.pipeline import tell
from db3kd.pipeline.estimate import Speed, StageEstimate, check_run, estimate, measure_speed
from db3kd.pipeline.telling import check
from db3kd.plan import open_story, read_plan
from db3kd.plan.schema import BudgetSection
from db3kd.report.tables import UNKNOWN, Column, Table, duration
from db3kd.runs import Run


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
        story = open_story(plan, device=device)
        # Before the run is bound to it: a plan that cannot be done may be mended and given again.
        check(story)
        run.adopt(plan.sections())
        run.adopt_teacher(story.teacher.spec.fingerprint)
        keep_answers(run, story.teacher, plan.budget)
        with showing() as stages:
            watched = replace(story, teacher=Watched(story.teacher, stages.hear_rows))
            report = tell(run, watched, progress=stages)
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
        story = open_story(plan, device=device)
        check(story)
        check_run(run, plan.sections(), story.teacher.spec.fingerprint)
        stages = estimate(run, story)
        left = None if story.budget.total is None else max(0, story.budget.total - run.statement().total)
    speed = measure_speed(story.teacher, story.images) if measure and any(stage.ahead for stage in stages) else None
    show_estimate(stages, speed, plan.budget, left, as_json=as_json)


def show_estimate(
    stages: tuple[StageEstimate, ...], speed: Speed | None, budget: BudgetSection, left: int | None, *, as_json: bool
) -> None:
    """Print what is going to be asked, beforehand.

    Args:
        stages: what each of them asks.
        speed: of the teacher; None where it was not measured.
        budget: total and price.
        left: what it leaves; None where there is no limit.
        as_json: print JSON.
    """
    figures = _figures(stages, speed, budget, left)
    if as_json:
        print_json(figures)
        return
    print_table(_table(stages, speed, budget), "what is asked, at most")
    _remark_all(figures, speed, left)


def _figures(
    stages: tuple[StageEstimate, ...], speed: Speed | None, budget: BudgetSection, left: int | None
) -> dict[str, object]:
    counted = [stage for stage in stages if not stage.held_out]
    ahead = sum(stage.ahead for stage in counted)
    return {
        "stages": [
            {
                "stage": stage.stage,
                "most": stage.most,
                "ahead": stage.ahead,
                "held_out": stage.held_out,
                "seconds": _seconds(stage.ahead, speed),
                "money": _money(stage.ahead, budget),
            }
            for stage in stages
        ],
        "total": {
            "most": sum(stage.most for stage in counted),
            "ahead": ahead,
            "seconds": _seconds(ahead, speed),
            "money": _money(ahead, budget),
        },
        "budget": {"total": budget.total, "left": left, "enough": None if left is None else ahead <= left},
        "currency": budget.currency,
        "speed": None if speed is None else {"rows_per_second": speed.rows_per_second, "asked": speed.asked},
    }


def _table(stages: tuple[StageEstimate, ...], speed: Speed | None, budget: BudgetSection) -> Table:
    columns = (Column("stage", numeric=False), Column("queries"), Column("still to ask"), Column("time"))
    priced = budget.price_per_1000 is not None
    counted = [stage for stage in stages if not stage.held_out]
    total = StageEstimate("total", sum(stage.most for stage in counted), sum(stage.ahead for stage in counted))

    def row(stage: StageEstimate) -> tuple[str, ...]:
        name = f"{stage.stage} (held out, not in the total)" if stage.held_out else stage.stage
        ahead = f"{stage.ahead:,}" if stage.ahead else "done" if stage.most else "0"
        cells = (name, f"{stage.most:,}", ahead, duration(_seconds(stage.ahead, speed)))
        money = _money(stage.ahead, budget)
        return (*cells, UNKNOWN if money is None else f"{money:,.2f}") if priced else cells

    rows = [*counted, total, *(stage for stage in stages if stage.held_out)]
    return Table((*columns, Column(budget.currency)) if priced else columns, tuple(row(stage) for stage in rows))


def _remark_all(figures: dict[str, object], speed: Speed | None, left: int | None) -> None:
    budget = figures["budget"]
    assert isinstance(budget, dict)
    if left is not None:
        verdict = "is enough" if budget["enough"] else "may not be enough: the run then stops there, and can go on"
        remark(f"the budget leaves {left:,} queries, which {verdict}")
    if speed is None:
        remark("the teacher was not asked, so no time is told")
    else:
        remark(
            f"the time is the teacher's alone, at {speed.rows_per_second:,.0f} rows/s, measured with {speed.asked:,} "
            "queries outside the budget; searches and the training of students take theirs"
        )
    remark("nothing was spent of the budget, and nothing was written")


def _seconds(rows: int, speed: Speed | None) -> float | None:
    return None if speed is None else rows / speed.rows_per_second


def _money(rows: int, budget: BudgetSection) -> float | None:
    return None if budget.price_per_1000 is None else rows * budget.price_per_1000 / 1000
