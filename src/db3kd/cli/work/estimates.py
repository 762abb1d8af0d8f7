"""What is going to be asked, told beforehand: queries, time and money, as a table or as JSON.

Called by the commands that have a dry run.
"""

from db3kd.cli.display import print_json, remark
from db3kd.cli.work.tables import print_table
from db3kd.data import Dataset, from_arrays
from db3kd.pipeline.estimate import Speed, StageEstimate, measure_speed
from db3kd.plan.schema import BudgetSection
from db3kd.report.tables import UNKNOWN, Column, Table, duration
from db3kd.synthesis import NoiseOptions, draw_noise
from db3kd.teachers import Teacher, TeacherSpec


def show_estimate(
    stages: tuple[StageEstimate, ...],
    teacher: Teacher,
    budget: BudgetSection,
    *,
    spent: int,
    measure: bool,
    as_json: bool,
) -> None:
    """Print what is going to be asked, beforehand.

    Args:
        stages: what each of them asks.
        teacher: is going to be asked.
        budget: total and price.
        spent: of the budget already.
        measure: ask the teacher a few calls, outside the budget, if anything is still to be asked.
        as_json: print JSON.
    """
    left = None if budget.total is None else max(0, budget.total - spent)
    asked = measure and any(stage.ahead for stage in stages)
    speed = measure_speed(teacher, some_noise(teacher.spec)) if asked else None
    figures = _figures(stages, speed, budget, left)
    if as_json:
        print_json(figures)
        return
    print_table(_table(stages, speed, budget), "what is asked, at most")
    _remark_all(figures, speed, left)


def some_noise(spec: TeacherSpec) -> Dataset:
    """Draw a few images that any teacher of images can be asked about, to measure its speed or to check a story."""
    return from_arrays(draw_noise(spec, NoiseOptions(images_per_round=32), 0), name="noise")


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
