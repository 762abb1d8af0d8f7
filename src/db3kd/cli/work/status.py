"""The work of `db3kd status`."""

from dataclasses import asdict
from pathlib import Path

from db3kd.cli.display import print_json
from db3kd.cli.work.kept import existing, kept_sections
from db3kd.cli.work.tables import print_table
from db3kd.errors import RunError
from db3kd.pipeline.asking import count_decided, has_held_out
from db3kd.pipeline.dataless import SECTION, rounds_of
from db3kd.pipeline.exploring import DatalessMethod
from db3kd.pipeline.priming import PRIMER, mixtures_for, primer_recipe
from db3kd.pipeline.status import Rounded, StageStatus, Status, look
from db3kd.pipeline.telling import STUDENT
from db3kd.plan import Sections
from db3kd.plan.dataless import open_imitation
from db3kd.plan.learning_keys import PrimerSection
from db3kd.plan.opening import open_budget, open_distillation, open_priming, open_train_recipe
from db3kd.plan.schema import BudgetSection
from db3kd.report.tables import CHANGED, UNKNOWN, Column, Table, duration
from db3kd.runs import Run


def show_status(folder: Path, *, as_json: bool) -> None:
    """Tell what of a run is done, spent and left.

    Args:
        folder: of the run.
        as_json: print JSON.
    """
    with existing(folder) as run:
        if run.plan() is None:
            raise RunError(f"{folder} holds no run of db3kd; nothing was done: name the directory given to --run")
        kept = kept_sections(run)
        budget = kept.budget or BudgetSection()
        rounds = _rounds(run, kept)
        networks = _networks(run, kept, rounds)
        found = look(run, budget=open_budget(budget), networks=networks, asks=kept.train is None, exploration=rounds)
    price = budget.price_per_1000
    money = None if price is None else found.statement.total * price / 1000
    if as_json:
        queries = asdict(found.statement)
        stages = [asdict(stage) for stage in found.stages]
        about = {"run": str(folder), "stages": stages, "queries": queries, "left": dict(found.left)}
        repeats = None if found.repeats is None else asdict(found.repeats)
        figures = {**about, "money": money, "currency": budget.currency, "seconds": found.seconds, "repeats": repeats}
        print_json(figures)
        return
    print_table(_stage_table(found), f"{folder}, {duration(found.seconds)} of work")
    if kept.train is None:
        print_table(_query_table(found, money, budget.currency))


def _networks(run: Run, kept: Sections, rounds: Rounded | None) -> dict[str, int]:
    """The networks that a run trains, with their epochs."""
    if kept.train is not None:
        return {"model": open_train_recipe(kept.train).epochs}
    alone = _section_without_data(run)
    if alone is not None:
        return {STUDENT: int(str(alone["epochs"]))} if "epochs" in alone else {}
    if kept.distill is not None and kept.synthesize is not None and rounds is not None and rounds.told:
        return {STUDENT: open_imitation(kept.distill, kept.synthesize.queries).recipe.epochs}
    primers = _primers(run, kept)
    if kept.distill is None:
        return primers
    distillation = open_distillation(kept.distill)
    names = [*distillation.baselines, STUDENT]
    # Without true labels there is no such baseline, which shows once the run's own student, the last one, is there.
    if run.has(f"{STUDENT}.safetensors"):
        names = [name for name in names if run.has(f"{name}.safetensors")]
    return primers | dict.fromkeys(names, distillation.recipe.epochs)


def _section_without_data(run: Run) -> dict[str, object] | None:
    """What `db3kd.distill_without_data` was asked for, in a run of its own."""
    section = (run.plan() or {}).get(SECTION)
    return section if isinstance(section, dict) else None


def _rounds(run: Run, kept: Sections) -> Rounded | None:
    """The rounds of a run that makes images by asking about them."""
    alone = _section_without_data(run)
    if alone is not None:
        method: DatalessMethod = "priors" if alone["method"] == "priors" else "active"
        sizes = rounds_of(method).sizes(int(str(alone["queries"])))
        return Rounded(sizes, told=True, held_out=has_held_out(run))
    section = kept.synthesize
    if section is None or section.method == "repulsion":
        return None
    sizes = rounds_of(section.method).sizes(section.queries)
    # Images that `db3kd synthesize` made are labelled and distilled as any others.
    told = kept.distill is not None and kept.label is None
    return Rounded(sizes, told=told, held_out=told and kept.held_out is not None)


def _primers(run: Run, kept: Sections) -> dict[str, int]:
    """The networks that guide the search, with their epochs."""
    if kept.label is None:
        return {}
    priming = open_priming(kept.primer or PrimerSection(), kept.label)
    decided = count_decided(run)
    if priming is None or decided is None:
        return {}
    answers = decided[0] + mixtures_for(decided[0], priming)
    recipe = priming.recipe or primer_recipe(answers)
    return {f"{PRIMER}-{number}": recipe.epochs for number in range(priming.networks)}


def _stage_table(found: Status) -> Table:
    columns = (Column("stage", numeric=False), Column("state", numeric=False), Column("done"), Column("of"))
    rows = tuple(
        (stage.stage, stage.state, _count(stage.done, stage), _count(stage.total, stage)) for stage in found.stages
    )
    return Table(columns, rows)


def _query_table(found: Status, money: float | None, currency: str) -> Table:
    columns = (Column("queries", numeric=False), Column("spent"), Column("left of the budget"))
    spent, left = found.statement, found.left
    names = [*spent.by_stage, *(name for name in left if name not in spent.by_stage and name != "total")]
    rows = [(name, f"{spent.by_stage.get(name, 0):,}", _left(name, found)) for name in names]
    rows.append(("total", f"{spent.total:,}", _left("total", found)))
    if spent.unsettled:
        rows.append(("of these set aside, not known to have been sent", f"{spent.unsettled:,}", ""))
    rows += [(f"{name} (held out, not in the total)", f"{count:,}", "") for name, count in spent.held_out.items()]
    if found.repeats is not None:
        rows.append((CHANGED, f"{found.repeats.changed:,} of {found.repeats.asked:,}", ""))
    if money is not None:
        rows.append((currency, f"{money:,.2f}", ""))
    return Table(columns, tuple(rows))


def _left(name: str, found: Status) -> str:
    return f"{found.left[name]:,}" if name in found.left else "no limit"


def _count(number: int | None, stage: StageStatus) -> str:
    return UNKNOWN if number is None else f"{number:,} {stage.unit}".rstrip()
