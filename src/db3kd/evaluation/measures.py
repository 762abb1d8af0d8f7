"""Accuracy, agreement with the teacher, per class, and calibration of a network on any images.

Nothing here asks a teacher: the decisions come in as a tensor, and whoever bought them booked them on the held-out
account. All shares are fractions of 1, and a share of nothing is None. Called by the pipeline, by `db3kd evaluate` and
by the report, which draws the bins; `dataclasses.asdict` makes JSON of an `Evaluation`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from db3kd.data import Dataset
from db3kd.errors import PlanError
from db3kd.models.placement import gather, place
from db3kd.tensors import Bool, Float, Int, Tensor, UInt8

# Twice as fast as 512 and more for the paper's networks on a CPU; a GPU is not kept busy by it, and need not be.
_BATCH = 128

_BINS = 15


@dataclass(frozen=True)
class ClassScore:
    """How the images of one class were answered.

    Args:
        label: the class.
        images: how many have this true label; None where labels are unknown.
        accuracy: the share of them that were answered with it.
        decided: how many the teacher puts in this class; None where its decisions are unknown.
        agreement: the share of them that were answered with it.
    """

    label: int
    images: int | None
    accuracy: float | None
    decided: int | None
    agreement: float | None


@dataclass(frozen=True)
class CalibrationBin:
    """The images that were answered with a confidence in one interval.

    Args:
        lower: the interval's end, excluded (included in the first bin).
        upper: the interval's other end, included.
        images: how many.
        confidence: the mean of the highest softmax entry; None without images.
        correct: the share that was right; None without images.
    """

    lower: float
    upper: float
    images: int
    confidence: float | None
    correct: float | None


@dataclass(frozen=True)
class Calibration:
    """Whether a confidence of 0.8 means that 8 answers of 10 are right.

    Source: the expected calibration error of Guo et al., ICML 2017, with 15 bins of equal width.

    Args:
        error: the mean over the images of the gap between confidence and correctness in their bin.
        against: what counts as right: the true labels, or the teacher's decisions where labels are unknown.
        bins: in ascending order, 15 of them.
    """

    error: float
    against: Literal["labels", "decisions"]
    bins: tuple[CalibrationBin, ...]


@dataclass(frozen=True)
class Evaluation:
    """What a network does on a set of images.

    Args:
        images: how many.
        accuracy: the share answered with the true label; None where labels are unknown.
        agreement: the share answered as the teacher decided; None where its decisions are unknown.
        classes: the same per class.
        confusion: images by the teacher's class (row) and the network's (column); None without the teacher's.
        calibration: None where there is neither label nor decision.
    """

    images: int
    accuracy: float | None
    agreement: float | None
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...] | None
    calibration: Calibration | None


def evaluate(
    module: nn.Module,
    images: Dataset | UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"],
    *,
    decisions: Int[Tensor, " n"] | None = None,
    labels: Int[Tensor, " n"] | None = None,
    device: str = "cpu",
) -> Evaluation:
    """Measure a network on images that it was not trained on.

    Cost: none; the teacher's decisions were bought by the caller.

    Args:
        module: maps images to logits; left as it is.
        images: 0 to 255 where 8-bit, else in [0, 1]; at least one.
        decisions: the teacher's class of each image, or None.
        labels: the true class of each image, or None. They are not taken from a `Dataset` by themselves.
        device: "cpu", "cuda" or "cuda:N".

    Returns:
        Fractions of 1 and counts.

    Raises:
        PlanError: there is no image, or a class is none of the network's.
    """
    scores = logits(module, images, device=device)
    count, num_classes = scores.shape
    for name, classes in (("labels", labels), ("decisions", decisions)):
        _check(name, classes, count, num_classes)
    answers = scores.argmax(1)
    labels = None if labels is None else labels.cpu().long()
    decisions = None if decisions is None else decisions.cpu().long()
    by_label = None if labels is None else _count_pairs(labels, answers, num_classes)
    by_decision = None if decisions is None else _count_pairs(decisions, answers, num_classes)
    return Evaluation(
        images=count,
        accuracy=None if by_label is None else _share(int(by_label.trace()), count),
        agreement=None if by_decision is None else _share(int(by_decision.trace()), count),
        classes=_score_classes(by_label, by_decision, num_classes),
        confusion=None if by_decision is None else tuple(tuple(row) for row in by_decision.tolist()),
        calibration=_calibrate(scores, labels, decisions),
    )


def predict(
    module: nn.Module,
    images: Dataset | UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"],
    *,
    device: str = "cpu",
) -> Int[Tensor, " n"]:
    """Decide as the network would.

    Args:
        module: maps images to logits; left as it is.
        images: 0 to 255 where 8-bit, else in [0, 1].
        device: "cpu", "cuda" or "cuda:N".

    Returns:
        The class of the highest logit, on the CPU; the lowest such class where logits tie.
    """
    return logits(module, images, device=device).argmax(1)


def logits(
    module: nn.Module,
    images: Dataset | UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"],
    *,
    device: str = "cpu",
) -> Float[Tensor, "n num_classes"]:
    """Ask a network of our own for its logits, in batches.

    Args:
        module: maps images to logits; left as it is, and asked in eval mode.
        images: 0 to 255 where 8-bit, else in [0, 1]; at least one.
        device: "cpu", "cuda" or "cuda:N".

    Returns:
        32-bit, on the CPU.

    Raises:
        PlanError: there is no image, or no such device.
    """
    pixels = images.pixels if isinstance(images, Dataset) else images
    if len(pixels) == 0:
        raise PlanError("a network cannot be asked about no images; nothing was computed: name a set that holds some")
    asked = place(module, device).eval()
    target = torch.device(device)
    with torch.inference_mode():
        batches = torch.split(torch.arange(len(pixels), device=pixels.device), _BATCH)
        answered = torch.cat([asked(gather(pixels, rows).to(target)).float() for rows in batches])
    # A tensor made in inference mode could not take part in a training; a copy made outside of it can.
    return answered.cpu().clone()


def mean_logits(
    modules: Sequence[nn.Module],
    images: Dataset | UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"],
    *,
    device: str = "cpu",
) -> Float[Tensor, "n num_classes"]:
    """Ask several networks for their logits, and give the mean.

    Args:
        modules: at least one network; see `logits`.
        images: as there.
        device: as there.

    Returns:
        32-bit, on the CPU.
    """
    return torch.stack([logits(module, images, device=device) for module in modules]).mean(dim=0)


def _check(name: str, classes: Int[Tensor, " n"] | None, count: int, num_classes: int) -> None:
    if classes is None:
        return
    if len(classes) != count:
        raise PlanError(f"{count} images need as many {name}, got {len(classes)}; nothing was measured")
    low, high = int(classes.min()), int(classes.max())
    if low < 0 or high >= num_classes:
        raise PlanError(
            f"{name} must be from 0 to {num_classes - 1}, as the network answers, got {low} to {high}; nothing was "
            "measured: the network and the images are of different tasks"
        )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _count_pairs(
    given: Int[Tensor, " n"], answers: Int[Tensor, " n"], num_classes: int
) -> Int[Tensor, "num_classes num_classes"]:
    counts = torch.bincount(given * num_classes + answers, minlength=num_classes * num_classes)
    return counts.view(num_classes, num_classes)


def _score_classes(
    by_label: Int[Tensor, "num_classes num_classes"] | None,
    by_decision: Int[Tensor, "num_classes num_classes"] | None,
    num_classes: int,
) -> tuple[ClassScore, ...]:
    scores = []
    for label in range(num_classes):
        images = None if by_label is None else int(by_label[label].sum())
        decided = None if by_decision is None else int(by_decision[label].sum())
        accuracy = None if by_label is None else _share(int(by_label[label, label]), images or 0)
        agreement = None if by_decision is None else _share(int(by_decision[label, label]), decided or 0)
        scores.append(ClassScore(label, images, accuracy, decided, agreement))
    return tuple(scores)


def _calibrate(
    scores: Float[Tensor, "n num_classes"], labels: Int[Tensor, " n"] | None, decisions: Int[Tensor, " n"] | None
) -> Calibration | None:
    right = decisions if labels is None else labels
    if right is None:
        return None
    correct: Bool[Tensor, " n"] = scores.argmax(1) == right
    confidence = scores.double().softmax(1).amax(1)
    position = (confidence * _BINS).ceil().long().sub(1).clamp(0, _BINS - 1)
    images = torch.bincount(position, minlength=_BINS).tolist()
    summed = torch.bincount(position, weights=confidence, minlength=_BINS).tolist()
    hits = torch.bincount(position, weights=correct.double(), minlength=_BINS).tolist()
    bins = tuple(
        CalibrationBin(
            index / _BINS,
            (index + 1) / _BINS,
            images[index],
            summed[index] / images[index] if images[index] else None,
            hits[index] / images[index] if images[index] else None,
        )
        for index in range(_BINS)
    )
    error = sum(abs(total - hit) for total, hit in zip(summed, hits, strict=True)) / len(scores)
    return Calibration(error, "decisions" if labels is None else "labels", bins)
