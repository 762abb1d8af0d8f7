"""`db3kd run`, `db3kd status` and `db3kd demo`: their arguments."""

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
    """Do a whole plan: images where there are none, questions, students, report; run it again to go on."""
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


def demo(
    folder: Annotated[
        Path, typer.Option("--run", help="Directory that remembers all of it; running again goes on there.")
    ] = Path("runs/demo"),
    images: Annotated[int, typer.Option(min=10, help="Digits that each student sees.")] = 300,
    queries_per_pair: Annotated[int, typer.Option(min=1, help="Of the minimal boundary distance.")] = 500,
    device: options.DEVICE = "cpu",
    as_json: options.JSON = False,
) -> None:
    """Do the main job on 5,000 real digits in minutes: teacher, baselines and the paper's methods in one table."""
    from db3kd.cli.work.demonstrating import show_demo

    show_demo(folder, images=images, queries_per_pair=queries_per_pair, device=device, as_json=as_json)
