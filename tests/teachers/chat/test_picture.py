"""An image goes to a vision model as a file in a data URL, which holds what the image does."""

import base64
import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from db3kd.errors import PlanError
from db3kd.teachers.chat.picture import ImageFormat, Picture, check_shape

LEVELS = torch.randint(256, (3, 6, 5), generator=torch.Generator().manual_seed(0))


def _opened(part: dict[str, Any], kind: str) -> Image.Image:
    assert part["type"] == "image_url"
    head, _, content = part["image_url"]["url"].partition(",")
    assert head == f"data:image/{kind};base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_holds_every_level_of_every_channel(channels: int) -> None:
    part: Any = Picture().write(LEVELS[:channels].to(torch.float32) / 255)
    found = _opened(part, "png")
    assert (found.format, found.mode) == ("PNG", "RGB" if channels == 3 else "L")
    assert np.array_equal(np.array(found).reshape(6, 5, channels), LEVELS[:channels].permute(1, 2, 0).numpy())
    assert part["image_url"].keys() == {"url"}


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_other_formats_are_smaller_at_a_lower_quality(kind: ImageFormat) -> None:
    image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    sizes = []
    for quality in (10, 90):
        part: Any = Picture(kind, quality).write(image)
        found = _opened(part, kind)
        assert (found.format, found.size) == (kind.upper(), (32, 32))
        sizes.append(len(part["image_url"]["url"]))
    assert sizes[0] < sizes[1] / 1.5


def test_how_closely_it_is_looked_at_is_said_where_somebody_said_so() -> None:
    part: Any = Picture(detail="low").write(torch.zeros(1, 2, 2))
    assert part["image_url"]["detail"] == "low"


def test_what_is_beyond_the_range_is_cut_and_a_gradient_does_no_harm() -> None:
    part: Any = Picture().write(torch.tensor([[[-0.5, 1.5]]], requires_grad=True))
    assert np.array(_opened(part, "png")).tolist() == [[0, 255]]


@pytest.mark.parametrize("quality", [0, 101])
def test_a_quality_that_is_none_is_refused(quality: int) -> None:
    with pytest.raises(PlanError, match=f"image_quality is from 1 to 100, got {quality}"):
        Picture("jpeg", quality)


def test_images_are_gray_or_coloured() -> None:
    check_shape((1, 8, 8))
    check_shape((3, 8, 8))
    for channels in (2, 4):
        with pytest.raises(PlanError, match=f"1 channel or 3, and teacher.input_shape says {channels}"):
            check_shape((channels, 8, 8))
