"""Everything public, with one argument that may be anything: it is done, or refused in words of ours.

FUZZ_EXAMPLES says how many odd values are tried, each as every argument; 1,000 take some minutes.
"""

import importlib
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from db3kd.acquisition import Choosers, Random, Rounds
from db3kd.answers import Answers, Candidates
from db3kd.boundary import BoundaryDistance, Crossings, ExemplarPool, Goals, Measurement, Pairs
from db3kd.context import Context
from db3kd.data import from_arrays
from db3kd.errors import Db3kdError, PlanError
from db3kd.pools import ImagePool, NoiseOptions, Repulsion
from db3kd.scaling import Cluster
from db3kd.teachers import Preparation, Service
from db3kd.teachers.chat import Prompt
from db3kd.training import Material, Objective, Recipe
from known_teachers import Sectors

# Where shapes are checked, their check comes first, and is no word for users.
pytestmark = [
    pytest.mark.skipif(bool(os.environ.get("SHAPES")), reason="SHAPES=1 refuses wrong types by itself"),
    pytest.mark.usefixtures("one_thread"),
]
_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "15"))

_ROOMS = (
    *("acquisition", "boundary", "data", "models", "pools", "scaling", "softening", "teachers", "training"),
    *("ledger", "teachers.chat", "teachers.open_inference"),
)
# A Ray cluster or other processes are needed for these, and the books of a run are opened by the run.
_LEFT_OUT = (
    *("Replicas", "score_on_cluster", "train_as_tasks", "train_side_by_side"),
    *("Account", "Ledger", "Limits", "Statement", "Outcome"),
)

_SHAPE, _CLASSES, _COUNT = (1, 16, 16), 3, 6
_DICE = torch.Generator().manual_seed(0)
_IMAGES = torch.rand(_COUNT, *_SHAPE, generator=_DICE)
_DATA = from_arrays(_IMAGES)
_TEACHER = Sectors(_SHAPE, _CLASSES)
_DECISIONS = torch.arange(_COUNT) % _CLASSES
_ORIGINS = ("images",) * _COUNT
_ANSWERS = Answers(_DATA, _DECISIONS, _ORIGINS, _CLASSES, torch.zeros(_COUNT, dtype=torch.bool))
_NETWORK = nn.Sequential(nn.Flatten(), nn.Linear(256, _CLASSES)).eval()
_BELIEFS = torch.full((2, _COUNT, _CLASSES), 1 / _CLASSES)
_PAIRS = Pairs.every_other_class(_IMAGES, _DATA.ids, _DECISIONS, num_classes=_CLASSES)
_EXEMPLARS = ExemplarPool(_DATA, _DECISIONS, num_classes=_CLASSES)
_MEASUREMENT = Measurement(BoundaryDistance(exemplars=1), 4)
_TABLE = torch.ones(_COUNT, _CLASSES)
_QUICK = Recipe("adam", 1e-3, epochs=1, batch_size=4)


class _Estimator:
    classes_ = np.array([0, 1, 2])

    def predict(self, rows: Any) -> Any:
        return np.zeros(len(rows), dtype=int)


