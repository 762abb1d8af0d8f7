"""`db3kd export`: files that other programs read, with the same answers as torch."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file

from command_line import Caller
from db3kd.data import load
from db3kd.models import build, weights
from logged_teacher import rows_seen


@pytest.fixture
def trained(call: Caller, bd: tuple[str, ...], tmp_path: Path) -> Path:
    call(*bd, "--run", tmp_path / "run")
    call("distill", "--run", tmp_path / "run", "--student", "lenet5-fifth", "--epochs", 2, "--baselines", "none")
    return tmp_path / "run"


def test_a_student_is_exported_and_answers_as_in_torch(call: Caller, trained: Path, images: str, log: Path) -> None:
    seen = rows_seen(log)
    figures = call("export", "--run", trained, "--held-out", images, "--json").figures
    assert rows_seen(log) == seen, "a function may be somebody's service: it is not asked unless told so"
    file = trained / "export/student.onnx"
    assert figures["files"][str(file)] == file.stat().st_size
    assert (figures["images"], figures["same_answers"]) == (12, 12)
    assert figures["parameters"] == 1_718
    assert figures["teacher_latency"] is None
    module, _ = weights.from_file(trained / "student.safetensors")
    test = load(images, "test").images()
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for rows in (1, 5, 12):
        (logits,) = session.run(["logits"], {"images": test[:rows].numpy()})
        assert np.abs(logits - module(test[:rows]).detach().numpy()).max() < 1e-5
    stated = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert stated["value_range"] == "0 to 1"
    assert stated["architecture"] == "lenet5-fifth"
    assert json.loads(stated["class_names"]) == list(load(images, "test").class_names)
    assert not list(file.parent.glob("*.data"))


def test_the_plain_file_needs_nothing_but_safetensors(call: Caller, trained: Path) -> None:
    call("export", "--run", trained)
    plain = build("lenet5-fifth", (1, 16, 16), 4)
    plain.load_state_dict(load_file(trained / "export/student.safetensors"))
    module, _ = weights.from_file(trained / "student.safetensors")
    images = torch.rand(4, 1, 16, 16)
    assert torch.equal(plain.eval()(images), module(images))


def test_the_teacher_is_timed_where_that_is_free_or_asked_for(
    call: Caller, trained: Path, log: Path, tmp_path: Path
) -> None:
    seen = rows_seen(log)
    done = call("export", "--run", trained, "--time-teacher")
    assert "a call to the teacher" in done.out
    assert 0 < rows_seen(log) - seen <= 31 * 65


def test_any_file_of_weights_is_exported_too(call: Caller, images: str, tmp_path: Path) -> None:
    module = build("alexnet-quarter", (1, 16, 16), 4)
    file = tmp_path / "weights.safetensors"
    file.write_bytes(weights.to_bytes(module, weights.describe("alexnet-quarter", (1, 16, 16), 4)))
    found = call("export", "--weights", file, "--to", tmp_path / "out", "--held-out", images, "--json").figures
    assert found["same_answers"] == found["images"] == 12
    assert "name either" in call("export", expect=2).err
    assert "--to" in call("export", "--weights", file, expect=2).err
    assert "no student" in call("export", "--run", tmp_path, expect=2).err


def test_an_export_is_a_teacher(call: Caller, trained: Path, images: str, tmp_path: Path) -> None:
    call("export", "--run", trained)
    label = ("label", "--images", images, "--method", "sd", "--run", tmp_path / "again", "--json")
    done = call(*label, "--teacher", f"onnx:{trained / 'export/student.onnx'}")
    assert done.figures["queries"]["total"] == 24 + 16
    assert "nchw (1, 16, 16) of float32" in done.err
