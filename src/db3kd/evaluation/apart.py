"""How far a student made without data can be trusted: its agreement with answers that no training saw.

There is no test set then, but some of the teacher's answers were kept apart. They are about made images, so that what
is measured holds for such images: per class, per kind of image, and with the width that so few answers leave. Called by
the pipeline after a run without data, and between its rounds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from db3kd.errors import PlanError
from db3kd.evaluation.measures import ClassScore
from db3kd.tensors import Int, Tensor

# Of the normal distribution, on both sides: 95%.
_WIDTH = 1.96


@dataclass(frozen=True)
class KindScore:
    """How the images of one kind were answered.

    Args:
        kind: where the images came from.
        images: how many were kept apart.
        agreement: the share of them that the student answers as the teacher did; None without images.
    """

    kind: str
    images: int
    agreement: float | None


@dataclass(frozen=True)
class ApartScore:
    """A student's agreement with the teacher on answers that were kept apart from training.

    Args:
        images: how many answers were kept apart.
        agreement: the share that the student answers alike; None without images.
        lower: the end of the interval that holds the true share 19 times of 20; None without images.
        upper: its other end.
        mean_over_classes: the mean of the classes' agreement, so that a frequent class does not hide a rare one.
        classes: the same per class; where a class has no answer, nothing is known of it.
        kinds: the same per kind of image, those that were asked about.
    """

    images: int
    agreement: float | None
    lower: float | None
    upper: float | None
    mean_over_classes: float | None
    classes: tuple[ClassScore, ...]
    kinds: tuple[KindScore, ...]


@dataclass(frozen=True)
class Gain:
    """What one round brought: two ensembles on the same answers that neither has learned.

    Args:
        queries: asked in all when the later one had learned.
        images: answers that both were measured on.
        before: agreement of the earlier ensemble.
        after: agreement of the later one.
        error: standard error of the difference, from the answers on which the two differ; never less than that of one
            answer, since few answers on which nothing changed tell little.
        learned_longer: whether the later one has learned for longer as well, so that not all of it is the round's.
    """

    queries: int
    images: int
    before: float
    after: float
    error: float
    learned_longer: bool = False


def measure_apart(
    answers: Int[Tensor, " n"],
    decisions: Int[Tensor, " n"],
    kinds: Int[Tensor, " n"],
    *,
    num_classes: int,
    kind_names: Sequence[str],
) -> ApartScore:
    """Measure a student on answers that were kept apart.

    Args:
        answers: the student's class of each image.
        decisions: the teacher's.
        kinds: where each image came from, a position in `kind_names`.
        num_classes: number of classes.
        kind_names: what the kinds are called.

    Returns:
        Shares of 1 and counts; the interval is Wilson's (1927).

    Cost: none; the answers were bought before.
    """
    alike = answers == decisions
    classes = tuple(ClassScore(label, None, None, *_counted(alike[decisions == label])) for label in range(num_classes))
    known = [score.agreement for score in classes if score.agreement is not None]
    present = [number for number in range(len(kind_names)) if bool((kinds == number).any())]
    lower, upper = _interval(int(alike.sum()), len(alike))
    return ApartScore(
        images=len(alike),
        agreement=_counted(alike)[1],
        lower=lower,
        upper=upper,
        mean_over_classes=sum(known) / len(known) if known else None,
        classes=classes,
        kinds=tuple(KindScore(kind_names[number], *_counted(alike[kinds == number])) for number in present),
    )


def measure_gain(
    before: Int[Tensor, " n"],
    after: Int[Tensor, " n"],
    decisions: Int[Tensor, " n"],
    *,
    queries: int,
    learned_longer: bool = False,
) -> Gain:
    """Compare two ensembles on answers that neither has learned.

    Args:
        before: the earlier ensemble's class of each image.
        after: the later one's.
        decisions: the teacher's; at least one.
        queries: asked in all when the later one had learned.
        learned_longer: whether the later one has learned for longer as well.

    Returns:
        Both agreements, and how sure their difference is.

    Raises:
        PlanError: there is no answer.
    """
    if not len(decisions):
        raise PlanError("a gain is measured on one answer at least, got none; nothing was measured: keep some apart")
    earlier, later = ((answers == decisions).to(torch.float64) for answers in (before, after))
    differences = later - earlier
    error = max(float(differences.std(correction=0)) / math.sqrt(len(differences)), 1 / len(differences))
    return Gain(queries, len(decisions), float(earlier.mean()), float(later.mean()), error, learned_longer)


def has_flattened(gains: Sequence[Gain], *, least: float = 0.01, patience: int = 2) -> bool:
    """Tell whether asking further seems to bring nothing more.

    Args:
        gains: of the rounds so far, in order.
        least: a gain of a round that is worth its queries, a fraction of 1.
        patience: so many last rounds must each have gained less, even where one standard error is added.

    Returns:
        False while there were fewer rounds than that, and while 1 / `least` answers or fewer are kept apart: so few
        cannot tell.
    """
    last = gains[-patience:] if patience > 0 else ()
    return len(last) == patience > 0 and all(
        gain.images * least > 1 and gain.after - gain.before + gain.error < least for gain in last
    )


def never_decided(histogram: Int[Tensor, " num_classes"]) -> tuple[int, ...]:
    """Name the classes that the teacher never gave: a student cannot know them.

    Args:
        histogram: answers by class, of the whole budget.

    Returns:
        The classes in ascending order; none where all came.
    """
    return tuple(int(label) for label in (histogram == 0).nonzero()[:, 0])


def _counted(alike: Tensor) -> tuple[int, float | None]:
    return len(alike), float(alike.to(torch.float64).mean()) if len(alike) else None


def _interval(hits: int, count: int) -> tuple[float | None, float | None]:
    if not count:
        return None, None
    share, squared = hits / count, _WIDTH**2
    centre = (share + squared / (2 * count)) / (1 + squared / count)
    half = _WIDTH / (1 + squared / count) * math.sqrt(share * (1 - share) / count + squared / (4 * count**2))
    return max(0.0, centre - half), min(1.0, centre + half)
