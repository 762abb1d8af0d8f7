"""An ONNX file with weights and activations of 8 bits, made by onnxruntime. Needs the extra `onnx`."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Shaped

from db3kd.errors import InputError
from db3kd.models.onnx_file import hushed

# Layers that hold the weights. Quantising what lies between them as well costs accuracy, above all where activations
# multiply each other, and brings little size and speed.
_LAYERS = ("Conv", "MatMul", "Gemm")
_ROWS = 32


def to_int8(content: bytes, images: Shaped[np.ndarray, "n c h w"]) -> bytes:
    """Quantise an ONNX file: weights for each channel, activations by the ranges that some images bring about.

    An InputError where there is no image, or onnxruntime cannot do it. What it takes and gives stays the same.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    if not len(images):
        raise InputError("8 bits are chosen by looking at images, and there are none; nothing was written")
    try:
        # It tells the root logger what it would rather be given.
        with hushed(None), tempfile.TemporaryDirectory(prefix="db3kd-") as folder:
            ready, done = Path(folder) / "ready.onnx", Path(folder) / "int8.onnx"
            quant_pre_process(onnx.load_model_from_string(content), ready)
            quantize_static(
                ready,
                done,
                _Calibration(np.array_split(images, -(-len(images) // _ROWS))),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(_LAYERS),
                per_channel=True,
                # Weights use 7 bits: with 8, sums overflow on x86 processors without VNNI, five times the error.
                reduce_range=True,
            )
            return done.read_bytes()
    except Exception as error:  # onnxruntime's errors share no class but Exception
        raise InputError(f"onnxruntime cannot quantise the network ({error}); nothing was written") from error


@final
class _Calibration:
    """Images for onnxruntime, some at a time."""

    def __init__(self, batches: Sequence[Shaped[np.ndarray, "_ c h w"]]) -> None:
        self._left = iter(batches)

    def get_next(self) -> dict[str, Shaped[np.ndarray, "b c h w"]] | None:
        batch = next(self._left, None)
        return None if batch is None else {"images": batch}
