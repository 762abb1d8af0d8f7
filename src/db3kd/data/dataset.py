"""What a data set is: images, ids that stay the same, and labels where they are known.

Every source of images ends here, so what a `Dataset` promises is checked once; reading files lives in the other
modules of the room. `draw` chooses the rows of a smaller data set.
"""

import hashlib
import heapq
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from jaxtyping import Shaped

from db3kd.arguments import check_arguments
from db3kd.data import mapped
from db3kd.data.numbered import Numbered
from db3kd.data.pixel_rows import IN_MEMORY, NOWHERE, PixelRows
from db3kd.data.reading import Reading
from db3kd.errors import DataError
from db3kd.tensors import Float, Int, Tensor, UInt8

Split = Literal["train", "test"]

_LEVELS, _CHANNELS = 255.0, (1, 3, 4)
_OF_WORDS = ("name", "class_names", "reading")
_BYTES_OF_A_PART, _IDS_OF_A_PART = 64 * 2**20, 2**16


# Two data sets are compared by their digests: comparing tensors field by field has no single answer.
@dataclass(frozen=True, eq=False)
class Dataset:
    """Images with their ids, and labels where they are known.

    Args:
        name: the source and the split, as in "fashion-mnist/train".
        ids: one per image, unique, and the same in every subset and in every session; a tuple, or `Numbered`.
        pixels: uint8 from 0 to 255 where the source has 8 bits (a quarter of the memory), else float32 in [0, 1].
        labels: int64, the class that the source says, or None.
        class_names: what the classes are called, or empty where nobody says.
        reading: what was done to pictures when they were read, or None.
    """

    name: str
    ids: Sequence[str] = field(repr=False)
    pixels: UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"] = field(repr=False)
    labels: Int[Tensor, " n"] | None = field(repr=False)
    class_names: tuple[str, ...]
    reading: Reading | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_arguments(type(self).__init__, {key: one for key, one in vars(self).items() if key in _OF_WORDS})
        if not isinstance(self.ids, Sequence) or isinstance(self.ids, str):
            raise DataError(f"{self.name}: ids must be a list of texts, got a {type(self.ids).__name__}")
        faults = list(_pixel_faults(self.pixels)) or list(self._faults_beside())
        if faults:
            raise DataError(f"{self.name} is no data set: " + "; ".join(faults))

    def _faults_beside(self) -> Iterator[str]:
        """Find what does not fit the pixels."""
        if self.labels is not None:
            yield from _label_faults(self.labels, len(self.pixels), len(self.class_names))
        if len(self.ids) != len(self.pixels):
            yield f"{len(self.pixels):,} images need as many ids, got {len(self.ids):,}"
        if not isinstance(self.ids, Numbered) and len(set(self.ids)) != len(self.ids):
            yield "ids must be unique, got some of them twice"

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one image."""
        _, channels, height, width = self.pixels.shape
        return channels, height, width

    def row_of(self, identity: str) -> int | None:
        """Find the image of an id; None where there is none."""
        return self.ids.row_of(identity) if isinstance(self.ids, Numbered) else self._places.get(identity)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {name: row for row, name in enumerate(self.ids)}

    def without(self, ids: Iterable[str]) -> Int[Tensor, " m"]:
        """Give the rows of all images but some; ids of other images are passed over."""
        left = torch.ones(len(self), dtype=torch.bool)
        left[torch.tensor([row for name in ids if (row := self.row_of(name)) is not None], dtype=torch.int64)] = False
        return left.nonzero()[:, 0]

    @cached_property
    def digest(self) -> str:
        """The sha256 over shape, ids, pixels and labels, in hexadecimal: the same content has the same digest."""
        digest = hashlib.sha256()
        for text in self._head():
            digest.update(text.encode())
        rows = max(1, _BYTES_OF_A_PART // max(1, self.pixels[:1].nbytes))
        for part in torch.split(self.pixels, rows):
            pixels = part.contiguous().numpy()
            digest.update(pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).data)
            mapped.release(self.pixels)
        return digest.hexdigest()

    def _head(self) -> Iterator[str]:
        """Write what is known beside the pixels as JSON, in pieces: it may be long."""
        labels = self.labels
        yield json.dumps({"shape": list(self.pixels.shape), "type": str(self.pixels.dtype)})[:-1] + ', "ids": '
        yield from _listed(len(self), lambda part: self.ids[part])
        yield ', "labels": '
        yield from ["null"] if labels is None else _listed(len(self), lambda part: labels[part].tolist())
        yield "}"

    def images(self, rows: Int[Tensor, " b"] | slice | None = None) -> Float[Tensor, "b c h w"]:
        """Give some images, or all, as a network takes them: a copy, float32 in [0, 1]."""
        pixels = self.pixels if rows is None else self.pixels[rows]
        return in_unit(pixels) if pixels.dtype == torch.uint8 else pixels.clone()

    def subset(self, rows: Int[Tensor, " b"]) -> "Dataset":
        """Copy some images with their ids and labels, in the order of the rows; each row at most once."""
        labels = None if self.labels is None else self.labels[rows]
        ids = tuple(self.ids[row] for row in rows.tolist())
        return Dataset(self.name, ids, self.pixels[rows], labels, self.class_names, self.reading)

    def joined(self, other: "Dataset") -> "Dataset":
        """Put other images, with ids of their own, behind these; labels stay where both have some."""
        alike = self.pixels.dtype == other.pixels.dtype
        parts = (self.pixels, other.pixels) if alike else (self.images(), other.images())
        labels, class_names = None, self.class_names
        if self.labels is not None and other.labels is not None:
            labels = torch.cat([self.labels, other.labels])
            # Labels of the one may have no name among those of the other.
            class_names = self.class_names if self.class_names == other.class_names else ()
        return Dataset(self.name, (*self.ids, *other.ids), torch.cat(parts), labels, class_names)


def _listed(count: int, take: Callable[[slice], Sequence[object]]) -> Iterator[str]:
    """Write a list as JSON, part by part."""
    yield "["
    for start in range(0, count, _IDS_OF_A_PART):
        yield (", " if start else "") + json.dumps(take(slice(start, start + _IDS_OF_A_PART)))[1:-1]
    yield "]"


def in_unit(pixels: UInt8[Tensor, "*n c h w"] | Float[Tensor, "*n c h w"]) -> Float[Tensor, "*n c h w"]:
    """Bring 8-bit images into [0, 1], 32-bit; others are given as they are."""
    return pixels.to(torch.float32).div_(_LEVELS) if pixels.dtype == torch.uint8 else pixels


def as_bytes(images: Float[Tensor, "*n c h w"]) -> UInt8[Tensor, "*n c h w"]:
    """Bring images in [0, 1] to the nearest of 8-bit steps."""
    return (images * _LEVELS).round().to(torch.uint8)


def from_arrays(
    images: Shaped[Tensor, "n ..."] | Shaped[np.ndarray, "n ..."],
    labels: Shaped[Tensor, "..."] | Shaped[np.ndarray, "..."] | None = None,
    name: str = "array",
    *,
    class_names: Sequence[str] = (),
) -> Dataset:
    """Make a data set of images that are in memory already.

    Args:
        images: uint8 from 0 to 255, or floating point in [0, 1]; [n h w], [n c h w] or [n h w c].
            Four axes are read as [n c h w], unless the last one alone has 1, 3 or 4 entries.
        labels: whole numbers from 0, one per image, or None.
        name: what the data set is called; the ids are NAME/00000, NAME/00001 and so on.
        class_names: what the classes are called.

    Returns:
        A data set that shares no memory with the arrays, except with the file of a numpy memmap, which is not read.
    """
    check_arguments(from_arrays, locals())
    pixels = _shared(images) if isinstance(images, np.memmap) else _own(name, images)
    if pixels.dtype != torch.uint8 and not pixels.is_floating_point():
        raise DataError(
            f"{name}: images must be uint8 from 0 to 255 or floating point in [0, 1], got {pixels.dtype}: convert them"
        )
    if pixels.ndim not in (3, 4):
        raise DataError(
            f"{name}: images must be [n h w], [n c h w] or [n h w c], got the shape {tuple(pixels.shape)}: "
            "reshape them first"
        )
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels
    pixels = _in_order(channels_first(pixels))
    classes = None if labels is None else _classes(name, labels, len(pixels))
    return Dataset(name, Numbered(name, len(pixels)), pixels, classes, tuple(class_names))


def channels_first(pixels: Shaped[Tensor, "*n _ _ _"]) -> Shaped[Tensor, "*n _ _ _"]:
    """Read images as [c h w], unless the last axis alone has 1, 3 or 4 entries."""
    last = pixels.shape[-1] in _CHANNELS and pixels.shape[-3] not in _CHANNELS
    return pixels.movedim(-1, -3) if last else pixels


def draw(ids: Sequence[str], count: int, *, seed: int) -> Int[Tensor, " b"]:
    """Draw at most `count` rows at random, in ascending order; a larger draw holds the smaller."""
    check_arguments(draw, locals())
    # By a hash and not a generator: no release of torch or numpy can change the draw.
    lots = (
        (hashlib.blake2b(f"{seed}/{identity}".encode(), digest_size=16).digest(), row)
        for row, identity in enumerate(ids)
    )
    return torch.tensor(sorted(row for _, row in heapq.nsmallest(count, lots)), dtype=torch.int64)


def _shared(array: Shaped[np.memmap, "..."]) -> Shaped[Tensor, "..."]:
    """Take a file's values as they lie there, where torch knows their type."""
    if (found := mapped.shared(array)) is not None:
        return found
    if array.dtype.kind not in "buif" or not array.dtype.isnative or any(step < 0 for step in array.strides):
        return _own("array", np.asarray(array))
    with warnings.catch_warnings():
        # That the file cannot be written is as it should be: nothing writes into pixels.
        warnings.simplefilter("ignore", UserWarning)
        return torch.from_numpy(array)


