"""Random folders, random options: a data set or an error of ours, and never what another library raises.

FUZZ_EXAMPLES says how many folders are made.
"""

import io
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from db3kd.data import ImageOptions, dataset_of
from db3kd.errors import Db3kdError

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))
ENDINGS = ("png", "jpg", "gif", "bmp", "tif", "webp", "ppm", "tga", "jp2", "avif", "ico", "PNG", "txt", "pgm")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "I", "I;16", "F")
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "JPEG2000", "ICO")
SIDES = st.integers(1, 40)


def _encode(mode: str, size: tuple[int, int], kind: str, seed: int, options: dict[str, Any]) -> bytes:
    """A picture that the format may not be able to hold; then another one."""
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    plain = Image.fromarray(values[:, :, :3])
    kept = io.BytesIO()
    try:
        image = Image.fromarray(values[:, :, 0].astype(np.int32) * 300 - 99) if mode == "I" else plain.convert(mode)
        if mode == "I;16":
            image = Image.fromarray(values[:, :, 0].astype(np.uint16) * 251)
        more = {"save_all": True, "append_images": [plain.convert(image.mode)]} if options.get("moving") else {}
        exif = Image.Exif()
        exif[0x0112] = options.get("orientation", 1)
        image.save(kept, kind, exif=exif, **more)
    except (OSError, ValueError, KeyError, TypeError, SystemError):
        kept = io.BytesIO()
        plain.save(kept, "PNG")
    return kept.getvalue()


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """A file: noise, nothing, a picture, or a picture that was cut short or spoiled."""
    what = draw(st.sampled_from(["picture"] * 6 + ["noise", "nothing", "cut", "spoiled", "header"]))
    if what == "noise":
        return draw(st.binary(max_size=200))
    if what == "nothing":
        return b""
    whole = _encode(
        draw(st.sampled_from(MODES)),
        (draw(SIDES), draw(SIDES)),
        draw(st.sampled_from(FORMATS)),
        draw(st.integers(0, 3)),
        {"moving": draw(st.booleans()), "orientation": draw(st.integers(0, 9))},
    )
    if what == "cut":
        return whole[: draw(st.integers(0, len(whole)))]
    if what == "header":
        return whole[: draw(st.integers(0, 30))] + draw(st.binary(max_size=100))
    if what == "spoiled":
        spoiled = bytearray(whole)
        for place, value in draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=12)):
            spoiled[place] = value
        return bytes(spoiled)
    return whole


NAMES = st.builds(lambda stem, ending: f"{stem}.{ending}", st.sampled_from("abcdefgh "), st.sampled_from(ENDINGS))
FILES = st.dictionaries(
    st.tuples(st.sampled_from(["", "", "", "cat/", "dog/", "cat/deep/"]), NAMES), contents(), max_size=9
)
SHAPES = st.none() | st.tuples(st.sampled_from([1, 3, 3, 4]), SIDES, SIDES)
OPTIONS = st.builds(
    ImageOptions,
    size=st.none() | st.tuples(SIDES, SIDES),
    fit=st.sampled_from(["crop", "pad", "stretch"]),
    color=st.sampled_from([None, "rgb", "gray"]),
    broken=st.sampled_from(["skip", "skip", "stop"]),
    broken_share=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
)
HOW = st.sampled_from(["folder", "text", "paths", "bytes"])


@pytest.mark.timeout(0 if EXAMPLES > 25 else 120)
@settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(files=FILES, wanted=SHAPES, options=OPTIONS, how=HOW)
def test_any_folder_gives_images_of_one_shape_or_an_error_of_ours(
    files: dict[tuple[str, str], bytes], wanted: tuple[int, int, int] | None, options: ImageOptions, how: str
) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for (below, name), content in files.items():
            (folder / below).mkdir(parents=True, exist_ok=True)
            (folder / below / name).write_bytes(content)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        forms = {
            "folder": folder,
            "text": str(folder),
            "paths": paths,
            "bytes": [(one.read_bytes(), 1) for one in paths],
        }
        try:
            dataset = dataset_of(forms[how], wanted=wanted, options=options)
        except Db3kdError:
            return
    assert dataset.pixels.dtype == torch.uint8
    shape = options.shape(wanted)
    assert shape is None or dataset.image_shape == shape
    assert dataset.reading is not None
    assert len(dataset) + len(dataset.reading.broken) == dataset.reading.files
    assert len(dataset.reading.broken) <= options.broken_share * dataset.reading.files
    assert all(dataset.reading.sentences)
