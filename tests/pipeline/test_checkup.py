"""What is wrong with a teacher is found before money is spent on it."""

from typing import Any

import numpy as np
import pytest
import torch

from db3kd.data import Dataset, from_arrays
from db3kd.errors import TeacherError
from db3kd.pipeline.checkup import VERDICTS, check_teacher
from db3kd.teachers import AbstainingTeacher, FunctionTeacher, Preparation, PreparedTeacher, Teacher
from db3kd.teachers.open_inference import OpenInferenceTeacher
from db3kd.tensors import Float, Int, Tensor
from known_teachers import Constant, Counting, Failing, Liar, Sectors
from served_teacher import served

SHAPE = (3, 6, 6)


class Brightest:
    """The class is the brightest third of a channel-wise gradient, seen as a network trained on some range sees it."""

    def __init__(self, prepared_for: Preparation) -> None:
        self.expects = prepared_for
        self.spec = Sectors(SHAPE).spec

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        means = images.mean((2, 3))
        scale, deviation = self.expects.scale, torch.tensor(self.expects.deviation)
        # Back to [0, 1]; from there one of five levels of red less blue, as far as it can be told.
        unit = (means * deviation + torch.tensor(self.expects.mean)) / scale
        unit = unit.flip(1) if self.expects.channel_order == "bgr" else unit
        return ((unit[:, 0] - unit[:, 2] + 0.5) * 5).floor().clamp(0, 4).long()


def _labelled() -> Dataset:
    generator = np.random.default_rng(0)
    labels = np.arange(100) % 5
    images = np.full((100, *SHAPE), 0.5, dtype=np.float32)
    difference = (labels + 0.5) / 5 - 0.5
    images[:, 0] += difference[:, None, None] / 2
    images[:, 2] -= difference[:, None, None] / 2
    images += generator.normal(0, 0.002, images.shape).astype(np.float32)
    return from_arrays(images.clip(0, 1), labels)


IMAGENET = Preparation(mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225))


@pytest.mark.parametrize(
    ("expects", "verdict", "lines"),
    [
        (Preparation(), "good", ()),
        (Preparation(scale=255.0), "value range", ("scale = 255",)),
        (IMAGENET, "value range", ("mean = [0.485, 0.456, 0.406]", "deviation = [0.229, 0.224, 0.225]")),
        (Preparation(channel_order="bgr"), "value range", ('channel_order = "bgr"',)),
        (Preparation(mean=(0.5,), deviation=(0.5,)), "value range", ("mean = [0.5]", "deviation = [0.5]")),
    ],
)
def test_the_value_range_that_a_teacher_expects_is_found(
    expects: Preparation, verdict: str, lines: tuple[str, ...]
) -> None:
    seen = Counting(Brightest(expects))
    found = check_teacher(seen, _labelled())
    assert found.verdict == verdict
    assert found.best is not None
    assert found.best.plan_lines == lines
    assert found.best.share > 0.9
    assert found.queries == seen.rows <= 200
    assert not found.cut_short


def test_a_teacher_that_is_prepared_for_is_good() -> None:
    teacher = PreparedTeacher(Brightest(IMAGENET), IMAGENET, image_shape=SHAPE)
    found = check_teacher(teacher, _labelled())
    assert (found.verdict, len(found.agreements)) == ("good", 1)


def test_a_server_that_refuses_other_values_does_not_fail_by_it() -> None:
    with served(Brightest(Preparation())) as url:
        found = check_teacher(OpenInferenceTeacher(f"{url}/v2/models/teacher"), _labelled())
    assert (found.verdict, found.failure) == ("good", None)
    refused = {agreement.how: agreement.refused for agreement in found.agreements}
    assert refused["0 to 255"]
    assert not refused["as they are"]
    assert not refused["channels the other way round"]
    assert len(found.paces) > 3


class FirstOfBatch(Sectors):
    """Gives all rows the answer of the first."""

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        return super().__call__(images[:1]).expand(len(images)).clone()


@pytest.mark.parametrize(
    ("teacher", "verdict"),
    [
        (Liar(), "not deterministic"),
        (FirstOfBatch(), "depends on the batch"),
        (Constant(), "one class"),
        (Sectors(), "good"),
    ],
)
def test_what_is_wrong_is_told(teacher: Teacher, verdict: str) -> None:
    found = check_teacher(teacher, None)
    assert found.verdict == verdict
    assert verdict in VERDICTS
    assert found.repeated == 16
    assert sum(count for _, count in found.classes) == found.queries
    assert {1, 16, 32} <= {rows for rows, _ in found.paces}


@pytest.mark.parametrize(("known", "verdict"), [("Ant", "off the list"), ("ant", "one class")])
def test_names_that_are_not_those_of_the_list_are_told(known: str, verdict: str) -> None:
    teacher = FunctionTeacher(lambda images: [known] * len(images), input_shape=SHAPE, class_names=["ant", "bee"])
    found = check_teacher(teacher, None)
    assert (found.verdict, found.no_class) == (verdict, found.queries if known == "Ant" else 0)
    declining = AbstainingTeacher(
        FunctionTeacher(lambda images: [9] * len(images), input_shape=SHAPE, num_classes=5), (9,)
    )
    assert check_teacher(declining, None).verdict == "one class", "its plan says by what it declines"


def test_labels_of_another_numbering_are_told() -> None:
    images = _labelled()
    labels = images.labels
    assert labels is not None
    turned = Dataset(images.name, images.ids, images.pixels, (labels + 1) % 5, images.class_names)
    assert check_teacher(Brightest(Preparation()), turned).verdict == "no agreement"


def test_a_failure_is_a_finding_and_the_budget_is_kept() -> None:
    found = check_teacher(Failing(Sectors(), 3, lambda: TeacherError("gone")), None)
    assert (found.verdict, found.failure) == ("fails", "gone")
    assert found.changed == 0
    seen = Counting(Sectors())
    short = check_teacher(seen, None, queries=40)
    assert short.cut_short
    assert seen.rows == short.queries <= 40

    def wrong(images: Any) -> Any:
        return np.full(len(images), 9)

    outside = FunctionTeacher(wrong, input_shape=SHAPE, num_classes=3)
    assert "from 0 to 2" in (check_teacher(outside, None).failure or "")
