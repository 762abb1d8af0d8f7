"""The whole way in colour without an image: a teacher of files in CIFAR-10's format, asked about made images alone."""

from pathlib import Path

import pytest

from benchmarks.zero_shot import ZeroShotPlan, measure_zero_shot
from command_line import Caller, settings
from db3kd.data import load
from db3kd.plan import open_teacher
from db3kd.plan.teacher_keys import TeacherSection
from db3kd.runs import Keeper, Run
from made_files import write_coloured_shapes

_CALLS = 800
_SMALL = "lenet5-fifth"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_student_of_coloured_shapes_that_never_saw_one(call: Caller, tmp_path: Path) -> None:
    data = f"cifar10:{write_coloured_shapes(tmp_path / 'shapes')}"
    recipe = settings(train__epochs=8, train__batch_size=64, train__rate=0.002)
    call("train", "--data", data, "--architecture", "lenet5-half", *recipe, "--run", tmp_path / "teacher")
    uri = f"torch:lenet5-half@{tmp_path / 'teacher/model.safetensors'}"
    asked = ("distill", "--teacher", uri, "--budget", _CALLS, "--student", _SMALL, "--held-out", data)
    members = settings(committee__architecture=_SMALL, committee__members=2, committee__choosers=2)
    more = (*members, *settings(student__epochs=12, rounds__number=2, budget__repeats=0))
    report = call(*asked, *more, "--run", tmp_path / "run", "--json").figures
    assert report["queries"]["total"] == _CALLS
    assert report["teacher"]["accuracy"] > 0.8
    # Ten classes: guessing agrees on a tenth.
    agreement = report["students"][0]["agreement"]
    teacher, held_out = open_teacher(TeacherSection(uri=uri)).teacher, load(data, "test")
    with Run(tmp_path / "noise") as run:
        # Of noise nothing is learned in twelve epochs either.
        noise = measure_zero_shot(Keeper(run), teacher, held_out, ZeroShotPlan("noise", _CALLS, (_SMALL,), epochs=2))
    assert noise.calls == _CALLS
    of_noise = noise.students[0].agreement
    assert of_noise is not None

    assert agreement > 0.35
    assert agreement > of_noise + 0.2
