"""Teachers that answer anything: a class for each image or an error of ours, and one query for a wrong kind.

FUZZ_EXAMPLES says how many answers are tried; 10,000 take some minutes.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from db3kd.errors import Db3kdError, PlanError
from db3kd.ledger import Ledger, Limits
from db3kd.oracle import Oracle
from db3kd.teachers import (
    AbstainingTeacher,
    FunctionTeacher,
    Preparation,
    PreparedTeacher,
    SklearnTeacher,
    Teacher,
    TeacherSpec,
    TorchTeacher,
)
from db3kd.tensors import Tensor

SHAPE, CLASSES, NAMES = (1, 3, 3), 3, ("ant", "bee", "cat")
IMAGES = torch.rand(20, *SHAPE, generator=torch.Generator().manual_seed(0))
_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "200"))
_ROWS = -1

_ARRAYS = (*"?bBhHiIlLqQefdFD", "U5", "S5", "O", "M8[s]", "m8[D]", "V3")
_TENSORS = (
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.int32,
    torch.int64,
    torch.uint16,
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.complex64,
)
_ODD: tuple[Any, ...] = (
    None,
    True,
    3,
    0.5,
    "cat",
    b"cat",
    object(),
    {},
    (),
    [],
    [[0], [0, 1]],
    {"a": None},
    {1, 2},
    len,
)


@dataclass(frozen=True)
class Recipe:
    """What is answered: values of a type in a shape, where -1 is the number of rows, in a container."""

    kind: Any
    shape: tuple[int, ...]
    values: tuple[Any, ...]
    container: str
    odd: Any = None

    def __call__(self, rows: int) -> Any:
        """Make the answer about so many images; the first row is alike however many there are."""
        if self.container == "odd":
            return self.odd
        shape = tuple(rows if side == _ROWS else side for side in self.shape)
        values = [self.values[place % len(self.values)] for place in range(int(np.prod(shape)))]
        return _CONTAINERS[self.container](self._array(values, shape))

    def _array(self, values: list[Any], shape: tuple[int, ...]) -> Any:
        if isinstance(self.kind, torch.dtype):
            numbers = torch.tensor([0.0 if isinstance(one, str) else float(one) for one in values])
            return (
                numbers.nan_to_num(posinf=9.0, neginf=-9.0).to(self.kind).reshape(shape)
                if not (self.kind.is_floating_point)
                else numbers.to(self.kind).reshape(shape)
            )
        array = np.zeros(shape, dtype=self.kind)
        for place, value in enumerate(values):
            try:
                array.reshape(-1)[place : place + 1] = value
            except (ValueError, TypeError, OverflowError):
                array.reshape(-1)[place : place + 1] = np.zeros(1, dtype=self.kind)
        return array


_CONTAINERS: dict[str, Callable[[Any], Any]] = {
    "plain": lambda array: array,
    "list": lambda array: array.tolist(),
    "tuple": lambda array: (array, array),
    "one": lambda array: [array],
    "logits": lambda array: SimpleNamespace(logits=array),
    "mapping": lambda array: {"logits": array, "other": array},
    "other": lambda array: {"other": array},
    "column": lambda array: array[..., None],
}

_NUMBERS = st.integers(-2, 5) | st.floats(width=16) | st.sampled_from([*NAMES, "eel", "", np.nan, np.inf])
recipes = st.builds(
    Recipe,
    kind=st.sampled_from([*_ARRAYS, *_TENSORS]),
    shape=st.lists(st.sampled_from([_ROWS, _ROWS, 0, 1, 2, 3, 5]), max_size=4).map(tuple)
    | st.sampled_from([(_ROWS,), (_ROWS, 3), (_ROWS, 1, 3), (_ROWS, 1), (_ROWS, 2)]),
    values=st.lists(_NUMBERS, min_size=1, max_size=7).map(tuple),
    container=st.sampled_from([*_CONTAINERS, "odd"]),
    odd=st.sampled_from(_ODD),
)


class _Module(nn.Module):
    def __init__(self, answer: Callable[[int], Any]) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images: Tensor) -> Any:
        return self.answer(len(images))


class _Own:
    """A teacher of somebody's own that does not keep to the protocol."""

    def __init__(self, answer: Callable[[int], Any]) -> None:
        self.spec = TeacherSpec(SHAPE, CLASSES, max_batch=8)
        self._answer = answer

    def __call__(self, images: Tensor) -> Any:
        return self._answer(len(images))


