"""8-bit images are brought to another shape as pictures are; all that is known of them stays."""

import pytest
import torch

from db3kd.data import Dataset, ImageOptions, from_arrays
from db3kd.data.refitting import as_picture, refitted
from db3kd.errors import DataError
from db3kd.tensors import Tensor, UInt8

OPTIONS = ImageOptions()


def _flat(count: int, channels: int = 1) -> Dataset:
    """Images each of one gray, which is its number."""
    pixels = torch.arange(count, dtype=torch.uint8)[:, None, None, None].repeat(1, channels, 6, 8)
    return from_arrays(pixels, torch.arange(count) % 3, name="flat")


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_a_picture_holds_each_pixel(channels: int, mode: str) -> None:
    pixels = torch.randint(0, 256, (channels, 2, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    made = as_picture(pixels)
    assert (made.mode, made.size) == (mode, (3, 2))
    at = made.getpixel((2, 1))
    assert (at if isinstance(at, tuple) else (at,)) == tuple(pixels[:, 1, 2].tolist())


@pytest.mark.parametrize("shape", [(2, 4, 4), (5, 4, 4), (3, 0, 4)])
def test_what_is_no_picture_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no picture: it has 1, 3 or 4 channels"):
        as_picture(torch.zeros(shape, dtype=torch.uint8))


def test_all_images_stay_in_their_order_with_all_that_is_known_of_them() -> None:
    # More than are read at once.
    given = _flat(40)
    found = refitted(given, (3, 12, 10), OPTIONS)
    assert found.image_shape == (3, 12, 10)
    expected: UInt8[Tensor, "n c h w"] = given.pixels[:, :1, :1, :1].expand(40, 3, 12, 10)
    assert torch.equal(found.pixels, expected)
    assert (found.name, tuple(found.ids), found.class_names) == ("flat", tuple(given.ids), given.class_names)
    assert found.labels is not None
    assert found.labels.tolist() == [row % 3 for row in range(40)]
    assert found.reading is not None
    assert found.reading.changes == {"scaled": 40, "colored": 40}


def test_what_needs_nothing_is_given_back_as_it_is() -> None:
    given, empty = _flat(3), from_arrays(torch.zeros(0, 1, 6, 8))
    assert refitted(given, None, OPTIONS) is given
    assert refitted(given, (1, 6, 8), OPTIONS) is given
    assert refitted(empty, (3, 9, 9), OPTIONS) is empty


def test_what_cannot_be_scaled_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"\(1, 4, 4\) are floating point .* \(3, 9, 9\); nothing was asked: give 8-bit"
    ):
        refitted(from_arrays(torch.rand(2, 1, 4, 4)), (3, 9, 9), OPTIONS)
    with pytest.raises(DataError, match="images of 2 channels are no pictures"):
        refitted(_flat(2, channels=2), (3, 9, 9), OPTIONS)
