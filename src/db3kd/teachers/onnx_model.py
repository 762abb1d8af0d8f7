"""An ONNX file as a teacher: its class is taken here and its scores go no further.

What the file says of itself (shapes, types, layout) is read; what it leaves open is assumed, and said in the log.
Needs the extra `onnx`.
"""

import hashlib
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch

from db3kd.arguments import check_arguments
from db3kd.errors import PlanError, needing
from db3kd.models.onnx_file import open_session
from db3kd.teachers.class_names import ClassNames
from db3kd.teachers.layout import ModelDescription, read_input, static_shape
from db3kd.teachers.protocol import TeacherSpec
from db3kd.teachers.scores import highest
from db3kd.tensors import Float, Int, Tensor

if TYPE_CHECKING:
    import onnxruntime

_log = logging.getLogger(__name__)

_FLOATS: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
}
_INTEGERS = ("tensor(int64)", "tensor(int32)", "tensor(uint8)", "tensor(int8)", "tensor(int16)", "tensor(uint16)")


class _Output(NamedTuple):
    """The output that holds the answer: a score per class, the class itself, or its name."""

    name: str
    kind: Literal["scores", "classes", "names"]
    num_classes: int | None


class OnnxTeacher:
    """An ONNX file that gives its decisions only.

    Args:
        path: the file; its weights may lie in other files of its folder.
        description: what the file leaves open.
        max_batch: rows a call; a file with a fixed batch size has that, and a smaller batch is filled up for it.
        device: "cpu", or "cuda" where onnxruntime was built for it.
    """

    def __init__(
        self, path: Path | str, *, description: ModelDescription | None = None, max_batch: int = 96, device: str = "cpu"
    ) -> None:
        check_arguments(OnnxTeacher.__init__, locals())
        stated = description or ModelDescription()
        self._session = _open(Path(path), device)
        inputs = [(one.name, one.type, one.shape) for one in self._session.get_inputs()]
        self._input = read_input(inputs, {**_FLOATS, "tensor(uint8)": np.uint8}, stated, origin=str(path))
        self._names = ClassNames(stated.class_names) if stated.class_names else None
        self._output = _choose_output(self._session, Path(path), stated.output, named=self._names is not None)
        self.spec: TeacherSpec = stated.complete(
            self._input,
            self._output.num_classes,
            max_batch=max_batch,
            fingerprint=f"onnx:{_digest(Path(path))}:{self._output.name}:{self._input.layout}",
            origin=str(path),
        )
        if self._output.kind == "names":
            self.spec = replace(self.spec, abstains=True)
        value = {"scores": "the highest score", "classes": "the value", "names": "named by the text"}[self._output.kind]
        said = f"the class is {value} of {self._output.name!r}"
        self.assumptions: tuple[str, ...] = (*self._input.describe(self.spec.bounds), said)
        for assumption in self.assumptions:
            _log.info("%s: %s", path, assumption)

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        rows = len(images)
        (answer,) = self._session.run([self._output.name], {self._input.name: self._input.arrange(images)})
        answer = np.asarray(answer)
        if self._output.kind == "scores":
            scores = torch.from_numpy(answer.reshape(len(answer), -1)[:rows])
            return highest(scores, origin=f"the output {self._output.name!r}")
        if self._output.kind == "names":
            assert self._names is not None, "no such output is chosen without names"
            return self._names.numbers([str(name) for name in answer.reshape(-1)[:rows].tolist()])
        return torch.from_numpy(answer.reshape(-1)[:rows].astype(np.int64))


def _open(path: Path, device: str) -> "onnxruntime.InferenceSession":
    with needing("onnx", "an ONNX teacher"):
        import onnxruntime
    if not os.path.isfile(path):  # noqa: PTH113  # False, too, for a name that no file can have
        raise PlanError(f"there is no ONNX file {path}; nothing was asked: name another one")
    gpu = "CUDAExecutionProvider"
    beside = [gpu] * (device.startswith("cuda") and gpu in onnxruntime.get_available_providers())
    try:
        return open_session(str(path), *beside)
    except Exception as error:  # onnxruntime's errors share no class but Exception
        raise PlanError(f"{path} is no ONNX file that onnxruntime can run ({error}); nothing was asked") from error


def _choose_output(session: Any, path: Path, wanted: str | None, *, named: bool) -> _Output:
    """Find the output that holds the answer; a class is taken before its name, and that before scores."""
    found = [output for output in map(_read_output, session.get_outputs()) if output is not None]
    classes = next((output.num_classes for output in found if output.kind == "scores" and output.num_classes), None)
    usable = [one for one in found if wanted in (None, one.name) and (named or one.kind != "names")]
    by_kind = [[one for one in usable if one.kind == kind] for kind in ("classes", "names", "scores")]
    chosen = next(filter(None, by_kind), [])
    if len(chosen) != 1:
        names = ", ".join(f"{output.name}: {output.type} {output.shape}" for output in session.get_outputs())
        raise PlanError(
            f"{path} must have one output that holds a class or scores for each image, teacher.output is {wanted!r}, "
            f"and it has {names}; nothing was asked: name one of them in teacher.output"
        )
    return chosen[0]._replace(num_classes=chosen[0].num_classes or classes)


def _read_output(output: Any) -> _Output | None:
    shape = static_shape(output.shape or ())
    # Some exporters leave axes of length 1 behind: [n, 10, 1, 1].
    while len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    if output.type in _INTEGERS and len(shape) == 1:
        return _Output(output.name, "classes", None)
    if output.type == "tensor(string)" and len(shape) == 1:
        return _Output(output.name, "names", None)
    if output.type in _FLOATS and len(shape) == 2:
        return _Output(output.name, "scores", shape[1])
    return None


def _digest(path: Path) -> str:
    """Hash all that the file holds, the weights in other files too."""
    import onnx
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    digest = hashlib.sha256(path.read_bytes())
    model = onnx.load(path, load_external_data=False)
    others = {ExternalDataInfo(one).location for one in model.graph.initializer if uses_external_data(one)}
    for name in sorted(others):
        with (path.parent / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
