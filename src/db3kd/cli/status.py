"""`db3kd status`: what of a run is done, spent and left, from its files; no lock is taken, and no teacher asked."""

from dataclasses import asdict

from db3kd.cli import options
from db3kd.cli.display import print_json
from db3kd.cli.tables import print_table
from db3kd.errors import RunError
from db3kd.ledger import Statement
from db3kd.pipeline.ask_again import Repeats, kept_repeats
from db3kd.pipeline.budget import Budget
from db3kd.plan import open_budget, parse_plan
from db3kd.report.bills import bill_table, shown_money
from db3kd.report.tables import CHANGED, Column, Table, again_rows, duration, held_out_label
from db3kd.runs import Keeper, existing, seconds_until_now


def status(run: options.FOLDER, as_json: options.JSON = False) -> None:
    """Tell what of a run is done, spent and left; also while it is being written."""
    with existing(run) as opened:
        keeper, kept = Keeper(opened), opened.plan()
        stages, statement = keeper.standing(keeper.declared()), opened.statement()
        if kept is None and not stages:
            raise RunError(f"{run} holds no run of db3kd; nothing was done: name the directory given to --run")
        budget = open_budget(parse_plan({"budget": (kept or {}).get("budget", {})}, str(run / "plan.toml")).budget)
        repeats, seconds = kept_repeats(keeper), seconds_until_now(opened)
    left = {name: max(0, limit - statement.by_stage.get(name, 0)) for name, limit in budget.stages.items()}
    if budget.total is not None:
        left["total"] = max(0, budget.total - statement.total)
    if as_json:
        print_json(
            {
                "run": str(run),
                "stages": [asdict(stage) for stage in stages],
                "queries": asdict(statement),
                "left": left,
                "bill": asdict(statement.bill) if statement.bill else None,
                "money": budget.prices.money(statement.charged, statement.bill),
                "currency": budget.prices.currency,
                "seconds": seconds,
                "repeats": None if repeats is None else asdict(repeats),
            }
        )
        return
    columns = (Column("stage", numeric=False), Column("state", numeric=False), Column("done"), Column("of"))
    rows = ((stage.name, stage.state, f"{stage.done:,}", f"{stage.total:,} {stage.unit}") for stage in stages)
    print_table(Table(columns, tuple(rows)), f"{run}, {duration(seconds)} of work")
    if any(stage.ahead for stage in stages) or statement.total or statement.held_out:
        print_table(_query_table(statement, left, budget, repeats, unsaid="not known" if kept is None else "no limit"))
    print_table(bill_table(statement.bills, statement.held_out_bills, budget.prices))


def _query_table(
    spent: Statement, left: dict[str, int], budget: Budget, repeats: Repeats | None, *, unsaid: str
) -> Table:
    """Account for the queries; a run of a program in Python keeps no plan, so that its limits are not known."""
    columns = (Column("queries", numeric=False), Column("spent"), Column("left of the budget"))
    names = [*spent.by_stage, *(name for name in left if name not in spent.by_stage and name != "total"), "total"]
    counts = {**spent.by_stage, "total": spent.total}
    rows = [(name, f"{counts.get(name, 0):,}", f"{left[name]:,}" if name in left else unsaid) for name in names]
    rows += [(*row, "") for row in again_rows(spent.by_stage, spent.charged_again)]
    if spent.unsettled:
        rows.append(("of these leased, not known to have been sent", f"{spent.unsettled:,}", ""))
    rows += [(held_out_label(name), f"{count:,}", "") for name, count in spent.held_out.items()]
    rows += [(*row, "") for row in again_rows(spent.held_out, spent.charged_again)]
    if repeats is not None:
        rows.append((CHANGED, f"{repeats.changed:,} of {repeats.asked:,}", ""))
    money = budget.prices.money(spent.charged, spent.bill)
    if money is not None:
        rows.append((f"{budget.prices.currency}, held-out queries too", shown_money(money), ""))
    return Table(columns, tuple(rows))
