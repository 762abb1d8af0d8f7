"""Any Python callable as a teacher: numpy arrays in, classes or their names out.

FunctionTeacher(lambda images: my_model(images).argmax(1), input_shape=(3, 32, 32), num_classes=10)
FunctionTeacher(ask_my_service, input_shape=(3, 224, 224), class_names=["cat", "dog"])
"""

import hashlib
from collections.abc import Callable, Sequence
from types import CodeType

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from db3kd.arguments import check_arguments
from db3kd.errors import InvalidDecision, PlanError
from db3kd.teachers.class_names import ClassNames
from db3kd.teachers.protocol import TeacherSpec
from db3kd.tensors import Float, Int, Tensor

Decide = Callable[[npt.NDArray[np.float32]], npt.ArrayLike]
_SHOWN = 40


class FunctionTeacher:
    """Asks a function that maps float32 images [b c h w] within `bounds` to b classes.

    Args:
        decide: gives integers from 0 to num_classes - 1, or, with `class_names`, names.
        input_shape: channels, height and width of one image.
        num_classes: number of classes; by default that of the names.
        class_names: what the classes are called, in the order of their numbers. A name off the list, or None, is no
            class: no student learns from it, and the report counts it.
        bounds: lowest and highest pixel value.
        max_batch: most images a call.
        levels: number of values a pixel may take between the bounds, or None.
        fingerprint: the version of your model. By default it is made of the function's name and code, not of the data
            that it closes over: give it if your model may change between runs.
    """

    def __init__(  # what a TeacherSpec says, keyword-only
        self,
        decide: Decide,
        *,
        input_shape: tuple[int, int, int],
        num_classes: int | None = None,
        class_names: Sequence[str] = (),
        bounds: tuple[float, float] = (0.0, 1.0),
        max_batch: int = 1024,
        levels: int | None = None,
        fingerprint: str | None = None,
    ) -> None:
        check_arguments(FunctionTeacher.__init__, locals())
        if isinstance(decide, nn.Module):
            raise PlanError(
                f"{type(decide).__name__} is a torch module, and a function gets arrays of numpy; nothing was asked: "
                "write TorchTeacher(module, input_shape=..., num_classes=...)"
            )
        self._decide = decide
        self._names = ClassNames(class_names) if class_names else None
        classes = len(class_names) if num_classes is None else num_classes
        if num_classes is None and not class_names:
            raise PlanError("a function does not say how many classes it knows: give num_classes or class_names")
        self.spec = TeacherSpec(
            input_shape,
            classes,
            bounds,
            max_batch,
            fingerprint or _fingerprint(decide),
            levels,
            abstains=self._names is not None,
            class_names=tuple(class_names),
        )

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """Decide; see `Teacher`."""
        # A fresh array: the function may keep or change what it is given.
        answer = as_array(self._decide(images.detach().cpu().numpy().copy()))
        fault = _fault(answer, len(images), named=self._names is not None)
        if fault:
            raise InvalidDecision(
                f"the teacher's function must return {len(images)} classes, one for each image, but returned "
                f"{answer.dtype} of shape {answer.shape}; the answer was dropped and stays charged: {fault}"
            )
        if self._names is not None and is_text(answer):
            return self._names.numbers(["" if name is None else str(name) for name in answer.tolist()])
        decisions = torch.from_numpy(answer.astype(np.int64))
        if self._names is not None and bool((decisions == self.spec.num_classes).any()):
            # It would pass for an answer that is no class.
            raise InvalidDecision(
                f"expected names, or classes from 0 to {self.spec.num_classes - 1}, got {self.spec.num_classes} from "
                "the teacher's function; the answer was dropped and stays charged: count classes from 0"
            )
        return decisions


def as_array(answer: object) -> npt.NDArray[np.generic]:
    """Make an array of whatever a function returned; of lists of different lengths, or the like, one of objects."""
    if isinstance(answer, Tensor):
        answer = answer.detach().cpu()
        answer = answer.float() if answer.dtype == torch.bfloat16 else answer
    try:
        array = np.asarray(answer)
    except Exception:  # noqa: BLE001  # __array__ is anybody's code
        array = np.empty((), dtype=object)
    if array.dtype == object and all(type(one) is int and abs(one) < 2**63 for one in array.flat):
        return array.astype(np.int64)
    return array


def is_text(answer: npt.NDArray[np.generic]) -> bool:
    """Whether all that came is text; None among it is no name."""
    if answer.dtype != object:
        return answer.dtype.kind in "UT"
    return answer.ndim > 0 and all(one is None or isinstance(one, str) for one in answer.flat)


def _fault(answer: npt.NDArray[np.generic], rows: int, *, named: bool) -> str:
    """What to do about an answer that is not a class per image; nothing where it is."""
    kind, text = answer.dtype.kind, is_text(answer)
    whole = kind in "iu" or (text and named)
    if answer.shape == (rows,) and whole:
        return ""
    if whole and answer.size == rows and answer.ndim > 1:
        return "drop the axes of length 1 with reshape(-1)"
    if whole and answer.ndim < 2:
        return f"return a list or an array with one class for each image, of length {rows} here, for one image too"
    given = sorted({str(name) for name in answer.flat if name is not None}) if text else []
    if given:
        shown = ", ".join(repr(name[:_SHOWN]) for name in given[:3])
        return f"these are names ({shown}): give class_names=[...], all of them in the order of their numbers"
    if kind == "S":
        return "these are bytes: return text, as name.decode(), with class_names=[...]"
    if answer.shape == (rows,) and kind == "b":
        return "these are truth values: return them with .astype(int), for the classes 0 and 1"
    if answer.shape == (rows,) and kind == "f":
        numbers = answer.astype(np.float64)
        if bool(np.all(numbers == numbers.round())):
            return "these are class numbers written as floats: return them with .astype(int), and not their argmax"
        return "this is one score or probability for each image: compare it with a threshold, as (p > 0.5).astype(int)"
    if kind == "f" and answer.ndim == 2 and len(answer) == rows and answer.shape[1] > 1:
        return "these look like scores: return their argmax(axis=1)"
    return "return whole numbers from 0, or names with class_names=[...]"


def _fingerprint(decide: Decide) -> str:
    """Made of the function's name and code, as far as Python shows them."""
    name = f"{getattr(decide, '__module__', '')}.{getattr(decide, '__qualname__', type(decide).__qualname__)}"
    code = getattr(decide, "__code__", None)
    body = b"" if code is None else _body(code)
    return f"function:{name}:{hashlib.sha256(body).hexdigest()[:16]}"


def _body(code: CodeType) -> bytes:
    """The instructions, names and constants of a function and of those inside it; the same in every process."""
    parts = [code.co_code, repr(code.co_names).encode()]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            parts.append(_body(constant))
        else:
            # The order of a set changes from process to process.
            shown = sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant
            parts.append(repr(shown).encode())
    return b"\0".join(parts)