class _Estimator:
    def __init__(self, answer: Callable[[int], Any], classes: Any) -> None:
        self.classes_ = classes
        self._answer = answer

    def predict(self, rows: Any) -> Any:
        return self._answer(len(rows))


def _function(answer: Callable[[int], Any], **options: Any) -> Teacher:
    options = options or {"num_classes": CLASSES}
    return FunctionTeacher(lambda images: answer(len(images)), input_shape=SHAPE, max_batch=8, **options)


ADAPTERS: dict[str, Callable[[Callable[[int], Any]], Teacher]] = {
    "function": _function,
    "named function": lambda answer: _function(answer, class_names=NAMES),
    "torch": lambda answer: TorchTeacher(_Module(answer), input_shape=SHAPE, num_classes=CLASSES, max_batch=8),
    "estimator": lambda answer: SklearnTeacher(
        _Estimator(answer, np.array(NAMES)), input_shape=SHAPE, max_batch=8, fingerprint="made"
    ),
    "own": lambda answer: _Own(answer),
    "abstaining": lambda answer: AbstainingTeacher(_function(answer), (-1, 3)),
    "prepared": lambda answer: PreparedTeacher(_function(answer), Preparation(), image_shape=SHAPE),
}


def _ask(teacher: Teacher, rows: int) -> tuple[Tensor | Db3kdError, int]:
    """The decisions or the error, and what was charged."""
    with Ledger(None) as ledger:
        with ledger.account("label", limits=Limits(run=100)) as account:
            try:
                found: Tensor | Db3kdError = Oracle(teacher, account)(IMAGES[:rows])
            except Db3kdError as error:
                found = error
            spent = account.spent
        assert ledger.statement().total == spent
    return found, spent


@settings(max_examples=_EXAMPLES, deadline=None)
@given(recipe=recipes, adapter=st.sampled_from(sorted(ADAPTERS)))
def test_any_answer_is_classes_or_an_error_of_ours_and_a_wrong_kind_costs_one_query(
    recipe: Recipe, adapter: str
) -> None:
    alone, price = _ask(ADAPTERS[adapter](recipe), 1)
    assert price == 1
    found, spent = _ask(ADAPTERS[adapter](recipe), 20)
    if isinstance(alone, Db3kdError):
        assert isinstance(found, Db3kdError)
        assert spent == 1
        assert len(str(found)) > 40
        return
    if isinstance(found, Db3kdError):
        # An answer may be of one row whatever was asked, and rows after the first may hold what is no class.
        assert spent in (3, 8, 16, 20)
        assert spent == 3 or _ROWS in recipe.shape
        return
    assert spent == 20
    spec = ADAPTERS[adapter](recipe).spec
    assert (found.dtype, found.shape) == (torch.int64, (20,))
    assert 0 <= int(found.min()) <= int(found.max()) < spec.num_classes + spec.abstains


@settings(max_examples=max(50, _EXAMPLES // 10), deadline=None)
@given(recipe=recipes, answer=recipes)
def test_classes_of_any_kind_make_a_teacher_or_an_error_of_ours(recipe: Recipe, answer: Recipe) -> None:
    try:
        teacher = SklearnTeacher(
            _Estimator(replace(answer, shape=(_ROWS,), container="plain"), recipe(4)),
            input_shape=SHAPE,
            fingerprint="made",
        )
    except PlanError:
        return
    assert teacher.spec.num_classes >= 2
    found, spent = _ask(teacher, 5)
    assert spent == 5 or isinstance(found, Db3kdError)