def _in_order(pixels: Shaped[Tensor, "n c h w"]) -> Shaped[Tensor, "n c h w"]:
    """Give pixels one after another, floating point ones 32-bit; many go to a file, part by part."""
    dtype = torch.float32 if pixels.is_floating_point() else pixels.dtype
    if pixels.dtype == dtype and pixels.is_contiguous():
        return pixels
    if pixels.nbytes <= IN_MEMORY or dtype not in (torch.uint8, torch.float32):
        return pixels.to(dtype).contiguous()
    rows = PixelRows(tuple(pixels.shape[1:]), str(dtype).removeprefix("torch."), len(pixels), place=NOWHERE)
    for part in pixels.split(max(1, _BYTES_OF_A_PART * len(pixels) // pixels.nbytes)):
        rows.add(part.to(dtype).contiguous().numpy())
    return rows.tensor()


def _own(name: str, array: Shaped[Tensor, "..."] | Shaped[np.ndarray, "..."]) -> Shaped[Tensor, "..."]:
    if isinstance(array, Tensor):
        return array.detach().cpu().clone()
    try:
        # In the byte order of this machine, the only one that torch knows; np.array makes the copy.
        return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))
    except TypeError as error:
        raise DataError(f"{name}: expected an array of numbers, got {array.dtype}: convert it first") from error


