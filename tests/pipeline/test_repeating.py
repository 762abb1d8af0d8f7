"""A run notices by itself that its teacher is not constant, at a few queries, and says so wherever it is shown."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import db3kd
from command_line import Caller
from db3kd.boundary.methods import BoundaryDistance
from db3kd.data import from_arrays
from db3kd.errors import TeacherError
from db3kd.execution import Labelling
from db3kd.pipeline import Budget
from db3kd.pipeline.asking import record
from db3kd.pipeline.labelling import label
from db3kd.pipeline.repeating import REPEATS, Repeats, kept_repeats
from db3kd.runs import Run
from db3kd.teachers import Teacher
from db3kd.tensors import Float, Int, Tensor
from db3kd.training import student_recipe
from known_teachers import Counting, Failing, Fickle, Sectors
from logged_teacher import rows_seen, write_images

SHAPE = (1, 6, 6)
IMAGES = from_arrays(torch.rand(30, *SHAPE, generator=torch.Generator().manual_seed(0)))
BD = Labelling(BoundaryDistance(exemplars=2), 40)
_TEACHER = "python:logged_teacher:decide?input_shape=1,16,16&num_classes=4&max_batch=64"


def _label(folder: Path, teacher: Teacher, *, repeats: int = 16, total: int | None = None) -> Repeats | None:
    with Run(folder) as run:
        label(run, teacher, IMAGES, BD, budget=Budget(total=total, repeats=repeats))
        return kept_repeats(run)


def test_a_constant_teacher_is_found_constant_and_is_asked_once(tmp_path: Path) -> None:
    teacher = Counting(Sectors(SHAPE))
    assert _label(tmp_path, teacher) == Repeats(16, 0)
    with Run(tmp_path) as run:
        statement = run.statement()
        assert statement.by_stage[REPEATS] == 16
        assert statement.total == teacher.rows
    assert _label(tmp_path, teacher) == Repeats(16, 0)
    assert teacher.rows == statement.total


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_a_teacher_that_flips_some_answers_is_found_out(tmp_path: Path, share: float) -> None:
    found = _label(tmp_path, Fickle(Sectors(SHAPE), share))
    assert found is not None
    assert found.asked == 16
    # Either of two answers may be the flipped one.
    expected = 1 - (1 - share) ** 2
    assert abs(found.changed / 16 - expected) < 0.35
    assert found.warning is not None
    assert f"{found.changed} of 16" in found.warning


def test_no_more_is_asked_again_than_there_is_and_nothing_where_it_is_not_wanted(tmp_path: Path) -> None:
    teacher = Counting(Sectors(SHAPE))
    assert _label(tmp_path / "all", teacher, repeats=100) == Repeats(30, 0)
    before = teacher.rows
    assert _label(tmp_path / "none", teacher, repeats=0) is None
    assert teacher.rows - before == before - 30


def test_a_budget_that_is_enough_for_the_labels_is_enough(tmp_path: Path) -> None:
    teacher = Counting(Sectors(SHAPE))
    _label(tmp_path / "first", teacher, repeats=0)
    needed, teacher.rows = teacher.rows, 0
    assert _label(tmp_path / "second", teacher, total=needed + 15) is None
    assert teacher.rows == needed
    assert (tmp_path / "second/transfer.safetensors").read_bytes() == (
        tmp_path / "first/transfer.safetensors"
    ).read_bytes()


def test_a_teacher_that_is_gone_when_it_is_asked_again_harms_nothing(tmp_path: Path) -> None:
    counting = Counting(Sectors(SHAPE))
    _label(tmp_path / "first", counting, repeats=0)
    gone = Failing(Sectors(SHAPE), counting.calls + 1, lambda: TeacherError("gone"))
    assert _label(tmp_path / "second", gone) is None
    assert gone.calls == counting.calls + 1
    with Run(tmp_path / "second") as run:
        assert run.has("transfer.safetensors")


def test_another_model_behind_the_same_name_shows_against_recorded_answers(tmp_path: Path) -> None:
    class Renumbered(Sectors):
        def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
            return (super().__call__(images) + 1) % self.classes

    with Run(tmp_path / "before") as run:
        record(run, Sectors(SHAPE))
        label(run, Sectors(SHAPE), IMAGES, BD, budget=Budget(repeats=16))
        assert kept_repeats(run) == Repeats(16, 0)
    teacher = Counting(Renumbered(SHAPE))
    with Run(tmp_path / "after") as run:
        record(run, teacher, [tmp_path / "before"])
        label(run, teacher, IMAGES, BD, budget=Budget(repeats=16))
        assert kept_repeats(run) == Repeats(16, 16)
    assert teacher.rows == 16


def test_one_line_of_python_warns(caplog: pytest.LogCaptureFixture) -> None:
    images = torch.rand(40, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    recipe = replace(student_recipe("lenet5-fifth"), epochs=1)
    for teacher, warned in ((Sectors((1, 16, 16)), False), (Fickle(Sectors((1, 16, 16)), 0.4), True)):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            db3kd.distill(teacher, images, student="lenet5-fifth", recipe=recipe, budget=100)
        assert ("the teacher is not constant" in caplog.text) == warned


@pytest.mark.parametrize("flips", ["0", "0.4"])
def test_status_report_and_the_end_of_a_command_tell_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, flips: str
) -> None:
    monkeypatch.setenv("LOGGED_ROWS", str(tmp_path / "rows"))
    monkeypatch.setenv("LOGGED_FLIPS", flips)
    call, images, run = Caller(capsys), write_images(tmp_path / "tiny.npz"), tmp_path / "run"
    labelled = call("label", "--teacher", _TEACHER, "--images", images, "--method", "sd", "--run", run, "--json")
    queries = labelled.figures["queries"]
    assert queries["total"] == rows_seen(tmp_path / "rows") == 24 + 16
    changed = queries["changed"]
    assert (queries["repeated"], changed > 0) == (16, flips != "0")
    call("distill", "--run", run, "--student", "lenet5-fifth", "--epochs", 1, "--baselines", "none")
    evaluated = call("evaluate", "--run", run, "--held-out", images)
    status = call("status", run)
    assert call("status", run, "--json").figures["repeats"] == {"asked": 16, "changed": changed}
    report = json.loads((run / "report.json").read_text())
    assert (report["queries"]["repeated"], report["queries"]["changed"]) == (16, changed)
    page = (run / "report.html").read_text()
    for shown in (status.out, evaluated.out, page):
        assert f"{changed} of 16" in shown
    told = f"the teacher is not constant: {changed} of 16"
    for place in (labelled.err, evaluated.err, page, " ".join(report["notes"])):
        assert (told in place) == (flips != "0")
    checked = call("check-teacher", _TEACHER, "--data", images, "--json").figures
    assert (checked["verdict"] == "not deterministic") == (flips != "0")
