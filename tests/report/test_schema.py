"""A report as JSON and back, and what is refused."""

import json
import re

import pytest
from pydantic import ValidationError

from db3kd.errors import ArtifactError
from db3kd.report.distances import DistanceFigures, Histogram
from db3kd.report.figures import Queries, StudentFigures, TeacherFigures
from db3kd.report.schema import Report, from_json, to_json
from made_report import bare_report, report


def test_json_comes_back_as_it_went() -> None:
    assert from_json(to_json(report())) == report()
    assert from_json(to_json(bare_report())) == bare_report()
    assert json.loads(to_json(report())) == report().model_dump(mode="json")


def test_json_holds_the_keys_that_scripts_read() -> None:
    content = json.loads(to_json(report()))
    assert content["teacher"]["accuracy"] == 0.9731
    assert [student["name"] for student in content["students"]][:2] == ["true-labels", "hard-decisions"]
    assert {"name", "accuracy", "agreement", "queries", "parameters"} <= content["students"][0].keys()
    assert content["queries"] == {
        "total": 65_432,
        "by_stage": {"decisions": 400, "mbd": 65_032},
        "held_out": {"evaluation": 1000},
        "unsettled": 0,
        "repeated": None,
        "changed": 0,
        "charged_again": {},
        "bills": {},
        "held_out_bills": {},
        "prices": None,
        "money": None,
    }
    assert content["seconds"] == 245.0
    assert content["students"][0]["calibration"]["error"] == 0.0417
    assert content["distances"][0]["outcomes"]["FOUND"] == 450
    assert content["distances"][0]["median_by_classes"][0][0] is None


def test_json_is_the_same_text_each_time_and_keeps_matrix_rows_on_a_line() -> None:
    assert to_json(report()) == to_json(report())
    assert "\n        [null, 1." in to_json(report())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be read"),
        ("[]", "no version"),
        ('{"title": "x"}', "no version"),
        (to_json(bare_report()).replace('"format_version": 2', '"format_version": 1'), "version 2, got 1"),
        (to_json(bare_report()).replace('"total": 0', '"total": -1'), "queries.total"),
        (to_json(bare_report()).replace('"total": 0', '"total": "0"'), "queries.total"),
        (to_json(bare_report()).replace('"seconds": null', '"seconds": NaN'), "seconds"),
        (to_json(bare_report()).replace('"title": "bare"', '"titel": "bare"'), "titel"),
        (to_json(report()).replace('"error": 0.0417', '"error": 1.5'), "students.0.calibration.error"),
        (to_json(report()).replace('"error": 0.0417', '"error": "0.1"'), "students.0.calibration.error"),
        (to_json(report()).replace('"error": 0.0417', '"error": NaN'), "students.0.calibration.error"),
        (to_json(report()).replace('"error": 0.0417', '"error": 0.1, "errror": 0.1'), "students.0.calibration.errror"),
    ],
)
def test_a_file_that_is_no_report_is_refused_by_name(text: str, words: str) -> None:
    with pytest.raises(ArtifactError, match=re.escape(words)):
        from_json(text)


def test_figures_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        TeacherFigures(accuracy=97.31)
    with pytest.raises(ValidationError, match="add up to 3"):
        Queries(total=4, by_stage={"sd": 3})
    with pytest.raises(ValidationError, match=r"again in \['bd'\]"):
        Queries(total=4, by_stage={"sd": 4}, charged_again={"bd": 1})
    with pytest.raises(ValidationError, match="3 pairs of 4"):
        DistanceFigures(method="sd", pairs=4, outcomes={"FOUND": 3})
    with pytest.raises(ValidationError, match="as many columns"):
        DistanceFigures(method="sd", pairs=0, median_by_classes=((None, 1.0), (None,)))
    with pytest.raises(ValidationError, match="one edge more"):
        Histogram(edges=(0.0,), counts=(1,))
    with pytest.raises(ValidationError, match="ascend"):
        Histogram(edges=(0.0, 0.0), counts=(1,))
    with pytest.raises(ValidationError, match="1 accuracies for 2 seeds"):
        StudentFigures(name="sd", seeds=(0, 1), accuracy_by_seed=(0.5,))
    with pytest.raises(ValidationError, match="expected 10 classes"):
        Report.model_validate(report().model_dump() | {"students": [{"name": "sd", "per_class": [0.5]}]})
