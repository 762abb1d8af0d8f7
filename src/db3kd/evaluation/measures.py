"""Accuracy, agreement with the teacher, per class, and calibration of a network on any images.

Nothing here asks a teacher: the decisions come in as a tensor, and whoever bought them booked them on the held-out
account. Called by the pipeline, by `db3kd evaluate` and by benchmarks.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn

from db3kd.data import Dataset
from db3kd.errors import PlanError
from db3kd.evaluation.figures import Calibration, CalibrationBin, ClassScore, Evaluation
from db3kd.models.placement import gather, one_thread, place
from db3kd.tensors import Bool, Float, Int, Pixels, Tensor

# Twice as fast as 512 and more for the paper's networks on a CPU; a GPU is not kept busy by it, and need not be.
BATCH = 128

_BINS = 15

Images = Dataset | Pixels


def evaluate(
    module: nn.Module,
    images: Images,
    *,
    decisions: Int[Tensor, " n"] | None = None,
    labels: Int[Tensor, " n"] | None = None,
    device: str = "cpu",
) -> Evaluation:
    """Measure a network on images that it was not trained on.

    Args:
        module: maps images to logits; left as it is.
        images: 0 to 255 where 8-bit, else in [0, 1]; at least one.
        decisions: the teacher's class of each image, bought by the caller.
        labels: the true class of each image; they are not taken from a `Dataset` by themselves.
        device: where it runs.

    Returns:
        Fractions of 1 and counts.

    Raises:
        PlanError: there is no image, or a class is none of the network's.
    """
    scores = logits(module, images, device=device)
    count, num_classes = scores.shape
    by_label, by_decision = _count_pairs("labels", labels, scores), _count_pairs("decisions", decisions, scores)
    return Evaluation(
        images=count,
        accuracy=None if by_label is None else int(by_label.trace()) / count,
        agreement=None if by_decision is None else int(by_decision.trace()) / count,
        classes=tuple(
            ClassScore(label, *_score(by_label, label), *_score(by_decision, label)) for label in range(num_classes)
        ),
        confusion=None if by_decision is None else tuple(tuple(row) for row in by_decision.tolist()),
        calibration=_calibrate(scores, labels, decisions),
    )


def predict(module: nn.Module, images: Images, *, device: str = "cpu") -> Int[Tensor, " n"]:
    """Decide as the network would: the class of the highest logit, the lowest such class where logits tie."""
    return logits(module, images, device=device).argmax(1)


def predict_together(modules: Sequence[nn.Module], images: Images, *, device: str = "cpu") -> Int[Tensor, " n"]:
    """Decide as networks would together: the class of the highest mean logit; see `predict`."""
    return mean_logits(modules, images, device=device).argmax(1)


def logits(
    module: nn.Module, images: Images, *, rows: Int[Tensor, " b"] | None = None, device: str = "cpu"
) -> Float[Tensor, "b num_classes"]:
    """Ask a network for its logits of some images, or of all, in eval mode: 32-bit, on the CPU; it is left as it is.

    On a CPU, as many threads as torch may use look at batches of their own, whatever else the machine does; their
    number changes no bit.
    """
    pixels = images.pixels if isinstance(images, Dataset) else images
    rows = torch.arange(len(pixels)) if rows is None else rows
    if not len(rows):
        raise PlanError("a network cannot be asked about no images; nothing was computed: name a set that holds some")
    batches = -(-len(rows) // BATCH)
    crew = min(batches, torch.get_num_threads()) if torch.device(device).type == "cpu" else 1
    if crew == 1:
        return _ask(module, pixels, rows, device)
    shares = rows.split(-(-batches // crew) * BATCH)
    with one_thread(), ThreadPoolExecutor(crew, initializer=torch.set_num_threads, initargs=(1,)) as threads:
        return torch.cat(list(threads.map(lambda share: _ask(module, pixels, share, device), shares)))


def _ask(module: nn.Module, pixels: Pixels, rows: Int[Tensor, " b"], device: str) -> Float[Tensor, "b num_classes"]:
    # A copy of one's own: what a module notes in itself is nobody else's.
    asked, target = place(module, device).eval(), torch.device(device)
    first = _logits_of(asked, pixels, rows[:BATCH], target)
    # In one piece: small tensors that stay, between large ones that go, would leave memory in splinters.
    said = torch.empty(len(rows), *first.shape[1:])
    said[: len(first)] = first
    for start in range(BATCH, len(rows), BATCH):
        said[start : start + BATCH] = _logits_of(asked, pixels, rows[start : start + BATCH], target)
    return said


def _logits_of(
    module: nn.Module, pixels: Pixels, rows: Int[Tensor, " b"], device: torch.device
) -> Float[Tensor, "b num_classes"]:
    with torch.inference_mode():
        said: Tensor = module(gather(pixels, rows).to(device))
    return said.float().cpu()


def scores(
    modules: Sequence[nn.Module], images: Images, *, rows: Int[Tensor, " b"] | None = None, device: str = "cpu"
) -> Float[Tensor, "k b num_classes"]:
    """Ask one network or more for their logits; see `logits`."""
    return torch.stack([logits(module, images, rows=rows, device=device) for module in modules])


def mean_logits(modules: Sequence[nn.Module], images: Images, *, device: str = "cpu") -> Float[Tensor, "n num_classes"]:
    """Ask one network or more for their logits, and give the mean; see `logits`."""
    return scores(modules, images, device=device).mean(dim=0)


def _count_pairs(
    name: str, given: Int[Tensor, " m"] | None, scores: Float[Tensor, "n num_classes"]
) -> Int[Tensor, "num_classes num_classes"] | None:
    """Count images by the class that was given (row) and the network's (column)."""
    if given is None:
        return None
    count, num_classes = scores.shape
    if len(given) != count:
        raise PlanError(f"{count} images need as many {name}, got {len(given)}; nothing was measured")
    low, high = int(given.min()), int(given.max())
    if low < 0 or high >= num_classes:
        raise PlanError(
            f"{name} must be from 0 to {num_classes - 1}, as the network answers, got {low} to {high}; nothing was "
            "measured: the network and the images are of different tasks"
        )
    counts = torch.bincount(given.cpu().long() * num_classes + scores.argmax(1), minlength=num_classes * num_classes)
    return counts.view(num_classes, num_classes)


