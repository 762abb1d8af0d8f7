"""CIFAR-10's binary format, and the named data set that comes in it.

Finding and checking published files is for `db3kd.data.retrieval`; here bytes become images and labels. A folder of
the user's in the same format is read without a checksum and checked by its structure. The pickled form is not read.

Source: the description of the binary version on cs.toronto.edu/~kriz/cifar.html: a record is one byte of label and
3,072 bytes of a 32x32 image, red, green and blue plane, row by row.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from db3kd.data.dataset import Dataset, Split, numbered
from db3kd.data.published import CIFAR10
from db3kd.data.retrieval import read_published
from db3kd.errors import DataError
from db3kd.tensors import UInt8

CHANNELS, HEIGHT, WIDTH = 3, 32, 32
RECORD = 1 + CHANNELS * HEIGHT * WIDTH


def load_published_cifar10(split: Split) -> Dataset:
    """Read CIFAR-10.

    Args:
        split: which half of it.

    Returns:
        50,000 or 10,000 images of 3x32x32.

    Raises:
        DataError: the archive or a file of it is missing, truncated, swapped or wrong.
        StorageError: the cache folder cannot be written.
    """
    files = CIFAR10.train if split == "train" else CIFAR10.test
    contents = read_published(CIFAR10, split)
    records = [_records(content, file.name) for file, content in zip(files, contents, strict=True)]
    return _assemble(f"{CIFAR10.name}/{split}", records, CIFAR10.class_names)


def load_cifar10_folder(folder: Path, split: Split) -> Dataset:
    """Read a folder in CIFAR-10's binary format, with any number of records in a file.

    Args:
        folder: holds data_batch_1.bin, data_batch_2.bin and so on for training, test_batch.bin for testing, and may
            hold batches.meta.txt with the ten class names.
        split: which half of it.

    Returns:
        The images in the order of the files; their ids begin with the name of the folder.

    Raises:
        DataError: a file is missing, truncated or of another format.
    """
    places = _batches(folder) if split == "train" else [folder / "test_batch.bin"]
    wanted = "data_batch_1.bin" if split == "train" else "test_batch.bin"
    if not places or not all(place.is_file() for place in places):
        raise DataError(f"{folder} holds no {wanted}: put it there, or name the folder that holds it")
    records = [_records(place.read_bytes(), str(place)) for place in places]
    return _assemble(f"{folder.resolve().name}/{split}", records, _class_names(folder / "batches.meta.txt"))


def _batches(folder: Path) -> list[Path]:
    numbers = {place: re.fullmatch(r"data_batch_(\d+)\.bin", place.name) for place in folder.glob("data_batch_*.bin")}
    # By number: by name, batch 10 would come before batch 2.
    return sorted((place for place, number in numbers.items() if number), key=lambda place: int(place.stem[11:]))


def _records(content: bytes, place: str) -> UInt8[np.ndarray, "n record"]:
    if not content or len(content) % RECORD:
        raise DataError(
            f"{place} is no file in CIFAR-10's binary format: expected records of {RECORD:,} bytes, got "
            f"{len(content):,} bytes, which is {len(content) / RECORD:.2f} of them: it was not used; get it again"
        )
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, RECORD)
    highest = int(records[:, 0].max())
    if highest >= len(CIFAR10.class_names):
        row = int(records[:, 0].argmax())
        raise DataError(
            f"{place} is no file in CIFAR-10's binary format: expected labels from 0 to 9, got {highest} in record "
            f"{row:,}: it was not used; get it again (CIFAR-100 has two bytes of label and is not read)"
        )
    return records


def _class_names(place: Path) -> tuple[str, ...]:
    if not place.is_file():
        return CIFAR10.class_names
    try:
        names = tuple(place.read_text(encoding="utf-8").split("\n"))
    except UnicodeDecodeError as error:
        raise DataError(f"{place} is no text ({error}): it was not used; put ten names there, one a line") from error
    names = tuple(name.strip() for name in names if name.strip())
    if len(names) != len(CIFAR10.class_names):
        raise DataError(
            f"{place} names {len(names)} classes, expected 10, one a line: it was not used; complete or remove it"
        )
    return names


def _assemble(name: str, batches: Sequence[UInt8[np.ndarray, "_ record"]], class_names: tuple[str, ...]) -> Dataset:
    records = np.concatenate(batches)
    pixels = torch.from_numpy(records[:, 1:].reshape(-1, CHANNELS, HEIGHT, WIDTH).copy())
    labels = torch.from_numpy(records[:, 0].astype(np.int64))
    return Dataset(name, numbered(name, len(pixels)), pixels, labels, class_names)
