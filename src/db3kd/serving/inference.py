"""Requests of the Open Inference Protocol v2, from bytes that anybody may have sent to images, or to an error.

Nothing is believed: a shape is compared with what came before memory is taken for it.
"""

import math
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from db3kd.errors import ImageError
from db3kd.teachers import TeacherSpec
from db3kd.tensors import Float, Tensor

INPUT, OUTPUT = "images", "class"
BYTE_LEVELS = 256
_TYPES: dict[str, np.dtype[Any]] = {"FP32": np.dtype("<f4"), "UINT8": np.dtype("u1")}


class _Sent(BaseModel):
    """What is sent must be of its type: text is no number, and true is not 1."""

    model_config = ConfigDict(strict=True, frozen=True)


class _Parameters(_Sent):
    binary_data_size: int | None = None
    binary_data_output: bool = False
    binary_data: bool = False
    # An answer holds the class and nothing else.
    classification: Literal[0] | None = None


class _Input(_Sent):
    name: Literal["images"]
    datatype: Literal["FP32", "UINT8"]
    shape: list[int]
    data: list[Any] | None = None
    parameters: _Parameters = _Parameters()


class _Output(_Sent):
    name: Literal["class"]
    parameters: _Parameters = _Parameters()


class _Request(_Sent):
    id: Annotated[str, Field(max_length=200)] | None = None
    inputs: Annotated[list[_Input], Field(min_length=1, max_length=1)]
    outputs: Annotated[list[_Output], Field(min_length=1, max_length=1)] | None = None
    parameters: _Parameters = _Parameters()


@dataclass(frozen=True)
class InferenceRequest:
    """Images to be decided, an id that comes back with the answer, and whether the answer is wanted as bytes."""

    images: Float[Tensor, "b c h w"]
    identity: str | None
    binary: bool


def datatype_of(spec: TeacherSpec) -> str:
    """Give the type in which a teacher's images travel: bytes where it sees 8-bit images, else floats."""
    return "UINT8" if spec.levels == BYTE_LEVELS and spec.bounds == (0.0, 1.0) else "FP32"


def read_request(body: bytes, head_length: str | None, spec: TeacherSpec, *, max_rows: int) -> InferenceRequest:
    """Read a request, or raise an ImageError; where tensors follow the JSON as bytes, a header gives its length."""
    head, raw = body, None
    if head_length is not None:
        if not re.fullmatch("[0-9]{1,12}", head_length) or int(head_length) > len(body):
            raise _refusal("an Inference-Header-Content-Length within the request", "another number")
        head, raw = body[: int(head_length)], body[int(head_length) :]
    try:
        asked = _Request.model_validate_json(head)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, fault["loc"])) or "request"
        raise _refusal("a request for a decision", f"another {where} ({fault['msg']})") from error
    outputs = asked.outputs
    binary = asked.parameters.binary_data_output if outputs is None else outputs[0].parameters.binary_data
    return InferenceRequest(_read_images(asked.inputs[0], raw, spec, max_rows), asked.id, binary)


def _read_images(tensor: _Input, raw: bytes | None, spec: TeacherSpec, max_rows: int) -> Float[Tensor, "b c h w"]:
    shape = tensor.shape
    if tuple(shape[1:]) != tuple(spec.input_shape) or not 1 <= shape[0] <= max_rows:
        wanted = ", ".join(map(str, spec.input_shape))
        raise _refusal(f"shape [n, {wanted}] with n from 1 to {max_rows}", f"{shape[:8]}")
    count = math.prod(shape)
    values = _from_bytes(tensor, raw or b"", count) if tensor.parameters.binary_data_size else _from_json(tensor, count)
    pixels = torch.from_numpy(values.reshape(shape).astype(np.float32))
    return pixels.div_(BYTE_LEVELS - 1) if tensor.datatype == "UINT8" else pixels


def _from_bytes(tensor: _Input, raw: bytes, count: int) -> npt.NDArray[Any]:
    expected = count * _TYPES[tensor.datatype].itemsize
    if not tensor.parameters.binary_data_size == expected == len(raw) or tensor.data is not None:
        raise _refusal(f"{expected} bytes after the JSON, and no data in it", f"{len(raw)} bytes")
    return np.frombuffer(raw, _TYPES[tensor.datatype])


def _from_json(tensor: _Input, count: int) -> npt.NDArray[Any]:
    try:
        values = np.asarray(tensor.data or [])
    except (ValueError, OverflowError) as error:
        raise _refusal(f"{count} numbers", "rows of different lengths") from error
    # Text would be read as numbers, and true as 1, if they were let through.
    if values.dtype.kind not in "iuf" or values.size != count:
        raise _refusal(f"{count} numbers", f"{values.size} values of type {values.dtype}")
    if tensor.datatype == "UINT8" and (values.dtype.kind == "f" or values.min() < 0 or values.max() >= BYTE_LEVELS):
        raise _refusal("whole numbers from 0 to 255", "others")
    # A double beyond the range of a float would become infinite, with a warning of numpy's.
    return values.clip(-np.finfo(np.float32).max, np.finfo(np.float32).max)


def _refusal(expected: str, came: str) -> ImageError:
    return ImageError(f"expected {expected}, got {came}; nothing was charged: correct the request")
