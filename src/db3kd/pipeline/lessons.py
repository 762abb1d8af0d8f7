"""What each student is taught: images, what to learn about them, and what that cost.

The baselines learn from the images alone; a run's own student learns from their distances, or from what the primers
think of them, and from other images that the teacher was asked about on the way (`supplement`). No query is spent here.
Called by `db3kd.pipeline.tell`, by `db3kd distill` and by benchmarks.
"""

from dataclasses import dataclass
from functools import reduce

import torch

from db3kd.data import Dataset
from db3kd.errors import InputError
from db3kd.evaluation import mean_logits
from db3kd.pipeline.story import Distillation
from db3kd.pipeline.supplement import NOTHING, Supplement
from db3kd.softening import inverse_distance, proportional_distance, relative_distance, smoothed_decision
from db3kd.tensors import Float, Tensor
from db3kd.training import Objective
from db3kd.transfer import TransferSet

_SOFTENING = {
    "proportional": proportional_distance,
    "relative": relative_distance,
    "inverse": inverse_distance,
    "smoothed": smoothed_decision,
}
# What a run's own student is called in tables where it learned from no distance, whatever the labelling's method was.
_OWN_LABELS = {"primers": "what primers think", "smoothed": "decisions, smoothed"}
_BY_DISTANCE = ("proportional", "relative", "inverse")


@dataclass(frozen=True)
class Lesson:
    """One way of teaching a student.

    Args:
        name: of the way: true-labels, hard-decisions, logits, sd, bd, mbd, ...
        images: what the student sees.
        objective: what it learns about them.
        queries: what that cost.
        label: how tables name it; where empty, the usual name.
        images_per_epoch: so many of them are an epoch; None for all. Where a lesson holds more images than another, it
            is learned from for as long.
    """

    name: str
    images: Dataset
    objective: Objective
    queries: int
    label: str = ""
    images_per_epoch: int | None = None


def lessons(
    transfer: TransferSet, distillation: Distillation, supplement: Supplement = NOTHING, *, device: str = "cpu"
) -> dict[str, Lesson]:
    """Say what each student of a run is taught: the baselines, and its own.

    Args:
        transfer: what was bought.
        distillation: how to learn from it.
        supplement: what the run holds beside it.
        device: where primers are asked.

    Returns:
        Lessons by the names that reports use; the last one is the run's own student's.

    Raises:
        InputError: see `check_lessons`.
    """
    taught: dict[str, Lesson] = {}
    costs = lesson_costs(transfer, distillation)
    for name in lesson_names(transfer, distillation)[:-1]:
        labels = transfer.images.labels if name == "true-labels" else transfer.decisions
        taught[name] = Lesson(name, transfer.images, Objective(labels=labels), costs[name])
    own = transfer.provenance["method"]
    return {**taught, own: own_lesson(own, transfer, distillation, supplement, device=device)}


def lesson_names(transfer: TransferSet, distillation: Distillation) -> tuple[str, ...]:
    """Name the students of a run as reports do; the last one is its own."""
    possible = {"true-labels": transfer.images.labels is not None, "hard-decisions": True}
    beside = tuple(name for name in distillation.baselines if possible[name])
    return (*sorted(beside, key=list(possible).index), transfer.provenance["method"])


def own_label(distillation: Distillation) -> str:
    """Tell what tables call a run's own student; empty where it goes by the method that bought its distances."""
    return _OWN_LABELS.get(distillation.softening, "")


def lesson_costs(transfer: TransferSet, distillation: Distillation) -> dict[str, int]:
    """Tell how many queries the lesson of each student rests on, by the names that reports use."""
    known = {"true-labels": 0, "hard-decisions": _cost_of_decisions(transfer)}
    names = lesson_names(transfer, distillation)
    return {name: known.get(name, cost_of(transfer, distillation)) for name in names}


