"""The whole way in colour without an image: a teacher of files in CIFAR-10's format, asked about made images alone."""

from pathlib import Path

import pytest

from command_line import Caller
from db3kd.bench.baselines import buy, teach
from db3kd.data import load
from db3kd.evaluation import evaluate
from db3kd.plan.teacher_keys import TeacherSection
from db3kd.plan.teachers import open_teacher
from db3kd.runs import Run
from made_files import write_coloured_shapes

_CALLS = 800
_SMALL = "lenet5-fifth"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_student_of_coloured_shapes_that_never_saw_one(call: Caller, tmp_path: Path) -> None:
    data = f"cifar10:{write_coloured_shapes(tmp_path / 'shapes')}"
    trained = ("--architecture", "lenet5-half", "--epochs", 8, "--batch-size", 64, "--rate", 0.002)
    call("train", "--data", data, *trained, "--run", tmp_path / "teacher")
    uri = f"torch:lenet5-half@{tmp_path / 'teacher/model.safetensors'}"
    plan = tmp_path / "plan.toml"
    plan.write_text(f"""
        [teacher]
        uri = "{uri}"
        [synthesize]
        queries = {_CALLS}
        primer_architecture = "{_SMALL}"
        [held_out]
        source = "{data}"
        [distill]
        student = "{_SMALL}"
        epochs = 12
    """)
    report = call("run", plan, "--run", tmp_path / "run", "--json").figures
    assert report["queries"]["total"] == _CALLS
    assert report["teacher"]["accuracy"] > 0.8
    # Ten classes: guessing agrees on a tenth.
    agreement = report["students"][0]["agreement"]
    teacher, held_out = open_teacher(TeacherSection(uri=uri)).teacher, load(data, "test")
    with Run(tmp_path / "noise") as run:
        bought = buy(run, teacher, "noise", _CALLS, architecture=_SMALL)
        student = teach(run, bought, (_SMALL,), architecture=_SMALL, epochs=12)[_SMALL]
        assert run.statement().total == _CALLS
    of_noise = evaluate(student, held_out, decisions=teacher(held_out.images())).agreement
    assert of_noise is not None

    assert agreement > 0.35
    assert agreement > of_noise + 0.2
