"""What is going to be asked, told beforehand: queries, time and money, as a table or as JSON."""

import time
from dataclasses import asdict
from typing import NamedTuple

from db3kd.cli.display import print_json, remark
from db3kd.cli.session import Session
from db3kd.cli.tables import print_table
from db3kd.ledger import Bill, Ledger, Prices
from db3kd.oracle import Oracle
from db3kd.pipeline.budget import Budget
from db3kd.plan import open_budget
from db3kd.pools import NoiseOptions, draw_noise
from db3kd.report.bills import shown_money
from db3kd.report.tables import Column, Table, count, duration, held_out_label
from db3kd.runs import Keeper, Outline

_CALLS, _SECONDS = 4, 2.0


class _Speed(NamedTuple):
    """Rows a second, how many were asked to find that out, and what a service billed for them."""

    rows_per_second: float
    asked: int
    bill: Bill


class _Row(NamedTuple):
    """What a stage asks, at most."""

    stage: str
    most: int
    ahead: int
    held_out: bool
    seconds: float | None
    tokens: tuple[int, int] | None
    money: float | None


def show_estimate(
    session: Session, keeper: Keeper, outlines: tuple[Outline, ...], *, measure: bool, as_json: bool
) -> None:
    """Print what is going to be asked, at most; nothing is written, and nothing spent of the budget."""
    budget = open_budget(session.plan.budget)
    asking = [outline for outline in outlines if outline.queries]
    stages = keeper.standing(asking)
    speed = _measure(session) if measure and any(stage.ahead for stage in stages) else None
    # What this very run was billed tells best; a few calls with noise tell it before.
    known = session.run.statement().bill or (Bill() if speed is None else speed.bill)

    def row(name: str, most: int, ahead: int, *, held_out: bool = False) -> _Row:
        seconds = None if speed is None else ahead / speed.rows_per_second
        bill = known.foretell(ahead)
        tokens = None if bill is None else (bill.input_tokens, bill.output_tokens)
        return _Row(name, most, ahead, held_out, seconds, tokens, budget.prices.money(ahead, bill))

    rows = [
        row(stage.name, outline.queries, stage.ahead, held_out=stage.held_out)
        for stage, outline in zip(stages, asking, strict=True)
    ]
    counted = [one for one in rows if not one.held_out]
    total, everything = (
        row(name, sum(one.most for one in some), sum(one.ahead for one in some))
        for name, some in (("total", counted), ("with held-out queries", rows))
    )
    left = None if budget.total is None else max(0, budget.total - session.run.statement().total)
    enough = None if left is None else total.ahead <= left
    if as_json:
        print_json(
            {
                "stages": [one._asdict() for one in rows],
                "total": _sums_of(total),
                "with_held_out": _sums_of(everything),
                "budget": {"total": budget.total, "left": left, "enough": enough},
                "currency": budget.prices.currency,
                "speed": None if speed is None else {**speed._asdict(), "bill": asdict(speed.bill)},
            }
        )
        return
    done = {stage.name for stage in stages if stage.state == "done"}
    shown = [*counted, total, *(one for one in rows if one.held_out), *[everything] * (len(rows) > len(counted))]
    print_table(_table(shown, done, budget), "what is asked, at most")
    if session.teacher.teacher.spec.meter is not None:
        remark(_tell_bill(speed, known, budget.prices))
    if left is not None:
        verdict = "is enough" if enough else "may not be enough: asking then ends there, and a larger budget goes on"
        remark(f"the budget leaves {left:,} queries, which {verdict}")
    remark(
        "the teacher was not asked, and its speed is not known"
        if speed is None
        else f"the time is the teacher's alone, at {speed.rows_per_second:,.0f} rows/s, measured with {speed.asked:,} "
        "queries outside the budget; searches and the training of networks take theirs"
    )
    remark("nothing was spent of the budget, and nothing was written")


def _sums_of(row: _Row) -> dict[str, object]:
    return {name: getattr(row, name) for name in ("most", "ahead", "seconds", "tokens", "money")}


def _table(rows: list[_Row], done: set[str], budget: Budget) -> Table:
    columns = [Column("stage", numeric=False), Column("queries"), Column("still to ask"), Column("time")]
    billed, priced = any(one.tokens for one in rows), any(one.money is not None for one in rows)
    columns += [Column("tokens in"), Column("tokens out")] * billed + [Column(budget.prices.currency)] * priced
    cells = [
        (
            held_out_label(one.stage) if one.held_out else one.stage,
            f"{one.most:,}",
            "done" if one.stage in done else f"{one.ahead:,}",
            duration(one.seconds),
            *map(count, (one.tokens or (0, 0)) * billed),
            *((shown_money(one.money),) * priced),
        )
        for one in rows
    ]
    return Table(tuple(columns), tuple(cells))


def _tell_bill(speed: _Speed | None, known: Bill, prices: Prices) -> str:
    """Say how the tokens are known, and what finding them out has cost."""
    each = known.foretell(1)
    if each is None:
        return "the teacher bills tokens, and how many a question takes is not known yet: --measure asks a few"
    told = f"a question takes about {each.input_tokens:,} tokens in and {each.output_tokens:,} out"
    if speed is None:
        return f"{told}, by what this run was billed so far"
    money = prices.tokens(speed.bill)
    cost = "" if money is None else f", {shown_money(money)} {prices.currency},"
    return f"{told}; {speed.bill.input_tokens + speed.bill.output_tokens:,} tokens{cost} were billed for measuring"


def _measure(session: Session) -> _Speed:
    """Ask for a few full calls of noise, here; the first, which is often slower than all others, does not count."""
    teacher, cluster = session.teacher.teacher, session.cluster
    batch = draw_noise(teacher.spec, NoiseOptions(images_per_round=teacher.spec.max_batch), 0, seed=0)
    with Ledger(None) as ledger, ledger.account("speed", held_out=True) as account:
        oracle = Oracle(teacher, account)
        oracle(batch)
        first, started = oracle.usage, time.monotonic()
        for _ in range(_CALLS):
            oracle(batch)
            if time.monotonic() - started > _SECONDS:
                break
        service, done = teacher.spec.service, oracle.usage
        speed = (done.rows - first.rows) / max(done.seconds - first.seconds, 1e-9)
        if teacher.spec.meter is not None:
            # It takes one row a call, here one after another.
            speed *= service.in_flight
        if cluster is not None:
            speed *= max(1, cluster.replicas)
        speed = min(speed, service.rows_per_second or speed)
        return _Speed(speed, account.spent, ledger.statement().bill)
