"""The work of `db3kd demo`."""

from pathlib import Path

from db3kd.bench.demo import DemoOptions, demonstrate
from db3kd.cli.display import showing
from db3kd.cli.work.evaluating import print_report
from db3kd.runs import Run


def show_demo(folder: Path, *, images: int, queries_per_pair: int, device: str, as_json: bool) -> None:
    """Run the demo and print its table.

    Args:
        folder: of the run.
        images: digits that each student sees.
        queries_per_pair: of the minimal boundary distance.
        device: where everything runs.
        as_json: print the report's JSON.
    """
    options = DemoOptions(images=images, queries_per_pair=queries_per_pair, device=device)
    with Run(folder) as run:
        with showing() as stages:
            report = demonstrate(run, options, progress=stages)
        print_report(run, report, as_json=as_json)
