"""Whatever a user has in Python, as a data set: paths, pictures, arrays, tensors, data sets of torch and Hugging Face.

Pictures are decoded side by side. The items of a data set of somebody else are fetched one after another, since nobody
knows whether it stands threads, and so are pictures decoded that are open: one may be there twice.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

from db3kd.arguments import check_arguments
from db3kd.data.dataset import Dataset, channels_first, from_arrays
from db3kd.data.decoding import Block, block_of, collect, open_picture, reason_of
from db3kd.data.files import dataset_of_files, id_of
from db3kd.data.numbered import Numbered
from db3kd.data.picture import ImageOptions, Shape, shape_of
from db3kd.data.pixel_rows import NOWHERE, PixelRows, Place
from db3kd.data.refitting import IN_8_BITS, as_picture, refitted
from db3kd.data.sources import load
from db3kd.errors import DataError, Db3kdError
from db3kd.tensors import Tensor

KINDS = (
    "a data set of db3kd, a folder or another source by its name, a list of paths, of pictures or of arrays, an array, "
    "a tensor, a map-style data set of torch or Hugging Face, or a DataLoader of one"
)
_IMAGE_KEYS = ("image", "img", "pixel_values")
_LABEL_KEYS = ("label", "labels")
_NAME = "images"
_COLORS, _NARROW = 3, 8


class _Item(NamedTuple):
    """An image in whatever form, and its class where it has one."""

    image: Any
    label: Any


def dataset_of(
    given: Any,
    *,
    wanted: Shape | None = None,
    options: ImageOptions | None = None,
    place: Place = NOWHERE,
) -> Dataset:
    """Make a data set of what a user has.

    Args:
        given: a `Dataset`, which is given back as it is; a path, or a source by its name as `load` takes it; paths,
            pictures of pillow, arrays or tensors in a list; one array or tensor as `from_arrays` takes it; any data set
            with a length and items by number, such as those of torch, torchvision and Hugging Face: an item is an
            image, (image, label, ...) or a mapping with "image", "img" or "pixel_values" and "label"; a `DataLoader`,
            of which the data set is read, in its order and not by its batches.
        wanted: channels, height and width that the teacher takes.
        options: how pictures are brought to that, and what becomes of broken ones. Those that have the shape, and
            floating point images in [0, 1] always, pass unchanged.
        place: where decoded pixels may lie, and who hears of reading.

    Returns:
        The images; labels where each item has a class from 0.

    Raises:
        DataError: it is something else, holds no image, too many are broken, or shapes do not fit.
        PlanError: a source has no such name.
        StorageError: there is no room for the pixels.
    """
    check_arguments(dataset_of, locals())
    options = options or ImageOptions()
    if isinstance(given, Dataset):
        return given
    if isinstance(given, (str, Path)):
        return load(str(given), wanted=wanted, options=options, place=place)
    if _is_column(given):
        given = given.tolist()
    if isinstance(given, (Tensor, np.ndarray)):
        return _of_array(given, wanted, options, place)
    if isinstance(given, DataLoader):
        given = given.dataset
    if isinstance(given, (bytes, bytearray, Mapping, IterableDataset)) or not _is_sequence(given):
        raise DataError(
            f"images must be {KINDS}; got {_kind(given)}: nothing was asked; give one of these, of a stream a list of "
            "some of its images"
        )
    count = _length(given)
    if not count:
        raise DataError("no image was given; nothing was asked: give some")
    if isinstance(given, (list, tuple)) and all(isinstance(one, (str, Path)) for one in given):
        paths = [Path(one) for one in given]
        return dataset_of_files(paths, list(map(id_of, paths)), name=_NAME, wanted=wanted, options=options, place=place)
    return _of_items(given, count, wanted, options, place)


def _of_array(given: Any, wanted: Shape | None, options: ImageOptions, place: Place) -> Dataset:
    if _is_one_picture(tuple(given.shape), wanted):
        raise DataError(
            f"an array of the shape {tuple(given.shape)} is one image in colour, or many gray ones that are narrow; "
            "nothing was asked: give one image in a list, and many as [n, 1, height, width]"
        )
    with _said("images"):
        dataset = from_arrays(given, name=_NAME)
    if dataset.pixels.is_floating_point() and not options.is_stated:
        return dataset
    return refitted(dataset, _target(dataset.image_shape, wanted, options), options, place=place)


def _is_one_picture(shape: tuple[int, ...], wanted: Shape | None) -> bool:
    """Whether three axes are rather those of one picture in colour than of gray images."""
    if len(shape) != 3 or (wanted is not None and shape[1:] == wanted[1:]):
        return shape == wanted and shape[0] > 1
    return shape[2] in (_COLORS, _COLORS + 1) and min(shape[:2]) > _NARROW


def _of_items(given: Any, count: int, wanted: Shape | None, options: ImageOptions, place: Place) -> Dataset:
    ids, found, first_error = Numbered(_NAME, count), None, ""
    for row in range(min(count, max(1, round(options.broken_share * count)) + 1)):
        # The first that can be read says of which kind and shape all are.
        try:
            found = _shape_of(_arranged(_item(given[row]).image))
            break
        except Exception as error:  # noqa: BLE001  # an item of somebody else's data set may raise anything
            first_error = reason_of(error)
    if found is None:
        raise DataError(
            f"the first items of {_kind(given)} are no images ({first_error}); nothing was asked: an item must be an "
            "image, (image, label) or a mapping with 'image' and 'label', where an image is a picture, a path, or an "
            "array or tensor of 8 bits or in [0, 1]"
        )
    natural, floating = found
    shape = _target(natural, None if floating else wanted, options)
    if floating and shape != natural:
        raise DataError(
            f"the items of {_kind(given)} are floating point of the shape {natural}, and cannot be brought to {shape}; "
            f"nothing was asked: {IN_8_BITS}"
        )
    labels: dict[int, int | None] = {}

    def fetch(row: int) -> Callable[[], Block]:
        try:
            item = _item(given[row])
            labels[row] = _label(item.label)
            return _reading(row, _arranged(item.image), shape, options, floating=floating)
        except Exception as error:  # noqa: BLE001  # an item of somebody else's data set may raise anything
            return partial(Block, [], [], {}, {row: reason_of(error)})

    store = PixelRows(shape, "float32" if floating else "uint8", count, place=place)
    decoded = collect(map(fetch, range(count)), ids, store, shape, options, name=_NAME, place=place)
    decoded.reading.tell()
    classes = [labels.get(row) for row in decoded.rows]
    known = [label for label in classes if label is not None]
    return Dataset(
        _NAME,
        tuple(ids[row] for row in decoded.rows),
        decoded.pixels,
        torch.tensor(known, dtype=torch.int64) if len(known) == len(classes) else None,
        _class_names(given, max(known, default=-1)) if len(known) == len(classes) else (),
        decoded.reading,
    )


def _target(natural: Shape, wanted: Shape | None, options: ImageOptions) -> Shape:
    """Tell to which shape images of a shape are brought."""
    if not options.is_stated and natural == tuple(wanted or natural):
        return natural
    return options.shape(wanted or natural) or natural


def _reading(row: int, image: Any, shape: Shape, options: ImageOptions, *, floating: bool) -> Callable[[], Block]:
    """Say how an arranged image is read; a ValueError where it is of another kind than the others."""
    if not isinstance(image, Tensor):
        if floating:
            raise ValueError("it is a picture, and others are floating point")
        task = partial(block_of, [(row, image)], shape, options)
        return task if isinstance(image, (Path, bytes)) else partial(Block, *task())
    if image.is_floating_point() != floating:
        raise ValueError("some images are of 8 bits and others floating point")
    given = tuple(image.shape)
    if given == shape:
        return partial(Block, [(image.to(torch.float32) if floating else image).numpy()], [row], {}, {})
    if floating:
        raise ValueError(f"it has the shape {given}, and others {shape}; floating point is not scaled: {IN_8_BITS}")
    return partial(block_of, [(row, as_picture(image))], shape, options)


def _item(item: Any) -> _Item:
    """Take an item apart."""
    if isinstance(item, Mapping):
        image = next((item[key] for key in _IMAGE_KEYS if key in item), None)
        if image is None:
            raise ValueError(f"a mapping needs one of {', '.join(_IMAGE_KEYS)}, got {', '.join(map(str, item))}")
        return _Item(image, next((item[key] for key in _LABEL_KEYS if key in item), None))
    if isinstance(item, (tuple, list)) and len(item):
        return _Item(item[0], item[1] if len(item) > 1 else None)
    return _Item(item, None)


def _shape_of(image: Any) -> tuple[Shape, bool]:
    """Tell the shape of an arranged image, and whether it is floating point."""
    if isinstance(image, Tensor):
        channels, height, width = image.shape
        return (channels, height, width), image.is_floating_point()
    if isinstance(image, (bytes, Path)):
        with open_picture(image) as opened:
            return shape_of(opened), False
    return shape_of(image), False


def _arranged(image: Any) -> Any:
    """Give an image as a picture, as a path or bytes of one, or as a tensor [c h w] of 8 bits or floating point."""
    from PIL import Image

    if isinstance(image, Image.Image):
        return image
    if isinstance(image, Mapping):
        # What Hugging Face has not decoded.
        image = image.get("bytes") or image.get("path")
    if isinstance(image, str):
        image = Path(image)
    if isinstance(image, (bytes, Path)):
        return image
    if not isinstance(image, (Tensor, np.ndarray)):
        raise ValueError(f"{_kind(image)} is no image")
    pixels = image.detach().cpu() if isinstance(image, Tensor) else torch.from_numpy(np.array(image))
    if pixels.dtype != torch.uint8 and not pixels.is_floating_point():
        raise ValueError(f"an image must be of 8 bits or floating point in [0, 1], got {pixels.dtype}")
    if pixels.ndim == 2:
        return pixels[None]
    if pixels.ndim != 3:
        raise ValueError(f"an image has the axes [h w], [c h w] or [h w c], got the shape {tuple(pixels.shape)}")
    return channels_first(pixels).contiguous()


def _label(label: Any) -> int | None:
    if isinstance(label, (Tensor, np.ndarray)) and label.ndim == 0:
        label = label.item()
    whole = isinstance(label, (int, np.integer)) and not isinstance(label, bool)
    return int(label) if whole and 0 <= label < 2**31 else None


def _class_names(given: Any, greatest: int) -> tuple[str, ...]:
    """What a data set of torchvision or Hugging Face calls its classes, where that fits its labels."""
    names: Any = getattr(given, "classes", None)
    features = getattr(given, "features", None)
    if isinstance(features, Mapping):
        names = next((getattr(features[key], "names", None) for key in _LABEL_KEYS if key in features), names)
    fits = isinstance(names, Sequence) and not isinstance(names, str) and len(names) > greatest
    return tuple(map(str, names)) if fits else ()


def _is_sequence(given: Any) -> bool:
    return hasattr(type(given), "__getitem__") and hasattr(type(given), "__len__")


def _is_column(given: Any) -> bool:
    """Whether it is a column of pandas, or an array of numpy, that holds paths or pictures."""
    kind = getattr(getattr(given, "dtype", None), "kind", "")
    return kind in ("U", "O", "T") and getattr(given, "ndim", 0) == 1 and hasattr(given, "tolist")


def _length(given: Any) -> int:
    with _said("the length of what was given"):
        return len(given)


@contextlib.contextmanager
def _said(what: str) -> Iterator[None]:
    """Turn whatever somebody else's object raises into an error of ours."""
    try:
        yield
    except Db3kdError:
        raise
    except Exception as error:
        raise DataError(
            f"{what} cannot be read ({reason_of(error)}); nothing was asked: images must be {KINDS}"
        ) from error


def _kind(given: Any) -> str:
    kind = type(given)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
