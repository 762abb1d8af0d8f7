"""Contact sheets: strips of images, on a light ground of their own, so that they are read on any page.

Either the images of a repulsion over its pushes, with a curve, or some of those that were asked about, by class and by
round. PNG files, since strips are pixels; the charts of a page are in `pictures`. Called by the stages that make or ask
about images.
"""

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from db3kd.acquisition import Step
from db3kd.answers import Answers
from db3kd.report.colors import ACCENT, INKED, LIGHT, MUTED
from db3kd.report.tables import class_label
from db3kd.tensors import Float, Int, Tensor

_GAP = 1
_INCHES_PER_IMAGE = 0.62
_INCHES_OF_CURVE = 3.6
_LEAST_INCHES = 2.6
_SHOWN = 8
_MOST_CLASSES = 30
# A name, and rows of answers.
_Strip = tuple[str, Int[Tensor, " _"]]
_WAYS = {"aside": "set aside", "lot": "at random", "spread": "spread out", "views": "transformed", "chosen": "chosen"}


def draw_pushes(
    images: Float[Tensor, "k s c h w"],
    classes: Sequence[str],
    steps: Sequence[int],
    distances: Sequence[float | None],
) -> bytes:
    """Draw an image of each class over the pushes of a repulsion, with the curve of the distances.

    Gives a PNG file. `steps` says after how many pushes each image was as it is shown, 0 for the noise at first;
    `distances` are the means found at each push, None where none was.
    """
    with _picture(len(classes), len(steps)) as (left, right, png):
        _show_strips(left, images, classes, [str(step) for step in steps], below="pushes", beside="the teacher's class")
        right.grid(color=MUTED, linewidth=0.4, alpha=0.4)
        right.spines[["top", "right"]].set_visible(False)
        values = [math.nan if distance is None else distance for distance in distances]
        right.plot(range(len(values)), values, color=ACCENT, marker="o", markersize=3)
        right.set_ylim(bottom=0)
        right.set_xlabel("pushes")
        right.set_ylabel("mean distance found (L2, input units)")
    return png.getvalue()


def draw_samples(answers: Answers, rounds: Sequence[Step] = (), class_names: tuple[str, ...] = ()) -> bytes:
    """Draw some of the images that were asked about: of the 30 classes with the most answers, and of each round.

    Gives a PNG file. Images that no training may see are among those of the rounds alone.
    """
    seen = ~answers.aside
    frequent = answers.histogram().argsort(descending=True, stable=True)[:_MOST_CLASSES]
    # Two classes may be called alike.
    by_class = list[_Strip]()
    for label in frequent.sort().values.tolist():
        rows = ((answers.decisions == label) & seen).nonzero()[:, 0]
        by_class.append((class_label(class_names, label) + ("" if len(rows) else " (never)"), rows))
    by_round, first = list[_Strip](), 0
    for number, step in enumerate(rounds, start=1):
        if step.size:
            by_round.append((f"{number}: {step.size:,} {_WAYS[step.way]}", torch.arange(first, first + step.size)))
        first += step.size
    with _picture(max(len(by_class), len(by_round)), _SHOWN, _SHOWN) as (left, right, png):
        _show_some(left, answers, by_class, below="some images of each class", beside="the teacher's class")
        if by_round:
            _show_some(right, answers, by_round, below="some images of each round", beside="")
        else:
            right.set_axis_off()
    return png.getvalue()


def _show_some(axes: Axes, answers: Answers, strips: Sequence[_Strip], *, below: str, beside: str) -> None:
    """Show some images of each strip, spread over its rows; nothing where it has fewer."""
    images = torch.full((len(strips), _SHOWN, *answers.images.image_shape), torch.nan)
    for place, (_, rows) in enumerate(strips):
        shown = rows[torch.linspace(0, len(rows) - 1, min(_SHOWN, len(rows))).long()]
        images[place, : len(shown)] = answers.images.images(shown)
    _show_strips(axes, images, [name for name, _ in strips], [""] * _SHOWN, below=below, beside=beside)


@contextmanager
def _picture(rows: int, columns: int, beside: int = 0) -> Iterator[tuple[Axes, Axes, io.BytesIO]]:
    """Give axes for rows of images and, on their right, for so many more or a curve; the file is written at the end."""
    height, width = max(_LEAST_INCHES, 0.7 + _INCHES_PER_IMAGE * rows), 1.0 + _INCHES_PER_IMAGE * columns
    other = 1.6 + _INCHES_PER_IMAGE * beside if beside else _INCHES_OF_CURVE
    style: dict[Any, Any] = {"font.size": 9, **dict.fromkeys(INKED, LIGHT["ink"])}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(width + other, height), layout="constrained", facecolor=LIGHT["paper"])
        canvas = FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2, width_ratios=(width, other))
        for axes in (left, right):
            axes.set_facecolor("none")
        buffer = io.BytesIO()
        yield left, right, buffer
        # Without its version, the same figures give the same bytes for longer.
        canvas.print_figure(buffer, format="png", dpi=110, metadata={"Software": None})


def _show_strips(
    axes: Axes,
    images: Float[Tensor, "k s c h w"],
    names: Sequence[str],
    above: Sequence[str],
    *,
    below: str,
    beside: str,
) -> None:
    """Show strips of images; what is no number is not there."""
    # Of neither one nor three channels, the mean is shown.
    shown = images if images.shape[2] in (1, 3) else images.mean(dim=2, keepdim=True)
    rows, columns, channels, high, wide = shown.shape
    framed = shown.new_full((rows, columns, channels, high + _GAP, wide + _GAP), torch.nan)
    framed[..., :high, :wide] = shown
    pixels = framed.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    there = ~pixels[..., :1].isnan()
    layers = [pixels.nan_to_num().expand(-1, -1, 3), there.to(pixels.dtype)]
    axes.imshow(torch.cat(layers, dim=2).clamp(0, 1).numpy(), interpolation="nearest")
    axes.set_xticks([column * (wide + _GAP) + wide / 2 for column in range(columns)], list(above))
    axes.set_yticks([row * (high + _GAP) + high / 2 for row in range(rows)], list(names), parse_math=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(below)
    axes.set_ylabel(beside)
