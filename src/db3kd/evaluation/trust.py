"""How far a student can be trusted: its agreement with answers that no training saw.

A run sets some of the teacher's answers aside. What is measured on them holds for images like these: per class, per
origin, and with the width that so few answers leave. Called by the pipeline between rounds and at the end.
"""

import math
from collections.abc import Sequence

import torch

from db3kd.answers import Answers
from db3kd.errors import PlanError
from db3kd.evaluation.figures import ClassScore, Gain, OriginScore, Trust
from db3kd.tensors import Bool, Int, Tensor

# Of the normal distribution, on both sides: 95%.
_WIDTH = 1.96


def measure_trust(student_classes: Int[Tensor, " m"], answers: Answers) -> Trust:
    """Measure a student by its class of each image in `answers.aside`, in their order; the interval is Wilson's (1927).

    Where the teacher abstained there is nothing to agree with.
    """
    rows = answers.unseen()
    if len(student_classes) != len(rows):
        raise PlanError(
            f"{len(rows):,} answers are set aside, and the student's classes are {len(student_classes):,}; nothing was "
            "measured: give its class of each image in answers.aside"
        )
    decided = answers.decided[rows]
    rows, student_classes = rows[decided], student_classes[decided]
    decisions, codes = answers.decisions[rows], answers.coded.codes[rows]
    alike: Bool[Tensor, " m"] = student_classes == decisions
    classes = tuple(
        ClassScore(label, None, None, *_counted(alike[decisions == label])) for label in range(answers.num_classes)
    )
    known = [score.agreement for score in classes if score.agreement is not None]
    agreement = _counted(alike)[1]
    lower, upper = (None, None) if agreement is None else interval(agreement, len(alike))
    return Trust(
        images=len(alike),
        agreement=agreement,
        lower=lower,
        upper=upper,
        mean_over_classes=sum(known) / len(known) if known else None,
        classes=classes,
        origins=tuple(
            OriginScore(answers.coded.names[code], *_counted(alike[codes == code])) for code in codes.unique().tolist()
        ),
    )


def measure_gain(
    before: Int[Tensor, " n"],
    after: Int[Tensor, " n"],
    decisions: Int[Tensor, " n"],
    *,
    since: int,
    queries: int,
    learned_longer: bool = False,
) -> Gain:
    """Compare the classes that two committees give to images, one at least, whose answers neither has learned."""
    if not len(decisions):
        raise PlanError("a gain is measured on one answer at least, got none; nothing was measured: set some aside")
    earlier, later = ((classes == decisions).to(torch.float64) for classes in (before, after))
    differences = later - earlier
    error = max(float(differences.std(correction=0)) / math.sqrt(len(differences)), 1 / len(differences))
    return Gain(since, queries, len(decisions), float(earlier.mean()), float(later.mean()), error, learned_longer)


def has_flattened(gains: Sequence[Gain], *, least: float = 0.01, patience: int = 2) -> bool:
    """Tell whether each of the last rounds gained too little, even with one standard error added.

    While there were fewer rounds, or 1 / `least` answers or fewer are set aside, nothing can be told: False.
    """
    last = gains[-patience:] if patience > 0 else ()
    return len(last) == patience > 0 and all(
        gain.images * least > 1 and gain.after - gain.before + gain.error < least for gain in last
    )


def never_decided(histogram: Int[Tensor, " num_classes"]) -> tuple[int, ...]:
    """Name the classes that the teacher never gave, in ascending order: a student cannot know them."""
    return tuple(int(label) for label in (histogram == 0).nonzero()[:, 0])


def _counted(alike: Bool[Tensor, " m"]) -> tuple[int, float | None]:
    return len(alike), float(alike.to(torch.float64).mean()) if len(alike) else None


def interval(share: float, count: int) -> tuple[float, float]:
    """Give the interval that holds the true share 19 times of 20, where `share` of a number was counted: Wilson's."""
    squared = _WIDTH**2
    centre = (share + squared / (2 * count)) / (1 + squared / count)
    half = _WIDTH / (1 + squared / count) * math.sqrt(share * (1 - share) / count + squared / (4 * count**2))
    # Rounded, the interval of none or all would leave its share out by a hair.
    return min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))
