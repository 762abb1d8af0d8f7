"""`db3kd evaluate` and `db3kd report`: their arguments."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from db3kd.cli import options
from db3kd.cli.options import given


def evaluate(
    *,
    run: Annotated[Path | None, typer.Option(help="Measure the students of this run and write its report.")] = None,
    held_out: Annotated[
        str | None, typer.Option(help="Images to measure them on, where the run's plan names none.")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Measure this network instead of a run.")] = None,
    data: Annotated[str | None, typer.Option(help="Images to measure it on.")] = None,
    split: Annotated[Literal["train", "test"], typer.Option(help="Which images of the source.")] = "test",
    limit: options.LIMIT = None,
    seed: options.SEED = None,
    teacher: options.TEACHER_OR_NONE = None,
    input_shape: options.INPUT_SHAPE = None,
    num_classes: options.NUM_CLASSES = None,
    bounds: options.BOUNDS = None,
    max_batch: options.MAX_BATCH = None,
    levels: options.LEVELS = None,
    fingerprint: options.FINGERPRINT = None,
    device: options.DEVICE = "cpu",
    as_json: options.JSON = False,
) -> None:
    """Measure accuracy, agreement with the teacher and calibration; held-out queries are booked apart."""
    named = options.teacher_keys(
        teacher,
        input_shape=input_shape,
        num_classes=num_classes,
        bounds=bounds,
        max_batch=max_batch,
        levels=levels,
        fingerprint=fingerprint,
    )
    # A mistake in the options is told before torch is imported.
    if (run is None) == (weights is None):
        raise typer.BadParameter("name either --run, or --weights with --data")
    if weights is not None and (data is None or held_out is not None):
        raise typer.BadParameter("--weights needs --data; --held-out belongs to --run")
    if run is not None and data is not None:
        raise typer.BadParameter("--data belongs to --weights; a run is measured on --held-out")
    from db3kd.cli.work.evaluating import evaluate_network, evaluate_run

    asked = given(source=held_out or data, split=split, limit=limit, seed=seed)
    if weights is not None:
        evaluate_network(weights, asked, named, device=device, as_json=as_json)
    if run is not None:
        evaluate_run(run, asked if held_out else {}, named, device=device, as_json=as_json)


def report(
    run: Annotated[Path, typer.Argument(help="Directory of a run.", metavar="DIR")], as_json: options.JSON = False
) -> None:
    """Print the table of a run's report and make its page again; nothing is measured or asked."""
    from db3kd.cli.work.evaluating import show_report

    show_report(run, as_json=as_json)
