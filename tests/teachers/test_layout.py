"""How a file or server takes images is read from what it says, and images come in that order and type."""

from typing import Any

import numpy as np
import pytest
import torch

from db3kd.errors import PlanError
from db3kd.teachers import ModelDescription
from db3kd.teachers.layout import ImageInput, Layout, read_input, static_shape

KINDS: dict[str, type[np.generic]] = {"FP32": np.float32, "UINT8": np.uint8}
IMAGES = torch.rand(3, 3, 4, 5, generator=torch.Generator().manual_seed(0))


def _read(sides: list[int | str | None], kind: str = "FP32", **said: Any) -> ImageInput:
    return read_input([("pixels", kind, sides)], KINDS, ModelDescription(**said), origin="the file")


@pytest.mark.parametrize(
    ("sides", "said", "layout", "image_shape"),
    [
        ([None, 3, 8, 9], {}, "nchw", (3, 8, 9)),
        ([None, 8, 9, 3], {}, "nhwc", (3, 8, 9)),
        # Four channels are rarer than a side of four pixels.
        ([None, 3, 9, 4], {}, "nchw", (3, 9, 4)),
        ([None, 8, 9, 4], {}, "nhwc", (4, 8, 9)),
        # Where both are likely, channels come first unless the plan knows better.
        ([None, 3, 3, 3], {}, "nchw", (3, 3, 3)),
        ([None, 1, 9, 3], {"layout": "nhwc"}, "nhwc", (3, 1, 9)),
        ([None, 5, 8, 9], {"input_shape": (9, 5, 8)}, "nhwc", (9, 5, 8)),
        (["batch", 3, "h", "w"], {"input_shape": (3, 8, 9)}, "nchw", (3, 8, 9)),
        ([-1, 784], {"input_shape": (1, 28, 28)}, "flat", (1, 28, 28)),
        ([None, None], {"input_shape": (1, 28, 28)}, "flat", (1, 28, 28)),
    ],
)
def test_the_order_of_the_axes_follows_from_the_shape(
    sides: list[int | str | None], said: dict[str, Any], layout: Layout, image_shape: tuple[int, int, int]
) -> None:
    assert _read(sides, **said) == ImageInput("pixels", np.float32, layout, image_shape)


@pytest.mark.parametrize(
    ("sides", "said"),
    [
        ([None, 3, None, None], {}),
        ([None, 3, 8, 9], {"input_shape": (1, 8, 9)}),
        ([None, 8, 9, 3], {"layout": "flat"}),
        ([None, 783], {"input_shape": (1, 28, 28)}),
        ([None, 784], {}),
        ([None, 3, 8], {"input_shape": (1, 3, 8)}),
    ],
)
def test_what_the_shape_and_the_plan_leave_open_is_asked_for(sides: list[int | str | None], said: Any) -> None:
    with pytest.raises(PlanError, match=r"the file takes images of shape .*nothing was asked: give \[channels"):
        _read(sides, **said)


def test_several_inputs_and_unknown_types_are_refused() -> None:
    for inputs in ([("a", "FP32", [1]), ("b", "FP32", [1])], [("a", "BYTES", [1])], []):
        with pytest.raises(PlanError, match="must take one tensor of images of FP32, UINT8"):
            read_input(inputs, KINDS, ModelDescription(), origin="the file")


def test_a_side_that_is_left_open_is_none_however_it_is_said() -> None:
    assert static_shape(["batch", -1, 0, None, 3]) == (None, None, None, None, 3)


@pytest.mark.parametrize(("layout", "order"), [("nchw", (0, 1, 2, 3)), ("nhwc", (0, 2, 3, 1))])
def test_images_come_in_the_order_that_is_taken(layout: Layout, order: tuple[int, ...]) -> None:
    arranged = ImageInput("pixels", np.float32, layout, (3, 4, 5)).arrange(IMAGES)
    assert np.array_equal(arranged, IMAGES.permute(order).numpy())
    assert arranged.flags.c_contiguous
    flat = ImageInput("pixels", np.float64, "flat", (3, 4, 5)).arrange(IMAGES)
    assert (flat.shape, flat.dtype) == ((3, 60), np.dtype(np.float64))


def test_bytes_are_rounded_and_a_call_of_fixed_rows_is_filled_up() -> None:
    taken = _read([4, 3, 4, 5], "UINT8")
    arranged = taken.arrange(IMAGES * 300)
    assert np.array_equal(arranged[:3], (IMAGES * 300).round().clamp(max=255).to(torch.uint8).numpy())
    assert np.array_equal(arranged[3], arranged[2])


def test_what_is_said_of_a_model_holds_over_what_its_file_says() -> None:
    floats, taken = _read([None, 3, 4, 5]), _read([7, 3, 4, 5], "UINT8")
    told: dict[str, Any] = {"max_batch": 96, "fingerprint": "of the file", "origin": "the file"}
    plain = ModelDescription().complete(floats, 5, **told)
    assert (plain.input_shape, plain.num_classes, plain.max_batch) == ((3, 4, 5), 5, 96)
    assert (plain.fingerprint, plain.bounds, plain.levels) == ("of the file", (0.0, 1.0), None)
    said = ModelDescription(num_classes=4, bounds=(0.0, 2.0), levels=3, fingerprint="mine")
    spec = said.complete(floats, 5, **told)
    assert (spec.num_classes, spec.fingerprint, spec.bounds, spec.levels) == (4, "mine", (0.0, 2.0), 3)
    # A model of bytes has its own bounds, and fixed rows are those of each call.
    spec = said.complete(taken, 5, **told)
    assert (spec.bounds, spec.levels, spec.max_batch) == ((0.0, 255.0), 256, 7)
    with pytest.raises(PlanError, match=r"does not say how many classes.*teacher\.num_classes"):
        ModelDescription().complete(floats, None, **told)
    assert ModelDescription(class_names=("ant", "bee")).complete(floats, 5, **told).num_classes == 2


def test_the_user_is_told_how_images_are_taken() -> None:
    assert _read([None, 3, 4, 5]).describe((0.0, 1.0)) == (
        "images are taken as nchw (3, 4, 5) of float32",
        "pixels are taken from 0 to 1: see scale, mean and deviation if not",
    )
    assert _read([7, 3, 4, 5], "UINT8").describe((0.0, 255.0)) == (
        "images are taken as nchw (3, 4, 5) of uint8",
        "every call holds 7 rows; fewer are filled up",
    )
