"""What is going to be asked, told beforehand: queries, time and money, as a table or as JSON."""

import time
from typing import NamedTuple

from db3kd.cli.display import print_json, remark
from db3kd.cli.session import Session
from db3kd.cli.tables import print_table
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.pipeline.budget import Budget
from db3kd.plan import open_budget
from db3kd.pools import NoiseOptions, draw_noise
from db3kd.report.tables import Column, Table, duration, held_out_label
from db3kd.runs import Keeper, Outline
from db3kd.teachers import Teacher

_CALLS, _SECONDS = 4, 2.0


class _Speed(NamedTuple):
    """Rows a second, and how many were asked to find that out."""

    rows_per_second: float
    asked: int


class _Row(NamedTuple):
    """What a stage asks, at most."""

    stage: str
    most: int
    ahead: int
    held_out: bool
    seconds: float | None
    money: float | None


def show_estimate(
    session: Session, keeper: Keeper, outlines: tuple[Outline, ...], *, measure: bool, as_json: bool
) -> None:
    """Print what is going to be asked, at most; nothing is written, and nothing spent of the budget."""
    budget = open_budget(session.plan.budget)
    asking = [outline for outline in outlines if outline.queries]
    stages = keeper.standing(asking)
    speed = _measure(session.teacher.teacher) if measure and any(stage.ahead for stage in stages) else None

    def row(name: str, most: int, ahead: int, *, held_out: bool = False) -> _Row:
        seconds = None if speed is None else ahead / speed.rows_per_second
        return _Row(name, most, ahead, held_out, seconds, budget.money(ahead))

    rows = [
        row(stage.name, outline.queries, stage.ahead, held_out=stage.held_out)
        for stage, outline in zip(stages, asking, strict=True)
    ]
    counted = [one for one in rows if not one.held_out]
    total = row("total", sum(one.most for one in counted), sum(one.ahead for one in counted))
    left = None if budget.total is None else max(0, budget.total - session.run.statement().total)
    enough = None if left is None else total.ahead <= left
    if as_json:
        print_json(
            {
                "stages": [one._asdict() for one in rows],
                "total": {name: getattr(total, name) for name in ("most", "ahead", "seconds", "money")},
                "budget": {"total": budget.total, "left": left, "enough": enough},
                "currency": budget.currency,
                "speed": None if speed is None else speed._asdict(),
            }
        )
        return
    done = {stage.name for stage in stages if stage.state == "done"}
    shown = [*counted, total, *(one for one in rows if one.held_out)]
    print_table(_table(shown, done, budget), "what is asked, at most")
    if left is not None:
        verdict = "is enough" if enough else "may not be enough: asking then ends there, and a larger budget goes on"
        remark(f"the budget leaves {left:,} queries, which {verdict}")
    remark(
        "the teacher was not asked, so no time is told"
        if speed is None
        else f"the time is the teacher's alone, at {speed.rows_per_second:,.0f} rows/s, measured with {speed.asked:,} "
        "queries outside the budget; searches and the training of networks take theirs"
    )
    remark("nothing was spent of the budget, and nothing was written")


def _table(rows: list[_Row], done: set[str], budget: Budget) -> Table:
    columns = [Column("stage", numeric=False), Column("queries"), Column("still to ask"), Column("time")]
    columns += [] if budget.price_per_1000 is None else [Column(budget.currency)]
    cells = [
        (
            held_out_label(one.stage) if one.held_out else one.stage,
            f"{one.most:,}",
            "done" if one.stage in done else f"{one.ahead:,}",
            duration(one.seconds),
            "" if one.money is None else f"{one.money:,.2f}",
        )
        for one in rows
    ]
    return Table(tuple(columns), tuple(row[: len(columns)] for row in cells))


def _measure(teacher: Teacher) -> _Speed:
    """Ask for a few full calls of noise; the first, which is often slower than all others, does not count."""
    batch = draw_noise(teacher.spec, NoiseOptions(images_per_round=teacher.spec.max_batch), 0, seed=0)
    with Ledger(None) as ledger, ledger.account("speed", held_out=True) as account:
        oracle = Oracle(teacher, account)
        oracle(batch)
        first, started = oracle.usage, time.monotonic()
        for _ in range(_CALLS):
            oracle(batch)
            if time.monotonic() - started > _SECONDS:
                break
        seconds = oracle.usage.seconds - first.seconds
        return _Speed((oracle.usage.rows - first.rows) / max(seconds, 1e-9), account.spent)