def _score(pairs: Int[Tensor, "num_classes num_classes"] | None, label: int) -> tuple[int | None, float | None]:
    """How many images have this class, and the share of them that was answered with it."""
    if pairs is None:
        return None, None
    count = int(pairs[label].sum())
    return count, int(pairs[label, label]) / count if count else None


def _calibrate(
    scores: Float[Tensor, "n num_classes"], labels: Int[Tensor, " n"] | None, decisions: Int[Tensor, " n"] | None
) -> Calibration | None:
    right = decisions if labels is None else labels
    if right is None:
        return None
    correct: Bool[Tensor, " n"] = scores.argmax(1) == right.cpu()
    confidence = scores.double().softmax(1).amax(1)
    position = (confidence * _BINS).ceil().long().sub(1).clamp(0, _BINS - 1)
    images = torch.bincount(position, minlength=_BINS).tolist()
    summed = torch.bincount(position, weights=confidence, minlength=_BINS).tolist()
    hits = torch.bincount(position, weights=correct.double(), minlength=_BINS).tolist()
    bins = tuple(
        CalibrationBin(
            index / _BINS, (index + 1) / _BINS, count, total / count if count else None, hit / count if count else None
        )
        for index, (count, total, hit) in enumerate(zip(images, summed, hits, strict=True))
    )
    error = sum(abs(total - hit) for total, hit in zip(summed, hits, strict=True)) / len(scores)
    return Calibration(error, "decisions" if labels is None else "labels", bins)
