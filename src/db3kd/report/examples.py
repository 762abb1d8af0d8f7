"""Single pairs of a labelling, small enough to look at: the image, its crossing and what lies between them.

Turns images into PNG data for the page. Which pairs are worth showing is the caller's choice; what a page looks
like is `page`'s.
"""

import base64
import io
from dataclasses import dataclass

import numpy
import numpy.typing
from PIL import Image

from db3kd.report.tables import UNKNOWN
from db3kd.tensors import Float, Tensor

LONGEST_SIDE = 96
"""Pixels; larger images are scaled down to it, since three pictures an example must stay small in a page."""


@dataclass(frozen=True)
class Example:
    """An image and the point where the teacher decides otherwise.

    Args:
        image: within `bounds`.
        crossing: the point beyond the boundary, as it was sent.
        own: name of the class the teacher gives the image.
        target: name of the class it gives the crossing.
        distance: L2 between the two, in input units.
        queries: rows spent on this pair; None where unknown.
        bounds: lowest and highest pixel value.
    """

    image: Float[Tensor, "c h w"]
    crossing: Float[Tensor, "c h w"]
    own: str
    target: str
    distance: float
    queries: int | None
    bounds: tuple[float, float] = (0.0, 1.0)

    @property
    def caption(self) -> str:
        """Say what became what, how far away and at what cost."""
        spent = UNKNOWN if self.queries is None else f"{self.queries:,}"
        return f"{self.own} → {self.target}, distance {self.distance:.2f}, {spent} queries"


@dataclass(frozen=True)
class ExamplePictures:
    """An example, ready for a page.

    Args:
        image: the image as a data URI.
        crossing: the crossing as a data URI.
        difference: crossing minus image, magnified, as a data URI.
        magnification: what the difference was multiplied with.
        caption: a line below them.
    """

    image: str
    crossing: str
    difference: str
    magnification: float
    caption: str


def draw(example: Example) -> ExamplePictures:
    """Turn an example into pictures.

    The difference is magnified until its largest entry takes the full range. In gray images red is brighter and
    blue is darker than before; in colour images each channel departs from middle gray. Images of neither one
    nor three channels are shown as the mean of their channels.

    Args:
        example: the pair.

    Returns:
        PNG pictures of at most 96 pixels a side.
    """
    low, high = example.bounds
    before, after = (_pixels((image - low) / (high - low)) for image in (example.image, example.crossing))
    difference = after - before
    largest = float(abs(difference).max())
    magnification = 1.0 / largest if largest > 0 else 1.0
    return ExamplePictures(
        image=_data_uri(before),
        crossing=_data_uri(after),
        difference=_data_uri(_signed(difference * magnification)),
        magnification=magnification,
        caption=example.caption,
    )


def _pixels(image: Float[Tensor, "c h w"]) -> numpy.typing.NDArray[numpy.float64]:
    """Height, width and one or three channels, about 0 to 1."""
    pixels = image.detach().cpu().double().permute(1, 2, 0).numpy()
    return pixels if pixels.shape[2] in (1, 3) else pixels.mean(axis=2, keepdims=True)


def _signed(change: numpy.typing.NDArray[numpy.float64]) -> numpy.typing.NDArray[numpy.float64]:
    if change.shape[2] == 3:
        return 0.5 + 0.5 * change
    rise, fall = change.clip(min=0), (-change).clip(min=0)
    return numpy.concatenate([1 - fall * 0.9, 1 - rise * 0.8 - fall * 0.6, 1 - rise * 0.9 - fall * 0.2], axis=2)


def _data_uri(pixels: numpy.typing.NDArray[numpy.float64]) -> str:
    eight_bit = (pixels.clip(0, 1) * 255).round().astype(numpy.uint8)
    picture = Image.fromarray(eight_bit.squeeze(2) if eight_bit.shape[2] == 1 else eight_bit)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
