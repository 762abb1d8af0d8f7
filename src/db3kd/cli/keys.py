"""`db3kd plan`: every key of a plan, out of the declarations that check it."""

from dataclasses import asdict, astuple
from typing import Annotated

import typer

from db3kd.cli import options
from db3kd.cli.display import print_json
from db3kd.cli.tables import print_table
from db3kd.errors import PlanError
from db3kd.plan import Plan
from db3kd.plan.listing import all_keys
from db3kd.plan.section import arguments_of
from db3kd.report.tables import Column, Table


def plan(
    section: Annotated[
        str | None, typer.Argument(help="One section alone, such as search.", metavar="[SECTION]")
    ] = None,
    as_json: options.JSON = False,
) -> None:
    """List every key of a plan: in TOML a section [search] with lines key = value, or --set search.key=value.

    A key without a default is what suits the teacher, the images and the budget.
    """
    told = arguments_of(Plan)
    if section is not None and section not in told:
        raise PlanError(f"there is no section {section!r}: it is one of {', '.join(told)}")
    keys = [one for one in all_keys() if section in (None, one.key.partition(".")[0])]
    if as_json:
        print_json([asdict(one) for one in keys])
        return
    columns = tuple(Column(title, numeric=False) for title in ("key", "of", "type", "default", "meaning"))
    for name in told if section is None else [section]:
        rows = tuple(astuple(one) for one in keys if one.key.partition(".")[0] == name)
        print_table(Table(columns, rows), f"[{name}] {told[name]}")
