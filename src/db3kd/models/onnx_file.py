"""A network as one ONNX file, for programs that know neither torch nor this library.

The file takes any number of images and says in its metadata what it takes and what its classes are called. Called by
`db3kd.pipeline.exporting`. Needs the extra `onnx`.
"""

import io
import logging
import warnings
from collections.abc import Mapping

import torch
from torch import nn

from db3kd.errors import InputError

INPUT, OUTPUT = "images", "logits"


def to_onnx(module: nn.Module, input_shape: tuple[int, int, int], metadata: Mapping[str, str]) -> bytes:
    """Turn a network into an ONNX file.

    Args:
        module: maps images [b c h w] to logits; left as it is.
        input_shape: channels, height and width of one image.
        metadata: what a reader should know of it, such as the class names.

    Returns:
        The file, with all weights inside: input "images" [batch c h w] of float32, output "logits" [batch classes].

    Raises:
        InputError: the extra `onnx` is not installed, or the network holds what ONNX cannot say.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  # torch needs it, and would say so less plainly
    except ImportError as error:
        raise InputError(
            f"an ONNX file needs the extra onnx, and {error.name} is not installed; nothing was written: "
            "pip install 'db3kd[onnx]'"
        ) from error
    # Two rows: with one, the exporter takes the number of rows for a constant.
    example = torch.zeros(2, *input_shape)
    noisy = logging.getLogger("torch.onnx")
    before = noisy.level
    noisy.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # What torch itself will change one day is no news for a user of this library.
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module.eval(),
                (example,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                input_names=[INPUT],
                output_names=[OUTPUT],
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
