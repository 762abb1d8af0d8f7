"""ONNX files for tests: a linear classifier of known weights, taking and giving what real files take and give."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SHAPE, CLASSES = (3, 4, 5), 7
WEIGHTS = np.random.default_rng(0).normal(size=(60, CLASSES)).astype(np.float32)
KINDS = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}


def write_onnx(
    path: Path,
    *,
    layout: str = "nchw",
    kind: str = "float32",
    batch: int | str = "n",
    gives: Sequence[str] = ("logits",),
    open_sides: bool = False,
    external: bool = False,
    weights: np.ndarray = WEIGHTS,
) -> Path:
    """Write one. What it gives: logits, probabilities, label, column (labels of shape [n, 1]), not-a-number."""
    channels, height, width = SHAPE
    shape: list[int | str] = {
        "nchw": [batch, channels, height, width],
        "nhwc": [batch, height, width, channels],
        "flat": [batch, channels * height * width],
    }[layout]
    if open_sides:
        shape = [batch, *(f"side{axis}" for axis in range(1, len(shape)))]
    nodes = [helper.make_node("Cast", ["images"], ["floats"], to=TensorProto.FLOAT)]
    nodes.append(helper.make_node("Div", ["floats", "top"], ["unit"]))
    ordered = "unit"
    if layout == "nhwc":
        nodes.append(helper.make_node("Transpose", ["unit"], ["ordered"], perm=[0, 3, 1, 2]))
        ordered = "ordered"
    nodes += [
        helper.make_node("Flatten", [ordered], ["flat"]),
        helper.make_node("Sub", ["flat", "half"], ["centred"]),
        helper.make_node("MatMul", ["centred", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["logits"], ["label"], axis=1, keepdims=0),
        helper.make_node("ArgMax", ["logits"], ["column"], axis=1, keepdims=1),
        helper.make_node("Mul", ["logits", "nan"], ["not-a-number"]),
    ]
    floats, integers = TensorProto.FLOAT, TensorProto.INT64
    outputs = {
        "logits": helper.make_tensor_value_info("logits", floats, [batch, CLASSES]),
        "probabilities": helper.make_tensor_value_info("probabilities", floats, [batch, CLASSES]),
        "label": helper.make_tensor_value_info("label", integers, [batch]),
        "column": helper.make_tensor_value_info("column", integers, [batch, 1]),
        "not-a-number": helper.make_tensor_value_info("not-a-number", floats, [batch, CLASSES]),
    }
    constants = {
        "top": np.float32(255 if kind == "uint8" else 1),
        "half": np.float32(0.5),
        "weights": weights,
        "nan": np.float32(np.nan),
    }
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("images", KINDS[kind], shape)],
        [outputs[name] for name in gives],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save_model(model, str(path), save_as_external_data=external, location="weights.bin", size_threshold=0)
    return path