# What arguments are by their names, in all rooms and in some.
_EXAMPLE: dict[str, Any] = {
    "abstentions": (-1,),
    "acquisition": Random(),
    "actors": [],
    "aside": _ANSWERS.aside,
    "answers": _ANSWERS,
    "architecture": "lenet5-fifth",
    "beliefs": _BELIEFS,
    "broken": {},
    "candidates": Candidates(_IMAGES, _ORIGINS),
    "certainty": 3,
    "changes": {},
    "choosers": Choosers((_NETWORK, _NETWORK)),
    "class_names": ("ant", "bee", "cat"),
    "classes": _DECISIONS,
    "cluster": Cluster(replicas=0),
    "count": 2,
    "crossings": Crossings(_IMAGES, _TABLE[:, 0], _DECISIONS, _DECISIONS),
    "decide": len,
    "decisions": _DECISIONS,
    "distances": _TABLE,
    "epoch": 1,
    "estimator": _Estimator(),
    "every": 2,
    "exemplars": _EXEMPLARS,
    "files": 1,
    "fingerprint": "made",
    "fit": "crop",
    "fresh_before": 0,
    "generator": _DICE,
    "given": _TEACHER,
    "goals": Goals.leave(_DECISIONS),
    "ids": tuple(_DATA.ids),
    "image_of": _DECISIONS,
    "image_shape": _SHAPE,
    "images": _DATA,
    "images_per_second": 1.0,
    "input_shape": _SHAPE,
    "keys": _DECISIONS,
    "labels": _DECISIONS,
    "loss": 1.0,
    "material": Material(_IMAGES, Objective(_DECISIONS)),
    "measurement": _MEASUREMENT,
    "members": (_NETWORK, _NETWORK),
    "method": "bd",
    "model": "m",
    "module": _NETWORK,
    "name": "made",
    "num_classes": _CLASSES,
    "number": 1,
    "objective": Objective(_DECISIONS),
    "options": None,
    "oracle": _TEACHER,
    "origins": _ORIGINS,
    "outcomes": _DECISIONS,
    "patience": 1.0,
    "path": "nowhere.onnx",
    "pictures": from_arrays(_IMAGES.expand(-1, 3, -1, -1)),
    "pixels": _IMAGES,
    "points": _IMAGES,
    "pool": ImagePool(_DATA),
    "pools": (ImagePool(_DATA),),
    "preparation": Preparation(),
    "prompt": Prompt(("ant", "bee", "cat")),
    "pushes": _TABLE,
    "queries": _DECISIONS,
    "queries_per_pair": 4,
    "rate": 1.0,
    "reaching": _ANSWERS.aside,
    "recipe": _QUICK,
    "repulsion": Repulsion(BoundaryDistance(exemplars=1), 4, 1, (1,)),
    "round_number": 1,
    "rounds": Rounds(),
    "rows": _DECISIONS,
    "search": BoundaryDistance(exemplars=1).search(_PAIRS, _EXEMPLARS, _TEACHER.spec),
    "seconds": 1.0,
    "seed": 0,
    "service": Service(),
    "shape": _SHAPE,
    "shares": _TABLE[0],
    "size": 1,
    "snapshots": {},
    "source": "nowhere/",
    "spec": _TEACHER.spec,
    "start": Candidates(_IMAGES, _ORIGINS),
    "subspace": torch.eye(256)[:4],
    "teacher": _TEACHER,
    "tensors": {},
    "url": "http://localhost:1/v1",
    "wanted": _DECISIONS,
    "way": "lot",
}
_OF: dict[str, dict[str, Any]] = {
    "AlexNet": {"divisor": 64},
    "BoundaryPairs": {"generator": _DICE},
    "Dataset": {"images": _IMAGES},
    "ExemplarPool": {"source": _DATA},
    "FunctionTeacher": {"num_classes": _CLASSES},
    "HuggingFaceTeacher": {"name": "nowhere/at/all"},
    "MinimalBoundaryDistance": {"start": BoundaryDistance()},
    "Objective": {"labels": _DECISIONS},
    "OpenInferenceTeacher": {"url": "http://localhost:1/v2/models/none"},
    "Pairs": {"images": _IMAGES},
    "Repelled": {"images": _IMAGES[None]},
    "Repulsion": {"method": BoundaryDistance()},
    "Measurement": {"method": BoundaryDistance()},
    "choosing_recipe": {"answers": 100},
    "closeness": {"images": _IMAGES, "points": _IMAGES.flip(3)},
    "dataset_of": {"given": _IMAGES},
    "draw_noise": {"options": NoiseOptions(2)},
    "from_arrays": {"images": _IMAGES},
    "load": {"wanted": None},
    "member_seed": {"answers": 100},
    "repel": {"images": _IMAGES},
    "teaching_recipe": {"answers": 100},
    "interrogate": {"snapshots": ()},
}


