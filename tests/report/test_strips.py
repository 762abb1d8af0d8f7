"""The picture of a synthesis, for gray and colour and what is neither."""

import io

import pytest
import torch
from PIL import Image

from db3kd.report.exploration import RoundGain
from db3kd.report.strips import draw_samples, draw_strips


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_strip_for_each_class_and_the_curve_beside(channels: int) -> None:
    strips = torch.rand(3, 5, channels, 8, 8, generator=torch.Generator().manual_seed(0))
    drawn = draw_strips(strips, ["0", "a $ sign", "7"], (0, 5, 10, 15, 20), (None, 1.0, 1.5))
    assert drawn == draw_strips(strips, ["0", "a $ sign", "7"], (0, 5, 10, 15, 20), (None, 1.0, 1.5))
    picture = Image.open(io.BytesIO(drawn))
    assert picture.format == "PNG"
    assert picture.width > picture.height > 200
    darker = draw_strips(strips / 2, ["0", "1", "7"], (0, 5, 10, 15, 20), (None, 1.0, 1.5))
    means = [
        torch.frombuffer(bytearray(Image.open(io.BytesIO(one)).convert("L").tobytes()), dtype=torch.uint8)
        for one in (drawn, darker)
    ]
    assert means[1].float().mean() < means[0].float().mean()


def test_a_class_without_an_image_has_an_empty_strip() -> None:
    gain = RoundGain(queries=100, images=9, before=0.2, after=0.4, error=0.1)
    gains = [gain, gain.model_copy(update={"queries": 200, "learned_longer": True})]
    drawn = [
        draw_samples([torch.zeros(count, 1, 8, 8) for count in counts], ["0", "1 (never)"], gains)
        for counts in ((3, 0), (3, 3))
    ]
    dark = [
        torch.frombuffer(bytearray(Image.open(io.BytesIO(one)).convert("L").tobytes()), dtype=torch.uint8)
        for one in drawn
    ]
    assert Image.open(io.BytesIO(drawn[0])).format == "PNG"
    assert dark[0].float().mean() > dark[1].float().mean() + 1
