"""A scikit-learn classifier as a teacher, with classes of any type."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from db3kd.errors import InvalidDecision, PlanError
from db3kd.ledger import Ledger
from db3kd.oracle import Oracle
from db3kd.teachers import SklearnTeacher, Teacher

SHAPE = (2, 3, 3)
ROWS = np.random.default_rng(0).random((60, 18))
NUMBERS = (ROWS[:, :6].sum(1) > ROWS[:, 6:12].sum(1)).astype(int) + (ROWS[:, 0] > 0.8)
IMAGES = torch.from_numpy(np.random.default_rng(1).random((40, *SHAPE))).float()


def _fitted(classes: Any, rows: npt.NDArray[np.float64] = ROWS) -> Any:
    return LogisticRegression(max_iter=10_000).fit(rows, np.asarray(classes)[NUMBERS])


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        ([0, 1, 2], ()),
        ([1, 2, 3], ("1", "2", "3")),
        ([-7, 0, 900], ("-7", "0", "900")),
        ([0.0, 1.0, 2.0], ()),
        ([1.0, 2.0, 30.0], ("1", "2", "30")),
        (["ant", "bee", "cat"], ("ant", "bee", "cat")),
        (np.array(["ant", "bee", ""], dtype=object)[[2, 0, 1]], ("(empty)", "ant", "bee")),
    ],
    ids=["from 0", "from 1", "scattered", "floats from 0", "floats", "text", "objects"],
)
def test_classes_of_any_type_become_numbers_from_0_and_names(classes: Any, names: tuple[str, ...]) -> None:
    estimator = _fitted(classes)
    teacher = SklearnTeacher(estimator, input_shape=SHAPE)
    assert isinstance(teacher, Teacher)
    assert (teacher.spec.num_classes, teacher.spec.class_names) == (3, names)
    expected = torch.from_numpy(_fitted([0, 1, 2]).predict(IMAGES.flatten(1).numpy()))
    with Ledger(None) as ledger, ledger.account("label") as account:
        assert torch.equal(Oracle(teacher, account)(IMAGES), expected)
    assert len(expected.unique()) == 3


def test_truth_values_are_two_classes() -> None:
    teacher = SklearnTeacher(LogisticRegression(max_iter=10_000).fit(ROWS, NUMBERS > 0), input_shape=SHAPE)
    assert teacher.spec.class_names == ("False", "True")
    assert set(teacher(IMAGES).tolist()) == {0, 1}


@pytest.mark.parametrize("scale", [16.0, 255.0])
def test_pixels_are_scaled_to_what_it_was_fitted_on(scale: float) -> None:
    teacher = SklearnTeacher(_fitted([0, 1, 2], ROWS * scale), input_shape=SHAPE, scale=scale)
    expected = _fitted([0, 1, 2], ROWS * scale).predict(IMAGES.flatten(1).numpy() * np.float32(scale))
    assert teacher(IMAGES).tolist() == expected.tolist()


def test_channels_may_come_last() -> None:
    turned = ROWS.reshape(-1, *SHAPE).transpose(0, 2, 3, 1).reshape(len(ROWS), -1)
    teacher = SklearnTeacher(_fitted([0, 1, 2], turned), input_shape=SHAPE, channels_last=True)
    assert teacher(IMAGES).tolist() == _fitted([0, 1, 2]).predict(IMAGES.flatten(1).numpy()).tolist()


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        RandomForestClassifier(5, random_state=0),
        KNeighborsClassifier(),
        GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 3]}, cv=2),
    ],
)
def test_pipelines_forests_neighbours_and_searches_are_teachers_too(estimator: Any) -> None:
    names = np.array(["ant", "bee", "cat"])
    fitted = estimator.fit(ROWS, names[NUMBERS])
    teacher = SklearnTeacher(fitted, input_shape=SHAPE)
    assert [names[one] for one in teacher(IMAGES).tolist()] == fitted.predict(IMAGES.flatten(1).numpy()).tolist()
    assert teacher.spec == SklearnTeacher(fitted, input_shape=SHAPE).spec


@pytest.mark.slow
def test_what_it_learned_is_in_the_fingerprint_and_the_same_in_another_process(tmp_path: Path) -> None:
    teacher = SklearnTeacher(_fitted([0, 1, 2]), input_shape=SHAPE)
    other = SklearnTeacher(_fitted([0, 1, 2], ROWS + 0.01), input_shape=SHAPE)
    assert teacher.spec.fingerprint != other.spec.fingerprint
    np.savez(tmp_path / "rows.npz", rows=ROWS, numbers=NUMBERS)
    code = f"""
import numpy as np
from sklearn.linear_model import LogisticRegression
from db3kd.teachers import SklearnTeacher
given = np.load({str(tmp_path / "rows.npz")!r})
fitted = LogisticRegression(max_iter=10_000).fit(given["rows"], given["numbers"])
print(SklearnTeacher(fitted, input_shape={SHAPE}).spec.fingerprint)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == teacher.spec.fingerprint


@pytest.mark.parametrize(
    ("estimator", "told"),
    [
        (LogisticRegression(), "fitted"),
        (LinearRegression().fit(ROWS, ROWS[:, 0]), "LinearRegression has no single list of classes"),
        (KMeans(2, n_init=1, random_state=0).fit(ROWS), "KMeans has no single list of classes"),
        (
            MultiOutputClassifier(RandomForestClassifier(2, random_state=0)).fit(ROWS, np.stack([NUMBERS] * 2, axis=1)),
            "one output",
        ),
        (_fitted([0, 1, 2], ROWS[:, :9]), r"rows of 9 numbers.*have 18"),
        (
            make_pipeline(FunctionTransformer(lambda rows: rows), LogisticRegression()).fit(ROWS, NUMBERS),
            "give its version as fingerprint",
        ),
    ],
    ids=["unfitted", "regression", "clusters", "two outputs", "another size", "no digest"],
)
def test_what_is_no_such_classifier_is_refused_before_anything_is_asked(estimator: Any, told: str) -> None:
    with pytest.raises(PlanError, match=told):
        SklearnTeacher(estimator, input_shape=SHAPE)


@pytest.mark.parametrize("answer", [["eel"], [None], [[1, 2]], [{}], 3, [1, 2], [float("nan")]])
def test_an_answer_that_is_none_of_its_classes_costs_one_query(answer: Any) -> None:
    class Odd:
        classes_ = np.array(["ant", "bee"])

        def predict(self, rows: Any) -> Any:
            return answer

    teacher = SklearnTeacher(Odd(), input_shape=SHAPE, fingerprint="odd")
    with Ledger(None) as ledger, ledger.account("label") as account:
        with pytest.raises(InvalidDecision, match="'ant', 'bee' from Odd"):
            Oracle(teacher, account)(IMAGES)
        assert account.spent == 1
