"""A figure that cannot be one is refused where it is put down, and comes back from JSON as it was."""

from dataclasses import asdict, replace
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from db3kd.evaluation import Evaluation, Gain
from db3kd.evaluation.figures import Calibration, CalibrationBin, ClassScore

EVALUATION = Evaluation(
    images=3,
    accuracy=0.5,
    agreement=None,
    classes=(ClassScore(0, 2, 0.5, None, None), ClassScore(1, 0, None, None, None)),
    confusion=((1, 1), (0, 1)),
    calibration=Calibration(0.25, "labels", (CalibrationBin(0.0, 0.5, 3, 0.4, 1.0),)),
)
GAIN = Gain(since=10, queries=20, images=4, before=0.25, after=0.5, error=0.1)


def test_figures_come_back_from_json_as_they_were() -> None:
    adapter = TypeAdapter(Evaluation)
    assert adapter.validate_json(adapter.dump_json(EVALUATION)) == EVALUATION


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"accuracy": 1.5}, "accuracy"),
        ({"accuracy": float("nan")}, "accuracy"),
        ({"images": -1}, "images"),
        ({"confusion": ((1, -1),)}, "confusion"),
        ({"classes": (ClassScore(-1, 1, None, None, None),)}, "classes"),
        ({"calibration": replace(EVALUATION.calibration, against="guesses")}, "calibration"),  # type: ignore[type-var]  # wrong on purpose
    ],
)
def test_what_is_no_figure_is_refused_also_as_an_object(changes: dict[str, Any], named: str) -> None:
    wrong = replace(EVALUATION, **changes)
    with pytest.raises(ValidationError, match=named):
        TypeAdapter(Evaluation).validate_python(wrong)


def test_a_field_that_is_unknown_or_missing_is_refused() -> None:
    adapter = TypeAdapter(Gain)
    with pytest.raises(ValidationError, match="more"):
        adapter.validate_python({**asdict(GAIN), "more": 1})
    with pytest.raises(ValidationError, match="error"):
        adapter.validate_python({name: value for name, value in asdict(GAIN).items() if name != "error"})


def test_a_gain_of_an_older_run_was_learned_for_as_long() -> None:
    older = {name: value for name, value in asdict(GAIN).items() if name != "learned_longer"}
    assert TypeAdapter(Gain).validate_python(older) == GAIN
