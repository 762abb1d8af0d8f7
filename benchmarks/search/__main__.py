"""`python -m benchmarks.search`: its options, its table, its file."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import command
from benchmarks.environment import rivals_python
from benchmarks.search.bench import BenchSettings
from benchmarks.search.figures import SearchBench, SearchFigures
from benchmarks.search.rivals import RivalSettings
from benchmarks.search.search import measure_searches
from db3kd.data import load
from db3kd.errors import InputError
from db3kd.models import weights
from db3kd.training import Committee


def search(
    *,
    teacher: Annotated[str, typer.Option(help="A network of ours: torch:FILE or torch:ARCHITECTURE@FILE.")],
    images: Annotated[str, typer.Option(help="Pairs and exemplars are drawn from this source's training images.")],
    file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of an image and a class to compare distances on.")] = 360,
    limit: Annotated[int | None, typer.Option(min=1, help="Take that many images, drawn by the seed.")] = None,
    seed: Annotated[int, typer.Option(help="Of all random choices.")] = 0,
    max_batch: Annotated[int, typer.Option(min=1, help="Most rows a call.")] = 96,
    committee: Annotated[int, typer.Option(min=0, help="Networks that guide the guided search.")] = 4,
    committee_architecture: Annotated[str, typer.Option(help="Their architecture.")] = "lenet5",
    run: Annotated[Path | None, typer.Option("--run", help="Keeps the committee, for another time.")] = None,
    rivals: Annotated[bool, typer.Option("--rivals", help="Public attacks too, installed on first use.")] = False,
    rival_pairs: Annotated[int | None, typer.Option(min=1, help="Only so many of the pairs for them.")] = None,
    device: Annotated[str, typer.Option(help="Where teacher and searches run: cpu, cuda, cuda:N.")] = "cpu",
) -> None:
    """Measure the searches: distances over the white-box minimum, queries, and rows a second against the teacher's."""
    command.check_file(file)
    network = command.weights_of(teacher)
    if rival_pairs is not None and not rivals:
        raise InputError("--rival-pairs says how many pairs --rivals attack; nothing was measured: give both")
    # Opened for its checks alone: whether the file holds the architecture that is named.
    command.teacher_of(teacher, device=device)
    module, header = weights.from_file(network)
    figures = measure_searches(
        module,
        load(images, "train", limit=limit, seed=seed),
        teacher=teacher,
        num_classes=int(header["num_classes"]),
        settings=BenchSettings(
            pairs=pairs,
            seed=seed,
            max_batch=max_batch,
            committee=Committee(committee_architecture, committee, mixtures_per_image=2.0) if committee else None,
            device=device,
            rivals=RivalSettings(rivals_python(), network, pairs=rival_pairs) if rivals else None,
        ),
        folder=run,
        on_search=lambda figure: command.remark(f"{figure.name}, {figure.setting}: measured"),
    )
    command.write(file, asdict(figures))
    _show(figures)


def _show(figures: SearchBench) -> None:
    title = f"{figures.teacher}: {figures.pairs} pairs of {figures.images}"
    command.print_table(title, [_row(figure) for figure in figures.searches], names=2)
    command.print_figures(
        {
            "bare teacher": f"{figures.bare_rows_per_second:,.0f} rows/s in batches of {figures.bare.batch}, "
            f"{figures.bare.memory_layout}",
            "white-box minimum": f"mean {figures.whitebox_mean:.3f}, median {figures.whitebox_median:.3f}, "
            f"{figures.whitebox_not_found} not found",
            "for the exemplars": f"{figures.pool_queries:,} queries",
        }
    )


def _row(figure: SearchFigures) -> dict[str, str]:
    return {
        "search": figure.name,
        "setting": figure.setting,
        "queries/pair": f"{figure.queries_per_pair:,.1f}",
        "mean/white box": _number(figure.ratio_to_whitebox_mean, ".2f"),
        "median/white box": _number(figure.ratio_to_whitebox_median, ".2f"),
        "not found": f"{figure.not_found:,}",
        "rows/s": _number(figure.rows_per_second, ",.0f"),
        "of bare": _number(figure.share_of_bare, ".2f"),
        "rows/call": _number(figure.rows_per_call, ".1f"),
    }


def _number(value: float | None, form: str) -> str:
    return command.UNKNOWN if value is None else format(value, form)


if __name__ == "__main__":
    command.run(search, "search")
