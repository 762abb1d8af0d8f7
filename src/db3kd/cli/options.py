"""The options that several commands share, each with its one sentence of help.

An option that is left out is None: its default stands in the plan's schema, once. `given` leaves such options away.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

RUN = Annotated[Path, typer.Option("--run", help="Directory that remembers all of it; running again goes on there.")]
JSON = Annotated[bool, typer.Option("--json", help="Print the figures as JSON, and nothing else, on stdout.")]
DEVICE = Annotated[str, typer.Option(help="Where searches and networks run: cpu, cuda or cuda:N.")]
SEED = Annotated[int | None, typer.Option(help="Of all random choices.")]
LIMIT = Annotated[int | None, typer.Option(min=1, help="Take that many images, drawn by the seed.")]

_TEACHER = "Teacher"
TEACHER = Annotated[
    str,
    typer.Option(
        help="torch:FILE, torch:ARCHITECTURE@FILE, onnx:FILE, http(s)://HOST/v2/models/NAME, recorded:RUN or "
        "python:package.module:name, with options of the plan behind a question mark.",
        rich_help_panel=_TEACHER,
    ),
]
TEACHER_OR_NONE = Annotated[
    str | None, typer.Option("--teacher", help="Whose decisions to compare with.", rich_help_panel=_TEACHER)
]
INPUT_SHAPE = Annotated[
    str | None, typer.Option(help="Of a callable: channels,height,width such as 1,28,28.", rich_help_panel=_TEACHER)
]
NUM_CLASSES = Annotated[int | None, typer.Option(help="Of a callable.", rich_help_panel=_TEACHER)]
BOUNDS = Annotated[
    str | None, typer.Option(help="Lowest and highest pixel value, such as 0,1.", rich_help_panel=_TEACHER)
]
MAX_BATCH = Annotated[int | None, typer.Option(help="Most rows a call.", rich_help_panel=_TEACHER)]
LEVELS = Annotated[
    int | None, typer.Option(help="Values a pixel may take: 256 for 8-bit images.", rich_help_panel=_TEACHER)
]
FINGERPRINT = Annotated[str | None, typer.Option(help="Version of a callable's model.", rich_help_panel=_TEACHER)]

_BUDGET = "Budget"
BUDGET = Annotated[
    int | None,
    typer.Option(help="Most queries of all stages together; raise it to go on.", rich_help_panel=_BUDGET),
]
DECISIONS_BUDGET = Annotated[
    int | None, typer.Option(help="Most queries for the classes of the images.", rich_help_panel=_BUDGET)
]
PRIMER_BUDGET = Annotated[
    int | None, typer.Option(help="Most queries for the classes of mixtures.", rich_help_panel=_BUDGET)
]
EXPLORE_BUDGET = Annotated[
    int | None, typer.Option(help="Most queries about images that are made to be asked about.", rich_help_panel=_BUDGET)
]
NOISE_BUDGET = Annotated[
    int | None, typer.Option(help="Most queries for the classes of noise.", rich_help_panel=_BUDGET)
]
REPULSION_BUDGET = Annotated[
    int | None, typer.Option(help="Most queries for pushing it off the boundary.", rich_help_panel=_BUDGET)
]
LABEL_BUDGET = Annotated[int | None, typer.Option(help="Most queries for the distances.", rich_help_panel=_BUDGET)]

REPEATS = Annotated[
    int | None,
    typer.Option(
        help="Images to ask a second time at the end: is the teacher constant? 16, or 0 for none.",
        rich_help_panel=_BUDGET,
    ),
]
RECORD = Annotated[
    bool | None, typer.Option("--record", help="Keep every answer by its question.", rich_help_panel=_BUDGET)
]
ANSWERS = Annotated[
    str | None,
    typer.Option(help="Recorded runs of the same teacher, whose answers are not paid again.", rich_help_panel=_BUDGET),
]

_RECIPE = "Recipe (where left out: the preset of the architecture)"
EPOCHS = Annotated[int | None, typer.Option(help="Passes over the images.", rich_help_panel=_RECIPE)]
BATCH_SIZE = Annotated[int | None, typer.Option(help="Images per step.", rich_help_panel=_RECIPE)]
RATE = Annotated[float | None, typer.Option(help="Learning rate of the first epoch.", rich_help_panel=_RECIPE)]
OPTIMIZER = Annotated[Literal["adam", "sgd"] | None, typer.Option(help="How weights move.", rich_help_panel=_RECIPE)]
MOMENTUM = Annotated[float | None, typer.Option(help="Of sgd.", rich_help_panel=_RECIPE)]
WEIGHT_DECAY = Annotated[float | None, typer.Option(help="Pull of the weights to zero.", rich_help_panel=_RECIPE)]
MILESTONES = Annotated[
    str | None,
    typer.Option(help="Finished epochs at which the rate is divided by ten: 60,120.", rich_help_panel=_RECIPE),
]
SCHEDULE = Annotated[
    Literal["steps", "one-cycle"] | None,
    typer.Option(help="Of the rate: steps at milestones, or one rise and fall.", rich_help_panel=_RECIPE),
]
PRECISION = Annotated[
    Literal["float32", "bfloat16"] | None,
    typer.Option(help="bfloat16 is taken where a CPU is faster so.", rich_help_panel=_RECIPE),
]


def given(**options: object) -> dict[str, object]:
    """Keep the options that were given, under the names that the plan has for them.

    Args:
        **options: values by their keys in a section; None where left out.

    Returns:
        Those that are not None.
    """
    return {name: value for name, value in options.items() if value is not None}


def listed(text: str | None) -> list[str] | None:
    """Take a list such as "60,120" apart; the plan checks what is in it.

    Args:
        text: entries between commas, or None.

    Returns:
        The entries; none of an empty text or of "none".
    """
    if text is None:
        return None
    return [] if text.strip() in ("", "none") else [entry.strip() for entry in text.split(",")]


def sections(**named: Mapping[str, object]) -> dict[str, object]:
    """Put sections together and leave out those without a key.

    Args:
        **named: keys of each section.

    Returns:
        The sections that say something.
    """
    return {name: dict(keys) for name, keys in named.items() if keys}


def teacher_keys(uri: str | None, *, input_shape: str | None, bounds: str | None, **more: object) -> dict[str, object]:
    """Put the options that describe a teacher together.

    Args:
        uri: names it; None where there is none.
        input_shape: three numbers between commas.
        bounds: two numbers between commas.
        **more: the other keys of the plan's section, as they are.

    Returns:
        Its section.
    """
    return given(uri=uri, input_shape=listed(input_shape), bounds=listed(bounds), **more)
