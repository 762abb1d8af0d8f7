"""Contact sheets: some images of each class, a strip for each, with a curve on the right.

Either the images of a repulsion over its pushes, or some of those that were asked about. PNG files, since strips are
pixels; the charts of a page are in `pictures`. Called by the stages that make or ask about images.
"""

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from db3kd.answers import Answers
from db3kd.evaluation import Gain
from db3kd.report.pictures import ACCENT, MUTED
from db3kd.report.tables import class_label
from db3kd.tensors import Float, Tensor

_GAP = 1
_INCHES_PER_IMAGE = 0.62
_INCHES_OF_CURVE = 3.6
_LEAST_INCHES = 2.6
_SHOWN = 8
_MOST_CLASSES = 30


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
        _show_strips(left, images, classes, [str(step) for step in steps], below="pushes")
        values = [math.nan if distance is None else distance for distance in distances]
        right.plot(range(len(values)), values, color=ACCENT, marker="o", markersize=3)
        right.set_ylim(bottom=0)
        right.set_xlabel("pushes")
        right.set_ylabel("mean distance found (L2, input units)")
    return png.getvalue()


def draw_samples(answers: Answers, gains: Sequence[Gain] = (), class_names: tuple[str, ...] = ()) -> bytes:
    """Draw some images of each class, of the 30 with the most answers, with the curve of the committee's agreement.

    Gives a PNG file. The point of a committee that learned for longer is hollow, and no line leads to it.
    """
    frequent = answers.histogram().argsort(descending=True, stable=True)[:_MOST_CLASSES]
    labels = frequent.sort().values.tolist()
    # White where a class has fewer images.
    images, names = torch.ones(len(labels), _SHOWN, *answers.images.image_shape), []
    for place, label in enumerate(labels):
        rows = (answers.decisions == label).nonzero()[:, 0]
        # Spread over the rounds: the first answers are those of the opening.
        shown = rows[torch.linspace(0, len(rows) - 1, min(_SHOWN, len(rows))).long()]
        images[place, : len(shown)] = answers.images.images(shown)
        names.append(class_label(class_names, label) + ("" if len(rows) else " (never)"))
    with _picture(len(labels), _SHOWN) as (left, right, png):
        _show_strips(left, images, names, [""] * _SHOWN, below="some images of each class")
        if gains:
            _show_gains(right, gains)
        else:
            right.set_axis_off()
    return png.getvalue()


@contextmanager
def _picture(rows: int, columns: int) -> Iterator[tuple[Axes, Axes, io.BytesIO]]:
    """Give axes for rows of images and for a curve on their right; the file is written at the end."""
    height, width = max(_LEAST_INCHES, 0.7 + _INCHES_PER_IMAGE * rows), 1.0 + _INCHES_PER_IMAGE * columns
    with matplotlib.rc_context({"font.size": 9}):
        figure = Figure(figsize=(width + _INCHES_OF_CURVE, height), layout="constrained", facecolor="white")
        canvas = FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2, width_ratios=(width, _INCHES_OF_CURVE))
        right.grid(color=MUTED, linewidth=0.4, alpha=0.4)
        right.spines[["top", "right"]].set_visible(False)
        buffer = io.BytesIO()
        yield left, right, buffer
        # Without its version, the same figures give the same bytes for longer.
        canvas.print_figure(buffer, format="png", dpi=110, metadata={"Software": None})


def _show_strips(
    axes: Axes, images: Float[Tensor, "k s c h w"], classes: Sequence[str], above: Sequence[str], *, below: str
) -> None:
    # Of neither one nor three channels, the mean is shown.
    shown = images if images.shape[2] in (1, 3) else images.mean(dim=2, keepdim=True)
    rows, columns, channels, high, wide = shown.shape
    framed = shown.new_ones(rows, columns, channels, high + _GAP, wide + _GAP)
    framed[..., :high, :wide] = shown
    pixels = framed.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1).numpy()
    axes.imshow(pixels[:, :, 0] if channels == 1 else pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([column * (wide + _GAP) + wide / 2 for column in range(columns)], list(above))
    axes.set_yticks([row * (high + _GAP) + high / 2 for row in range(rows)], list(classes), parse_math=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(below)
    axes.set_ylabel("the teacher's class")


def _show_gains(axes: Axes, gains: Sequence[Gain]) -> None:
    rounds = [gain for gain in gains if not gain.learned_longer]
    axes.plot([gain.queries for gain in rounds], [100 * gain.after for gain in rounds], color=ACCENT, marker="o")
    last = [(gain.queries, 100 * gain.after) for gain in gains if gain.learned_longer]
    if last:
        axes.scatter(
            *zip(*last, strict=True), facecolors="white", edgecolors=ACCENT, label="learned for longer", zorder=3
        )
        axes.legend(loc="lower right", frameon=False)
    axes.set_ylim(0, 100)
    axes.set_xlim(left=0)
    axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel("queries in all")
    axes.set_ylabel("committee's agreement (%)")
