"""Questions and answers of the Open Inference Protocol v2, as bytes and as classes.

What an answer holds besides the class is dropped here. An answer of the wrong length, type or class is an error that
names it.

Source: https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol, and Triton's extensions for
    binary tensors and classification.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import torch

from db3kd.errors import InvalidDecision, TeacherError
from db3kd.teachers.class_names import ClassNames
from db3kd.teachers.scores import highest

KINDS: dict[str, type[np.generic]] = {"FP16": np.float16, "FP32": np.float32, "FP64": np.float64, "UINT8": np.uint8}
_DATATYPES = {kind: datatype for datatype, kind in KINDS.items()}
INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
FLOATS = ("FP16", "FP32", "FP64", "BF16")


@dataclass(frozen=True)
class Question:
    """A request, ready to be sent."""

    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Wanted:
    """The output that is asked for (None: the only one), and whether its best class alone (Triton's extension)."""

    output: str | None
    classification: bool = False


def write_question(
    pixels: npt.NDArray[np.generic], name: str, wanted: Wanted, *, identity: str, binary: bool
) -> Question:
    """Write a request for the input `name`, with the pixels as bytes or as JSON."""
    tensor: dict[str, Any] = {"name": name, "shape": list(pixels.shape), "datatype": _DATATYPES[pixels.dtype.type]}
    raw = b""
    if binary:
        raw = pixels.tobytes()
        tensor["parameters"] = {"binary_data_size": len(raw)}
    else:
        tensor["data"] = pixels.reshape(-1)
    asked: dict[str, Any] = {"id": identity, "inputs": [tensor]}
    if wanted.output is not None:
        asked["outputs"] = [{"name": wanted.output, "parameters": {"binary_data": False}}]
        if wanted.classification:
            asked["outputs"][0]["parameters"]["classification"] = 1
    head = orjson.dumps(asked, option=orjson.OPT_SERIALIZE_NUMPY)
    if not binary:
        return Question(head, {"Content-Type": "application/json"})
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    return Question(head + raw, headers)


def read_answer(
    answer: dict[str, Any], rows: int, wanted: Wanted, *, identity: str, names: ClassNames | None = None
) -> npt.NDArray[np.int64]:
    """Read an integer per row out of an answer; whether it is a class, the oracle checks."""
    if answer.get("id", identity) != identity:
        raise TeacherError(
            f"the server answered request {answer['id']!r} where {identity!r} was asked; the answer was dropped and "
            "stays charged: something between here and the server mixes answers up"
        )
    outputs = answer.get("outputs")
    named = [one for one in outputs if isinstance(one, dict)] if isinstance(outputs, list) else []
    chosen = [one for one in named if wanted.output in (None, one.get("name"))]
    if len(chosen) != 1:
        there = [one.get("name") for one in named]
        raise _invalid(f"one output {wanted.output or 'alone'}", f"outputs {there}", "name it in teacher.output")
    return _classes_of(chosen[0], rows, wanted, names)


def _classes_of(output: dict[str, Any], rows: int, wanted: Wanted, names: ClassNames | None) -> npt.NDArray[np.int64]:
    datatype, shape, data = output.get("datatype"), output.get("shape"), output.get("data")
    if not isinstance(shape, list) or not isinstance(data, list) or not all(isinstance(side, int) for side in shape):
        raise _invalid("an output with a shape and data", f"shape {shape!r}", "see to the server")
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    if not shape or shape[0] != rows:
        raise _invalid(f"{rows} answers", f"shape {output['shape']}", "see to the server, or lower teacher.max_batch")
    if datatype in INTEGERS and len(shape) == 1:
        return np.asarray(_numbers(data, rows, "iu"), dtype=np.int64)
    if datatype in FLOATS and len(shape) == 2:
        scores = _numbers(data, rows * shape[1], "iuf").reshape(rows, shape[1])
        return highest(torch.from_numpy(scores.astype(np.float64)), origin="the server").numpy()
    if datatype == "BYTES" and len(shape) == 1:
        flat = [entry for row in data for entry in row] if data and isinstance(data[0], list) else data
        if len(flat) != rows:
            raise _invalid(f"{rows} strings", f"{len(flat)}", "see to the server")
        if names is not None and not wanted.classification:
            return names.numbers([text if isinstance(text, str) else str(text) for text in flat]).numpy()
        return np.array([_classification(text) for text in flat], dtype=np.int64)
    raise _invalid(
        "an integer, a row of scores or a classification string for each image",
        f"{datatype} of shape {output['shape']}",
        "name another output in teacher.output",
    )


def _classification(text: object) -> int:
    """The class in Triton's "score:class" or "score:class:name"; the score is dropped."""
    parts = text.split(":") if isinstance(text, str) else []
    if len(parts) < 2 or not parts[1].isdigit():
        raise _invalid(
            "strings such as '0.9:3:cat'",
            repr(text),
            "give teacher.class_names if these are names, or an output that holds classes or scores,",
        )
    return int(parts[1])


def _numbers(data: list[Any], count: int, kinds: str) -> npt.NDArray[Any]:
    try:
        numbers = np.asarray(data).reshape(-1)
    except ValueError as error:
        raise _invalid(f"{count} numbers", "rows of different lengths", "see to the server") from error
    if numbers.dtype.kind not in kinds or len(numbers) != count:
        raise _invalid(f"{count} numbers", f"{len(numbers)} values of type {numbers.dtype}", "see to the server")
    return numbers


def _invalid(expected: str, came: str, way_out: str) -> InvalidDecision:
    return InvalidDecision(
        f"expected {expected} from the server, got {came}; the answer was dropped and stays charged: {way_out} and run "
        "again to go on"
    )
