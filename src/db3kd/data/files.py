"""A data set of image files, wherever they lie. Which files belong to a folder is the business of `image_folder`."""

import logging
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import torch

from db3kd.data.dataset import Dataset
from db3kd.data.decoding import common_shape, decode_files
from db3kd.data.picture import ImageOptions, Shape
from db3kd.data.pixel_rows import NOWHERE, Place
from db3kd.errors import DataError, StorageError

_log = logging.getLogger(__name__)


def id_of(path: Path) -> str:
    """Name an image by its path; what is no text, or has a line break, is written as in a URL."""
    name = path.as_posix()
    return name if name.isprintable() else quote(name.encode(errors="surrogateescape"))


def dataset_of_files(
    paths: Sequence[Path],
    ids: Sequence[str],
    labels: Sequence[int] | None = None,
    class_names: tuple[str, ...] = (),
    *,
    name: str,
    wanted: Shape | None = None,
    options: ImageOptions | None = None,
    place: Place = NOWHERE,
) -> Dataset:
    """Read those of image files that can be read, in their order; `wanted` is the shape that the teacher takes.

    A DataError where none can be read, too many are broken, two have one name, or sizes differ and none is wanted; a
    StorageError where there is no room for the pixels.
    """
    options = options or ImageOptions()
    if not paths:
        raise DataError(f"{name} holds no image; nothing was asked: name some")
    twice = len(ids) - len(set(ids))
    if twice:
        raise DataError(f"{name} names {twice:,} images more than once; nothing was asked: name each of them once")
    shape = options.shape(wanted) or common_shape(paths, options, name=name)
    for _ in range(2):
        decoded = decode_files(paths, ids, shape, options, name=name, place=place)
        dataset = Dataset(
            name,
            tuple(ids[row] for row in decoded.rows),
            decoded.pixels,
            None if labels is None else torch.tensor([labels[row] for row in decoded.rows], dtype=torch.int64),
            class_names,
            decoded.reading,
        )
        store = decoded.store
        if store.is_kept and store.digest is None:
            store.note(
                {**(store.notes[-1] if store.notes else {}), "changes": {}, "broken": {}, "digest": dataset.digest}
            )
        if not store.is_kept or store.digest == dataset.digest:
            decoded.reading.tell()
            return dataset
        _log.warning("%s: the pixels that were kept are not what was read before; they are read anew", name)
        store.forget()
    raise StorageError(
        f"{name}: the pixels that were written are not what is read; nothing was asked: look at the disk"
    )