def check_lessons(transfer: TransferSet, distillation: Distillation, supplement: Supplement) -> None:
    """Refuse what cannot be taught, before anything is trained.

    Args:
        transfer: what was bought.
        distillation: how to learn from it.
        supplement: what the run holds beside it.

    Raises:
        InputError: true labels or primers are asked for, and there are none; or there is no such snapshot.
    """
    if distillation.classes == "true" and transfer.images.labels is None:
        raise InputError(
            f"classes = 'true' needs images with labels, and {transfer.images.name!r} has none; nothing was trained: "
            "use classes = 'decisions'"
        )
    if distillation.softening == "primers" and not supplement.primers:
        raise InputError(
            "softening = 'primers' needs primers, and this run has none; nothing was trained: label with "
            "`--method guided` or `--primers 4`, or take another softening"
        )
    if distillation.queries_per_pair is not None:
        transfer.at(distillation.queries_per_pair)


def own_lesson(
    name: str,
    transfer: TransferSet,
    distillation: Distillation,
    supplement: Supplement = NOTHING,
    *,
    device: str = "cpu",
) -> Lesson:
    """Say what a student learns from what was bought.

    An image of the supplement has no distances: the rule treats it as one for which no boundary was found.

    Args:
        name: of the lesson.
        transfer: what was bought.
        distillation: the rule, the temperatures and the weights.
        supplement: what the run holds beside it.
        device: where primers are asked.

    Returns:
        The lesson; an epoch of it is as long as one of the images alone.

    Raises:
        InputError: see `check_lessons`.
    """
    check_lessons(transfer, distillation, supplement)
    if distillation.queries_per_pair is not None:
        transfer = transfer.at(distillation.queries_per_pair)
    images = reduce(Dataset.joined, supplement.images, transfer.images)
    known = transfer.images.labels if distillation.classes == "true" else transfer.decisions
    assert known is not None, "checked before"
    decisions = torch.cat([transfer.decisions, *supplement.decisions])
    objective = Objective(
        labels=torch.cat([known, *supplement.decisions]),
        soft_labels=_soften(transfer, images, decisions, distillation, supplement, device=device),
        temperature=distillation.temperature,
        hard_weight=distillation.hard_weight,
        soft_weight=distillation.soft_weight,
    )
    queries = cost_of(transfer, distillation)
    return Lesson(name, images, objective, queries, images_per_epoch=len(transfer))


def cost_of(transfer: TransferSet, distillation: Distillation) -> int:
    """Tell how many queries a student's lesson rests on: decisions, and what of the rest it makes use of.

    Args:
        transfer: what was bought.
        distillation: how the student learns from it.

    Returns:
        Queries.
    """
    by_distance = distillation.softening in _BY_DISTANCE or "probes" in distillation.beside
    by_primers = distillation.softening == "primers" or "mixtures" in distillation.beside
    distances = int(transfer.queries.sum()) if by_distance else 0
    # A search that primers guided rests on what they learned from.
    mixtures = int(transfer.provenance.get("primer_queries", 0)) if by_distance or by_primers else 0
    return _cost_of_decisions(transfer) + distances + mixtures


def _cost_of_decisions(transfer: TransferSet) -> int:
    """One query an image, or what it took to make the images, with their classes."""
    return int(transfer.provenance.get("image_queries", len(transfer)))


def _soften(
    transfer: TransferSet,
    images: Dataset,
    decisions: torch.Tensor,
    distillation: Distillation,
    supplement: Supplement,
    *,
    device: str,
) -> Float[Tensor, "m num_classes"]:
    at = distillation.softening_temperature
    if distillation.softening == "primers":
        opinions = mean_logits(supplement.primers, images, device=device)
        # The teacher has the last word on what is on top: where primers put another class there, its gap counts as 0.
        gaps = (opinions.gather(1, decisions[:, None]) - opinions).clamp_min(0.0)
        return proportional_distance(gaps, decisions, at)
    unknown = torch.full((len(decisions) - len(transfer), transfer.num_classes), torch.inf)
    return _SOFTENING[distillation.softening](torch.cat([transfer.distances, unknown]), decisions, at)
