"""Writes data files in the formats that the named data sets come in, with made-up content."""

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def made_images(count: int, shape: tuple[int, ...], seed: int = 0) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def made_labels(count: int, classes: int = 10) -> Bytes:
    """Every class in turn, so that a set of ten has each of them."""
    return (np.arange(count) % classes).astype(np.uint8)


def idx_bytes(array: Bytes) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + np.array(array.shape, dtype=">u4").tobytes() + array.tobytes()


def write_idx_folder(folder: Path, train: int = 20, test: int = 10, side: int = 28) -> Path:
    """The four files of MNIST's format: the images compressed, the labels as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for half, count, seed in (("train", train, 0), ("t10k", test, 1)):
        images = idx_bytes(made_images(count, (side, side), seed))
        (folder / f"{half}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (folder / f"{half}-labels-idx1-ubyte").write_bytes(idx_bytes(made_labels(count)))
    return folder


def cifar10_bytes(images: Bytes, labels: Bytes) -> bytes:
    return np.concatenate([labels[:, None], images.reshape(len(images), -1)], axis=1).tobytes()


def write_cifar10_folder(folder: Path, train: tuple[int, ...] = (20, 10), test: int = 10) -> Path:
    """CIFAR-10's binary format with any number of records in each training file."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, count in enumerate(train, start=1):
        content = cifar10_bytes(made_images(count, (3, 32, 32), seed=number), made_labels(count))
        (folder / f"data_batch_{number}.bin").write_bytes(content)
    (folder / "test_batch.bin").write_bytes(cifar10_bytes(made_images(test, (3, 32, 32)), made_labels(test)))
    return folder


def coloured_shapes(count: int, seed: int = 0) -> tuple[Bytes, Bytes]:
    """Images 3x32x32 of ten classes: five shapes, each in warm and in cool colours, anywhere on a dim gray ground."""
    generator = np.random.default_rng(seed)
    labels = made_labels(count)
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    images = np.zeros((count, 3, 32, 32))
    for number, label in enumerate(labels):
        shape, cool = divmod(int(label), 2)
        left, top = generator.uniform(-0.3, 0.3, 2)
        size = generator.uniform(0.4, 0.65)
        across, down = (x - left) / size, (y - top) / size
        far, square = np.hypot(across, down), np.maximum(np.abs(across), np.abs(down))
        near = np.minimum(np.abs(across), np.abs(down))
        inside = (far < 1, square < 1, (far < 1) & (far > 0.6), (square < 1) & (near < 0.3), np.abs(down) < 0.35)[shape]
        strong, weak, middle = generator.uniform(0.7, 1), generator.uniform(0, 0.3), generator.uniform(0, 0.6)
        colour = (weak, middle, strong) if cool else (strong, middle, weak)
        ground = generator.uniform(0, 0.3)
        images[number] = np.where(inside, np.array(colour)[:, None, None], ground)
    noisy = images + generator.normal(0, 0.03, images.shape)
    return (255 * noisy.clip(0, 1)).round().astype(np.uint8), labels


def write_coloured_shapes(folder: Path, train: int = 2000, test: int = 500) -> Path:
    """These shapes in CIFAR-10's binary format."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data_batch_1.bin").write_bytes(cifar10_bytes(*coloured_shapes(train)))
    (folder / "test_batch.bin").write_bytes(cifar10_bytes(*coloured_shapes(test, seed=1)))
    return folder
