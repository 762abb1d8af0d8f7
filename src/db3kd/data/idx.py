"""MNIST's own file format (idx), and the two named data sets that come in it.

A folder of the user's in this format (Kuzushiji-MNIST, say) is read without a checksum and checked by its structure.

Source: the description of the format beside the MNIST files (yann.lecun.com/exdb/mnist).
"""

import gzip
import zlib
from pathlib import Path

import numpy as np
import torch

from db3kd.data.dataset import Dataset, Split
from db3kd.data.numbered import Numbered
from db3kd.data.published import Collection
from db3kd.data.retrieval import read_published
from db3kd.errors import DataError
from db3kd.tensors import Tensor, UInt8

_UNSIGNED_BYTE = 0x08


def load_published_idx(collection: Collection, split: Split) -> Dataset:
    """Read MNIST or Fashion-MNIST: 60,000 or 10,000 images of 28x28."""
    images, labels = read_published(collection, split)
    name = f"{collection.name}/{split}"
    return _assemble(name, (f"{name}'s images", images), (f"{name}'s labels", labels), collection.class_names)


def load_idx_folder(folder: Path, split: Split, class_names: tuple[str, ...]) -> Dataset:
    """Read a folder that holds MNIST's four files, each as it is or with gzip (.gz), whatever images are in them."""
    half = "train" if split == "train" else "t10k"
    images, labels = (_read(folder, f"{half}-{what}-ubyte") for what in ("images-idx3", "labels-idx1"))
    return _assemble(f"{folder.resolve().name}/{split}", images, labels, class_names)


def parse_idx(content: bytes, axes: int, place: str) -> UInt8[Tensor, "..."]:
    """Turn a decompressed idx file into an array of 3 axes (images) or 1 (labels); `place` names it in an error."""
    magic = bytes((0, 0, _UNSIGNED_BYTE, axes))
    start = 4 + 4 * axes
    if len(content) < start or content[:4] != magic:
        raise DataError(
            f"{place} is no idx file with {axes} axes of unsigned bytes: expected it to begin with {magic.hex(' ')}, "
            f"got {content[:4].hex(' ') or 'nothing'}: it was not used; check that images and labels are not swapped"
        )
    shape = tuple(int(size) for size in np.frombuffer(content, dtype=">u4", count=axes, offset=4))
    expected = start + int(np.prod(shape, dtype=object))
    if len(content) != expected:
        raise DataError(
            f"{place} says that it holds {'x'.join(map(str, shape))} bytes: expected {expected:,} bytes in all, got "
            f"{len(content):,}: it is truncated or damaged and was not used; get it again"
        )
    return torch.from_numpy(np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape).copy())


def _read(folder: Path, name: str) -> tuple[str, bytes]:
    for place in (folder / f"{name}.gz", folder / name):
        if not place.is_file():
            continue
        try:
            with gzip.open(place) if place.suffix == ".gz" else place.open("rb") as stream:
                return str(place), stream.read()
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{place} cannot be read to its end ({error}): it was not used; get it again") from error
    raise DataError(f"{folder} holds no {name}.gz and no {name}: put one of them there, or name another folder")


def _assemble(name: str, images: tuple[str, bytes], labels: tuple[str, bytes], class_names: tuple[str, ...]) -> Dataset:
    (images_place, images_content), (labels_place, labels_content) = images, labels
    pixels = parse_idx(images_content, 3, images_place)
    classes = parse_idx(labels_content, 1, labels_place)
    if len(pixels) != len(classes) or not len(pixels):
        raise DataError(
            f"{images_place} holds {len(pixels):,} images and {labels_place} {len(classes):,} labels: expected as many "
            "of both and at least one: they were not used; check that they belong together"
        )
    if int(classes.max()) >= len(class_names):
        raise DataError(
            f"{labels_place} holds the label {int(classes.max())}: expected labels from 0 to {len(class_names) - 1}: "
            "it was not used; check that it is the right file"
        )
    return Dataset(name, Numbered(name, len(pixels)), pixels[:, None], classes.to(torch.int64), class_names)
