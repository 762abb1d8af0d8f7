"""`python -m benchmarks.zero_shot`: its options, its table, its file."""

import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import command
from benchmarks.zero_shot.zero_shot import ZeroShot, ZeroShotMethod, ZeroShotPlan, measure_zero_shot
from db3kd.context import Context
from db3kd.data import load
from db3kd.errors import InputError
from db3kd.pools.priors import FamilySet
from db3kd.runs import Keeper, Run


def zero_shot(
    *,
    teacher: Annotated[str, typer.Option(help="torch:FILE, torch:ARCHITECTURE@FILE or python:package.module:name.")],
    test: Annotated[str, typer.Option(help="The test split of this source is what students are measured on.")],
    calls: Annotated[int, typer.Option(min=1, help="Most queries, all of them counted.")] = 10_000,
    method: Annotated[
        ZeroShotMethod,
        typer.Option(
            help="active: asked in rounds; priors: procedural images as they come. To compare with: noise; dip-kd: "
            "priors in its style; repulsion: the paper's ZSDB3KD at a hundred queries a step, by Sign-OPT or guided."
        ),
    ] = "active",
    families: Annotated[FamilySet, typer.Option(help="all draws the pictures that db3kd holds too.")] = "procedural",
    pictures: Annotated[
        str | None, typer.Option(help="A folder of pictures of another kind: surrogates are made of them as well.")
    ] = None,
    students: Annotated[str, typer.Option(help="Architectures.")] = "lenet5,lenet5-half",
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Of each student; left out: 60, from 25,000 calls on more, 480 from 200,000."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all random choices.")] = 0,
    file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
    run: Annotated[Path | None, typer.Option("--run", help="Keeps everything, to go on after an interruption.")] = None,
    device: Annotated[str, typer.Option(help="Where networks are trained and asked: cpu, cuda, cuda:N.")] = "cpu",
) -> None:
    """Measure students that never saw an image, at a number of calls."""
    command.check_file(file)
    named = command.listed(students)
    if not named:
        raise InputError("name one student at least, such as lenet5-half; nothing was asked")
    if pictures is not None and method not in ("active", "priors"):
        raise InputError(f"{method} makes nothing of pictures; nothing was asked: leave --pictures out")
    opened = command.teacher_of(teacher, device=device)
    held_out = load(test, "test")
    surrogates = None if pictures is None else load(pictures, wanted=opened.spec.input_shape)
    with ExitStack() as stack:
        folder = run or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="db3kd-")))
        kept, stages = stack.enter_context(Run(folder)), stack.enter_context(command.showing())
        plan = ZeroShotPlan(method, calls, tuple(named), epochs, families, surrogates)
        figures = measure_zero_shot(Keeper(kept, Context(device, seed, stages)), opened, held_out, plan, name=teacher)
    command.write(file, asdict(figures))
    _show(figures)


def _show(figures: ZeroShot) -> None:
    rows = [
        {"student": one.name, "accuracy": command.percent(one.accuracy), "agreement": command.percent(one.agreement)}
        for one in figures.students
    ]
    command.print_table(f"{figures.method}: {figures.calls:,} calls, no image", rows)
    command.print_figures(
        {
            "different images": f"{figures.unique_images:,}",
            "answers by class": ", ".join(f"{count:,}" for count in figures.class_histogram),
            "seconds": f"{figures.seconds:,.0f}",
            "peak memory": f"{figures.peak_memory_bytes / 2**20:,.0f} MiB",
        }
    )
    if figures.never_decided:
        names = ", ".join(map(str, figures.never_decided))
        command.remark(f"no image that students learn from was decided to be of class {names}: they do not know it")


if __name__ == "__main__":
    command.run(zero_shot, "zero_shot")
