"""A random forest on scikit-learn's 8x8 digits as a teacher, a student for it, and what both are measured on."""

import sys

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from torch import nn

_SEEN = 1200
_IMAGES, _LABELS = load_digits(return_X_y=True)
_IMAGES = (_IMAGES / 16.0).astype("float32")
_FOREST = RandomForestClassifier(100, random_state=0).fit(_IMAGES[:_SEEN], _LABELS[:_SEEN])


def decide(images: NDArray[np.float32]) -> NDArray[np.int64]:
    """Say which digit an image is."""
    decisions: NDArray[np.int64] = _FOREST.predict(images.reshape(len(images), -1))
    return decisions


def dense(*, input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """Build a network with one hidden layer."""
    pixels = input_shape[0] * input_shape[1] * input_shape[2]
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, 128), nn.ReLU(), nn.Linear(128, num_classes))


if __name__ == "__main__":
    sys.stdout.write(f"{(decide(_IMAGES[_SEEN:]) == _LABELS[_SEEN:]).mean():.4f}\n")
    pixels = (255 * _IMAGES).round().astype("uint8").reshape(-1, 8, 8)
    held_out = {"images_test": pixels[_SEEN:], "labels_test": _LABELS[_SEEN:]}
    np.savez("digits8.npz", images=pixels[:_SEEN], labels=_LABELS[:_SEEN], **held_out)
