"""How a file or a server takes images: the order of the axes, the type of a pixel, the rows of a call.

For ONNX files and servers, which both say only shapes and types of what they take.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from db3kd.arguments import checked_options
from db3kd.errors import PlanError
from db3kd.teachers.protocol import TeacherSpec
from db3kd.tensors import Float, Tensor

Layout = Literal["nchw", "nhwc", "flat"]
# None is a side that is left open.
Shape = tuple[int | None, ...]
_BYTE_BOUNDS = (0.0, 255.0)
# Four channels are rarer than a side of four pixels.
_CHANNELS = ((1, 3), (1, 3, 4))


@checked_options
class ModelDescription:
    """What the user says of a model where its file or its server does not.

    Args:
        input_shape: channels, height and width of one image.
        num_classes: number of classes.
        class_names: what the classes are called, in the order of their numbers; needed where the answer is text. Text
            off the list is no class.
        bounds: lowest and highest pixel value of a model that takes floats; one that takes bytes has 0 to 255.
        levels: number of values a pixel may take between the bounds, or None.
        output: name of the output that holds the answer.
        layout: order of the axes of the input.
        fingerprint: version of the model; by default the file's content, or the URL and what the server says.
    """

    input_shape: tuple[int, int, int] | None = None
    num_classes: int | None = None
    class_names: tuple[str, ...] = ()
    bounds: tuple[float, float] = (0.0, 1.0)
    levels: int | None = None
    output: str | None = None
    layout: Layout | None = None
    fingerprint: str | None = None

    def complete(
        self, taken: "ImageInput", num_classes: int | None, *, max_batch: int, fingerprint: str, origin: str
    ) -> TeacherSpec:
        """Describe a teacher by what the user says and what its file or server says."""
        classes = self.num_classes or len(self.class_names) or num_classes
        if classes is None:
            raise PlanError(
                f"{origin} does not say how many classes it has; nothing was asked: give teacher.num_classes"
            )
        bounds, levels = (_BYTE_BOUNDS, 256) if taken.takes_bytes else (self.bounds, self.levels)
        max_batch, fingerprint = taken.batch or max_batch, self.fingerprint or fingerprint
        spec = TeacherSpec(taken.image_shape, classes, bounds, max_batch, fingerprint, levels)
        return replace(spec, class_names=self.class_names)


@dataclass(frozen=True)
class ImageInput:
    """How images are taken: "flat" is one axis for all pixels, and `batch` the rows of every call if they are fixed."""

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
        """Bring images into the order, type and number that are taken; the last one fills up a fixed batch."""
        if self.layout == "nhwc":
            images = images.permute(0, 2, 3, 1)
        elif self.layout == "flat":
            images = images.flatten(1)
        array = images.detach().cpu().numpy()
        if self.takes_bytes:
            array = array.round().clip(*_BYTE_BOUNDS)
        arranged: npt.NDArray[np.generic] = np.ascontiguousarray(array.astype(self.kind))
        missing = (self.batch or 0) - len(arranged)
        return np.concatenate([arranged, arranged[-1:].repeat(missing, axis=0)]) if missing > 0 else arranged

    def describe(self, bounds: tuple[float, float]) -> tuple[str, ...]:
        """Say in sentences how images are given, for the user who knows better."""
        said = [f"images are taken as {self.layout} {self.image_shape} of {np.dtype(self.kind).name}"]
        if not self.takes_bytes:
            said.append(f"pixels are taken from {bounds[0]:g} to {bounds[1]:g}: see scale, mean and deviation if not")
        if self.batch is not None:
            said.append(f"every call holds {self.batch} rows; fewer are filled up")
        return tuple(said)


def read_input(
    inputs: Sequence[tuple[str, str, Sequence[int | str | None]]],
    kinds: Mapping[str, type[np.generic]],
    description: ModelDescription,
    *,
    origin: str,
) -> ImageInput:
    """Read how images are taken from the name, type and shape of each input; `kinds` holds the types that are known."""
    if len(inputs) != 1 or inputs[0][1] not in kinds:
        found = ", ".join(f"{name}: {kind}" for name, kind, _ in inputs)
        raise PlanError(
            f"{origin} must take one tensor of images of {', '.join(kinds)}, and takes {found}; nothing was asked: "
            "wrap it in a function (python:package.module:name)"
        )
    ((name, kind, sides),) = inputs
    shape = static_shape(sides)
    layout, image_shape = _read_layout(shape, description.input_shape, description.layout, origin=origin)
    return ImageInput(name, kinds[kind], layout, image_shape, shape[0])


def _read_layout(
    shape: Shape, given: tuple[int, int, int] | None, wanted: Layout | None, *, origin: str
) -> tuple[Layout, tuple[int, int, int]]:
    """Find the order of the axes and the shape of an image from an input's shape and what the plan says of both."""
    for layout in (wanted,) if wanted else _likely(shape, given):
        axes = _axes(shape, layout, given)
        if axes is None or any(known not in (None, side) for known, side in zip(axes, given or axes, strict=True)):
            continue
        channels, height, width = given or axes
        if channels and height and width:
            return layout, (channels, height, width)
    raise PlanError(
        f"{origin} takes images of shape {shape} (None is open), teacher.input_shape is {given} and teacher.layout "
        f"{wanted}; nothing was asked: give [channels, height, width] as they are taken, and the layout if it is known"
    )


def static_shape(shape: Sequence[int | str | None]) -> Shape:
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
