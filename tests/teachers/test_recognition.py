"""What users hand over as a teacher."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import db3kd
from db3kd.errors import PlanError
from db3kd.teachers import SklearnTeacher, recognised
from known_teachers import Sectors
from made_networks import one_layer

SHAPE = (1, 16, 16)
ROWS = np.random.default_rng(0).random((40, 256))
FITTED = LogisticRegression().fit(ROWS, np.where(ROWS[:, 0] > 0.5, "dark", "bright"))


def test_a_teacher_is_taken_as_it_is_and_a_fitted_classifier_becomes_one() -> None:
    known = Sectors(SHAPE)
    assert recognised(known, None) is known
    made = recognised(FITTED, SHAPE)
    assert isinstance(made, SklearnTeacher)
    assert made.spec.class_names == ("bright", "dark")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (one_layer(input_shape=SHAPE, num_classes=3), r"TorchTeacher\(module, input_shape=\(1, 16, 16\), num_classes"),
        (lambda images: [0] * len(images), r"FunctionTeacher\(function, input_shape=\(1, 16, 16\)"),
        (LogisticRegression(), "fit it first"),
        (LogisticRegression, "give an object of it"),
        (Sectors, "give an object of it"),
        ("onnx:model.onnx", "command line"),
        (None, "db3kd.teachers"),
        (3, "db3kd.teachers"),
    ],
)
def test_anything_else_is_refused_with_what_to_write(given: Any, told: str) -> None:
    with pytest.raises(PlanError, match=told):
        recognised(given, SHAPE)


def test_without_images_nobody_knows_what_an_estimator_takes() -> None:
    with pytest.raises(PlanError, match="input_shape"):
        recognised(FITTED, None)


def test_a_fitted_classifier_is_distilled_as_it_is(one_thread: None) -> None:
    images = torch.rand(24, *SHAPE, generator=torch.Generator().manual_seed(0))
    recipe = replace(db3kd.training.student_recipe("lenet5-fifth"), epochs=1)
    result = db3kd.distill(FITTED, images, student="lenet5-fifth", recipe=recipe, search="sd", softening="smoothed")
    assert result.report.class_names == ("bright", "dark")
    expected = (FITTED.predict(images.flatten(1).numpy()) == "dark").tolist()
    by_id = dict(zip(result.answers.images.ids, result.answers.decisions.tolist(), strict=True))
    assert [by_id[name] for name in sorted(by_id)] == [int(one) for one in expected]
