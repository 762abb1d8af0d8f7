"""Images over the steps of a synthesis, a strip for each class, and how far the boundary was at each step: one picture.

A PNG file, since strips are pixels; the charts of a page are in `pictures`. Called by the stage that makes the images.
"""

import io
import math
from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

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
    height = max(_LEAST_INCHES, 0.7 + _INCHES_PER_IMAGE * len(classes))
    width = 1.0 + _INCHES_PER_IMAGE * len(steps)
    with matplotlib.rc_context({"font.size": 9}):
        figure = Figure(figsize=(width + _INCHES_OF_CURVE, height), layout="constrained", facecolor="white")
        canvas = FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2, width_ratios=(width, _INCHES_OF_CURVE))
        _show_strips(left, strips, classes, steps)
        _show_distances(right, distances)
        buffer = io.BytesIO()
        # Without its version, the same figures give the same bytes for longer.
        canvas.print_figure(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _show_strips(axes: Axes, strips: Float[Tensor, "k s c h w"], classes: Sequence[str], steps: Sequence[int]) -> None:
    shown = strips if strips.shape[2] in (1, 3) else strips.mean(dim=2, keepdim=True)
    rows, columns, channels, high, wide = shown.shape
    mosaic = shown.new_ones(rows * (high + _GAP), columns * (wide + _GAP), channels)
    for row in range(rows):
        for column in range(columns):
            place = slice(row * (high + _GAP), row * (high + _GAP) + high)
            mosaic[place, column * (wide + _GAP) : column * (wide + _GAP) + wide] = shown[row, column].permute(1, 2, 0)
    pixels = mosaic.numpy()
    axes.imshow(pixels[:, :, 0] if channels == 1 else pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([column * (wide + _GAP) + wide / 2 for column in range(columns)], [str(step) for step in steps])
    axes.set_yticks([row * (high + _GAP) + high / 2 for row in range(rows)], list(classes), parse_math=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("pushes")
    axes.set_ylabel("the teacher's class")


def _show_distances(axes: Axes, distances: Sequence[float | None]) -> None:
    values = [math.nan if distance is None else distance for distance in distances]
    axes.plot(range(len(values)), values, color=ACCENT, marker="o", markersize=3)
    axes.grid(color=MUTED, linewidth=0.4, alpha=0.4)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("pushes")
    axes.set_ylabel("mean distance found (L2, input units)")
