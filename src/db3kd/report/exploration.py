"""What a report says of a teacher that was explored without images, and of how far the student can be trusted.

The figures are computed elsewhere (`db3kd.evaluation.apart`) and only gathered here; `schema` has the others of a
report, `making` lays these out.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from db3kd.report.ranges import Count, Fraction


class Agreement(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """A student's agreement with answers that no training saw, of one class or of one kind of image.

    Args:
        name: of the kind; the class's number for a class.
        images: how many answers were kept apart.
        agreement: the share of them that the student answers alike; None where there is none.
    """

    name: str
    images: Count
    agreement: Fraction | None = None


class RoundGain(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """What one round brought to the ensemble.

    Args:
        queries: asked in all when the later ensemble had learned.
        images: answers that both ensembles were measured on, kept apart from all training.
        before: agreement of the earlier ensemble.
        after: agreement of the later one.
        error: standard error of the difference.
        learned_longer: whether the later ensemble has learned for longer as well; None where that is not known.
    """

    queries: Count
    images: Count
    before: Fraction
    after: Fraction
    error: Annotated[float, Field(ge=0)]
    learned_longer: bool | None = None


class Exploration(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """How a teacher was explored, and how far the student can be trusted without a test set.

    Args:
        method: "active" asked in rounds, "priors" all at once.
        queries: asked in all.
        planned: to ask, had nothing ended the rounds before.
        stopped_early: whether the rounds ended since they no longer gained.
        class_histogram: the teacher's answers by class.
        never_decided: the classes that it never gave.
        apart: answers that were kept apart from training.
        agreement: the student's share of them; None where there is none.
        lower: the end of the interval that holds the true share 19 times of 20.
        upper: its other end.
        mean_over_classes: the mean of the classes' agreement.
        classes: the same per class.
        kinds: the same per kind of image.
        gains: of the rounds, in order.

    Raises:
        ValidationError: figures per class that do not fit each other.
    """

    method: Literal["active", "priors"]
    queries: Count
    planned: Count
    stopped_early: bool
    class_histogram: tuple[Count, ...]
    never_decided: tuple[Count, ...] = ()
    apart: Count = 0
    agreement: Fraction | None = None
    lower: Fraction | None = None
    upper: Fraction | None = None
    mean_over_classes: Fraction | None = None
    classes: tuple[Agreement, ...] = ()
    kinds: tuple[Agreement, ...] = ()
    gains: tuple[RoundGain, ...] = ()

    @model_validator(mode="after")
    def _classes_fit(self) -> "Exploration":
        never = tuple(label for label, answers in enumerate(self.class_histogram) if not answers)
        if self.never_decided != never:
            raise ValueError(f"classes {self.never_decided} are said never to have come, and it was {never}")
        if self.classes and len(self.classes) != len(self.class_histogram):
            raise ValueError(f"agreement of {len(self.classes)} classes, answers of {len(self.class_histogram)}")
        return self
