"""Requests of the Open Inference Protocol v2, from bytes that anybody may have sent to images, or to an error.

Nothing is believed: a shape is held against what came before memory is taken for it. Called by `application.py`.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import torch

from db3kd.errors import ImageError
from db3kd.teachers import TeacherSpec
from db3kd.tensors import Float, Tensor

INPUT, OUTPUT = "images", "class"
BYTE_LEVELS = 256
_TYPES: dict[str, np.dtype[Any]] = {"FP32": np.dtype("<f4"), "UINT8": np.dtype("u1")}
_LONGEST_ID = 200


@dataclass(frozen=True)
class Asked:
    """What a request asks.

    Args:
        images: to be decided, within the teacher's bounds as far as the client keeps to them.
        identity: comes back with the answer; None where there was none.
        binary: whether the answer is wanted as bytes.
    """

    images: Float[Tensor, "b c h w"]
    identity: str | None
    binary: bool


def datatype_of(spec: TeacherSpec) -> str:
    """Tell how a teacher's images travel: as bytes where it sees 8-bit images, else as floats."""
    return "UINT8" if spec.levels == BYTE_LEVELS and spec.bounds == (0.0, 1.0) else "FP32"


def read_question(body: bytes, head_length: str | None, spec: TeacherSpec, *, max_rows: int) -> Asked:
    """Read a request.

    Args:
        body: all of it.
        head_length: length of the JSON where tensors follow as bytes, as the header says it; None for JSON alone.
        spec: of the teacher that is served.
        max_rows: most rows of a request.

    Returns:
        What it asks.

    Raises:
        ImageError: it is no request, or not one for this teacher; nothing was charged.
    """
    head, raw = _split(body, head_length)
    try:
        asked = orjson.loads(head)
    except orjson.JSONDecodeError as error:
        raise _refusal("a request in JSON", f"something else ({error})") from error
    if not isinstance(asked, dict):
        raise _refusal("a JSON object", type(asked).__name__)
    identity = asked.get("id")
    if identity is not None and not (isinstance(identity, str) and len(identity) <= _LONGEST_ID):
        raise _refusal(f"an id of at most {_LONGEST_ID} characters", "another one")
    inputs = asked.get("inputs")
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise _refusal("one input", "none or several")
    images = _read_images(inputs[0], raw, spec, max_rows)
    return Asked(images, identity, _wants_bytes(asked))


def _split(body: bytes, head_length: str | None) -> tuple[bytes, bytes | None]:
    if head_length is None:
        return body, None
    if not (
        head_length.isascii() and head_length.isdigit() and len(head_length) < 12 and int(head_length) <= len(body)
    ):
        raise _refusal("an Inference-Header-Content-Length within the request", "another number")
    return body[: int(head_length)], body[int(head_length) :]


def _read_images(
    tensor: dict[str, Any], raw: bytes | None, spec: TeacherSpec, max_rows: int
) -> Float[Tensor, "b c h w"]:
    if tensor.get("name") != INPUT:
        raise _refusal(f"the input {INPUT!r}", "another name")
    datatype, shape = tensor.get("datatype"), tensor.get("shape")
    if not isinstance(datatype, str) or datatype not in _TYPES:
        raise _refusal(f"datatype {datatype_of(spec)}", "another one")
    if not isinstance(shape, list) or not all(type(side) is int for side in shape):
        raise _refusal("a shape of whole numbers", "another one")
    if tuple(shape[1:]) != tuple(spec.input_shape) or not 1 <= shape[0] <= max_rows:
        wanted = ", ".join(map(str, spec.input_shape))
        raise _refusal(f"shape [n, {wanted}] with n from 1 to {max_rows}", f"{shape[:8]}")
    count = math.prod(shape)
    values = _from_bytes(tensor, raw, datatype, count)
    if values is None:
        values = _from_json(tensor.get("data"), datatype, count)
    pixels = torch.from_numpy(values.reshape(shape).astype(np.float32))
    return pixels.div_(BYTE_LEVELS - 1) if datatype == "UINT8" else pixels


def _from_bytes(tensor: dict[str, Any], raw: bytes | None, datatype: str, count: int) -> npt.NDArray[Any] | None:
    parameters = tensor.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is None:
        return None
    expected = count * _TYPES[datatype].itemsize
    if raw is None or size != expected or len(raw) != expected or "data" in tensor:
        raise _refusal(
            f"{expected} bytes behind the JSON, and no data in it", f"{0 if raw is None else len(raw)} bytes"
        )
    return np.frombuffer(raw, _TYPES[datatype])


def _from_json(data: object, datatype: str, count: int) -> npt.NDArray[Any]:
    if not isinstance(data, list):
        raise _refusal("a list of data", type(data).__name__)
    try:
        values = np.asarray(data)
    except (ValueError, OverflowError) as error:
        raise _refusal(f"{count} numbers", "rows of different lengths") from error
    # Text would be read as numbers, and true as 1, if they were let through.
    if values.dtype.kind not in "iuf" or values.size != count:
        raise _refusal(f"{count} numbers", f"{values.size} values of type {values.dtype}")
    if datatype == "UINT8":
        whole = values.dtype.kind in "iu" and values.min() >= 0 and values.max() < BYTE_LEVELS
        if not whole:
            raise _refusal("whole numbers from 0 to 255", "others")
        return values.reshape(-1)
    # A double beyond the range of a float would become infinite, with a warning of numpy's.
    return values.reshape(-1).clip(-np.finfo(np.float32).max, np.finfo(np.float32).max)


def _wants_bytes(asked: dict[str, Any]) -> bool:
    """Whether the answer is wanted as bytes; an output that there is not is refused."""
    outputs = asked.get("outputs")
    if outputs is None:
        parameters = asked.get("parameters")
        return isinstance(parameters, dict) and parameters.get("binary_data_output") is True
    if not isinstance(outputs, list) or len(outputs) != 1 or not isinstance(outputs[0], dict):
        raise _refusal(f"the one output {OUTPUT!r}", "none or several")
    parameters = outputs[0].get("parameters") or {}
    if outputs[0].get("name") != OUTPUT or not isinstance(parameters, dict) or parameters.get("classification"):
        raise _refusal(f"the output {OUTPUT!r}, which holds the class and nothing else", "another one")
    return parameters.get("binary_data") is True


def _refusal(expected: str, came: str) -> ImageError:
    return ImageError(f"expected {expected}, got {came}; nothing was charged: mend the request")
