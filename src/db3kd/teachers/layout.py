"""How a file or a server takes images: the order of the axes, the type of a pixel, the rows of a call.

Used by the adapters for ONNX files and for servers, which both say only shapes and types of what they take.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from db3kd.errors import PlanError
from db3kd.tensors import Float, Tensor

Layout = Literal["nchw", "nhwc", "flat"]
BYTE_BOUNDS = (0.0, 255.0)
BYTE_LEVELS = 256
# None is a side that is left open.
Shape = tuple[int | None, ...]
# Four channels are rarer than a side of four pixels.
_CHANNELS = ((1, 3), (1, 3, 4))


@dataclass(frozen=True)
class Stated:
    """What the user says of a model where its file or its server does not.

    Args:
        input_shape: channels, height and width of one image.
        num_classes: number of classes.
        bounds: lowest and highest pixel value of a model that takes floats; one that takes bytes has 0 to 255.
        levels: number of values a pixel may take between the bounds, or None.
        output: name of the output that holds the answer.
        layout: order of the axes of the input.
        fingerprint: version of the model; by default the file's content, or the URL and what the server says.
    """

    input_shape: tuple[int, int, int] | None = None
    num_classes: int | None = None
    bounds: tuple[float, float] = (0.0, 1.0)
    levels: int | None = None
    output: str | None = None
    layout: Layout | None = None
    fingerprint: str | None = None


@dataclass(frozen=True)
class ImageInput:
    """How images are taken.

    Args:
        name: of the input.
        kind: of a pixel: float16, float32, float64 or uint8.
        layout: order of the axes; "flat" is one axis for all pixels, in the order of "nchw".
        image_shape: channels, height and width.
        batch: rows that every call must have, or None for any number.
    """

    name: str
    kind: type[np.generic]
    layout: Layout
    image_shape: tuple[int, int, int]
    batch: int | None = None

    @property
    def takes_bytes(self) -> bool:
        """Whether a pixel is a whole number from 0 to 255."""
        return self.kind is np.uint8

    def arrange(self, images: Float[Tensor, "b c h w"]) -> npt.NDArray[np.generic]:
        """Bring images into the order, the type and the number that are taken.

        Args:
            images: at most `batch` of them, where that is fixed; within 0 to 255 where bytes are taken.

        Returns:
            A contiguous array; where too few rows came, the last one is repeated.
        """
        if self.layout == "nhwc":
            images = images.permute(0, 2, 3, 1)
        elif self.layout == "flat":
            images = images.flatten(1)
        array = images.detach().cpu().numpy()
        if self.takes_bytes:
            array = array.round().clip(*BYTE_BOUNDS)
        arranged: npt.NDArray[np.generic] = np.ascontiguousarray(array.astype(self.kind))
        missing = (self.batch or 0) - len(arranged)
        return np.concatenate([arranged, arranged[-1:].repeat(missing, axis=0)]) if missing > 0 else arranged

    def describe(self, bounds: tuple[float, float]) -> tuple[str, ...]:
        """Say how images are given, for the user who knows better.

        Args:
            bounds: lowest and highest pixel value that is given.

        Returns:
            Sentences.
        """
        said = [f"images are taken as {self.layout} {self.image_shape} of {np.dtype(self.kind).name}"]
        if not self.takes_bytes:
            said.append(f"pixels are taken from {bounds[0]:g} to {bounds[1]:g}: see scale, mean and deviation if not")
        if self.batch is not None:
            said.append(f"every call holds {self.batch} rows, as it is wanted; fewer are filled up")
        return tuple(said)


def read_layout(
    shape: Shape, given: tuple[int, int, int] | None, wanted: Layout | None, *, origin: str
) -> tuple[Layout, tuple[int, int, int]]:
    """Tell the order of the axes and the shape of an image from the shape of an input.

    Args:
        shape: with the rows first.
        given: what the plan says of the image: channels, height and width.
        wanted: what the plan says of the order.
        origin: whose input it is, for the error.

    Returns:
        The order, and channels, height and width.

    Raises:
        PlanError: shape and plan do not fit, or together leave something open.
    """
    for layout in (wanted,) if wanted else _likely(shape, given):
        axes = _axes(shape, layout, given)
        if axes is None or (given is not None and not _fits(axes, given)):
            continue
        sides = [known if given is None else side for known, side in zip(axes, given or axes, strict=True)]
        if None not in sides:
            channels, height, width = (int(side or 0) for side in sides)
            return layout, (channels, height, width)
    raise PlanError(
        f"{origin} takes images of shape {shape} (None is open), teacher.input_shape is {given} and teacher.layout "
        f"{wanted}; nothing was asked: give [channels, height, width] as they are taken, and the layout if it is known"
    )


def static_shape(shape: list[int | str | None] | tuple[int | str | None, ...]) -> Shape:
    """A shape with None where a side is left open, by a name, by -1 or by nothing."""
    return tuple(side if isinstance(side, int) and side > 0 else None for side in shape)


def _likely(shape: Shape, given: tuple[int, int, int] | None) -> tuple[Layout, ...]:
    """The orders that a shape may have, the likeliest first."""
    if len(shape) != 4:
        return ("flat",)
    last = any(shape[3] in likely and shape[1] not in likely for likely in _CHANNELS)
    return ("nhwc", "nchw") if last else ("nchw", "nhwc") if given else ("nchw",)


def _axes(shape: Shape, layout: Layout, given: tuple[int, int, int] | None) -> Shape | None:
    """Channels, height and width as far as the shape says them; None where it is no such order."""
    if layout == "flat":
        pixels = None if given is None else given[0] * given[1] * given[2]
        return given if len(shape) == 2 and shape[1] in (None, pixels) else None
    if len(shape) != 4:
        return None
    return shape[1:] if layout == "nchw" else (shape[3], shape[1], shape[2])


def _fits(axes: Shape, given: tuple[int, int, int]) -> bool:
    return all(known is None or known == side for known, side in zip(axes, given, strict=True))
