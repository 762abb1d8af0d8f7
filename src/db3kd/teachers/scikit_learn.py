"""A scikit-learn classifier as a teacher: images become rows of numbers, and its classes, of any type, become numbers.

Nothing of scikit-learn is imported: whatever has `predict` and `classes_` as its classifiers have will do.
"""

from collections.abc import Hashable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from db3kd.arguments import check_arguments
from db3kd.errors import InvalidDecision, PlanError
from db3kd.teachers.preparation import Preparation
from db3kd.teachers.protocol import TeacherSpec
from db3kd.tensors import Float, Int, Tensor


@runtime_checkable
class Estimator(Protocol):
    """A classifier that was fitted."""

    @property
    def classes_(self) -> Any:
        """The classes, as it answers with them."""

    def predict(self, rows: Any) -> Any:
        """Decide, a class for each row."""


class SklearnTeacher:
    """A fitted classifier that gives its decisions only.

    Args:
        estimator: a fitted classifier, or a pipeline that ends in one. Class 0 is the first of its `classes_`.
        input_shape: channels, height and width of one image. Its pixels become a row in this order.
        scale: pixels are multiplied by this; 255 for a classifier that was fitted on 0 to 255.
        channels_last: whether it was fitted on images [h, w, c] that were flattened.
        class_names: what the classes are called; by default as `classes_` has them.
        bounds: lowest and highest pixel value, before the scale.
        max_batch: most images a call.
        fingerprint: the version of the classifier; by default a digest of all that it learned.
    """

    def __init__(
        self,
        estimator: Any,
        *,
        input_shape: tuple[int, int, int],
        scale: float = 1.0,
        channels_last: bool = False,
        class_names: Sequence[str] = (),
        bounds: tuple[float, float] = (0.0, 1.0),
        max_batch: int = 1024,
        fingerprint: str | None = None,
    ) -> None:
        check_arguments(SklearnTeacher.__init__, locals())
        self._estimator, self._classes = estimator, _classes_of(estimator)
        self._preparation, self._channels_last = Preparation(scale=scale), channels_last
        pixels, wanted = int(np.prod(input_shape)), getattr(estimator, "n_features_in_", None)
        if wanted not in (None, pixels):
            raise PlanError(
                f"{type(estimator).__name__} was fitted on rows of {wanted} numbers, and images of shape {input_shape} "
                f"have {pixels}; nothing was asked: give the input_shape that it was fitted on, and resize the images"
            )
        self._numbers = {one: number for number, one in enumerate(self._classes)}
        told = f"scikit-learn:{fingerprint or _digest(estimator)}:{scale}:{channels_last}"
        names = tuple(class_names) or _names_of(self._classes)
        self.spec = TeacherSpec(input_shape, len(self._classes), bounds, max_batch, told, class_names=names)

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """Decide; see `Teacher`."""
        prepared = self._preparation(images.detach().cpu())
        arranged = prepared.permute(0, 2, 3, 1) if self._channels_last else prepared
        answers = np.asarray(self._estimator.predict(arranged.flatten(1).numpy().copy()))
        if answers.shape == (len(images), 1):
            answers = answers[:, 0]
        plain = answers.ndim == 1 and all(isinstance(one, Hashable) for one in answers.tolist())
        found = [self._numbers.get(one) for one in answers.tolist()] if plain else []
        known = [number for number in found if number is not None]
        if not len(known) == len(found) == len(images):
            raise InvalidDecision(
                f"expected {len(images)} of the classes {_shown(self._classes)} from {type(self._estimator).__name__}, "
                f"got {answers.dtype} of shape {answers.shape}: {_shown(answers.reshape(-1).tolist())}; the answer was "
                "dropped and stays charged: give a classifier that predicts one of its classes_ for each row"
            )
        return torch.tensor(known, dtype=torch.int64)


def _classes_of(estimator: Any) -> list[Any]:
    """Its classes as plain values, or a PlanError where it has none."""
    name = type(estimator).__name__
    try:
        classes = np.asarray(estimator.classes_)
        listed = list(classes.tolist())
        different = len(set(listed)) == len(listed)
    except Exception as error:  # an attribute that is missing, or of any kind
        raise PlanError(
            f"{name} has no single list of classes ({error}); nothing was asked: give a classifier that is fitted and "
            "has one output"
        ) from error
    if classes.ndim != 1 or len(listed) < 2 or not different:
        raise PlanError(
            f"{name} has classes of shape {classes.shape}; nothing was asked: give a classifier that was fitted with "
            "at least two different classes and one output"
        )
    return listed


def _names_of(classes: Sequence[Any]) -> tuple[str, ...]:
    """What to call the classes: nothing where they are numbers from 0, as all are that have no names."""
    if list(classes) == list(range(len(classes))) and not isinstance(classes[0], bool):
        return ()
    written = (int(one) if isinstance(one, float) and one.is_integer() else one for one in classes)
    return tuple(" ".join(str(one).split()) or "(empty)" for one in written)


def _digest(estimator: Any) -> str:
    """A digest of all that it learned, the same in another process."""
    try:
        # scikit-learn brings it.
        import joblib

        # A search decides by the best that it found; its table of all tries cannot be digested.
        return f"{type(estimator).__name__}:{joblib.hash(getattr(estimator, 'best_estimator_', estimator))}"
    except Exception as error:  # what a pipeline holds is anybody's code
        raise PlanError(
            f"what {type(estimator).__name__} learned cannot be digested ({type(error).__name__}: {error}); nothing "
            "was asked: give its version as fingerprint"
        ) from error


def _shown(values: Sequence[Any]) -> str:
    return ", ".join(map(repr, values[:5])) + ", ..." * (len(values) > 5)
