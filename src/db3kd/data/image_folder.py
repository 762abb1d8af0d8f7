"""A folder of image files: a folder per class, or all files in one folder without labels.

Which files these are, and their labels. Reading them is the business of `files`.
"""

import logging
from pathlib import Path

from db3kd.data.dataset import Dataset, Split, draw
from db3kd.data.decoding import SUFFIXES
from db3kd.data.files import dataset_of_files, id_of
from db3kd.data.picture import ImageOptions, Shape
from db3kd.data.pixel_rows import NOWHERE, Place
from db3kd.errors import DataError

_log = logging.getLogger(__name__)


def load_image_folder(
    folder: Path,
    split: Split,
    *,
    limit: int | None = None,
    seed: int = 0,
    wanted: Shape | None = None,
    options: ImageOptions | None = None,
    place: Place = NOWHERE,
) -> Dataset:
    """Read images, sorted by path; an id is the path below the folder. FOLDER/train and FOLDER/test are the splits."""
    try:
        root = _root(folder, split)
        class_folders = _folders(root)
        # The training split says which classes there are: both splits must number them alike.
        names = [below.name for below in (_folders(folder / "train") if root != folder else ()) or class_folders]
        strangers = [below.name for below in class_folders if below.name not in names]
        if strangers:
            raise DataError(
                f"{root / strangers[0]} is a class that {folder / 'train'} does not have: expected one of {names}: "
                "nothing was read; rename the folder or move it away"
            )
        loose = _images(root, recurse=False)
        if class_folders and loose:
            raise DataError(
                f"{loose[0]} lies next to class folders: expected images either all in class folders or all in one "
                "folder: nothing was read; move it"
            )
        label_of = {path: names.index(below.name) for below in class_folders for path in _images(below, recurse=True)}
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error}): nothing was asked; see to that") from error
    paths = sorted(loose or label_of, key=lambda path: path.relative_to(root).as_posix())
    if not paths:
        raise DataError(f"{root} holds no image: expected files that end in one of {', '.join(SUFFIXES)}")
    ids = [id_of(path.relative_to(folder)) for path in paths]
    if limit is not None and limit < len(paths):
        # Before they are decoded: a limit saves that as well.
        drawn = draw(ids, limit, seed=seed).tolist()
        paths, ids = [paths[row] for row in drawn], [ids[row] for row in drawn]
    return dataset_of_files(
        paths,
        ids,
        [label_of[path] for path in paths] if class_folders else None,
        tuple(map(_text, names)) if class_folders else (),
        name=f"{_text(folder.resolve().name)}/{split}",
        wanted=wanted,
        options=options,
        place=place,
    )


def is_divided(folder: Path) -> bool:
    """Tell whether a folder holds train and test; a class may be called so as well, among others."""
    names = {below.name for below in _folders(folder)}
    return names in ({"train"}, {"test"}) or names >= {"train", "test"}


def _root(folder: Path, split: Split) -> Path:
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder: name one that holds images")
    names = {below.name for below in _folders(folder)}
    if names >= {"train", "test"}:
        return folder / split
    if split == "test" or is_divided(folder):
        raise DataError(
            f"{folder} has no {split} split: expected the folders train and test in it, or all images for training, "
            f"got {sorted(names)}: nothing was read; move the images into train and test, or name another folder"
        )
    return folder


def _folders(root: Path) -> list[Path]:
    return sorted(below for below in root.iterdir() if below.is_dir() and not below.name.startswith("."))


def _images(root: Path, *, recurse: bool) -> list[Path]:
    entries = root.rglob("*") if recurse else root.iterdir()
    files = sorted(path for path in entries if path.is_file() and not path.name.startswith("."))
    others = [path for path in files if path.suffix.lower() not in SUFFIXES]
    if others:
        _log.warning("%s: %d files are no images and were left out, the first is %s", root, len(others), others[0])
    return [path for path in files if path.suffix.lower() in SUFFIXES]


def _text(name: str) -> str:
    return id_of(Path(name))
