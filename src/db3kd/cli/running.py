"""`db3kd run` and `db3kd status`: their arguments."""

from pathlib import Path
from typing import Annotated

import typer

from db3kd.cli import options


def run(
    plan: Annotated[Path, typer.Argument(help="The plan, in TOML.", metavar="PLAN.toml")],
    folder: options.RUN,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell queries, time and money beforehand; spend nothing of the budget.")
    ] = False,
    measure: Annotated[
        bool,
        typer.Option(help="With --dry-run: ask the teacher a few full calls, outside the budget, to tell the time."),
    ] = True,
    device: options.DEVICE = "cpu",
    as_json: options.JSON = False,
) -> None:
    """Do a whole plan: decisions, distances, students, report; run again to go on where it stopped."""
    from db3kd.cli.work.running import foretell, run_plan

    if dry_run:
        foretell(plan, folder, measure=measure, device=device, as_json=as_json)
    else:
        run_plan(plan, folder, device=device, as_json=as_json)


def status(
    run: Annotated[Path, typer.Argument(help="Directory of a run.", metavar="DIR")], as_json: options.JSON = False
) -> None:
    """Tell what of a run is done, spent and left; also while it is being written."""
    from db3kd.cli.work.status import show_status

    show_status(run, as_json=as_json)
