"""A Python callable as a teacher."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from db3kd.errors import InvalidDecision, MaybeServed, NotServed, TeacherError
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.teachers import FunctionTeacher, Teacher

SHAPE, CLASSES = (1, 4, 4), 5
WEIGHTS = np.random.default_rng(0).normal(size=(16, CLASSES)).astype(np.float32)
IMAGES = torch.rand(50, *SHAPE, generator=torch.Generator().manual_seed(0))


def _decide(images: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    classes: npt.NDArray[np.int64] = ((images.reshape(len(images), -1) - 0.5) @ WEIGHTS).argmax(1)
    return classes


def _function_teacher() -> Teacher:
    return FunctionTeacher(_decide, input_shape=SHAPE, num_classes=CLASSES)


def test_the_function_gets_float32_arrays_of_its_own_in_plain_order() -> None:
    got: list[npt.NDArray[np.float32]] = []

    def decide(images: npt.NDArray[np.float32]) -> list[int]:
        got.append(images)
        images[...] = -1  # what it does to them reaches nobody
        return [0] * len(images)

    images = IMAGES.clone(memory_format=torch.preserve_format)
    teacher = FunctionTeacher(decide, input_shape=SHAPE, num_classes=CLASSES)
    assert teacher(images).tolist() == [0] * 50
    assert torch.equal(images, IMAGES)
    (array,) = got
    assert array.dtype == np.dtype(np.float32)
    assert array.shape == (50, *SHAPE)
    assert array.flags.c_contiguous
    assert array.flags.owndata


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int32, np.int64, np.uint16])
def test_any_integers_are_classes(kind: type[np.integer]) -> None:
    teacher = FunctionTeacher(lambda images: _decide(images).astype(kind), input_shape=SHAPE, num_classes=CLASSES)
    assert teacher(IMAGES).dtype == torch.int64
    assert torch.equal(teacher(IMAGES), _function_teacher()(IMAGES))


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (lambda images: np.zeros(len(images)), "float64"),
        (lambda images: np.zeros((len(images), CLASSES)), "argmax"),
        (lambda images: np.zeros((len(images), 1), dtype=int), r"\(50, 1\)"),
        (lambda images: np.zeros(len(images) - 1, dtype=int), r"\(49,\)"),
        (lambda images: 3, r"\(\)"),
        (lambda images: None, "object"),
        (lambda images: ["a"] * len(images), "<U1"),
        (lambda images: np.zeros(len(images), dtype=bool), "bool"),
    ],
    ids=["float", "scores", "column", "short", "number", "nothing", "names", "bool"],
)
def test_what_is_no_class_per_image_is_refused_in_words(
    answer: Callable[[npt.NDArray[np.float32]], npt.ArrayLike], named: str
) -> None:
    teacher = FunctionTeacher(answer, input_shape=SHAPE, num_classes=CLASSES)
    with pytest.raises(InvalidDecision, match=named):
        teacher(IMAGES)


def test_an_error_of_the_function_is_named_and_kept_as_the_cause() -> None:
    def decide(images: npt.NDArray[np.float32]) -> list[int]:
        raise KeyError("no such model")

    teacher = FunctionTeacher(decide, input_shape=SHAPE, num_classes=CLASSES)
    with Ledger(None) as ledger, ledger.account("label") as account:
        with pytest.raises(TeacherError, match=r"KeyError: 'no such model'; the 50 rows stay charged") as caught:
            Oracle(teacher, account)(IMAGES)
        assert isinstance(caught.value.__cause__, KeyError)
        assert account.spent == 50


@pytest.mark.parametrize("error", [MaybeServed, NotServed])
def test_a_function_that_asks_a_service_may_say_that_a_retry_makes_sense(error: type[TeacherError]) -> None:
    calls: list[int] = []

    def decide(images: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        calls.append(len(images))
        if len(calls) == 1:
            raise error("the line broke")
        return _decide(images)

    teacher = FunctionTeacher(decide, input_shape=SHAPE, num_classes=CLASSES)
    with Ledger(None) as ledger, ledger.account("label") as account:
        assert torch.equal(Oracle(teacher, account)(IMAGES), _function_teacher()(IMAGES))
        assert account.spent == (100 if error is MaybeServed else 50)


def test_another_function_has_another_fingerprint() -> None:
    def fingerprint(decide: Callable[[npt.NDArray[np.float32]], npt.ArrayLike]) -> str:
        return FunctionTeacher(decide, input_shape=SHAPE, num_classes=CLASSES).spec.fingerprint

    functions: list[Callable[[npt.NDArray[np.float32]], npt.ArrayLike]] = [
        lambda images: images.sum((1, 2, 3)) > 1,
        lambda images: images.sum((1, 2, 3)) > 2,
        lambda images: images.max((1, 2, 3)) > 1,
        lambda images: [int(image.sum() > 1) for image in images],
        lambda images: [int(image.sum() > 2) for image in images],
        _decide,
    ]
    assert len({fingerprint(function) for function in functions}) == len(functions)


def test_the_users_own_fingerprint_is_taken_as_it_is() -> None:
    teacher = FunctionTeacher(_decide, input_shape=SHAPE, num_classes=CLASSES, fingerprint="forest, March")
    assert teacher.spec.fingerprint == "forest, March"


def test_the_fingerprint_is_the_same_in_another_process() -> None:
    def fingerprint(*members: int) -> str:
        names: dict[str, Any] = {}
        exec(_SOURCE, names)
        code = names["decide"].__code__
        # Another process has the code at another place, and goes through a set in another order.
        constants = tuple(frozenset(members) if isinstance(one, frozenset) else one for one in code.co_consts)
        assert frozenset(members) in constants
        names["decide"].__code__ = code.replace(co_consts=constants)
        return FunctionTeacher(names["decide"], input_shape=SHAPE, num_classes=CLASSES).spec.fingerprint

    assert list(frozenset((0, 8))) != list(frozenset((8, 0)))
    assert fingerprint(0, 8) == fingerprint(8, 0) != fingerprint(0, 7)


_SOURCE = """
def decide(images):
    many = len(images) in {0, 8}
    return [many + sum(part > 0.5 for part in image.ravel()) for image in images]
"""
