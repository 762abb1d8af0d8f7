"""A network as one ONNX file, for programs that know neither torch nor this library.

The file takes any number of images and says in its metadata what it takes and what its classes are called. Needs the
extra `onnx`.
"""

import io
import logging
import warnings
from collections.abc import Mapping

import torch
from torch import nn

from db3kd.errors import InputError


def to_onnx(module: nn.Module, input_shape: tuple[int, int, int], metadata: Mapping[str, str]) -> bytes:
    """Turn a network into an ONNX file: input "images" [batch c h w] of float32, output "logits" [batch classes].

    Raises an InputError where the extra `onnx` is not installed, or the network holds what ONNX cannot say.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  # torch needs it, and its own message is less plain
    except ImportError as error:
        raise InputError(
            f"an ONNX file needs the extra onnx, and {error.name} is not installed; nothing was written: "
            "pip install 'db3kd[onnx]'"
        ) from error
    noisy = logging.getLogger("torch.onnx")
    before = noisy.level
    noisy.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Torch warns about its own future.
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module.eval(),
                # Two rows: with one, the exporter takes the number of rows for a constant.
                (torch.zeros(2, *input_shape),),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                input_names=["images"],
                output_names=["logits"],
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"the network cannot be said in ONNX ({reason}); nothing was written") from error
    finally:
        noisy.setLevel(before)
    assert program is not None, "the exporter of torch 2.13 gives a program"
    model = program.model_proto
    onnx.helper.set_model_props(model, dict(metadata))
    written = io.BytesIO()
    onnx.save_model(model, written)
    return written.getvalue()
