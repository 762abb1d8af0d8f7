"""The last stage: students measured on held-out images, and all figures gathered for the report.

The teacher's decisions on held-out images are booked apart: evaluation never spends the budget. Called by
`db3kd.pipeline.tell` and by benchmarks.
"""

from dataclasses import dataclass
from statistics import fmean
from typing import cast

import torch
from torch import nn

from db3kd.boundary import Outcome
from db3kd.data import Dataset
from db3kd.evaluation import Evaluation, evaluate
from db3kd.ledger import Statement
from db3kd.models import parameter_count
from db3kd.pipeline.labelling import read_shard
from db3kd.pipeline.priming import closeness, kept_primers
from db3kd.pipeline.repeating import Repeats
from db3kd.report.examples import Example
from db3kd.report.schema import Calibration, CalibrationBin, Queries, StudentFigures
from db3kd.report.searches import Labelling, OutcomeCount, OutcomeName, Primers
from db3kd.report.summary import summarise
from db3kd.runs import Run
from db3kd.teachers import TeacherSpec
from db3kd.tensors import Float, Int, Tensor
from db3kd.transfer import TransferSet

_SHOWN = 8


@dataclass(frozen=True)
class HeldOut:
    """What students are measured on.

    Args:
        images: images that no student was trained on.
        decisions: the teacher's class of each of them.
    """

    images: Dataset
    decisions: Int[Tensor, " n"]

    @property
    def teacher_accuracy(self) -> float | None:
        """The share that the teacher decides as labelled; None without labels."""
        if self.images.labels is None:
            return None
        return (self.decisions == self.images.labels).double().mean().item()


def decided(images: Dataset, decisions: Int[Tensor, " n"], spec: TeacherSpec) -> HeldOut:
    """Keep the held-out images that the teacher gave a class: there is nothing to agree with on the others.

    Args:
        images: the images.
        decisions: what the teacher said of each.
        spec: of the teacher.

    Returns:
        What students are measured on.
    """
    rows = (decisions < spec.num_classes).nonzero()[:, 0]
    return HeldOut(images if len(rows) == len(images) else images.subset(rows), decisions[rows])


def measure(
    name: str,
    student: nn.Module,
    held_out: HeldOut | None,
    *,
    queries: int,
    images: int,
    seed: int,
    device: str = "cpu",
) -> StudentFigures:
    """Measure a student for the report.

    Args:
        name: what it learned from.
        student: the trained network.
        held_out: what it is measured on; without, only its size is known.
        queries: what its labels cost.
        images: number of images it was trained on.
        seed: of its training.
        device: where it runs.

    Returns:
        Its figures.

    Cost: none.
    """
    figures = StudentFigures(
        name=name, queries=queries, parameters=parameter_count(student), images=images, seeds=(seed,)
    )
    if held_out is None:
        return figures
    found = evaluate(
        student, held_out.images, decisions=held_out.decisions, labels=held_out.images.labels, device=device
    )
    per_class = tuple(score.accuracy for score in found.classes) if held_out.images.labels is not None else ()
    return figures.model_copy(
        update={
            "accuracy": found.accuracy,
            "agreement": found.agreement,
            "per_class": per_class,
            "calibration": _calibration(found),
        }
    )


def describe_labelling(transfer: TransferSet) -> Labelling:
    """Condense what was bought for the report."""
    counts = torch.bincount(transfer.outcomes[transfer.outcomes >= 0], minlength=len(Outcome))
    outcomes: dict[OutcomeName, OutcomeCount] = {
        cast("OutcomeName", outcome.name): OutcomeCount(pairs=int(counts[outcome]), sentence=outcome.sentence)
        for outcome in Outcome
    }
    return summarise(
        transfer.provenance["method"], transfer.distances, transfer.queries, transfer.decisions, outcomes=outcomes
    )


def account_of(statement: Statement, repeats: Repeats | None = None) -> Queries:
    """Bring the ledger's statement into the report's form, with what came of asking twice."""
    return Queries(
        total=statement.total,
        by_stage=statement.by_stage,
        held_out=statement.held_out,
        unsettled=statement.unsettled,
        repeated=None if repeats is None else repeats.asked,
        changed=0 if repeats is None else repeats.changed,
    )


def examples(run: Run, transfer: TransferSet) -> list[Example]:
    """Pick the nearest crossings of the first images, to look at.

    Args:
        run: whose first shard kept them.
        transfer: says how far and how dear they were.

    Returns:
        Examples; none where nothing was found, or where the transfer set came from another run.
    """
    if 0 not in run.shards.finished():
        return []
    points = read_shard(run, 0)[0].get("example_points")
    if points is None:
        return []
    names = transfer.images.class_names or tuple(str(number) for number in range(transfer.num_classes))
    nearest = transfer.distances[: len(points)].min(dim=1)
    return [
        Example(
            image=transfer.images.images(slice(row, row + 1))[0],
            crossing=points[row],
            own=names[int(transfer.decisions[row])],
            target=names[int(nearest.indices[row])],
            distance=float(nearest.values[row]),
            queries=int(transfer.queries[row, nearest.indices[row]]),
        )
        for row in range(min(_SHOWN, len(points)))
        if bool(points[row].isfinite().all())
    ]


def describe_primers(
    run: Run, transfer: TransferSet, held_out: HeldOut | None, *, device: str = "cpu"
) -> Primers | None:
    """Measure the primers that guided a search.

    Args:
        run: where they and the shards are.
        transfer: what was bought with them.
        held_out: what they are measured on, if there is anything.
        device: where they run.

    Returns:
        Their figures; None where there were none.

    Cost: none.
    """
    primers, architecture = kept_primers(run)
    if not primers:
        return None
    measured = [measure("primer", one, held_out, queries=0, images=0, seed=0, device=device) for one in primers]
    shards = [read_shard(run, index) for index in sorted(run.shards.finished())]
    headers = [header for _, header in shards if "primer_passes" in header]
    return Primers(
        architecture=architecture,
        networks=len(primers),
        queries=int(transfer.provenance.get("primer_queries", 0)),
        accuracy=_mean([one.accuracy for one in measured]),
        agreement=_mean([one.agreement for one in measured]),
        cosine=_cosine(primers, transfer, shards[0][0].get("example_points")) if shards else None,
        passes=sum(int(header["primer_passes"]) for header in headers),
        seconds=sum(float(header["primer_seconds"]) for header in headers),
    )


def _cosine(
    primers: tuple[nn.Module, ...], transfer: TransferSet, points: Float[Tensor, "e c h w"] | None
) -> float | None:
    """How well primers know the normal at the nearest crossings of the first images."""
    if points is None:
        return None
    found = points.flatten(1).isfinite().all(dim=1) & (transfer.distances[: len(points)].amin(dim=1) > 0)
    rows = found.nonzero()[:, 0]
    if not len(rows):
        return None
    nearest = transfer.distances[rows].argmin(dim=1)
    return closeness(primers, transfer.images.images(rows), points[rows], nearest)


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _calibration(found: Evaluation) -> Calibration | None:
    if found.calibration is None:
        return None
    bins = tuple(
        CalibrationBin(
            lower=one.lower, upper=one.upper, images=one.images, confidence=one.confidence, correct=one.correct
        )
        for one in found.calibration.bins
    )
    return Calibration(expected_calibration_error=found.calibration.error, against=found.calibration.against, bins=bins)
