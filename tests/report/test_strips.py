"""Contact sheets, for gray and colour and what is neither."""

import io

import pytest
import torch
from PIL import Image

from db3kd.acquisition import Step
from db3kd.answers import Answers
from db3kd.data import from_arrays
from db3kd.report.strips import draw_pushes, draw_samples


def _seen(png: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(Image.open(io.BytesIO(png)).convert("L").tobytes()), dtype=torch.uint8).float()


def _covered(png: bytes) -> float:
    """The part of a picture that is not its ground."""
    return (_seen(png) < 255).float().mean().item()


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_strip_for_each_class_and_a_curve(channels: int) -> None:
    strips = torch.rand(3, 5, channels, 8, 8, generator=torch.Generator().manual_seed(0))
    drawn = draw_pushes(strips, ["0", "a $ sign", "7"], (0, 5, 10, 15, 20), (None, 1.0, 1.5))
    assert drawn == draw_pushes(strips, ["0", "a $ sign", "7"], (0, 5, 10, 15, 20), (None, 1.0, 1.5))
    picture = Image.open(io.BytesIO(drawn))
    assert picture.format == "PNG"
    assert picture.width > picture.height > 200
    darker = draw_pushes(strips / 2, ["0", "1", "7"], (0, 5, 10, 15, 20), (None, 1.0, 1.5))
    assert _seen(darker).mean() < _seen(drawn).mean()


def _answers(decisions: list[int], num_classes: int) -> Answers:
    images = from_arrays(torch.zeros(len(decisions), 1, 8, 8))
    none = torch.zeros(len(decisions), dtype=torch.bool)
    return Answers(images, torch.tensor(decisions), ("images",) * len(decisions), num_classes, none)


def test_a_class_without_an_image_has_an_empty_strip() -> None:
    rounds = [Step("aside", 1), Step("lot", 1), Step("views", 0), Step("chosen", 4)]
    few, full = (draw_samples(_answers(classes, 2), rounds) for classes in ([0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1]))
    assert Image.open(io.BytesIO(full)).format == "PNG"
    assert few != full
    empty, bare = (draw_samples(_answers(classes, 2)) for classes in ([0, 0, 0], [0, 0, 0, 1, 1, 1]))
    assert _covered(empty) < _covered(bare) < _covered(full)


def test_classes_that_are_called_alike_have_a_strip_each() -> None:
    alike, apart = (draw_samples(_answers([0, 0, 1, 1], 2), class_names=names) for names in (("a", "a"), ("a", "b")))
    assert _covered(alike) == pytest.approx(_covered(apart), rel=0.02)


def test_a_thousand_classes_do_not_make_a_tower() -> None:
    picture = Image.open(io.BytesIO(draw_samples(_answers([5, 999, 999], 1000), class_names=("$",) * 1000)))
    assert picture.height < 3_000
