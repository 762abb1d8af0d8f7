"""A Python callable as a teacher."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from db3kd.errors import InvalidDecision, MaybeServed, NotServed, PlanError, TeacherError
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.teachers import FunctionTeacher
from made_teachers import CLASSES, IMAGES, SHAPE, function_teacher, largest_score


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
    teacher = FunctionTeacher(lambda images: largest_score(images).astype(kind), input_shape=SHAPE, num_classes=CLASSES)
    assert teacher(IMAGES).dtype == torch.int64
    assert torch.equal(teacher(IMAGES), function_teacher()(IMAGES))


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (
            lambda images: np.zeros(len(images)),
            r"float64 of shape \(50,\).*class numbers written as floats.*astype\(int\)",
        ),
        (
            lambda images: np.arange(len(images)) % 2 * 1.0,
            r"written as floats: return them with .astype\(int\), and not",
        ),
        (lambda images: np.full(len(images), 0.3), r"threshold, as \(p > 0.5\)"),
        (lambda images: np.full(len(images), np.nan), "threshold"),
        (lambda images: np.zeros((len(images), CLASSES)), r"scores: return their argmax\(axis=1\)"),
        (lambda images: torch.zeros(len(images), CLASSES, dtype=torch.bfloat16), "argmax"),
        (lambda images: np.zeros((len(images), 1), dtype=int), r"\(50, 1\).*reshape\(-1\)"),
        (lambda images: np.zeros(len(images) - 1, dtype=int), r"\(49,\).*length 50"),
        (lambda images: 3, r"\(\).*for one image too"),
        (lambda images: None, "object.*whole numbers from 0"),
        (lambda images: [[0], [0, 1]], "whole numbers from 0"),
        (lambda images: [2**70] * len(images), "whole numbers from 0"),
        (lambda images: ["a", "b"] * 25, r"names \('a', 'b'\): give class_names"),
        (lambda images: np.array(["a"] * len(images), dtype=object), "give class_names"),
        (lambda images: [None] * len(images), "return whole numbers from 0"),
        (lambda images: [b"ant"] * len(images), r"these are bytes: return text, as name.decode\(\)"),
        (lambda images: np.zeros(len(images), dtype=bool), r"truth values.*astype\(int\)"),
        (lambda images: np.zeros(len(images), dtype=complex), "whole numbers"),
    ],
)
def test_what_is_no_class_per_image_is_refused_with_what_to_do(
    answer: Callable[[npt.NDArray[np.float32]], Any], advice: str
) -> None:
    teacher = FunctionTeacher(answer, input_shape=SHAPE, num_classes=CLASSES)
    with pytest.raises(InvalidDecision, match=advice):
        teacher(IMAGES)


@pytest.mark.parametrize(
    "answer",
    [list, tuple, torch.from_numpy, lambda classes: classes.astype(object), lambda classes: np.ma.array(classes)],
)
def test_lists_tensors_and_arrays_of_objects_are_answers_too(answer: Callable[[npt.NDArray[np.int64]], Any]) -> None:
    teacher = FunctionTeacher(lambda images: answer(largest_score(images)), input_shape=SHAPE, num_classes=CLASSES)
    assert torch.equal(teacher(IMAGES), function_teacher()(IMAGES))


NAMES = ("ant", "bee", "cat", "dog", "eel")


@pytest.mark.parametrize("kind", ["<U20", object])
def test_names_become_classes_and_what_is_off_the_list_is_none(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    def decide(images: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        named = np.array(NAMES, dtype=kind)[largest_score(images)].astype(kind)
        named[3] = "I see a cat"
        return named

    teacher = FunctionTeacher(decide, input_shape=SHAPE, class_names=NAMES, max_batch=100)
    assert (teacher.spec.num_classes, teacher.spec.class_names, teacher.spec.abstains) == (5, NAMES, True)
    expected = function_teacher()(IMAGES)
    expected[3] = 5
    assert torch.equal(teacher(IMAGES), expected)
    assert torch.equal(teacher(IMAGES), expected)
    assert [record.getMessage() for record in caplog.records] == [
        "the answer 'I see a cat' is none of the classes, and counts as no class"
    ]


def test_none_is_no_class_where_others_are_names() -> None:
    answer: Any = [None, "cat", None]
    teacher = FunctionTeacher(lambda images: answer, input_shape=SHAPE, class_names=NAMES)
    assert teacher(IMAGES[:3]).tolist() == [5, 2, 5]


def test_a_torch_module_is_no_function_of_arrays() -> None:
    with pytest.raises(PlanError, match=r"Linear is a torch module.*nothing was asked: write TorchTeacher\(module"):
        FunctionTeacher(nn.Linear(4, 3), input_shape=SHAPE, num_classes=3)


def test_numbers_stay_numbers_where_the_classes_have_names_and_none_of_them_passes_for_no_class() -> None:
    teacher = FunctionTeacher(largest_score, input_shape=SHAPE, class_names=list(NAMES))
    assert torch.equal(teacher(IMAGES), function_teacher()(IMAGES))
    from_one = FunctionTeacher(lambda images: largest_score(images) + 1, input_shape=SHAPE, class_names=NAMES)
    with pytest.raises(InvalidDecision, match=r"from 0 to 4, got 5.*count classes from 0"):
        from_one(IMAGES)


@pytest.mark.parametrize("names", [["a"], ["a", "a"], "ab", ["a", "b\nc"]])
def test_names_that_name_no_classes_are_refused(names: Any) -> None:
    with pytest.raises(PlanError, match="name"):
        FunctionTeacher(largest_score, input_shape=SHAPE, class_names=names)


def test_a_function_without_a_number_of_classes_is_refused() -> None:
    with pytest.raises(PlanError, match="num_classes or class_names"):
        FunctionTeacher(largest_score, input_shape=SHAPE)
    with pytest.raises(PlanError, match="class_names must be 3 names"):
        FunctionTeacher(largest_score, input_shape=SHAPE, num_classes=3, class_names=NAMES)


def test_an_error_of_the_function_is_named_and_kept_as_the_cause() -> None:
    def decide(images: npt.NDArray[np.float32]) -> list[int]:
        raise KeyError("no such model")

    teacher = FunctionTeacher(decide, input_shape=SHAPE, num_classes=CLASSES)
    with Ledger(None) as ledger, ledger.account("label") as account:
        with pytest.raises(TeacherError, match=r"KeyError: 'no such model'; the 1 rows stay charged") as caught:
            Oracle(teacher, account)(IMAGES)
        assert isinstance(caught.value.__cause__, KeyError)
        assert account.spent == 1


@pytest.mark.parametrize("error", [MaybeServed, NotServed])
def test_a_function_that_asks_a_service_may_say_that_a_retry_makes_sense(error: type[TeacherError]) -> None:
    calls: list[int] = []

    def decide(images: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
        calls.append(len(images))
        if len(calls) == 1:
            raise error("the line broke")
        return largest_score(images)

    teacher = FunctionTeacher(decide, input_shape=SHAPE, num_classes=CLASSES)
    with Ledger(None) as ledger, ledger.account("label") as account:
        assert torch.equal(Oracle(teacher, account)(IMAGES), function_teacher()(IMAGES))
        assert account.spent == (51 if error is MaybeServed else 50)


def test_another_function_has_another_fingerprint() -> None:
    def fingerprint(decide: Callable[[npt.NDArray[np.float32]], npt.ArrayLike]) -> str:
        return FunctionTeacher(decide, input_shape=SHAPE, num_classes=CLASSES).spec.fingerprint

    functions: list[Callable[[npt.NDArray[np.float32]], npt.ArrayLike]] = [
        lambda images: images.sum((1, 2, 3)) > 1,
        lambda images: images.sum((1, 2, 3)) > 2,
        lambda images: images.max((1, 2, 3)) > 1,
        lambda images: [int(image.sum() > 1) for image in images],
        lambda images: [int(image.sum() > 2) for image in images],
        largest_score,
    ]
    assert len({fingerprint(function) for function in functions}) == len(functions)


def test_the_users_own_fingerprint_is_taken_as_it_is() -> None:
    teacher = FunctionTeacher(largest_score, input_shape=SHAPE, num_classes=CLASSES, fingerprint="forest, March")
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
