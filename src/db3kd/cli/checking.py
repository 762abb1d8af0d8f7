"""`db3kd check-teacher`: its arguments."""

from typing import Annotated, Literal

import typer

from db3kd.cli import options
from db3kd.cli.options import given


def check_teacher(
    teacher: Annotated[str, typer.Argument(help="URI of the teacher, with options.", metavar="URI")],
    *,
    data: Annotated[str | None, typer.Option(help="Images to ask about, best with labels; noise without it.")] = None,
    split: Annotated[Literal["train", "test"], typer.Option(help="Which images of the source.")] = "test",
    queries: Annotated[int, typer.Option(min=2, help="Most rows to ask.")] = 200,
    seed: Annotated[int, typer.Option(help="Of the choice of images.")] = 0,
    input_shape: options.INPUT_SHAPE = None,
    num_classes: options.NUM_CLASSES = None,
    max_batch: options.MAX_BATCH = None,
    device: options.DEVICE = "cpu",
    as_json: options.JSON = False,
) -> None:
    """Look at a teacher before money is spent: does it answer, always the same, and at this value range?"""
    from db3kd.cli.work.checking import examine

    asked = options.teacher_keys(
        teacher, input_shape=input_shape, bounds=None, num_classes=num_classes, max_batch=max_batch
    )
    shown = None if data is None else given(source=data, split=split)
    examine(asked, shown, queries=queries, seed=seed, device=device, as_json=as_json)
