"""From the name of a source to its images: what `--images` and a plan's `images` may say."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from db3kd.arguments import check_arguments
from db3kd.data.cifar import load_cifar10_folder, load_published_cifar10
from db3kd.data.dataset import Dataset, Split, draw
from db3kd.data.decoding import SUFFIXES
from db3kd.data.digits import load_mnist_5k
from db3kd.data.files import dataset_of_files, id_of
from db3kd.data.idx import load_idx_folder, load_published_idx
from db3kd.data.image_folder import is_divided, load_image_folder
from db3kd.data.npz import has_test_split, load_npy, load_npz
from db3kd.data.picture import ImageOptions, Shape
from db3kd.data.pixel_rows import NOWHERE, Place
from db3kd.data.published import FASHION_MNIST, MNIST
from db3kd.data.refitting import refitted
from db3kd.errors import PlanError

NAMED: dict[str, Callable[[Split], Dataset]] = {
    "mnist": lambda split: load_published_idx(MNIST, split),
    "fashion-mnist": lambda split: load_published_idx(FASHION_MNIST, split),
    "cifar10": load_published_cifar10,
    "mnist-5k": load_mnist_5k,
}
_FOLDER = "imagefolder"
_PLACED: dict[str, Callable[[Path, Split], Dataset]] = {
    "mnist": lambda path, split: load_idx_folder(path, split, MNIST.class_names),
    "fashion-mnist": lambda path, split: load_idx_folder(path, split, FASHION_MNIST.class_names),
    "cifar10": load_cifar10_folder,
    "npy": load_npy,
    "npz": load_npz,
}
_SOURCES = (
    "a folder of images, an image, an npy or npz file, mnist, fashion-mnist, cifar10, mnist-5k, imagefolder:DIR, "
    "npy:FILE, npz:FILE, mnist:DIR, fashion-mnist:DIR or cifar10:DIR (a folder of your own in that format)"
)


def load(
    source: str,
    split: Split = "train",
    *,
    limit: int | None = None,
    seed: int = 0,
    wanted: Shape | None = None,
    options: ImageOptions | None = None,
    place: Place = NOWHERE,
) -> Dataset:
    """Read a data set by its name or path.

    Args:
        source: mnist, fashion-mnist, cifar10 or mnist-5k; a folder of image files, also as imagefolder:DIR, a single
            image, or numpy's files of one array or several, also as npy:FILE or npz:FILE; mnist:DIR, fashion-mnist:DIR
            or cifar10:DIR for a folder in that format whose content is the user's own.
        split: "train" or "test".
        limit: keep at most so many images, drawn at random, in the order that they had; None keeps all.
        seed: of that draw; with one seed, a larger limit holds the images of a smaller one.
        wanted: channels, height and width that the teacher takes, to which image files are brought; None leaves them as
            they are, and all must have one size then. Of other sources only `options` change the images.
        options: how images are brought to one size, and what becomes of broken files.
        place: where decoded pixels may lie, and who hears of reading.

    Returns:
        The images, with ids that depend neither on the limit nor on the seed.

    Raises:
        PlanError: there is no such source, split or limit.
        DataError: a file is missing, truncated, swapped or of another format; the message names it.
        StorageError: there is no room for the pixels.
    """
    if not isinstance(split, str) or split not in get_args(Split):
        raise PlanError(f"there is no split {split!r}: it is one of {', '.join(get_args(Split))}")
    check_arguments(load, locals())
    if limit is not None and limit < 1:
        raise PlanError(f"a limit must be at least 1 image, got {limit}: leave it out to keep all images")
    kind, path = _kind_of(source)
    if kind == _FOLDER and path is not None:
        if path.is_file():
            return dataset_of_files([path], [id_of(path)], name=path.name, wanted=wanted, options=options, place=place)
        return load_image_folder(path, split, limit=limit, seed=seed, wanted=wanted, options=options, place=place)
    dataset = NAMED[kind](split) if path is None else _PLACED[kind](path, split)
    if limit is not None and limit < len(dataset):
        dataset = dataset.subset(draw(dataset.ids, limit, seed=seed))
    options = options or ImageOptions()
    if not options.is_stated:
        return dataset
    return refitted(dataset, options.shape(dataset.image_shape), options, place=place)


def is_whole(source: str) -> bool:
    """Tell whether a source is a picture, a folder or a file that nobody divided into train and test."""
    kind, path = _kind_of(source)
    if path is None:
        return False
    if kind == _FOLDER:
        return path.is_file() or not is_divided(path)
    return kind == "npy" or (kind == "npz" and not has_test_split(path))


def _kind_of(source: str) -> tuple[str, Path | None]:
    """Tell how a source is read, and where it lies; a PlanError where there is no such thing."""
    if source in NAMED:
        return source, None
    kind, _, place = source.partition(":")
    if place and kind in (_FOLDER, *_PLACED):
        return kind, _path(place)
    path = _path(source)
    try:
        if source and (path.is_dir() or (path.is_file() and path.suffix.lower() in SUFFIXES)):
            return _FOLDER, path
        if path.is_file() and path.suffix.lower() in (".npy", ".npz"):
            return path.suffix.lower()[1:], path
    except (OSError, ValueError) as error:
        raise PlanError(f"{source!r} cannot be looked for ({error}); nothing was asked: name a path") from error
    if kind in (_FOLDER, *_PLACED):
        raise PlanError(f"{source!r} names no path: write {kind}:PATH")
    raise PlanError(f"there is no data set {source!r}, and no such folder: it is one of {_SOURCES}")


def _path(place: str) -> Path:
    try:
        return Path(place).expanduser()
    except RuntimeError as error:
        raise PlanError(f"{place!r} names no home folder ({error}); nothing was asked: write the whole path") from error
