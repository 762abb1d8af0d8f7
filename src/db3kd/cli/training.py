"""`db3kd train`: its arguments."""

from typing import Annotated, Literal

import typer

from db3kd.cli import options
from db3kd.cli.options import given, listed


def train(
    *,
    data: Annotated[str, typer.Option(help="mnist, fashion-mnist, cifar10, mnist-5k, imagefolder:DIR or npz:FILE.")],
    architecture: Annotated[
        str, typer.Option(help="lenet5, lenet5-half, lenet5-fifth, alexnet, ... or package.module:factory.")
    ],
    run: options.RUN,
    preset: Annotated[
        Literal["teacher", "student"], typer.Option(help="The recipe that the options of the recipe change.")
    ] = "teacher",
    epochs: options.EPOCHS = None,
    batch_size: options.BATCH_SIZE = None,
    rate: options.RATE = None,
    optimizer: options.OPTIMIZER = None,
    momentum: options.MOMENTUM = None,
    weight_decay: options.WEIGHT_DECAY = None,
    milestones: options.MILESTONES = None,
    schedule: options.SCHEDULE = None,
    precision: options.PRECISION = None,
    limit: options.LIMIT = None,
    seed: options.SEED = None,
    device: options.DEVICE = "cpu",
    as_json: options.JSON = False,
) -> None:
    """Train a teacher, or a baseline student, on true labels; its weights are DIR/model.safetensors."""
    from db3kd.cli.work.training import train_network

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
    asked = given(data=data, architecture=architecture, preset=preset, limit=limit, seed=seed) | recipe
    train_network(run, asked, device=device, as_json=as_json)