def _public() -> Iterator[tuple[str, Any]]:
    """All that can be called, by its name."""
    for room in _ROOMS:
        module = importlib.import_module(f"db3kd.{room}")
        own = [name for name, one in vars(module).items() if getattr(one, "__module__", "") == module.__name__]
        for name in getattr(module, "__all__", own):
            one = getattr(module, name)
            made = inspect.isfunction(one) or (inspect.isclass(one) and not getattr(one, "_is_protocol", False))
            if made and name[0] != "_" and name not in _LEFT_OUT:
                yield name, one


def _usual(name: str, called: Any) -> dict[str, Any]:
    """Arguments that it takes: those that have no default."""
    own = _OF.get(name, {})
    parameters = inspect.signature(called).parameters.values()
    needed = [one.name for one in parameters if one.default is inspect.Parameter.empty or one.name in own]
    return {one: own.get(one, _EXAMPLE.get(one)) for one in needed}


CALLED = {name: (called, _usual(name, called)) for name, called in _public()}


def _call(called: Any, given: dict[str, Any]) -> BaseException | None:
    """The error that is none of ours, or says too little."""
    try:
        called(**given)
    except Exception as error:  # noqa: BLE001  # whatever it is
        return None if isinstance(error, Db3kdError) and len(str(error)) > 30 else error
    return None


_NUMBERS = (
    st.integers(-3, 9) | st.floats(-3, 9) | st.sampled_from([float("nan"), float("inf"), 10**30, -(10**30), 1e300])
)
_SCALARS = st.none() | st.booleans() | _NUMBERS | st.text(max_size=5) | st.binary(max_size=3)
_LISTS = st.lists(_SCALARS, max_size=3)
_OBJECTS = (
    object(),
    3 + 4j,
    len,
    Exception("x"),
    range(3),
    {1, 2},
    Path("x"),
    iter(()),
    Ellipsis,
    "\0",
    "a:b",
    "::",
    "é",
    np.array([1, 2]),
    np.array(["a"]),
    np.array([None]),
    np.float32(2),
    np.int64(2),
    np.bool_(True),
    np.str_("x"),
    torch.tensor(1.0),
    torch.tensor([1, 2]),
    torch.zeros(2, 3),
    torch.zeros(0, 1, 16, 16),
    torch.zeros(2, 1, 4, 4).int(),
    torch.device("cpu"),
    torch.float32,
    _TEACHER,
    _DATA,
    _ANSWERS,
    _QUICK,
    Context(device="nowhere"),
)
ODD = (
    _SCALARS
    | _LISTS
    | _LISTS.map(tuple)
    | st.dictionaries(st.text(max_size=2) | st.integers(0, 3), _SCALARS, max_size=2)
    | st.sampled_from(_OBJECTS)
)


def _not_here(name: str) -> None:
    raise PlanError(f"{name} is not looked for: transformers takes long to import")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db3kd.boundary.guide._LOOKED_AT", 8)
    monkeypatch.setattr("db3kd.teachers.hugging_face._load", _not_here)


def test_the_usual_arguments_are_taken() -> None:
    wrong = {name: error for name, (called, given) in CALLED.items() if (error := _call(called, given))}
    assert not wrong


@settings(max_examples=_EXAMPLES, deadline=None)
@given(value=ODD)
def test_no_argument_whatever_raises_what_is_not_ours(value: Any) -> None:
    wrong = [
        f"{name}({parameter}={value!r}): {error!r}"
        for name, (called, given) in CALLED.items()
        for parameter in inspect.signature(called).parameters
        if (error := _call(called, {**given, parameter: value}))
    ]
    assert not wrong, "\n".join(wrong)
