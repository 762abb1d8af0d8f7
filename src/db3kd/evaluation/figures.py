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

    Args:
        label: number of the class.
        images: images with this true label; null where labels are unknown.
        accuracy: share of these that were answered with it.
        decided: images that the teacher puts in this class; null where its decisions are unknown.
        agreement: share of these that were answered with it.
    """

    label: Count
    images: Count | None
    accuracy: Fraction | None
    decided: Count | None
    agreement: Fraction | None


@_strict
@dataclass(frozen=True)
class CalibrationBin:
    """The images whose confidence lies in one range.

    Args:
        lower: confidences are above it.
        upper: confidences are at most this.
        images: images in the range.
        confidence: mean of these images.
        correct: share of these that was right.
    """

    lower: Fraction
    upper: Fraction
    images: Count
    confidence: Fraction | None
    correct: Fraction | None


@_strict
@dataclass(frozen=True)
class Calibration:
    """Whether a confidence of 0.8 means that 8 answers of 10 are right.

    Args:
        error: mean over the images of the gap between confidence and correctness in their bin.
        against: what counts as right: the true labels, or the teacher's decisions where labels are unknown.
        bins: ranges of confidence, ascending.

    Source: the expected calibration error of Guo et al., ICML 2017, with 15 bins of equal width.
    """

    error: Fraction
    against: Literal["labels", "decisions"]
    bins: tuple[CalibrationBin, ...]


@_strict
@dataclass(frozen=True)
class Evaluation:
    """What a network does on a set of images; None where labels, or the teacher's decisions, are unknown.

    Args:
        images: that it was measured on.
        accuracy: against true labels.
        agreement: share on which it decides as the teacher does.
        classes: the same by class.
        confusion: images by the teacher's class (row) and the network's (column).
        calibration: whether its confidence can be believed.
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
    """How a student answers the images of one origin that were set aside.

    Args:
        origin: where the images came from, as in `db3kd.answers`.
        images: images of this origin that were set aside.
        agreement: share of these that the student answers as the teacher did.
    """

    origin: str
    images: Count
    agreement: Fraction | None


@_strict
@dataclass(frozen=True)
class Trust:
    """A student's agreement with the teacher on the answers that were set aside from training, and not abstained from.

    Args:
        images: answers that were set aside; where there are none, nothing is known.
        agreement: share of these that the student answers as the teacher did.
        lower: end of the interval that holds the true share 19 times of 20.
        upper: the other end.
        mean_over_classes: mean of the classes' agreement, so that a frequent class does not hide a rare one.
        classes: the same by class.
        origins: the same by where the images came from.
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
    """Whether a teacher minds a transform of images.

    Args:
        transform: its name.
        asked: transformed images that were asked about; where there are none, the strengths are cautious ones.
        stayed: how many of these got the decision of their original.
        weak: how far it goes in weak views that a network learns from, in its own unit; 0 for not at all.
        strong: how far it goes in strong views.
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

    Args:
        since: queries that were asked when the earlier one had learned.
        queries: queries that were asked when the later one had.
        images: answers that both were measured on.
        before: agreement of the earlier one.
        after: agreement of the later one.
        error: standard error of the difference, never less than that of one answer, since few answers on which nothing
            changed tell little.
        learned_longer: whether the later one also learned for longer, so that not all of the gain is the round's.
    """

    since: Count
    queries: Count
    images: Count
    before: Fraction
    after: Fraction
    error: Size
    learned_longer: bool = False
