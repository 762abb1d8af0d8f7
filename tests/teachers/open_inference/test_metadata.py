"""What a server says of a model is understood, and what it leaves out is asked of the user."""

from typing import Any

import numpy as np
import pytest

from db3kd.errors import PlanError
from db3kd.teachers.layout import ImageInput, ModelDescription
from db3kd.teachers.open_inference.metadata import ServedModel, read_model

INPUT = {"name": "pixels", "datatype": "FP32", "shape": [-1, 3, 8, 10]}
SCORES = {"name": "scores", "datatype": "FP32", "shape": [-1, 7]}
CLASS = {"name": "class", "datatype": "INT64", "shape": [-1, 1]}
NOBODY = ModelDescription()
BOTH = ("binary_tensor_data", "classification")


def _read(
    *outputs: dict[str, Any],
    inputs: object = (INPUT,),
    extensions: tuple[str, ...] = BOTH,
    told: ModelDescription = NOBODY,
    **more: object,
) -> ServedModel:
    taken = list(inputs) if isinstance(inputs, tuple) else inputs
    model = {"name": "m", "inputs": taken, "outputs": list(outputs), **more}
    return read_model({"extensions": list(extensions)}, model, told, origin="http://h/v2/models/m")


def test_a_model_of_scores_is_asked_for_the_best_class_where_the_server_can() -> None:
    found = _read(SCORES)
    assert found.taken == ImageInput("pixels", np.float32, "nchw", (3, 8, 10))
    assert (found.wanted.output, found.wanted.classification) == ("scores", True)
    assert (found.num_classes, found.binary) == (7, True)
    assert found.describe() == ("images go as bytes", "the output scores is asked for the best class alone")
    plain = _read(SCORES, extensions=())
    assert (plain.wanted.classification, plain.binary) == (False, False)
    assert plain.describe()[0] == "images go as JSON"
    assert plain.describe()[1].endswith("the class, or scores to take it from")


def test_the_class_itself_goes_before_scores_which_tell_how_many_there_are() -> None:
    found = _read(SCORES, CLASS)
    assert (found.wanted.output, found.wanted.classification, found.num_classes) == ("class", False, 7)
    assert _read(CLASS).num_classes is None
    assert not found.gives_text


def test_what_the_user_says_goes_before_what_is_found() -> None:
    found = _read(SCORES, CLASS, told=ModelDescription(output="scores"))
    assert (found.wanted.output, found.wanted.classification) == ("scores", True)


def test_two_outputs_that_may_both_be_it_are_named() -> None:
    with pytest.raises(PlanError, match=r"has the outputs scores, more; .* name the one .* in teacher\.output"):
        _read(SCORES, {**SCORES, "name": "more"})


def test_a_server_that_says_nothing_is_asked_by_what_the_user_says() -> None:
    with pytest.raises(PlanError, match=r"does not say what it takes; nothing was asked: give teacher\.input_shape"):
        _read(inputs=())
    found = _read(inputs=None, told=ModelDescription(input_shape=(1, 4, 5), layout="nhwc"))
    assert found.taken == ImageInput("images", np.float32, "nhwc", (1, 4, 5))
    assert found.wanted.output is None
    assert found.gives_text
    assert "(the only one)" in found.describe()[1]


def test_text_is_known_by_its_type() -> None:
    assert _read({"name": "label", "datatype": "BYTES", "shape": [-1]}).gives_text


def test_what_db3kd_serves_says_more() -> None:
    stated = {"num_classes": 4, "max_rows": 64, "class_names": ["a", "b", "c", "d"], "abstains": True}
    found = _read(CLASS, parameters=stated)
    assert (found.num_classes, found.max_rows, found.abstains) == (4, 64, True)
    assert found.class_names == ("a", "b", "c", "d")


def test_a_server_may_take_one_image_at_a_time() -> None:
    assert _read(CLASS, parameters={"max_rows": 1}).max_rows == 1


@pytest.mark.parametrize(
    "stated",
    [
        {"num_classes": True, "max_rows": "64", "class_names": ["a", 1], "abstains": "yes"},
        {"num_classes": 1, "max_rows": 0, "class_names": "ab", "abstains": 1},
        [],
        None,
    ],
    ids=["other types", "no numbers", "a list", "nothing"],
)
def test_what_makes_no_sense_there_is_passed_over(stated: object) -> None:
    found = _read(CLASS, parameters=stated)
    assert (found.num_classes, found.max_rows, found.class_names, found.abstains) == (None, None, (), False)


def test_another_description_is_another_digest() -> None:
    assert _read(SCORES).digest == _read(SCORES, extensions=()).digest
    assert _read(SCORES).digest != _read(SCORES, versions=["2"]).digest
