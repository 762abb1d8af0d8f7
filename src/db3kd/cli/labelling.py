"""`db3kd label` and `db3kd distill`: their arguments."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from db3kd.cli import options
from db3kd.cli.options import given, listed, sections

_SEARCH = "Search"
_PRIMER = "Primers"


def label(
    *,
    teacher: options.TEACHER,
    images: Annotated[
        str, typer.Option(help="mnist, fashion-mnist, cifar10, mnist-5k, imagefolder:DIR, npz:FILE or run:DIR.")
    ],
    run: options.RUN,
    method: Annotated[
        Literal["sd", "bd", "mbd", "guided"],
        typer.Option(help="Sample, boundary or minimal boundary distance, or this one guided by primers."),
    ] = "guided",
    queries_per_pair: Annotated[
        int | None, typer.Option(help="Most queries for one image and class.", rich_help_panel=_SEARCH)
    ] = None,
    snapshots: Annotated[
        str | None,
        typer.Option(help="Query counts at which distances are kept as well: 250,500.", rich_help_panel=_SEARCH),
    ] = None,
    exemplars: Annotated[
        int | None, typer.Option(help="Images of the class to bisect towards.", rich_help_panel=_SEARCH)
    ] = None,
    order: Annotated[
        Literal["nearest", "random"] | None, typer.Option(help="Which exemplars.", rich_help_panel=_SEARCH)
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="Part of the radius at which bisection stops.", rich_help_panel=_SEARCH)
    ] = None,
    directions: Annotated[
        int | None, typer.Option(help="Random directions per estimate of mbd and guided.", rich_help_panel=_SEARCH)
    ] = None,
    smoothing: Annotated[float | None, typer.Option(help="Their length.", rich_help_panel=_SEARCH)] = None,
    step: Annotated[
        float | None, typer.Option(help="First step of mbd's line search.", rich_help_panel=_SEARCH)
    ] = None,
    keep_probes: Annotated[
        int | None, typer.Option(help="Most points to keep with their answers.", rich_help_panel=_SEARCH)
    ] = None,
    primers: Annotated[
        int | None,
        typer.Option(help="Networks that guide the guided search; 0 for none.", rich_help_panel=_PRIMER),
    ] = None,
    primer_architecture: Annotated[
        str | None, typer.Option(help="Their architecture: lenet5, alexnet, ...", rich_help_panel=_PRIMER)
    ] = None,
    primer_epochs: Annotated[
        int | None, typer.Option(help="Their passes over the answers.", rich_help_panel=_PRIMER)
    ] = None,
    mixtures_per_image: Annotated[
        float | None, typer.Option(help="Mixtures to ask about for them, per image.", rich_help_panel=_PRIMER)
    ] = None,
    split: Annotated[Literal["train", "test"] | None, typer.Option(help="Which images of the source.")] = None,
    limit: options.LIMIT = None,
    seed: options.SEED = None,
    budget: options.BUDGET = None,
    decisions_budget: options.DECISIONS_BUDGET = None,
    primer_budget: options.PRIMER_BUDGET = None,
    label_budget: options.LABEL_BUDGET = None,
    repeats: options.REPEATS = None,
    record: options.RECORD = None,
    answers: options.ANSWERS = None,
    input_shape: options.INPUT_SHAPE = None,
    num_classes: options.NUM_CLASSES = None,
    bounds: options.BOUNDS = None,
    max_batch: options.MAX_BATCH = None,
    levels: options.LEVELS = None,
    fingerprint: options.FINGERPRINT = None,
    device: options.DEVICE = "cpu",
    as_json: options.JSON = False,
) -> None:
    """Ask a teacher for the class of each image and for its distances to the other classes."""
    from db3kd.cli.work.labelling import label_images

    asked = sections(
        teacher=options.teacher_keys(
            teacher,
            input_shape=input_shape,
            num_classes=num_classes,
            bounds=bounds,
            max_batch=max_batch,
            levels=levels,
            fingerprint=fingerprint,
        ),
        images=given(source=images, split=split, limit=limit, seed=seed),
        label=given(
            method=method,
            queries_per_pair=queries_per_pair,
            snapshots=listed(snapshots),
            exemplars=exemplars,
            order=order,
            tolerance=tolerance,
            directions=directions,
            smoothing=smoothing,
            step=step,
            keep_probes=keep_probes,
            seed=seed,
        ),
        primer=given(
            networks=primers,
            architecture=primer_architecture,
            epochs=primer_epochs,
            mixtures_per_image=mixtures_per_image,
            seed=seed,
        ),
        budget=given(
            total=budget,
            decisions=decisions_budget,
            repeats=repeats,
            primer=primer_budget,
            label=label_budget,
            record=record,
            answers=listed(answers),
        ),
    )
    label_images(run, asked, device=device, as_json=as_json)


def distill(
    *,
    run: options.RUN,
    student: Annotated[
        str | None, typer.Option(help="lenet5-half, lenet5-fifth, alexnet-half, ... or package.module:factory.")
    ] = None,
    transfer: Annotated[
        Path | None, typer.Option(help="transfer.safetensors of another run; this run gets a copy.")
    ] = None,
    softening: Annotated[
        Literal["proportional", "relative", "inverse", "smoothed", "primers"] | None,
        typer.Option(help="How distances, or what primers think, become probabilities."),
    ] = None,
    softening_temperature: Annotated[float | None, typer.Option(help="At which they do.")] = None,
    temperature: Annotated[float | None, typer.Option(help="At which the student is compared with them.")] = None,
    beside: Annotated[str | None, typer.Option(help="Other answers of the run to learn from: mixtures,probes.")] = None,
    hard_weight: Annotated[float | None, typer.Option(help="Of the cross-entropy with the class.")] = None,
    soft_weight: Annotated[float | None, typer.Option(help="Of the divergence from the soft label.")] = None,
    classes: Annotated[Literal["decisions", "true"] | None, typer.Option(help="What the class of an image is.")] = None,
    queries_per_pair: Annotated[int | None, typer.Option(help="Learn from the distances of this snapshot.")] = None,
    baselines: Annotated[
        str | None, typer.Option(help="Students trained beside it: true-labels,hard-decisions or none.")
    ] = None,
    epochs: options.EPOCHS = None,
    batch_size: options.BATCH_SIZE = None,
    rate: options.RATE = None,
    optimizer: options.OPTIMIZER = None,
    momentum: options.MOMENTUM = None,
    weight_decay: options.WEIGHT_DECAY = None,
    milestones: options.MILESTONES = None,
    schedule: options.SCHEDULE = None,
    precision: options.PRECISION = None,
    seed: options.SEED = None,
    device: options.DEVICE = "cpu",
    as_json: options.JSON = False,
) -> None:
    """Train a student on what a run has bought, and baselines beside it; this asks no query."""
    from db3kd.cli.work.distilling import distill_student

    recipe = given(
        epochs=epochs,
        batch_size=batch_size,
        rate=rate,
        optimizer=optimizer,
        momentum=momentum,
        weight_decay=weight_decay,
        milestones=listed(milestones),
        schedule=schedule,
        precision=precision,
    )
    asked = recipe | given(
        student=student,
        softening=softening,
        softening_temperature=softening_temperature,
        temperature=temperature,
        beside=listed(beside),
        hard_weight=hard_weight,
        soft_weight=soft_weight,
        classes=classes,
        queries_per_pair=queries_per_pair,
        baselines=listed(baselines),
        seed=seed,
    )
    distill_student(run, asked, transfer, device=device, as_json=as_json)
