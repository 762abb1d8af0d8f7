r"""A teacher that is no network: a random forest on scikit-learn's 8x8 digits.

    python -m benchmarks.forest --out digits8.npz
    python -m benchmarks.frontier --teacher python:benchmarks.forest:FOREST --images npz:digits8.npz \
        --students benchmarks.forest:small --questions 150 --run runs/forest

The forest learned the true labels of the 1,400 digits of the pool; the other 397 are by other writers.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import sklearn
import typer
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from torch import nn

from benchmarks import command
from db3kd.teachers import FunctionTeacher

_POOL, _BRIGHTEST = 1400, 16


def digits() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Give the 1,797 digits as [n h w] from 0 to 255, with their labels."""
    images, labels = load_digits(return_X_y=True)
    return (images.reshape(-1, 8, 8) * (255 / _BRIGHTEST)).round().astype(np.uint8), labels.astype(np.int64)


@cache
def _forest() -> Any:
    images, labels = digits()
    seen = _in_unit(images[:_POOL]).reshape(_POOL, -1)
    return RandomForestClassifier(100, random_state=0).fit(seen, labels[:_POOL])


def _in_unit(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return images[:, None].astype(np.float32) / np.float32(255)


def decide(images: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Say which digits images [n 1 8 8] in [0, 1] are; the forest grows when it is first asked."""
    decisions: npt.NDArray[np.int64] = _forest().predict(images.reshape(len(images), -1))
    return decisions


FOREST = FunctionTeacher(
    decide, input_shape=(1, 8, 8), num_classes=10, fingerprint=f"forest of digits, scikit-learn {sklearn.__version__}"
)


def small(*, input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """Build a student for small images: two 3x3 convolutions and two dense layers; 38,282 parameters for digits."""
    channels, height, width = input_shape
    return nn.Sequential(
        nn.Conv2d(channels, 16, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * (height // 2) * (width // 2), 64),
        nn.ReLU(),
        nn.Linear(64, num_classes),
    )


def forest(*, out: Annotated[Path, typer.Option(help="The archive of images to write.")]) -> None:
    """Write the digits for `--images npz:FILE`: a pool of 1,400, and 397 to measure on."""
    command.check_file(out)
    images, labels = digits()
    (pool, test), (known, true) = np.split(images, [_POOL]), np.split(labels, [_POOL])
    command.write_arrays(out, images=pool, labels=known, images_test=test, labels_test=true)
    right = np.mean(decide(_in_unit(test)) == true)
    sizes = {"pool": f"{_POOL:,}", "held out": f"{len(images) - _POOL:,}"}
    command.print_figures({**sizes, "accuracy of the forest": command.percent(float(right))})


if __name__ == "__main__":
    command.run(forest, "forest")
