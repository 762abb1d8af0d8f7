"""Figures go to stdout and remarks to stderr, and what is told of a teacher is told while the work goes on."""

import json
import logging

import pytest

from db3kd.cli.display import print_json, print_pairs, remark, telling_assumptions


def test_figures_are_json_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [1, None], "b": "ä"})
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"a": [1, None], "b": "ä"}
    assert printed.err == ""
    with pytest.raises(ValueError, match="JSON compliant"):
        print_json({"a": float("nan")})


def test_names_and_values_stand_in_two_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_pairs({"a": "1", "longer": "2"})
    print_pairs({})
    assert capsys.readouterr().out == "a       1\nlonger  2\n"


def test_a_remark_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    remark("so it is")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "db3kd: so it is\n")


def test_assumptions_and_warnings_are_told_inside_and_nothing_after(capsys: pytest.CaptureFixture[str]) -> None:
    def speak() -> None:
        for name in ("db3kd.teachers.onnx_model", "db3kd.pipeline.ask_pool", "db3kd.data.files", "db3kd.oracle"):
            logging.getLogger(name).info("%s assumes", name)
            logging.getLogger(name).warning("%s warns", name)

    def fail() -> None:
        with telling_assumptions():
            speak()
            raise KeyError

    before = logging.getLogger("db3kd.teachers").level
    with pytest.raises(KeyError):
        fail()
    told = capsys.readouterr().err.splitlines()
    ours = [line.removeprefix("db3kd: ") for line in told if line.startswith("db3kd: ")]
    assert ours == [
        "db3kd.teachers.onnx_model assumes",
        "db3kd.teachers.onnx_model warns",
        "db3kd.pipeline.ask_pool assumes",
        "db3kd.pipeline.ask_pool warns",
        "db3kd.data.files warns",
    ]
    assert logging.getLogger("db3kd.teachers").level == before
    speak()
    assert "db3kd: " not in capsys.readouterr().err
