"""An ONNX file is held against the network: the same answers but for ties, and as accurate as somebody says."""

from typing import Literal

import numpy as np
import pytest
import torch

from db3kd.errors import InputError
from db3kd.models import build
from db3kd.models.onnx_file import to_onnx
from db3kd.pipeline.parity import Examples, answers_of, as_taken, check_same, measure_file, median
from made_runs import images

SHAPE = (1, 6, 6)
NETWORK = build("made_networks:two_layers", SHAPE, 3, seed=1).eval()


def test_what_nobody_knows_is_left_out_of_the_accuracy() -> None:
    answers, some = torch.tensor([0, 1, 2, 0]), images(4)
    assert Examples(some, "some", torch.tensor([0, 1, 0, -1])).accuracy(answers) == pytest.approx(2 / 3)
    assert Examples(some, "some", torch.full((4,), -1)).accuracy(answers) is None
    assert Examples(some, "some").accuracy(answers) is None


def test_only_a_tie_may_be_decided_otherwise() -> None:
    expected = torch.tensor([[2.0, 1.9995, 0.0], [5.0, 1.0, 0.0]])
    check_same(torch.tensor([[1.0, 2.0, 0.0], [9.0, 1.0, 0.0]]), expected)
    with pytest.raises(InputError, match="on 1 of 2 images; nothing was written"):
        check_same(torch.tensor([[2.0, 1.0, 0.0], [1.0, 2.0, 0.0]]), expected)


def test_images_of_any_kind_come_in_the_form_that_a_file_takes() -> None:
    levels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1)
    for given in (levels, levels / 255):
        assert as_taken(given, "uint8").dtype == np.dtype(np.uint8)
        assert as_taken(given, "uint8").ravel().tolist() == [0, 51, 255]
        assert as_taken(given, "float").ravel() == pytest.approx([0.0, 0.2, 1.0])


@pytest.mark.parametrize("pixels", ["uint8", "float"])
def test_a_file_is_asked_about_every_image(pixels: Literal["uint8", "float"], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db3kd.pipeline.parity._ROWS_PER_PASS", 10)
    shown = Examples(images(24), "some", torch.zeros(24, dtype=torch.int64))
    expected = answers_of(NETWORK, shown, pixels)
    figures, logits = measure_file(to_onnx(NETWORK, SHAPE, {}, pixels=pixels), shown, pixels, expected)
    assert logits is not None
    assert torch.allclose(logits, expected, atol=1e-5)
    assert figures.same_answers == 24
    assert figures.accuracy == (expected.argmax(dim=1) == 0).double().mean().item()


def test_each_call_but_the_first_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    now, called = [0.0], list[float]()

    def call() -> None:
        # The first takes a minute, half of the others one millisecond, and half of them three.
        took = 0.001 + 0.002 * (len(called) % 2) if called else 60.0
        now[0] += took
        called.append(took)

    monkeypatch.setattr("db3kd.pipeline.parity.time.perf_counter", lambda: now[0])
    assert median(call) == pytest.approx(2.0)
    assert len(called) == 31
