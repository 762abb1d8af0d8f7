"""A picture is brought to one shape in one way, and stays as it is where it has that shape."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from db3kd.data import ImageOptions
from db3kd.data.picture import formed, shape_of
from db3kd.errors import PlanError
from made_pictures import ODD, blocks, picture, write_folder

RGB, GRAY = (3, 32, 32), (1, 32, 32)
DEFAULT = ImageOptions()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("pictures"), plain=0)


@pytest.mark.parametrize(("shape", "channels"), [(RGB, 3), (GRAY, 1)])
def test_what_has_size_and_mode_passes_byte_for_byte(shape: tuple[int, int, int], channels: int) -> None:
    planes, changes = formed(picture(32, 32, channels), shape, DEFAULT)
    assert changes == []
    assert np.array_equal(planes, blocks(32, 32, channels).reshape(32, 32, channels).transpose(2, 0, 1))
    assert planes.flags.c_contiguous


@pytest.mark.parametrize("name", ODD)
def test_every_odd_kind_becomes_the_wanted_one_and_is_told(name: str, folder: Path) -> None:
    for shape in (RGB, GRAY, (3, 9, 14)):
        with Image.open(folder / name) as image:
            planes, changes = formed(image, shape, DEFAULT)
        assert planes.shape == shape
        assert planes.dtype == np.uint8
        if shape == RGB:
            assert ODD[name][0] in changes


def test_a_picture_is_turned_as_its_exif_data_say() -> None:
    upright = blocks(16, 24)
    for orientation, stored in {
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }.items():
        exif, kept = Image.Exif(), io.BytesIO()
        exif[0x0112] = orientation
        Image.fromarray(np.ascontiguousarray(stored)).save(kept, "PNG", exif=exif)
        opened = Image.open(kept)
        assert shape_of(opened) == (3, 16, 24)
        planes, changes = formed(opened, (3, 16, 24), DEFAULT)
        assert changes == ["turned"]
        assert np.array_equal(planes.transpose(1, 2, 0), upright), orientation


def test_transparency_shows_the_background() -> None:
    clear = Image.new("RGBA", (4, 4), (9, 9, 9, 0))
    assert formed(clear, (3, 4, 4), DEFAULT)[0].min() == 255
    planes, _ = formed(clear, (3, 4, 4), ImageOptions(background=(10, 20, 30)))
    assert planes[:, 0, 0].tolist() == [10, 20, 30]
    keyed = Image.new("RGB", (4, 4), (1, 2, 3))
    keyed.info["transparency"] = (1, 2, 3)
    assert formed(keyed, (3, 4, 4), DEFAULT)[0].min() == 255


def test_of_more_than_8_bits_the_upper_ones_are_taken() -> None:
    deep = np.array([[0, 255, 256, 65535]], dtype=np.uint16)
    for image in (Image.fromarray(deep), Image.fromarray(deep.astype(np.int32))):
        assert formed(image, (1, 1, 4), DEFAULT)[0].tolist() == [[[0, 0, 1, 255]]]
    unit = Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32))
    assert formed(unit, (1, 1, 3), DEFAULT)[0].tolist() == [[[0, 128, 255]]]
    for beyond in (np.array([[70000]], dtype=np.int32), np.array([[1.5]], dtype=np.float32), np.array([[np.nan]])):
        with pytest.raises(ValueError, match="pixels"):
            formed(Image.fromarray(beyond.astype(beyond.dtype if beyond.dtype != float else np.float32)), GRAY, DEFAULT)


def test_crop_pad_and_stretch() -> None:
    # Left third red, middle third green, right third blue.
    wide = np.zeros((10, 30, 3), dtype=np.uint8)
    for channel in range(3):
        wide[:, 10 * channel : 10 * channel + 10, channel] = 255
    image = Image.fromarray(wide)
    cropped, _ = formed(image, (3, 10, 10), ImageOptions(fit="crop"))
    assert cropped[1].min() > 250
    assert cropped[0].max() < 5
    padded, _ = formed(image, (3, 30, 30), ImageOptions(fit="pad", background=(7, 7, 7)))
    assert np.array_equal(padded[:, 10:20].transpose(1, 2, 0), wide)
    assert set(padded[:, :10].flatten()) == set(padded[:, 20:].flatten()) == {7}
    stretched, _ = formed(image, (3, 10, 15), ImageOptions(fit="stretch"))
    assert [int(stretched[channel, 5, 2 + 5 * channel]) for channel in range(3)] == [255, 255, 255]
    thin, _ = formed(picture(1, 2000), (3, 8, 8), ImageOptions(fit="pad"))
    assert thin.shape == (3, 8, 8)


def test_sides_of_all_lengths_are_cropped() -> None:
    for side in (24, 32, 49, 224):
        for wide in range(1, 420):
            for image in (Image.new("L", (wide, 421)), Image.new("L", (421, wide))):
                assert formed(image, (1, side, side), DEFAULT)[0].shape == (1, side, side)


def test_a_large_jpeg_is_decoded_at_a_part_of_its_size_and_looks_the_same() -> None:
    kept = io.BytesIO()
    picture(640, 960).save(kept, "JPEG", quality=95)
    whole = Image.open(kept)
    whole.load()
    plain = Image.fromarray(np.asarray(whole))
    for fit in ("crop", "pad", "stretch"):
        drafted, _ = formed(Image.open(kept), (3, 40, 50), ImageOptions(fit=fit))
        exact, _ = formed(plain, (3, 40, 50), ImageOptions(fit=fit))
        assert np.abs(drafted.astype(int) - exact.astype(int)).mean() < 6


def test_options_say_the_shape_and_else_the_teacher_does() -> None:
    assert DEFAULT.shape((1, 28, 28)) == (1, 28, 28)
    assert DEFAULT.shape(None) is None
    assert ImageOptions(size=(5, 6)).shape((1, 28, 28)) == (1, 5, 6)
    assert ImageOptions(size=(5, 6)).shape(None) is None
    assert ImageOptions(size=(5, 6), color="rgb").shape(None) == (3, 5, 6)
    assert ImageOptions(color="gray").shape((3, 8, 9)) == (1, 8, 9)
    assert DEFAULT.shape((4, 8, 9)) == (3, 8, 9)


@pytest.mark.parametrize(
    "options",
    [{"size": (0, 4)}, {"background": (0, 0, 256)}, {"broken_share": 1.5}],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match=next(iter(options))):
        ImageOptions(**options)
