"""The figures that are measured here; a report holds them as they are.

Shares are fractions of 1, and a share of nothing is None. Pydantic reads these dataclasses back from a report, and
checks them when they are put into one. Nothing here computes.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import ConfigDict, with_config

Fraction = Annotated[float, Ge(0), Le(1)]
Count = Annotated[int, Ge(0)]
Size = Annotated[float, Ge(0)]

_strict = with_config(ConfigDict(extra="forbid", allow_inf_nan=False, revalidate_instances="always"))


@_strict
@dataclass(frozen=True)
class ClassScore:
    """How the images of one class were answered.

    `accuracy` is the share of the `images` with this true label that were answered with it, and `agreement` that of the
    images that the teacher puts in this class; both counts are None where labels, or decisions, are unknown.
    """

    label: Count
    images: Count | None
    accuracy: Fraction | None
    decided: Count | None
    agreement: Fraction | None


@_strict
@dataclass(frozen=True)
class CalibrationBin:
    """The images with a confidence above `lower` and up to `upper`: its mean, and the share that was right."""

    lower: Fraction
    upper: Fraction
    images: Count
    confidence: Fraction | None
    correct: Fraction | None


@_strict
@dataclass(frozen=True)
class Calibration:
    """Whether a confidence of 0.8 means that 8 answers of 10 are right.

    `error` is the mean over the images of the gap between confidence and correctness in their bin. What counts as right
    are the true labels, or the teacher's decisions where labels are unknown.

    Source: the expected calibration error of Guo et al., ICML 2017, with 15 bins of equal width.
    """

    error: Fraction
    against: Literal["labels", "decisions"]
    bins: tuple[CalibrationBin, ...]


@_strict
@dataclass(frozen=True)
class Evaluation:
    """What a network does on a set of images; None where labels, or the teacher's decisions, are unknown.

    `confusion` counts images by the teacher's class (row) and the network's (column).
    """

    images: Count
    accuracy: Fraction | None
    agreement: Fraction | None
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[Count, ...], ...] | None
    calibration: Calibration | None


@_strict
@dataclass(frozen=True)
class OriginScore:
    """How a student answers the images of one origin, as in `db3kd.answers`, that were set aside."""

    origin: str
    images: Count
    agreement: Fraction | None


@_strict
@dataclass(frozen=True)
class Trust:
    """A student's agreement with the teacher on the answers that were set aside from training, and not abstained from.

    The interval from `lower` to `upper` holds the true share 19 times of 20. `mean_over_classes` is the mean of the
    classes' agreement, so that a frequent class does not hide a rare one. Of nothing, nothing is known: None.
    """

    images: Count
    agreement: Fraction | None
    lower: Fraction | None
    upper: Fraction | None
    mean_over_classes: Fraction | None
    classes: tuple[ClassScore, ...]
    origins: tuple[OriginScore, ...]


@_strict
@dataclass(frozen=True)
class TransformScore:
    """Whether a teacher minds a transform: of `asked` transformed images, `stayed` got the decision of their original.

    `weak` and `strong` say how far it goes in views that a network learns from, in the transform's own unit; 0 is not
    at all. Where nobody asked, both are what is cautious.
    """

    transform: str
    asked: Count
    stayed: Count
    weak: Size
    strong: Size


@_strict
@dataclass(frozen=True)
class Gain:
    """What one round brought: the agreement of two committees on the same answers, which neither has learned.

    `since` queries were asked when the earlier one had learned, `queries` when the later one had. `error` is the
    standard error of the difference, never less than that of one answer, since few answers on which nothing changed
    tell little. Where the later one also `learned_longer`, not all of the gain is the round's.
    """

    since: Count
    queries: Count
    images: Count
    before: Fraction
    after: Fraction
    error: Size
    learned_longer: bool = False
