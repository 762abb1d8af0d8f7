"""Pictures of single pairs."""

import base64
import io

import pytest
import torch
from PIL import Image

from db3kd.report.examples import Example, draw, pick_examples
from made_report import distances, examples


def opened(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,"))))


def colour(picture: Image.Image, column: int, row: int) -> tuple[int, ...]:
    found = picture.getpixel((column, row))
    assert isinstance(found, tuple)
    return found


def test_examples_are_the_nearest_crossings_that_were_found() -> None:
    values = torch.tensor([[torch.inf, 2.0, 1.0], [3.0, torch.inf, 5.0], [torch.inf, torch.inf, torch.inf]])
    found = distances(values, torch.arange(9).view(3, 3), torch.zeros(3, 3, dtype=torch.long), "mbd")
    crossings = torch.ones(3, 1, 2, 2)
    crossings[2] = torch.nan
    picked = pick_examples(
        torch.zeros(3, 1, 2, 2), crossings, torch.tensor([0, 1, 2]), found, class_names=("a", "b", "c")
    )
    assert [one.caption for one in picked] == ["a → c, distance 1.00, 2 queries", "b → a, distance 3.00, 3 queries"]


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (2, "L"), (4, "L")])
def test_examples_are_drawn_in_gray_and_colour(channels: int, mode: str) -> None:
    drawn = draw(examples(channels, 28)[0])
    assert opened(drawn.image).mode == mode
    assert opened(drawn.difference).mode == "RGB"
    assert opened(drawn.crossing).size == (28, 28)


def test_large_examples_are_scaled_down() -> None:
    assert opened(draw(examples(3, 224)[0]).image).size == (96, 96)


def test_the_difference_is_magnified_to_the_full_range() -> None:
    image = torch.full((1, 2, 2), 0.5)
    crossing = image + torch.tensor([[[0.1, 0.0], [0.0, -0.1]]])
    drawn = draw(Example(image, crossing, "a", "b", 0.14, 5))
    assert drawn.magnification == pytest.approx(10)
    pixels = opened(drawn.difference)
    red, _, blue = colour(pixels, 0, 0)
    assert red > blue
    assert colour(pixels, 1, 0) == (255, 255, 255)
    red, _, blue = colour(pixels, 1, 1)
    assert blue > red
    assert drawn.caption == "a → b, distance 0.14, 5 queries"


def test_no_difference_is_no_error() -> None:
    image = torch.tensor([[[0.0, 1.0]]])
    drawn = draw(Example(image, image.clone(), "a", "b", 0.0, 1))
    assert drawn.magnification == 1.0
    assert [opened(drawn.image).getpixel((column, 0)) for column in range(2)] == [0, 255]
