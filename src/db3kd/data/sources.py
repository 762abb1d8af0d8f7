"""From the name of a source to its images: what `--images` and a plan's `images` may say."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from db3kd.data.cifar import load_cifar10_folder, load_published_cifar10
from db3kd.data.dataset import Dataset, Split, draw
from db3kd.data.digits import load_mnist_5k
from db3kd.data.idx import load_idx_folder, load_published_idx
from db3kd.data.image_folder import load_image_folder
from db3kd.data.npz import load_npz
from db3kd.data.published import FASHION_MNIST, MNIST
from db3kd.errors import PlanError

_NAMED: dict[str, Callable[[Split], Dataset]] = {
    "mnist": lambda split: load_published_idx(MNIST, split),
    "fashion-mnist": lambda split: load_published_idx(FASHION_MNIST, split),
    "cifar10": load_published_cifar10,
    "mnist-5k": load_mnist_5k,
}
_PLACED: dict[str, Callable[[Path, Split], Dataset]] = {
    "mnist": lambda path, split: load_idx_folder(path, split, MNIST.class_names),
    "fashion-mnist": lambda path, split: load_idx_folder(path, split, FASHION_MNIST.class_names),
    "cifar10": load_cifar10_folder,
    "imagefolder": load_image_folder,
    "npz": load_npz,
}
_SOURCES = (
    "mnist, fashion-mnist, cifar10, mnist-5k, imagefolder:DIR, npz:FILE, "
    "mnist:DIR, fashion-mnist:DIR or cifar10:DIR (a folder of your own in that format)"
)


def load(source: str, split: Split = "train", *, limit: int | None = None, seed: int = 0) -> Dataset:
    """Read a data set by its name or path.

    Args:
        source: mnist, fashion-mnist, cifar10 or mnist-5k; imagefolder:DIR or npz:FILE; mnist:DIR, fashion-mnist:DIR
            or cifar10:DIR for a folder in that format whose content is the user's own.
        split: "train" or "test".
        limit: keep at most so many images, drawn at random, in the order that they had; None keeps all.
        seed: of that draw; with one seed, a larger limit holds the images of a smaller one.

    Returns:
        The images, with ids that depend neither on the limit nor on the seed.

    Raises:
        PlanError: there is no such source, split or limit.
        DataError: a file is missing, truncated, swapped or of another format; the message names it.
    """
    if split not in get_args(Split):
        raise PlanError(f"there is no split {split!r}: it is one of {', '.join(get_args(Split))}")
    if limit is not None and limit < 1:
        raise PlanError(f"a limit must be at least 1 image, got {limit}: leave it out to keep all images")
    kind, _, place = source.partition(":")
    if source in _NAMED:
        dataset = _NAMED[source](split)
    elif kind not in _PLACED:
        raise PlanError(f"there is no data set {source!r}: it is one of {_SOURCES}")
    elif not place:
        raise PlanError(f"{source!r} names no path: write {kind}:PATH")
    else:
        dataset = _PLACED[kind](Path(place).expanduser(), split)
    return dataset if limit is None or limit >= len(dataset) else dataset.subset(draw(dataset.ids, limit, seed=seed))
