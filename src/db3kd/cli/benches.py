"""The commands `db3kd bench ...`, which measure what the README quotes.

What they measure lives in `db3kd.bench`.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from db3kd.cli import options

bench = typer.Typer(
    help="Measure searches beside the bare teacher, and students beside their baselines.", no_args_is_help=True
)


@bench.command()
def search(
    *,
    teacher: Annotated[str, typer.Option(help="A network of ours: torch:FILE or torch:ARCHITECTURE@FILE.")],
    images: Annotated[str, typer.Option(help="Pairs and exemplars are drawn from this source's training images.")],
    file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of an image and a class to compare distances on.")] = 360,
    limit: options.LIMIT = None,
    seed: Annotated[int, typer.Option(help="Of all random choices.")] = 0,
    max_batch: Annotated[int, typer.Option(min=1, help="Most rows a call.")] = 96,
    primers: Annotated[int, typer.Option(min=0, help="Networks that guide the guided search.")] = 4,
    primer_architecture: Annotated[str, typer.Option(help="Their architecture.")] = "lenet5",
    run: Annotated[Path | None, typer.Option("--run", help="Keeps the primers, for another time.")] = None,
    rivals: Annotated[bool, typer.Option("--rivals", help="Beside public attacks, installed on first use.")] = False,
    rival_pairs: Annotated[int | None, typer.Option(min=1, help="Only so many of the pairs for them.")] = None,
    device: options.DEVICE = "cpu",
) -> None:
    """Measure the searches: distances over the white-box minimum, queries, and rows a second beside the teacher."""
    from db3kd.cli.work.benches import measure

    measure(
        teacher,
        images,
        file,
        limit=limit,
        pairs=pairs,
        seed=seed,
        max_batch=max_batch,
        primers=primers,
        primer_architecture=primer_architecture,
        folder=run,
        rivals=rivals,
        rival_pairs=rival_pairs,
        device=device,
    )


@bench.command()
def frontier(
    *,
    teacher: Annotated[str, typer.Option(help="The teacher of all runs: torch:FILE or torch:ARCHITECTURE@FILE.")],
    bought: Annotated[list[Path], typer.Option("--bought", help="A run whose labelling is finished; several times.")],
    held_out: Annotated[str, typer.Option(help="The test split of this source is what students are measured on.")],
    folder: options.RUN,
    students: Annotated[str, typer.Option(help="Architectures.")] = "lenet5-half,lenet5-fifth",
    seeds: Annotated[str, typer.Option(help="Of the trainings.")] = "0,1,2",
    softenings: Annotated[str, typer.Option(help="A row by each of these rules.")] = "inverse,proportional,primers",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the images.")] = 30,
    batch_size: Annotated[int, typer.Option(min=1, help="Images per step.")] = 128,
    file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
    device: options.DEVICE = "cpu",
) -> None:
    """Train students on what runs have bought, beside their baselines on the same images: accuracy against queries."""
    from db3kd.cli.work.frontier import draw_frontier

    draw_frontier(
        teacher,
        bought,
        held_out,
        folder,
        file=file,
        section={"epochs": epochs, "batch_size": batch_size, "classes": "true"},
        students=options.listed(students) or [],
        seeds=options.listed(seeds) or [],
        softenings=options.listed(softenings) or [],
        device=device,
    )


@bench.command("zero-shot")
def zero_shot(
    *,
    teacher: Annotated[str, typer.Option(help="torch:FILE, torch:ARCHITECTURE@FILE or python:package.module:name.")],
    test: Annotated[str, typer.Option(help="The test split of this source is what students are measured on.")],
    calls: Annotated[int, typer.Option(min=1, help="Most queries, all of them counted.")] = 10_000,
    method: Annotated[
        Literal["active", "priors", "noise", "dip-kd", "repulsion", "repulsion-guided"],
        typer.Option(
            help="active: asked in rounds; priors: procedural images as they come. To compare with: noise; dip-kd: "
            "priors in its style; repulsion: the paper's ZSDB3KD at a hundred queries a step, by Sign-OPT or guided."
        ),
    ] = "active",
    students: Annotated[str, typer.Option(help="Architectures.")] = "lenet5,lenet5-half",
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Of each student; left out: 60, from 25,000 calls on more, 480 from 200,000."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all random choices.")] = 0,
    file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
    run: Annotated[Path | None, typer.Option("--run", help="Keeps everything, to go on after an interruption.")] = None,
    device: options.DEVICE = "cpu",
) -> None:
    """Measure students that never saw an image, at a number of calls."""
    from db3kd.cli.work.zero_shot import measure_without_data

    measure_without_data(
        teacher,
        test,
        file,
        calls=calls,
        method=method,
        students=options.listed(students) or [],
        epochs=epochs,
        seed=seed,
        folder=run,
        device=device,
    )


@bench.command()
def wire(
    *,
    teacher: Annotated[str, typer.Option(help="The teacher, with options; it is served on loopback.")],
    sizes: Annotated[str, typer.Option(help="Rows of a request.")] = "1,64,256,1024",
    in_flight: Annotated[int, typer.Option(min=1, help="Requests at once.")] = 2,
    server: Annotated[
        str | None, typer.Option(help="Measure this URI of the same teacher on a server that runs already.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="Where that server tells its counters; left out: /metrics beside its models.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
) -> None:
    """Measure what the wire costs: rows a second in the process and through `db3kd serve` on loopback."""
    from db3kd.cli.work.wire import measure_and_show

    rows = [int(size) for size in options.listed(sizes) or []]
    measure_and_show(teacher, rows, in_flight=in_flight, server=server, metrics=metrics, file=file)
