"""A network as one ONNX file, for programs that know neither torch nor this library.

The file takes any number of images as a decoder gives them, brings their pixels to what the network takes, and says in
its metadata what it takes and what its classes are called. Needs the extra `onnx`.
"""

import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import nn

from db3kd.errors import InputError, needing
from db3kd.tensors import Float, Tensor, UInt8

if TYPE_CHECKING:
    import onnxruntime

Pixels = Literal["uint8", "float"]
VALUES: Mapping[Pixels, str] = {"uint8": "0 to 255", "float": "0 to 1"}


def to_onnx(
    module: nn.Module, input_shape: tuple[int, int, int], metadata: Mapping[str, str], *, pixels: Pixels = "float"
) -> bytes:
    """Turn a network into an ONNX file: input "images" [batch c h w], output "logits" [batch classes] of float32.

    The network takes images in [0, 1], the file "uint8" from 0 to 255 or "float" in [0, 1]. An InputError where the
    extra `onnx` is not installed, or the network holds what ONNX cannot say.
    """
    with needing("onnx", "an ONNX file", outcome="nothing was written"):
        import onnx
        import onnxscript  # noqa: F401  # torch needs it, and its own message is less plain
    # Two rows: with one, the exporter takes the number of rows for a constant.
    example = torch.zeros(2, *input_shape, dtype=torch.uint8 if pixels == "uint8" else torch.float32)
    try:
        with hushed("torch.onnx"), warnings.catch_warnings():
            # Torch warns about its own future.
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                (_FromBytes(module) if pixels == "uint8" else module).eval(),
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                input_names=["images"],
                output_names=["logits"],
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"the network cannot be said in ONNX ({reason}); nothing was written") from error
    assert program is not None, "the exporter of torch 2.13 gives a program"
    model = program.model_proto
    onnx.helper.set_model_props(model, dict(metadata))
    return _written(model)


@contextmanager
def hushed(logger: str | None) -> Iterator[None]:
    """Let a logger tell errors alone; None for the one above all."""
    noisy = logging.getLogger(logger)
    before = noisy.level
    noisy.setLevel(logging.ERROR)
    try:
        yield
    finally:
        noisy.setLevel(before)


def open_session(file: bytes | str, *providers: str) -> "onnxruntime.InferenceSession":
    """Open an ONNX file, by its content or its path, to be run; whatever onnxruntime raises goes on."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # As many threads as torch has: OMP_NUM_THREADS then holds for both.
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(file, options, providers=[*providers, "CPUExecutionProvider"])


def with_names(content: bytes, names: Sequence[str]) -> bytes:
    """Give an ONNX file two outputs more, "class" and "class_name", each [batch]: of the highest logit."""
    import onnx

    model = onnx.load_model_from_string(content)
    graph, (batch, _) = model.graph, model.graph.output[0].type.tensor_type.shape.dim
    graph.initializer.append(onnx.numpy_helper.from_array(np.array(names, dtype=object), "class_names"))
    graph.node.append(onnx.helper.make_node("ArgMax", ["logits"], ["class"], axis=1, keepdims=0))
    graph.node.append(onnx.helper.make_node("Gather", ["class_names", "class"], ["class_name"]))
    for name, kind in (("class", onnx.TensorProto.INT64), ("class_name", onnx.TensorProto.STRING)):
        graph.output.append(onnx.helper.make_tensor_value_info(name, kind, [batch.dim_param]))
    return _written(model)


class _FromBytes(nn.Module):
    """A network that takes 8-bit images."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: UInt8[Tensor, "b c h w"]) -> Float[Tensor, "b num_classes"]:
        logits: Tensor = self.module(images.to(torch.float32) / 255)
        return logits


def _written(model: Any) -> bytes:
    import onnx

    written = io.BytesIO()
    onnx.save_model(model, written)
    return written.getvalue()
