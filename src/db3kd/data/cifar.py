"""CIFAR-10's binary format, and the named data set that comes in it.

A folder of the user's in the same format is read without a checksum and checked by its structure. The pickled form is
not read.

Source: the description of the binary version on cs.toronto.edu/~kriz/cifar.html: a record is one byte of label and
3,072 bytes of a 32x32 image, red, green and blue plane, row by row.
"""

import re
from pathlib import Path

import numpy as np
import torch

from db3kd.data.dataset import Dataset, Split
from db3kd.data.numbered import Numbered
from db3kd.data.published import CIFAR10
from db3kd.data.retrieval import read_published
from db3kd.errors import DataError
from db3kd.tensors import UInt8

_IMAGE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32


def load_published_cifar10(split: Split) -> Dataset:
    """Read CIFAR-10: 50,000 or 10,000 images of 3x32x32."""
    names = CIFAR10.train if split == "train" else CIFAR10.test
    contents = dict(zip(names, read_published(CIFAR10, split), strict=True))
    return _assemble(f"{CIFAR10.name}/{split}", contents, CIFAR10.class_names)


def load_cifar10_folder(folder: Path, split: Split) -> Dataset:
    """Read a folder of data_batch_N.bin or test_batch.bin; batches.meta.txt may name the ten classes."""
    wanted = "data_batch_1.bin" if split == "train" else "test_batch.bin"
    pattern = r"data_batch_(\d+)\.bin" if split == "train" else r"test_batch\.bin"
    places = [place for place in folder.glob("*.bin") if re.fullmatch(pattern, place.name)]
    if not places:
        raise DataError(f"{folder} holds no {wanted}: put it there, or name the folder that holds it")
    # By number: by name, batch 10 would come before batch 2.
    places.sort(key=lambda place: (len(place.name), place.name))
    contents = {str(place): place.read_bytes() for place in places}
    return _assemble(f"{folder.resolve().name}/{split}", contents, _class_names(folder / "batches.meta.txt"))


def _class_names(place: Path) -> tuple[str, ...]:
    if not place.is_file():
        return CIFAR10.class_names
    try:
        lines = place.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{place} is no text ({error}): it was not used; put ten names there, one a line") from error
    names = tuple(line.strip() for line in lines if line.strip())
    if len(names) != len(CIFAR10.class_names):
        raise DataError(
            f"{place} names {len(names)} classes, expected 10, one a line: it was not used; complete or remove it"
        )
    return names


def _assemble(name: str, contents: dict[str, bytes], class_names: tuple[str, ...]) -> Dataset:
    records = np.concatenate([_records(content, place) for place, content in contents.items()])
    pixels = torch.from_numpy(records[:, 1:].reshape(-1, *_IMAGE).copy())
    labels = torch.from_numpy(records[:, 0].astype(np.int64))
    return Dataset(name, Numbered(name, len(pixels)), pixels, labels, class_names)


def _records(content: bytes, place: str) -> UInt8[np.ndarray, "n record"]:
    if not content or len(content) % _RECORD:
        raise DataError(
            f"{place} is no file in CIFAR-10's binary format: expected records of {_RECORD:,} bytes, got "
            f"{len(content):,} bytes, which is {len(content) / _RECORD:.2f} of them: it was not used; get it again"
        )
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, _RECORD)
    row = int(records[:, 0].argmax())
    if records[row, 0] >= len(CIFAR10.class_names):
        raise DataError(
            f"{place} is no file in CIFAR-10's binary format: expected labels from 0 to 9, got {records[row, 0]} in "
            f"record {row:,}: it was not used; get it again (CIFAR-100 has two bytes of label and is not read)"
        )
    return records
