"""Writes pictures of every kind that a folder of photos may hold, and broken ones."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from made_files import Bytes

Paint = Callable[[Path], None]


def blocks(height: int, width: int, channels: int = 3, seed: int = 0) -> Bytes:
    """An image of coarse blocks, which survives JPEG and scaling."""
    small = np.random.default_rng(seed).integers(0, 256, (-(-height // 8), -(-width // 8), channels), dtype=np.uint8)
    whole = small.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    return whole if channels > 1 else whole[:, :, 0]


def picture(height: int, width: int, channels: int = 3, seed: int = 0) -> Image.Image:
    return Image.fromarray(blocks(height, width, channels, seed))


def _saved(image: Image.Image, **options: Any) -> Paint:
    return lambda path: image.save(path, **options)


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


ODD: Mapping[str, tuple[str, Paint]] = {
    "larger.png": ("scaled", _saved(picture(40, 56))),
    "smaller.jpg": ("scaled", _saved(picture(16, 16))),
    "alpha.png": ("alpha", _saved(picture(32, 32, 4))),
    "palette.png": ("palette", _saved(picture(32, 32).convert("P"))),
    "gray.png": ("colored", _saved(picture(32, 32, 1))),
    "inks.jpg": ("inks", _saved(picture(32, 32).convert("CMYK"))),
    "deep.png": ("deep", _saved(Image.fromarray(blocks(32, 32, 1).astype(np.uint16) * 257))),
    "turned.jpg": ("turned", _saved(picture(32, 32), exif=_turned())),
    "moving.gif": ("first", _saved(picture(32, 32), save_all=True, append_images=[picture(32, 32, seed=1)])),
    "bits.png": ("colored", _saved(picture(32, 32, 1).convert("1"))),
}
"""Pictures that are not 32x32 RGB as they are: by name, the word of what is done to them, and how they are written."""


def write_folder(folder: Path, *, plain: int = 10) -> Path:
    """A flat folder with one picture of each odd kind, and some that need nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(plain):
        picture(32, 32, seed=number).save(folder / f"plain{number:02}.png")
    for name, (_, paint) in ODD.items():
        paint(folder / name)
    return folder
