"""ONNX files of every kind give the same decisions, and what they leave open is said or asked for."""

import logging
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from db3kd.errors import InvalidDecision, PlanError
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.teachers import ModelDescription, OnnxTeacher, Preparation, PreparedTeacher
from db3kd.tensors import Float, Int, Tensor
from made_onnx import CLASSES, SHAPE, WEIGHTS, write_onnx

# On 8-bit levels, so that files of every type see the very same images.
IMAGES = torch.randint(256, (50, *SHAPE), generator=torch.Generator().manual_seed(0)).to(torch.float32) / 255


def _expected(images: Float[Tensor, "n c h w"] = IMAGES) -> Int[Tensor, " n"]:
    return ((images.flatten(1) - 0.5) @ torch.from_numpy(WEIGHTS)).argmax(1)


@pytest.mark.parametrize("layout", ["nchw", "nhwc", "flat"])
@pytest.mark.parametrize("kind", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("batch", ["n", 8])
@pytest.mark.parametrize("gives", [("logits",), ("probabilities",), ("label",), ("column",)])
def test_every_kind_of_file_gives_the_same_decisions(
    tmp_path: Path, layout: str, kind: str, batch: int | str, gives: tuple[str, ...]
) -> None:
    path = write_onnx(tmp_path / "model.onnx", layout=layout, kind=kind, batch=batch, gives=gives)
    shape = SHAPE if layout == "flat" else None
    teacher = OnnxTeacher(path, description=ModelDescription(input_shape=shape, num_classes=CLASSES))
    scale = 255.0 if kind == "uint8" else 1.0
    assert (teacher.spec.input_shape, teacher.spec.num_classes, teacher.spec.bounds) == (SHAPE, CLASSES, (0.0, scale))
    assert teacher.spec.levels == (256 if kind == "uint8" else None)
    assert teacher.spec.max_batch == (8 if batch == 8 else 96)
    with Ledger(None) as ledger, ledger.account("label") as account:
        decisions = Oracle(teacher, account)(IMAGES * scale)
        assert account.spent == 50
    # Halves round: two scores that are as good as equal may change places.
    agreed = (decisions == _expected()).double().mean()
    assert agreed == 1 if kind != "float16" else agreed > 0.95


def test_a_class_is_taken_before_scores_and_the_number_of_classes_from_them(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "model.onnx", gives=("label", "probabilities"))
    teacher = OnnxTeacher(path)
    assert teacher.spec.num_classes == CLASSES
    assert torch.equal(teacher(IMAGES), _expected())
    assert any("'label'" in assumption for assumption in teacher.assumptions)
    assert torch.equal(OnnxTeacher(path, description=ModelDescription(output="probabilities"))(IMAGES), _expected())


def test_what_the_file_leaves_open_is_asked_for(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "model.onnx", gives=("label",), open_sides=True)
    with pytest.raises(PlanError, match=r"None is open.*input_shape is None"):
        OnnxTeacher(path)
    with pytest.raises(PlanError, match=r"teacher\.num_classes"):
        OnnxTeacher(path, description=ModelDescription(input_shape=SHAPE))
    assert torch.equal(
        OnnxTeacher(path, description=ModelDescription(input_shape=SHAPE, num_classes=CLASSES))(IMAGES), _expected()
    )
    fixed = write_onnx(tmp_path / "fixed.onnx")
    with pytest.raises(PlanError, match="input_shape is"):
        OnnxTeacher(fixed, description=ModelDescription(input_shape=(3, 4, 6)))
    both = write_onnx(tmp_path / "both.onnx", gives=("logits", "probabilities"))
    with pytest.raises(PlanError, match=r"logits: tensor\(float\).*teacher\.output"):
        OnnxTeacher(both)


def test_what_is_assumed_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_onnx(tmp_path / "model.onnx", layout="nhwc", batch=4)
    with caplog.at_level(logging.INFO, "db3kd.teachers"):
        OnnxTeacher(path)
    said = caplog.text
    for word in ("nhwc (3, 4, 5) of float32", "from 0 to 1", "4 rows", "highest score"):
        assert word in said


def test_a_file_of_floats_is_prepared_for(tmp_path: Path) -> None:
    inside = OnnxTeacher(write_onnx(tmp_path / "model.onnx"))
    teacher = PreparedTeacher(inside, Preparation(mean=(0.5,), deviation=(0.25,)), image_shape=SHAPE)
    assert torch.equal(teacher(IMAGES), _expected((IMAGES - 0.5) / 0.25))


def test_the_fingerprint_is_of_all_that_the_file_holds(tmp_path: Path) -> None:
    first = OnnxTeacher(write_onnx(tmp_path / "model.onnx", external=True)).spec.fingerprint
    assert OnnxTeacher(tmp_path / "model.onnx").spec.fingerprint == first
    before = (tmp_path / "model.onnx").read_bytes()
    write_onnx(tmp_path / "model.onnx", external=True, weights=-WEIGHTS)
    (tmp_path / "model.onnx").write_bytes(before)
    assert OnnxTeacher(tmp_path / "model.onnx").spec.fingerprint != first


def test_a_score_that_is_not_a_number_never_becomes_a_class(tmp_path: Path) -> None:
    teacher = OnnxTeacher(write_onnx(tmp_path / "model.onnx", gives=("not-a-number",)))
    with Ledger(None) as ledger, ledger.account("label") as account, pytest.raises(InvalidDecision, match="number"):
        Oracle(teacher, account)(IMAGES)


def test_text_is_an_answer_where_the_names_are_listed(tmp_path: Path) -> None:
    model = onnx.load(write_onnx(tmp_path / "model.onnx", gives=("probabilities", "label")))
    names = [f"class {number}" for number in range(CLASSES)]
    told = [*names[:-1], "something else"]
    node = onnx.helper.make_node(
        "LabelEncoder", ["label"], ["name"], domain="ai.onnx.ml", keys_int64s=list(range(CLASSES)), values_strings=told
    )
    model.graph.node.append(node)
    model.graph.output.pop()
    model.graph.output.append(onnx.helper.make_tensor_value_info("name", onnx.TensorProto.STRING, ["n"]))
    model.opset_import.append(onnx.helper.make_opsetid("ai.onnx.ml", 2))
    onnx.save(model, tmp_path / "names.onnx")
    teacher = OnnxTeacher(tmp_path / "names.onnx", description=ModelDescription(class_names=tuple(names)))
    assert (teacher.spec.class_names, teacher.spec.abstains) == (tuple(names), True)
    right = _expected()
    # The last one is off the list.
    assert torch.equal(teacher(IMAGES), torch.where(right == CLASSES - 1, CLASSES, right))
    assert (right == CLASSES - 1).any()
    plain = OnnxTeacher(tmp_path / "names.onnx")
    assert (plain.spec.class_names, plain.spec.abstains) == ((), False)
    assert torch.equal(plain(IMAGES), OnnxTeacher(tmp_path / "model.onnx")(IMAGES))


def test_what_is_no_teacher_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="there is no ONNX file"):
        OnnxTeacher("é" * 300)
    with pytest.raises(PlanError, match="no ONNX file"):
        OnnxTeacher(tmp_path / "missing.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(PlanError, match="onnxruntime can run"):
        OnnxTeacher(tmp_path / "text.onnx")


def test_nothing_public_leads_to_the_scores(tmp_path: Path) -> None:
    teacher = OnnxTeacher(write_onnx(tmp_path / "model.onnx"))
    assert {name for name in vars(teacher) if not name.startswith("_")} == {"spec", "assumptions"}
    decisions = teacher(IMAGES)
    assert decisions.untyped_storage().nbytes() == 50 * 8
    before = IMAGES.clone()
    teacher(IMAGES)
    assert torch.equal(IMAGES, before)
    assert np.asarray(decisions).dtype == np.int64
