"""Single pairs of an image and its crossing, small enough to look at, and what lies between the two.

Picks pairs of a search and turns them into PNG data for the page; what the page looks like is `page`'s.
"""

import base64
import io
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from PIL import Image

from db3kd.boundary import Distances
from db3kd.report.tables import class_label
from db3kd.tensors import Float, Int, Tensor

LONGEST_SIDE = 96
"""Pixels; larger images are scaled down to it, since three pictures an example must stay small in a page."""
_SHOWN = 8


@dataclass(frozen=True)
class Example:
    """An image and the crossing that was sent, both in [0, 1], with the names of their classes and the L2 between."""

    image: Float[Tensor, "c h w"]
    crossing: Float[Tensor, "c h w"]
    own: str
    target: str
    distance: float
    queries: int

    @property
    def caption(self) -> str:
        """Say what became what, how far away and at what cost."""
        return f"{self.own} → {self.target}, distance {self.distance:.2f}, {self.queries:,} queries"


class ExamplePictures(NamedTuple):
    """An example ready for a page: three data URIs, what the difference was multiplied with, and a caption."""

    image: str
    crossing: str
    difference: str
    magnification: float
    caption: str


def pick_examples(
    images: Float[Tensor, "e c h w"],
    crossings: Float[Tensor, "e c h w"],
    decisions: Int[Tensor, " n"],
    found: Distances,
    *,
    class_names: tuple[str, ...] = (),
) -> list[Example]:
    """Pick the nearest crossings of the first 8 images, NaN where none was found, with their distance and cost."""
    nearest = found.distances[: len(images)].min(dim=1)
    return [
        Example(
            image=images[row],
            crossing=crossings[row],
            own=class_label(class_names, int(decisions[row])),
            target=class_label(class_names, int(nearest.indices[row])),
            distance=float(nearest.values[row]),
            queries=int(found.queries[row, nearest.indices[row]]),
        )
        for row in range(min(_SHOWN, len(images)))
        if bool(crossings[row].isfinite().all())
    ]


def draw(example: Example) -> ExamplePictures:
    """Turn an example into PNG pictures of at most 96 pixels a side.

    The difference is magnified until its largest entry takes the full range. In gray images red is brighter and blue
    darker than before; in colour images each channel departs from middle gray. Images of neither one nor three channels
    are shown as the mean of their channels.
    """
    before, after = _pixels(example.image), _pixels(example.crossing)
    difference = after - before
    largest = float(abs(difference).max())
    magnification = 1.0 / largest if largest > 0 else 1.0
    image, crossing, shown = map(_data_uri, (before, after, _signed(difference * magnification)))
    return ExamplePictures(image, crossing, shown, magnification, example.caption)


def _pixels(image: Float[Tensor, "c h w"]) -> Float64[np.ndarray, "h w _"]:
    """Height, width and one or three channels, about 0 to 1."""
    pixels = image.detach().cpu().double().permute(1, 2, 0).numpy()
    return pixels if pixels.shape[2] in (1, 3) else pixels.mean(axis=2, keepdims=True)


def _signed(change: Float64[np.ndarray, "h w c"]) -> Float64[np.ndarray, "h w 3"]:
    if change.shape[2] == 3:
        return 0.5 + 0.5 * change
    rise, fall = change.clip(min=0), (-change).clip(min=0)
    return np.concatenate([1 - fall * 0.9, 1 - rise * 0.8 - fall * 0.6, 1 - rise * 0.9 - fall * 0.2], axis=2)


def _data_uri(pixels: Float64[np.ndarray, "h w c"]) -> str:
    eight_bit = (pixels.clip(0, 1) * 255).round().astype(np.uint8)
    picture = Image.fromarray(eight_bit.squeeze(2) if eight_bit.shape[2] == 1 else eight_bit)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return png_uri(buffer.getvalue())


def png_uri(data: bytes) -> str:
    """Write a PNG picture as a URI that stands in the page itself."""
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")
