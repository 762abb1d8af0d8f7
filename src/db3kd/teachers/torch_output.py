"""What a torch module answered, as classes: the scores are found in whatever it returned, and the highest is taken.

Published classifiers return a tensor, a tuple, a dictionary, or an object with `logits`.
"""

from collections.abc import Mapping, Sequence

from db3kd.errors import InvalidDecision
from db3kd.teachers.scores import highest
from db3kd.tensors import Int, Tensor

_LOGITS = "logits"


def classes_of(answer: object, rows: int, num_classes: int) -> Int[Tensor, " b"]:
    """Find the classes of so many rows, or raise an InvalidDecision that says what came and what to do."""
    found = {name: _without_axes(tensor, rows) for name, tensor in _named(answer).items()}
    scores = {name: one for name, one in found.items() if one.is_floating_point() and one.shape == (rows, num_classes)}
    if _LOGITS in scores or len(scores) == 1 or (scores and isinstance(answer, Sequence)):
        # Of a tuple the first: what follows are helpers of its training, or features.
        return highest(scores.get(_LOGITS, next(iter(scores.values()))), origin="the module")
    whole = [one for one in found.values() if _is_whole(one) and one.shape == (rows,)]
    if not scores and len(whole) == 1:
        return whole[0].long()
    came = ", ".join(f"{name + ': ' if name else ''}{one.dtype} {list(one.shape)}" for name, one in found.items())
    raise InvalidDecision(
        f"expected scores [{rows}, {num_classes}] from the module, or classes [{rows}] as whole numbers, got "
        f"{came or type(answer).__name__}; the answer was dropped and stays charged: "
        f"{_advice(found, rows, num_classes)}"
    )


def _named(answer: object) -> dict[str, Tensor]:
    """All tensors of an answer; those without a name are numbered, the only one has none."""
    logits = getattr(answer, _LOGITS, None)
    if isinstance(logits, Tensor):
        return {_LOGITS: logits}
    if isinstance(answer, Tensor):
        return {"": answer}
    if isinstance(answer, Mapping):
        return {str(name): one for name, one in answer.items() if isinstance(one, Tensor)}
    if isinstance(answer, Sequence):
        return {str(number): one for number, one in enumerate(answer) if isinstance(one, Tensor)}
    return {}


def _without_axes(tensor: Tensor, rows: int) -> Tensor:
    """Leave out axes of length 1 behind the rows: [b, 1, c], [b, c, 1, 1]."""
    if tensor.ndim < 2 or len(tensor) != rows:
        return tensor
    return tensor.reshape(rows, *(side for side in tensor.shape[1:] if side != 1))


def _is_whole(tensor: Tensor) -> bool:
    return not (tensor.is_floating_point() or tensor.is_complex() or tensor.is_quantized)


def _advice(found: Mapping[str, Tensor], rows: int, num_classes: int) -> str:
    shapes = [tuple(one.shape) for one in found.values()]
    if any(not one.is_floating_point() and one.shape == (rows, num_classes) for one in found.values()):
        return "scores must be floating-point numbers: return them with .float(), or their argmax(1), the classes"
    if len([one for one in found.values() if one.shape == (rows, num_classes)]) > 1:
        return "wrap the module in one that returns the scores alone"
    if (num_classes,) in shapes:
        return "the module drops the axis of the images where there is one: keep it, with flatten(1) for squeeze()"
    if any(one.is_floating_point() and one.shape == (rows,) for one in found.values()):
        return "one score for each image says no class: compare it with a threshold, as (score > 0).long()"
    counts = sorted({shape[1] for shape in shapes if len(shape) == 2 and shape[0] == rows})
    if counts:
        return f"give the module's number of classes, num_classes={counts[-1]}, if these are its scores"
    return "wrap the module in one that returns its scores"
