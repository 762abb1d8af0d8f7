"""What a question must be, and what an answer: images as the teacher takes them, and a class for each."""

import torch

from db3kd.errors import ImageError, InvalidDecision
from db3kd.teachers.protocol import TeacherSpec
from db3kd.tensors import Float, Int, Tensor


def check_question(images: Float[Tensor, "n c h w"], spec: TeacherSpec) -> None:
    """Refuse images that a teacher does not take, or raise an ImageError."""
    expected = tuple(spec.input_shape)
    if images.ndim != 4 or tuple(images.shape[1:]) != expected or images.dtype != torch.float32:
        raise ImageError(
            f"expected float32 images of shape [n, {', '.join(map(str, expected))}], got {images.dtype} of shape "
            f"{list(images.shape)}; nothing was sent or charged: convert them or choose another teacher"
        )
    if not len(images):
        return
    (least, most), (low, high) = spec.bounds, (float(extreme) for extreme in torch.aminmax(images))
    # A comparison with NaN is false, so this refuses it too.
    if not (low >= least and high <= most):
        raise ImageError(
            f"expected pixels from {least} to {most}, got values from {low} to {high}; nothing was sent or "
            "charged: scale the images into the teacher's bounds"
        )


def checked(decisions: object, rows: int, spec: TeacherSpec) -> Int[Tensor, " b"]:
    """Take an answer that is a class for each row, or raise an InvalidDecision."""
    if not isinstance(decisions, Tensor):
        raise _invalid(rows, f"{type(decisions).__name__}, which is no tensor")
    if decisions.shape != (rows,) or decisions.is_floating_point() or decisions.is_complex():
        raise _invalid(rows, f"{decisions.dtype} of shape {list(decisions.shape)}")
    if decisions.layout != torch.strided or decisions.is_quantized or decisions.is_meta:
        raise _invalid(rows, f"a tensor on {decisions.device} with the layout {decisions.layout}")
    decisions = decisions.detach().to("cpu", torch.int64)
    low, high = (int(extreme) for extreme in torch.aminmax(decisions))
    if low < 0 or high >= spec.num_classes + spec.abstains:
        raise InvalidDecision(
            f"expected classes from 0 to {spec.num_classes - 1}, got {low if low < 0 else high}; the answer "
            "was dropped and stays charged: give the teacher's real number of classes"
        )
    return decisions


def _invalid(rows: int, came: str) -> InvalidDecision:
    return InvalidDecision(
        f"expected {rows} integers, one class per row, got {came}; the answer was dropped and stays charged: see to "
        "the teacher and run again to go on"
    )
