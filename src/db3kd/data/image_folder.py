"""A folder of image files: a folder per class, or all files in one folder without labels.

Every image must have the size and the mode of the first one: nothing is scaled, cropped, turned or converted, since a
distance to the boundary is only meant for the pixels that the teacher gets. The format of a file is pillow's business.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from db3kd.data.dataset import Dataset, Split
from db3kd.errors import DataError
from db3kd.tensors import UInt8

_log = logging.getLogger(__name__)

_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_CHANNELS = {"L": 1, "RGB": 3}


def load_image_folder(folder: Path, split: Split) -> Dataset:
    """Read images, sorted by path; an id is the path below the folder. FOLDER/train and FOLDER/test are the splits."""
    root = _root(folder, split)
    class_folders = _folders(root)
    # The training split says which classes there are: both splits must number them alike.
    names = [place.name for place in (_folders(folder / "train") if root != folder else ()) or class_folders]
    strangers = [place.name for place in class_folders if place.name not in names]
    if strangers:
        raise DataError(
            f"{root / strangers[0]} is a class that {folder / 'train'} does not have: expected one of {names}: "
            "nothing was read; rename the folder or move it away"
        )
    loose = _images(root, recurse=False)
    if class_folders and loose:
        raise DataError(
            f"{loose[0]} lies next to class folders: expected images either all in class folders or all in one folder: "
            "nothing was read; move it"
        )
    label_of = {place: names.index(below.name) for below in class_folders for place in _images(below, recurse=True)}
    places = sorted(loose or label_of, key=lambda place: place.relative_to(root).as_posix())
    if not places:
        raise DataError(f"{root} holds no image: expected files that end in one of {', '.join(_SUFFIXES)}")
    return Dataset(
        name=f"{folder.resolve().name}/{split}",
        ids=tuple(place.relative_to(folder).as_posix() for place in places),
        pixels=torch.from_numpy(_decode(places)),
        labels=torch.tensor([label_of[place] for place in places], dtype=torch.int64) if class_folders else None,
        class_names=tuple(names) if class_folders else (),
    )


def _root(folder: Path, split: Split) -> Path:
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: name one that holds images")
    names = {place.name for place in _folders(folder)}
    if {"train", "test"} <= names:
        return folder / split
    if split == "test" or names in ({"train"}, {"test"}):
        raise DataError(
            f"{folder} has no {split} split: expected the folders train and test in it, or all images for training, "
            f"got {sorted(names)}: nothing was read; move the images into train and test, or name another folder"
        )
    return folder


def _folders(root: Path) -> list[Path]:
    return sorted(place for place in root.iterdir() if place.is_dir() and not place.name.startswith("."))


def _images(root: Path, *, recurse: bool) -> list[Path]:
    entries = root.rglob("*") if recurse else root.iterdir()
    files = sorted(place for place in entries if place.is_file() and not place.name.startswith("."))
    others = [place for place in files if place.suffix.lower() not in _SUFFIXES]
    if others:
        _log.warning("%s: %d files are no images and were left out, the first is %s", root, len(others), others[0])
    return [place for place in files if place.suffix.lower() in _SUFFIXES]


def _decode(places: Sequence[Path]) -> UInt8[np.ndarray, "n c h w"]:
    # The whole array at once and not a list of small ones: a list would need the memory twice.
    first, wanted = _decode_one(places[0])
    pixels = np.empty((len(places), *first.shape), dtype=np.uint8)
    for row, place in enumerate(places):
        image, kind = _decode_one(place)
        if kind != wanted:
            raise DataError(
                f"{place} differs from {places[0]}: expected {wanted}, got {kind}: nothing was read; "
                "bring all images to one size and mode"
            )
        pixels[row] = image
    return pixels


def _decode_one(place: Path) -> tuple[UInt8[np.ndarray, "c h w"], str]:
    """An image, and its size and mode in words."""
    # Imported here: only folders of images need it, and it is slow to import.
    from PIL import Image

    try:
        with Image.open(place) as image:
            mode = image.mode
            if mode in _CHANNELS:
                planes = np.asarray(image).reshape(image.height, image.width, _CHANNELS[mode])
                return planes.transpose(2, 0, 1), f"{image.width}x{image.height} {mode}"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{place} cannot be read as an image ({error}): remove it or get it again") from error
    raise DataError(
        f"{place} has the mode {mode}: expected L (8-bit grey) or RGB (8 bits a channel): nothing was read; "
        "convert it first, since a conversion chosen here might not be the teacher's"
    )
