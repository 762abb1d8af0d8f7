"""Any Python callable as a teacher: numpy arrays in, classes out.

A scikit-learn model is one line:

    FunctionTeacher(lambda x: forest.predict(x.reshape(len(x), -1)), input_shape=(1, 8, 8), num_classes=10)
"""

import hashlib
from collections.abc import Callable
from types import CodeType

import numpy as np
import numpy.typing as npt
import torch

from db3kd.errors import InvalidDecision
from db3kd.teachers.protocol import TeacherSpec
from db3kd.tensors import Float, Int, Tensor

Decide = Callable[[npt.NDArray[np.float32]], npt.ArrayLike]


class FunctionTeacher:
    """Asks a function that maps float32 images [b c h w] within `bounds` to b integers from 0 to num_classes - 1.

    The other arguments are those of `TeacherSpec`. By default the fingerprint is made of the function's name and code,
    not of the data that it closes over: give the version of your model there if it may change between runs.
    """

    def __init__(
        self,
        decide: Decide,
        *,
        input_shape: tuple[int, int, int],
        num_classes: int,
        bounds: tuple[float, float] = (0.0, 1.0),
        max_batch: int = 1024,
        levels: int | None = None,
        fingerprint: str | None = None,
    ) -> None:
        self._decide = decide
        self.spec = TeacherSpec(
            input_shape, num_classes, bounds, max_batch, fingerprint or _fingerprint(decide), levels
        )

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        # A fresh array: the function may keep or change what it is given.
        asked = images.detach().cpu().numpy().copy()
        answer = np.asarray(self._decide(asked))
        if answer.shape != (len(asked),) or not np.issubdtype(answer.dtype, np.integer):
            raise InvalidDecision(
                f"the teacher's function must return {len(asked)} integers, one class per image, but returned "
                f"{answer.dtype} of shape {answer.shape}; the answer was dropped. Take the argmax inside the function"
            )
        return torch.from_numpy(answer.astype(np.int64))


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
