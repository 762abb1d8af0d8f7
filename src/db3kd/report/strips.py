"""Pictures of made images, a strip for each class: over the steps of a repulsion, or some that were asked about.

Beside the strips stands a curve: how far the boundary was at each step, or how an ensemble's agreement grew. PNG files,
since strips are pixels; the charts of a page are in `pictures`. Called by the stages that make the images.
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

from db3kd.report.exploration import RoundGain
from db3kd.report.pictures import ACCENT, MUTED
from db3kd.tensors import Float, Tensor

_GAP = 1
_INCHES_PER_IMAGE = 0.62
_INCHES_OF_CURVE = 3.6
_LEAST_INCHES = 2.6


def draw_strips(
    strips: Float[Tensor, "k s c h w"],
    classes: Sequence[str],
    steps: Sequence[int],
    distances: Sequence[float | None],
) -> bytes:
    """Draw an image of each class over the steps, beside the curve of the distances.

    Args:
        strips: for each class that there is, one image at each of the steps, in [0, 1].
        classes: their names.
        steps: after how many pushes each image was as it is shown; 0 for the noise that it began as.
        distances: mean distance that was found at each push; None where none was.

    Returns:
        A PNG file. Images of neither one nor three channels are shown as the mean of their channels.
    """
    height, width = _inches(len(classes), len(steps))
    with _picture(height, width) as (left, right, png):
        _show_strips(left, strips, classes, [str(step) for step in steps], below="pushes")
        _show_distances(right, distances)
    return png.getvalue()


def draw_samples(
    samples: Sequence[Float[Tensor, "_ c h w"]],
    classes: Sequence[str],
    gains: Sequence[RoundGain],
) -> bytes:
    """Draw some images of each class beside the curve of an ensemble's agreement.

    Args:
        samples: for each class its images, in [0, 1]; none of a class that a teacher never gave, whose strip is empty.
        classes: their names.
        gains: of the rounds; the point of an ensemble that has learned for longer is hollow, and no line leads to it.

    Returns:
        A PNG file. Images of neither one nor three channels are shown as the mean of their channels.
    """
    most = max(1, max(map(len, samples)))
    shape = samples[0].shape[1:]
    # White where a class has fewer.
    strips = torch.ones(len(samples), most, *shape)
    for strip, images in zip(strips, samples, strict=True):
        strip[: len(images)] = images
    height, width = _inches(len(classes), most)
    with _picture(height, width) as (left, right, png):
        _show_strips(left, strips, classes, [""] * most, below="some images of each class")
        _show_gains(right, gains)
    return png.getvalue()


def _inches(rows: int, columns: int) -> tuple[float, float]:
    return max(_LEAST_INCHES, 0.7 + _INCHES_PER_IMAGE * rows), 1.0 + _INCHES_PER_IMAGE * columns


@contextmanager
def _picture(height: float, width: float) -> Iterator[tuple[Axes, Axes, io.BytesIO]]:
    """Give axes for the strips and for a curve beside them; the file is written at the end."""
    with matplotlib.rc_context({"font.size": 9}):
        figure = Figure(figsize=(width + _INCHES_OF_CURVE, height), layout="constrained", facecolor="white")
        canvas = FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2, width_ratios=(width, _INCHES_OF_CURVE))
        buffer = io.BytesIO()
        yield left, right, buffer
        # Without its version, the same figures give the same bytes for longer.
        canvas.print_figure(buffer, format="png", dpi=110, metadata={"Software": None})


def _show_strips(
    axes: Axes, strips: Float[Tensor, "k s c h w"], classes: Sequence[str], above: Sequence[str], *, below: str
) -> None:
    shown = strips if strips.shape[2] in (1, 3) else strips.mean(dim=2, keepdim=True)
    rows, columns, channels, high, wide = shown.shape
    mosaic = shown.new_ones(rows * (high + _GAP), columns * (wide + _GAP), channels)
    for row in range(rows):
        for column in range(columns):
            place = slice(row * (high + _GAP), row * (high + _GAP) + high)
            mosaic[place, column * (wide + _GAP) : column * (wide + _GAP) + wide] = shown[row, column].permute(1, 2, 0)
    pixels = mosaic.numpy()
    axes.imshow(pixels[:, :, 0] if channels == 1 else pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([column * (wide + _GAP) + wide / 2 for column in range(columns)], list(above))
    axes.set_yticks([row * (high + _GAP) + high / 2 for row in range(rows)], list(classes), parse_math=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(below)
    axes.set_ylabel("the teacher's class")


def _show_distances(axes: Axes, distances: Sequence[float | None]) -> None:
    values = [math.nan if distance is None else distance for distance in distances]
    axes.plot(range(len(values)), values, color=ACCENT, marker="o", markersize=3)
    axes.grid(color=MUTED, linewidth=0.4, alpha=0.4)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("pushes")
    axes.set_ylabel("mean distance found (L2, input units)")


def _show_gains(axes: Axes, gains: Sequence[RoundGain]) -> None:
    rounds = [gain for gain in gains if not gain.learned_longer]
    axes.plot([gain.queries for gain in rounds], [100 * gain.after for gain in rounds], color=ACCENT, marker="o")
    last = [(gain.queries, 100 * gain.after) for gain in gains if gain.learned_longer]
    if last:
        axes.scatter(
            *zip(*last, strict=True), facecolors="white", edgecolors=ACCENT, label="learned for longer", zorder=3
        )
        axes.legend(loc="lower right", frameon=False)
    axes.grid(color=MUTED, linewidth=0.4, alpha=0.4)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(0, 100)
    axes.set_xlim(left=0)
    axes.locator_params(axis="x", nbins=4)
    axes.set_xlabel("queries in all")
    axes.set_ylabel("the ensemble's agreement, answers kept apart (%)")
