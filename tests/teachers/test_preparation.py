"""What a teacher sees of prepared images."""

import json
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from db3kd.errors import PlanError
from db3kd.teachers import FunctionTeacher, Preparation, PreparedTeacher, Teacher, TeacherSpec
from db3kd.tensors import Float, Int, Tensor
from known_teachers import Sectors

SHAPE = (1, 8, 8)
COLOR = (3, 6, 6)


def _images(count: int, shape: tuple[int, int, int], seed: int = 0) -> Float[Tensor, "b c h w"]:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed))


class Seeing:
    """Keeps what it is shown."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.spec = TeacherSpec(shape, 2, (-1e4, 1e4), fingerprint="seeing")
        self.seen: list[Tensor] = []

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        self.seen.append(images)
        return torch.zeros(len(images), dtype=torch.int64)


def test_each_step_is_what_it_says_and_they_come_in_this_order() -> None:
    images, seeing = _images(5, (1, 6, 6)), Seeing(COLOR)
    mean, deviation = (10.0, 20.0, 30.0), (2.0, 4.0, 8.0)
    preparation = Preparation(scale=255.0, gray_to_color=True, mean=mean, deviation=deviation)
    PreparedTeacher(seeing, preparation, image_shape=(1, 6, 6))(images)
    for channel in range(3):
        expected = (images[:, 0] * 255 - mean[channel]) / deviation[channel]
        assert torch.allclose(seeing.seen[0][:, channel], expected)


def test_channels_are_turned_around_before_the_mean_is_taken_away() -> None:
    images, seeing = _images(5, COLOR), Seeing(COLOR)
    PreparedTeacher(seeing, Preparation(channel_order="bgr", mean=(0.1, 0.2, 0.3)), image_shape=COLOR)(images)
    assert torch.allclose(seeing.seen[0][:, 0], images[:, 2] - 0.1)
    assert torch.allclose(seeing.seen[0][:, 2], images[:, 0] - 0.3)


def test_images_are_resized_and_keep_their_mean_and_range() -> None:
    images, seeing = _images(4, (3, 12, 10)), Seeing(COLOR)
    PreparedTeacher(seeing, Preparation(resize=(6, 6)), image_shape=(3, 12, 10))(images)
    (seen,) = seeing.seen
    assert seen.shape == (4, *COLOR)
    assert 0 <= float(seen.min()) <= float(seen.max()) <= 1
    assert torch.allclose(seen.mean((2, 3)), images.mean((2, 3)), atol=0.1)
    flat = torch.full((1, 3, 12, 10), 0.25)
    PreparedTeacher(seeing, Preparation(resize=(6, 6)), image_shape=(3, 12, 10))(flat)
    assert torch.allclose(seeing.seen[1], torch.full((1, *COLOR), 0.25))


def test_the_middle_is_cut_out_after_resizing_and_bicubic_values_stay_in_range() -> None:
    images, seeing = _images(4, (3, 12, 10)), Seeing((3, 5, 4))
    preparation = Preparation(resize=(8, 7), interpolation="bicubic", crop=(5, 4))
    PreparedTeacher(seeing, preparation, image_shape=(3, 12, 10))(images)
    resized = functional.interpolate(images, (8, 7), mode="bicubic", antialias=True)
    assert torch.allclose(seeing.seen[0], resized.clamp(0, 1)[:, :, 1:6, 1:5])
    sharp = (images > 0.5).float()
    PreparedTeacher(seeing, replace(preparation, resize=(11, 9)), image_shape=(3, 12, 10))(sharp)
    assert 0 <= float(seeing.seen[1].min()) <= float(seeing.seen[1].max()) <= 1
    cut = PreparedTeacher(seeing, Preparation(crop=(5, 4)), image_shape=(3, 6, 6))
    cut(_images(2, (3, 6, 6)))
    assert torch.equal(seeing.seen[2], _images(2, (3, 6, 6))[:, :, 0:5, 1:5])


def test_what_older_runs_did_not_know_is_in_the_fingerprint_only_where_it_does_something() -> None:
    known = {"resize": None, "scale": 2.0, "gray_to_color": False, "channel_order": "rgb"}
    assert Preparation(scale=2.0).description == json.dumps({**known, "mean": (0.0,), "deviation": (1.0,)})
    described = {Preparation(**one).description for one in ({}, {"crop": (5, 4)}, {"interpolation": "bicubic"})}
    assert len(described) == 3


@settings(max_examples=50, deadline=None)
@given(
    scale=st.floats(0.01, 300) | st.floats(-300, -0.01),
    mean=st.lists(st.floats(-200, 200), min_size=3, max_size=3).map(tuple),
    deviation=st.lists(st.floats(0.1, 100) | st.floats(-100, -0.1), min_size=3, max_size=3).map(tuple),
)
def test_what_comes_out_lies_within_the_bounds_that_are_given(
    scale: float, mean: tuple[float, ...], deviation: tuple[float, ...]
) -> None:
    preparation = Preparation(scale=scale, mean=mean, deviation=deviation)
    low, high = preparation.bounds
    prepared = preparation(torch.tensor([0.0, 0.3, 1.0]).expand(3, 3)[None, :, :, None])
    slack = 1e-5 * (1 + max(abs(low), abs(high)))
    assert low - slack <= float(prepared.min()) <= low + slack
    assert high - slack <= float(prepared.max()) <= high + slack


def test_before_preparation_all_is_in_0_to_1() -> None:
    prepared = PreparedTeacher(Seeing(COLOR), Preparation(scale=255.0, resize=(6, 6)), image_shape=(3, 9, 9))
    assert isinstance(prepared, Teacher)
    assert (prepared.spec.input_shape, prepared.spec.bounds) == ((3, 9, 9), (0.0, 1.0))
    other = PreparedTeacher(Seeing(COLOR), Preparation(scale=254.0, resize=(6, 6)), image_shape=(3, 9, 9))
    assert prepared.spec.fingerprint != other.spec.fingerprint


@pytest.mark.parametrize(
    ("options", "shape", "named"),
    [
        ({"gray_to_color": True}, (3, 6, 6), "1 channel"),
        ({"channel_order": "bgr"}, (1, 6, 6), "3 channels"),
        ({"mean": (0.5, 0.5)}, (3, 6, 6), "3 channels"),
        ({}, (1, 6, 6), "become"),
        ({"resize": (5, 5)}, (3, 9, 9), "resize"),
        ({"crop": (6, 7)}, (3, 6, 6), "middle"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_asked(
    options: dict[str, object], shape: tuple[int, int, int], named: str
) -> None:
    with pytest.raises(PlanError, match=named):
        PreparedTeacher(Seeing(COLOR), Preparation(**options), image_shape=shape)  # type: ignore[arg-type]  # a table of options


def test_what_no_preparation_can_be_is_told_at_once() -> None:
    with pytest.raises(PlanError, match=r"scale.*deviation.*resize"):
        Preparation(scale=0.0, deviation=(0.0,), resize=(0, 3))


def _cut_off(images: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """A service of 8-bit images, which cuts off fractions as `astype` does."""
    assert images.max() <= 255
    whole = images.astype(np.uint8)
    assert np.array_equal(whole, images), "fractions reached it"
    pixels = torch.from_numpy(whole.astype(np.float32) / 255)
    return Sectors()(pixels).numpy()


def _eight_bits() -> PreparedTeacher:
    inside = FunctionTeacher(_cut_off, input_shape=SHAPE, num_classes=5, bounds=(0.0, 255.0), levels=256)
    return PreparedTeacher(inside, Preparation(scale=255.0), image_shape=SHAPE)


def test_a_teacher_of_8_bit_images_gets_whole_numbers_exactly() -> None:
    teacher = _eight_bits()
    assert (teacher.spec.levels, teacher.spec.bounds) == (256, (0.0, 1.0))
    every = torch.arange(256, dtype=torch.uint8).to(torch.float32).div(255).reshape(4, *SHAPE)
    assert torch.equal(teacher(every), Sectors()(every))
    admitted = teacher.spec.admit(_images(100, SHAPE))
    assert torch.equal(teacher(admitted), Sectors()(admitted))
