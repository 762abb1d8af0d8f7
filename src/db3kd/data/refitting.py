"""Images of a data set brought to another shape, as pictures are; only 8-bit ones can be."""

from functools import partial
from typing import TYPE_CHECKING, Any

from db3kd.data.dataset import Dataset
from db3kd.data.decoding import Block, block_of, collect
from db3kd.data.picture import ImageOptions, Shape
from db3kd.data.pixel_rows import NOWHERE, PixelRows, Place
from db3kd.errors import DataError
from db3kd.tensors import Tensor, UInt8

if TYPE_CHECKING:
    from PIL import Image

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_ROWS_OF_A_TASK = 16

IN_8_BITS = "give 8-bit images (torchvision: PILToTensor, not ToTensor, or no transform), or scale them first"
"""What to do about floating point images of another size."""


def as_picture(pixels: UInt8[Tensor, "c h w"]) -> "Image.Image":
    """Turn 8-bit pixels of 1, 3 or 4 channels into a picture; a ValueError of others."""
    from PIL import Image

    channels, height, width = pixels.shape
    if channels not in _MODES or not pixels.numel():
        raise ValueError(f"an image of the shape {tuple(pixels.shape)} is no picture: it has 1, 3 or 4 channels")
    planes = pixels.permute(1, 2, 0).contiguous().numpy()
    data: Any = planes.tobytes()
    return Image.frombytes(_MODES[channels], (width, height), data)


def refitted(dataset: Dataset, shape: Shape | None, options: ImageOptions, *, place: Place = NOWHERE) -> Dataset:
    """Bring all images to a shape; those that have it, and those of which no shape is known, stay as they are."""
    if shape is None or dataset.image_shape == shape or not len(dataset):
        return dataset
    if dataset.pixels.is_floating_point():
        raise DataError(
            f"{dataset.name}: images of the shape {dataset.image_shape} are floating point and cannot be brought to "
            f"{shape}; nothing was asked: {IN_8_BITS}"
        )
    if dataset.image_shape[0] not in _MODES:
        raise DataError(
            f"{dataset.name}: images of {dataset.image_shape[0]} channels are no pictures and cannot be brought "
            f"to {shape}; nothing was asked: give images of 1, 3 or 4 channels"
        )

    def read(start: int) -> Block:
        rows = range(start, min(start + _ROWS_OF_A_TASK, len(dataset)))
        return block_of(((row, as_picture(dataset.pixels[row])) for row in rows), shape, options)

    tasks = (partial(read, start) for start in range(0, len(dataset), _ROWS_OF_A_TASK))
    store = PixelRows(shape, "uint8", len(dataset), place=place)
    decoded = collect(tasks, dataset.ids, store, shape, options, name=dataset.name, place=place)
    decoded.reading.tell()
    rows = decoded.rows
    assert len(rows) == len(dataset), "what is in memory is not broken"
    return Dataset(dataset.name, dataset.ids, decoded.pixels, dataset.labels, dataset.class_names, decoded.reading)
