"""Images and labels in one archive of numpy arrays (npz), or images alone in a file of one array (npy).

A file of one array is not read into memory, however large. The keys of an archive are `images` and, where they are
known, `labels`; for the test split `images_test` and `labels_test`; and, if wished, `class_names`. Pickled objects
inside a file are refused.
"""

import zipfile
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from db3kd.data.dataset import Dataset, Split, from_arrays
from db3kd.errors import DataError


def load_npz(path: Path, split: Split) -> Dataset:
    """Read an npz archive; an id is its name without suffix (and "test"), and the position."""
    suffix = "" if split == "train" else "_test"
    arrays = _read(path, (f"images{suffix}", f"labels{suffix}", "class_names"))
    images = arrays.get(f"images{suffix}")
    if images is None:
        raise DataError(
            f"{path} holds no array images{suffix}, which the {split} split needs: "
            f"save it with numpy.savez(path, images{suffix}=..., labels{suffix}=...)"
        )
    if images.ndim == 0 or not len(images):
        raise DataError(f"{path}: images{suffix} holds no image, expected at least one: save another archive")
    class_names = arrays.get("class_names", np.empty(0, dtype=str))
    if class_names.dtype.kind != "U" or class_names.ndim != 1:
        raise DataError(f"{path}: class_names must be a list of strings, got {class_names.dtype}: save it anew")
    name = path.stem if split == "train" else f"{path.stem}/test"
    return from_arrays(images, arrays.get(f"labels{suffix}"), name, class_names=class_names.tolist())


def load_npy(path: Path, split: Split) -> Dataset:
    """Map an npy file of images, all of the train split; an id is its name without suffix, and the position."""
    if split != "train":
        raise DataError(f"{path} has no test split: name another file, or save both with numpy.savez")
    if not path.is_file():
        raise DataError(f"{path} is no file: name a numpy array of images, saved with numpy.save")
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read as a numpy array ({error}): it was not used; it may be truncated, or hold pickled "
            "objects, which are never read: save it anew"
        ) from error
    if not isinstance(images, np.memmap) or images.ndim == 0 or not len(images):
        raise DataError(f"{path} holds no images, expected [n h w], [n c h w] or [n h w c]: save it anew")
    return from_arrays(images, name=path.stem)


def has_test_split(path: Path) -> bool:
    """Tell whether an npz archive is divided into train and test; one that cannot be read is told of when it is."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "images_test.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return True


def _read(path: Path, keys: tuple[str, ...]) -> dict[str, Shaped[np.ndarray, "..."]]:
    if not path.is_file():
        raise DataError(f"{path} is no file: name an npz archive with an array `images`")
    try:
        # Opened here: numpy leaves the file open when it does not like what is in it.
        with path.open("rb") as stream:
            archive = np.load(stream, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise DataError(
                    f"{path} holds a single array (npy), expected an archive: "
                    "save it with numpy.savez(path, images=...)"
                )
            return {key: archive[key] for key in keys if key in archive}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read as an npz archive of plain arrays ({error}): it was not used; "
            "it may be truncated, or hold pickled objects, which are never read: save it anew"
        ) from error
