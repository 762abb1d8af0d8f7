"""The figures of a report: of the teacher, its students, the queries, and how the teacher was asked.

Shares are fractions of 1, a query is one image row, and None means that a figure is unknown. What `db3kd.evaluation`
measures is held as it is. Distances have a module of their own, `distances`; `schema` puts all into a `Report`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from db3kd.evaluation import Calibration, Evaluation, Gain, TransformScore, Trust
from db3kd.evaluation.figures import Count, Fraction, Size
from db3kd.ledger import Bill, Prices

_MOST_CONFUSED = 40
# What the committee is called among the students.
TOGETHER = "committee"
Ended = Literal["all", "budget", "flat", "agreement"]


class TeacherFigures(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """What is known of the teacher.

    Args:
        accuracy: share of the evaluation images that it decides as labelled.
        parameters: number of its weights.
        name: its URI, or how it is called.
    """

    accuracy: Fraction | None = None
    parameters: Count | None = None
    name: str = ""


class StudentFigures(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """What one student reaches on the evaluation images after the last epoch, and what it cost.

    Args:
        name: what it learned from.
        accuracy: share of the images that it decides as labelled, the mean over the seeds.
        agreement: share of the images on which it decides as the teacher does.
        queries: queries that its labels cost, with all that they were built on.
        parameters: number of its weights.
        label: how tables name it, if not as usual.
        images: how many it was trained on.
        seeds: seeds of its trainings.
        accuracy_by_seed: the accuracy of each seed, in their order.
        per_class: accuracy on each class; null for a class without evaluation images.
        confusion: evaluation images by the teacher's class (row) and the student's (column), where there are at most 40
            classes.
        calibration: whether its confidence can be believed.
        last_loss: loss of the last epoch.
    """

    name: Annotated[str, Field(min_length=1)]
    accuracy: Fraction | None = None
    agreement: Fraction | None = None
    queries: Count | None = None
    parameters: Count | None = None
    label: str = ""
    images: Count | None = None
    seeds: tuple[int, ...] = ()
    accuracy_by_seed: tuple[Fraction, ...] = ()
    per_class: tuple[Fraction | None, ...] = ()
    confusion: tuple[tuple[Count, ...], ...] = ()
    calibration: Calibration | None = None
    last_loss: float | None = None

    @model_validator(mode="after")
    def _one_accuracy_per_seed(self) -> "StudentFigures":
        if self.accuracy_by_seed and len(self.accuracy_by_seed) != len(self.seeds):
            raise ValueError(f"{len(self.accuracy_by_seed)} accuracies for {len(self.seeds)} seeds")
        return self

    def measured(self, found: Evaluation | None) -> "StudentFigures":
        """Give the same student with what was measured on the evaluation images; None where there were none."""
        if found is None:
            return self
        return self.model_copy(
            update={
                "accuracy": found.accuracy,
                "agreement": found.agreement,
                "per_class": () if found.accuracy is None else tuple(score.accuracy for score in found.classes),
                "confusion": (found.confusion or ()) if len(found.classes) <= _MOST_CONFUSED else (),
                "calibration": found.calibration,
            }
        )


class Queries(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """The account of queries.

    Args:
        total: queries charged to the budget.
        by_stage: the same, by stage.
        held_out: queries of an evaluation, by stage; not charged to the budget.
        unsettled: the part of the total that is not known to have been sent, after a crash.
        repeated: images that were asked again, to see whether the teacher is constant.
        changed: how many of these got another answer.
        charged_again: queries that were charged again, since a connection or a replica was lost, by stage, held-out
            stages too; stages without any are left out.
        bills: what a service that bills by tokens says that it served, by stage.
        held_out_bills: the same, of evaluations.
        prices: prices of queries and tokens, where they are known.
        money: what queries and tokens cost together, held-out ones too.
    """

    total: Count
    by_stage: dict[str, Count] = {}
    held_out: dict[str, Count] = {}
    unsettled: Count = 0
    repeated: Count | None = None
    changed: Count = 0
    charged_again: dict[str, Count] = {}
    bills: dict[str, Bill] = {}
    held_out_bills: dict[str, Bill] = {}
    prices: Prices | None = None
    money: Size | None = None

    @property
    def bill(self) -> Bill:
        """What was served in all, held-out stages too."""
        return sum([*self.bills.values(), *self.held_out_bills.values()], Bill())

    @model_validator(mode="after")
    def _stages_add_up(self) -> "Queries":
        if self.changed > (self.repeated or 0):
            raise ValueError(f"{self.changed} answers changed, of {self.repeated or 0} that were asked again")
        charged = sum(self.by_stage.values())
        if self.by_stage and charged != self.total:
            raise ValueError(f"the stages add up to {charged}, and the total is {self.total}")
        unknown = self.charged_again.keys() - self.by_stage.keys() - self.held_out.keys()
        if unknown:
            raise ValueError(f"rows were charged again in {sorted(unknown)}, where none were charged")
        return self


class AskingFigures(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """What the teacher was asked and answered, and how far that makes a student trustworthy.

    Args:
        pool: where the images came from.
        acquisition: what chose among them.
        queries: answers that came.
        planned: answers that were wanted.
        ended: why asking ended: all that was planned was asked, the budget was spent, the gains had become flat, or the
            agreement that was wanted was reached.
        class_histogram: answers of each class.
        abstained: answers that were no class.
        never_decided: classes that no answer was of.
        by_origin: answers by where their image came from.
        gains: what the rounds brought, in order.
        after_1000_more: the agreement that 1,000 more questions would bring, by extrapolation.
        transforms: which transforms the teacher minds, where networks learned from transformed images.
        trust: the student's agreement on answers that were set aside.
    """

    pool: str
    acquisition: str
    queries: Count
    planned: Count
    ended: Ended
    class_histogram: tuple[Count, ...]
    abstained: Count = 0
    never_decided: tuple[Count, ...] = ()
    by_origin: dict[str, Count] = {}
    gains: tuple[Gain, ...] = ()
    after_1000_more: Fraction | None = None
    transforms: tuple[TransformScore, ...] = ()
    trust: Trust | None = None

    @model_validator(mode="after")
    def _figures_fit(self) -> "AskingFigures":
        never = tuple(label for label, answers in enumerate(self.class_histogram) if not answers)
        if self.never_decided != never:
            raise ValueError(f"classes {self.never_decided} are said never to have come, and it was {never}")
        counted = sum(self.class_histogram) + self.abstained
        if {counted, sum(self.by_origin.values()) if self.by_origin else counted} != {self.queries}:
            raise ValueError(f"classes and origins must add up to {self.queries} queries, got {counted} by class")
        if self.trust is not None and len(self.trust.classes) != len(self.class_histogram):
            raise ValueError(f"trust in {len(self.trust.classes)} classes, answers of {len(self.class_histogram)}")
        return self


class CommitteeFigures(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """The networks of our own that learned the answers, and what they cost on top of the teacher's queries.

    Args:
        architecture: network of each member.
        members: networks that learned all answers.
        queries: answers that they learned from.
        accuracy: accuracy on the evaluation images, the mean over the members.
        agreement: agreement with the teacher on the same images, the mean over the members.
        cosine: cosine between their gradient and the way from an image to its nearest crossing; 1 where they are alike.
        passes: passes of one image through one member, forward and backward, that a guided search took.
        seconds: time that these took; of a part made in two sessions the last one counts.
    """

    architecture: str
    members: Count
    queries: Count
    accuracy: Fraction | None = None
    agreement: Fraction | None = None
    cosine: Annotated[float, Field(ge=-1, le=1)] | None = None
    passes: Count | None = None
    seconds: Size | None = None


class RepulsionFigures(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """How noise was pushed away from the boundary until it was images.

    Args:
        images: images that were made.
        images_by_class: the same, by the teacher's class.
        noise_by_class: images of noise that the teacher put in each class.
        starts_by_class: images of noise in each class that were pushed.
        missing: classes without an image.
        queries: queries that it took, by stage.
        distances: for each step, the mean distance to the nearest boundary before the push, over the images of which
            one was found; null where there is none.
        pushes: for each step, the mean length of the push, after clipping to the bounds.
    """

    images: Count
    images_by_class: tuple[Count, ...]
    noise_by_class: tuple[Count, ...] = ()
    starts_by_class: tuple[Count, ...] = ()
    missing: tuple[Count, ...] = ()
    queries: dict[str, Count] = {}
    distances: tuple[Size | None, ...] = ()
    pushes: tuple[Size, ...] = ()

    @model_validator(mode="after")
    def _figures_fit(self) -> "RepulsionFigures":
        classes = {len(self.images_by_class), len(self.noise_by_class), len(self.starts_by_class)} - {0}
        if len(classes) > 1 or sum(self.images_by_class) != self.images:
            raise ValueError(f"figures of {sorted(classes)} classes, and {self.images} images in all")
        if len(self.distances) != len(self.pushes):
            raise ValueError(f"distances of {len(self.distances)} steps and pushes of {len(self.pushes)}")
        return self
