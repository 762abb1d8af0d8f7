"""From the name of a source to its images: what `--images` and a plan's `images` may say.

Which files a source consists of and how they are read lives in the module of its format; here the name is taken
apart and a subset is drawn. The pipeline and the command line call `load`.
"""

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

SOURCES = (
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
        StorageError: a download cannot be written to the cache folder.
    """
    if split not in get_args(Split):
        raise PlanError(f"there is no split {split!r}: it is one of {', '.join(get_args(Split))}")
    if limit is not None and limit < 1:
        raise PlanError(f"a limit must be at least 1 image, got {limit}: leave it out to keep all images")
    dataset = _read(source, split)
    if limit is None or limit >= len(dataset):
        return dataset
    return dataset.subset(draw(dataset.ids, limit, seed=seed))


def _read(source: str, split: Split) -> Dataset:
    kind, colon, place = source.partition(":")
    if colon:
        return _read_place(source, kind, place, split)
    match kind:
        case "mnist":
            return load_published_idx(MNIST, split)
        case "fashion-mnist":
            return load_published_idx(FASHION_MNIST, split)
        case "cifar10":
            return load_published_cifar10(split)
        case "mnist-5k":
            return load_mnist_5k(split)
        case "imagefolder" | "npz":
            raise PlanError(f"{kind} needs a path: write {kind}:PATH")
    raise PlanError(f"there is no data set {source!r}: it is one of {SOURCES}")


def _read_place(source: str, kind: str, place: str, split: Split) -> Dataset:
    if not place:
        raise PlanError(f"{source!r} names no path: write {kind}:PATH")
    path = Path(place).expanduser()
    match kind:
        case "mnist":
            return load_idx_folder(path, split, MNIST.class_names)
        case "fashion-mnist":
            return load_idx_folder(path, split, FASHION_MNIST.class_names)
        case "cifar10":
            return load_cifar10_folder(path, split)
        case "imagefolder":
            return load_image_folder(path, split)
        case "npz":
            return load_npz(path, split)
    raise PlanError(f"there is no data set {source!r}: it is one of {SOURCES}")
