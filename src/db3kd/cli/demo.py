"""`db3kd demo`: the main job on real digits."""

from pathlib import Path
from typing import Annotated

import typer

from db3kd.cli import options
from db3kd.cli.display import remark
from db3kd.cli.results import print_report
from db3kd.context import Context
from db3kd.demo import DemoOptions, demonstrate
from db3kd.progress import showing
from db3kd.runs import Keeper, Run


def demo(
    folder: Annotated[Path, typer.Option("--run", help="Directory that remembers all of it.")] = Path("runs/demo"),
    images: Annotated[int, typer.Option(min=10, help="Digits that each student sees.")] = 300,
    queries_per_pair: Annotated[int, typer.Option(min=1, help="Most questions per pair, for MBD.")] = 500,
    device: options.DEVICE = "cpu",
    as_json: options.JSON = False,
) -> None:
    """Do the main job on 5,000 real digits in minutes: teacher, baselines and the paper's methods in one table."""
    with Run(folder) as run:
        with showing(remark) as stages:
            keeper = Keeper(run, Context(device, progress=stages))
            report = demonstrate(keeper, DemoOptions(images=images, queries_per_pair=queries_per_pair))
        print_report(run, report, as_json=as_json)
