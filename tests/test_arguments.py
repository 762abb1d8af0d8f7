"""Arguments that a signature does not allow are refused together, in words."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from db3kd.arguments import Seed, check_arguments, check_callable
from db3kd.context import Progress, silent
from db3kd.data import dataset_of, from_arrays, load
from db3kd.errors import Db3kdError, PlanError
from db3kd.models import build
from db3kd.teachers import FunctionTeacher, TorchTeacher
from db3kd.training import Recipe


def _do(
    *,
    anything: Any = None,
    name: str | None = None,
    count: int = 1,
    share: float = 0.5,
    place: str | Path = "",
    recipe: Recipe | Literal["photo"] | None = None,
    seed: Seed = 0,
    progress: Progress | None = None,
) -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"anything": object(), "elsewhere": object()},
        {"name": None, "count": -1, "share": 1},
        {"name": "x", "place": Path("x"), "recipe": "photo", "seed": 2**32 - 1, "progress": silent},
        {"recipe": Recipe("adam", 1e-3, 1, 8)},
    ],
)
def test_what_the_types_allow_passes(given: dict[str, object]) -> None:
    check_arguments(_do, given)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("name", 1, "name must be a text or None, got 1"),
        ("count", True, "count must be a whole number, got True"),
        ("count", 1.0, "count must be a whole number, got 1.0"),
        ("share", "0.5", "share must be a number, got '0.5'"),
        ("place", b"x", "place must be a text or a Path, got a bytes"),
        ("recipe", "foto", "recipe must be a Recipe or 'photo' or None, got 'foto'"),
        ("seed", -1, "seed must be a whole number from 0 below 4294967296, got -1"),
        ("seed", None, "got None"),
        ("progress", 3, "progress must be a Progress or None, got 3"),
    ],
)
def test_what_they_do_not_allow_is_refused(name: str, value: object, words: str) -> None:
    with pytest.raises(PlanError) as caught:
        check_arguments(_do, {name: value})
    assert words in str(caught.value)


def test_all_faults_are_in_one_message() -> None:
    with pytest.raises(PlanError, match=r"_do: name must .*; count must .*; nothing was done"):
        check_arguments(_do, {"name": 1, "count": "x"})


@pytest.mark.parametrize("function", [silent, print, lambda *told: None, lambda stage, done, total, unit="": None])
def test_a_function_that_can_be_called_so_passes(function: Callable[..., object]) -> None:
    check_callable("progress", function, "answers", 1, 3, "rounds")


@pytest.mark.parametrize("function", [len, lambda: None, lambda stage, *, done: None])
def test_a_function_that_cannot_is_refused(function: Callable[..., object]) -> None:
    with pytest.raises(PlanError, match="progress will be called with 4 arguments"):
        check_callable("progress", function, "answers", 1, 3, "rounds")


# Where shapes are checked, their check comes first, and is no word for users.
_plain = pytest.mark.skipif(bool(os.environ.get("SHAPES")), reason="SHAPES=1 refuses wrong types by itself")
_NOTHING: tuple[object, ...] = (object(), 3 + 4j, {}, len, float("nan"), 10**30, np.array([1, 2]))
_NETWORK = build("lenet5-fifth", (1, 16, 16), 3)
_PUBLIC: dict[str, Callable[[Any], object]] = {
    "load": load,
    "load split": lambda given: load("mnist-5k", given),
    "load limit": lambda given: load("nowhere", limit=given),
    "dataset_of": dataset_of,
    "from_arrays labels": lambda given: from_arrays(np.zeros((3, 4, 4)), given),
    "from_arrays class_names": lambda given: from_arrays(np.zeros((3, 4, 4)), class_names=given),
    "build": lambda given: build(given, (1, 16, 16), 3),
    "build input_shape": lambda given: build("lenet5", given, 3),
    "build num_classes": lambda given: build("lenet5", (1, 16, 16), given),
    "build seed": lambda given: build("lenet5-fifth", (1, 16, 16), 3, seed=given),
    "function input_shape": lambda given: FunctionTeacher(len, input_shape=given, num_classes=2),
    "function max_batch": lambda given: FunctionTeacher(len, input_shape=(1, 4, 4), num_classes=2, max_batch=given),
    "module num_classes": lambda given: TorchTeacher(_NETWORK, input_shape=(1, 16, 16), num_classes=given),
}


@_plain
@pytest.mark.parametrize("name", _PUBLIC)
@pytest.mark.parametrize("value", _NOTHING, ids=lambda one: type(one).__name__)
def test_no_public_function_raises_what_is_not_ours(name: str, value: object) -> None:
    with contextlib.suppress(Db3kdError):
        _PUBLIC[name](value)


@_plain
@pytest.mark.parametrize("name", ["load", "build", "build input_shape", "function input_shape", "module num_classes"])
def test_what_cannot_be_is_refused(name: str) -> None:
    for value in (object(), 3 + 4j, {}, len):
        with pytest.raises(PlanError):
            _PUBLIC[name](value)


@_plain
def test_numbers_and_lists_of_others_are_taken() -> None:
    teacher = FunctionTeacher(len, input_shape=[1, 4, 4], num_classes=np.int64(3), max_batch=np.int32(5))  # type: ignore[arg-type]  # as users write it
    assert teacher.spec.num_classes == 3
    assert build("lenet5-fifth", [1, 16, 16], np.int64(3), seed=np.int64(1)) is not None  # type: ignore[arg-type]  # likewise