def _classes(name: str, labels: Shaped[Tensor, "..."] | Shaped[np.ndarray, "..."], count: int) -> Int[Tensor, " n"]:
    classes = _own(name, labels)
    if classes.is_floating_point() or classes.is_complex() or classes.dtype == torch.bool or classes.shape != (count,):
        raise DataError(
            f"{name}: labels must be whole numbers of the shape ({count},), got {classes.dtype} of the shape "
            f"{tuple(classes.shape)}: convert them first (one-hot rows with argmax)"
        )
    return classes.to(torch.int64)


def _pixel_faults(pixels: UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"]) -> Iterator[str]:
    if not isinstance(pixels, Tensor) or pixels.ndim != 4:
        yield f"pixels must be a tensor [n c h w], got {getattr(pixels, 'shape', type(pixels).__name__)}"
    elif pixels.dtype not in (torch.uint8, torch.float32):
        yield f"pixels must be uint8 or floating point in [0, 1], got {pixels.dtype}: convert them first"
    elif 0 in pixels.shape[1:]:
        yield f"images must have at least one pixel, got the shape {tuple(pixels.shape)}"
    elif pixels.dtype == torch.float32 and len(pixels):
        low, high = (bound.item() for bound in torch.aminmax(pixels))
        # NaN fails every comparison, so it is asked whether all is well and not whether something is wrong.
        if not (low >= 0.0 and high <= 1.0):
            yield f"floating point pixels must lie in [0, 1], got {low:g} to {high:g}: divide 8-bit values by 255 first"


def _label_faults(labels: Int[Tensor, "..."], count: int, classes: int) -> Iterator[str]:
    if not isinstance(labels, Tensor) or labels.shape != (count,) or labels.dtype != torch.int64:
        kind, shape = getattr(labels, "dtype", type(labels).__name__), tuple(getattr(labels, "shape", ()))
        yield f"{count:,} images need as many int64 labels, got {kind} of the shape {shape}"
    elif count and labels.min() < 0:
        yield f"labels must start at 0, got {int(labels.min())}"
    elif count and classes and labels.max() >= classes:
        yield f"{classes} class names allow labels up to {classes - 1}, got {int(labels.max())}"
