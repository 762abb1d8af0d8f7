"""Accuracy against queries: every method's student beside its baselines on the same images, over several seeds.

It reads runs that bought their distances already (`db3kd label` or `db3kd run`), so that no comparison costs a query
but the teacher's decisions on held-out images. Called by `db3kd bench frontier`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import stdev

from torch import nn

from db3kd.bench.comparison import baseline_lessons, compare, distance_lessons
from db3kd.data import Dataset
from db3kd.errors import InputError
from db3kd.pipeline.asking import decide
from db3kd.pipeline.labelling import TRANSFER
from db3kd.pipeline.lessons import Lesson, own_lesson
from db3kd.pipeline.reporting import HeldOut
from db3kd.pipeline.story import Budget, Distillation, Progress, SofteningRule, silent
from db3kd.pipeline.supplement import NOTHING, Supplement, kept_supplement
from db3kd.report.schema import StudentFigures
from db3kd.runs import Run
from db3kd.teachers import TorchTeacher
from db3kd.transfer import TransferSet, transfer_from_bytes


@dataclass(frozen=True)
class FrontierRow:
    """One method for one student.

    Args:
        method: what the student learned from.
        student: its architecture.
        images: how many images it saw.
        queries_per_image: what its labels cost.
        seeds: of the trainings.
        accuracy_mean: on the held-out images, after the last epoch, a fraction of 1.
        accuracy_std: sample standard deviation over the seeds; None for a single one.
        agreement_mean: share of the held-out images decided as the teacher does.
        accuracy_by_seed: one for each seed.
    """

    method: str
    student: str
    images: int
    queries_per_image: float
    seeds: tuple[int, ...]
    accuracy_mean: float
    accuracy_std: float | None
    agreement_mean: float
    accuracy_by_seed: tuple[float, ...]


@dataclass(frozen=True)
class FrontierOptions:
    """What the table compares.

    Args:
        seeds: of the trainings, the same for all.
        softenings: rules by which distances become soft labels; a row for each.
        device: where everything runs.
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    softenings: tuple[SofteningRule, ...] = ("inverse", "proportional", "primers")
    device: str = "cpu"


@dataclass(frozen=True, eq=False)
class Bought:
    """What one run has bought.

    Args:
        transfer: images, decisions and distances.
        mixtures: answers on mixtures, and the primers that learned from them; nothing where the run has none.
    """

    transfer: TransferSet
    mixtures: Supplement = NOTHING


@dataclass(frozen=True)
class Frontier:
    """The whole table.

    Args:
        teacher_accuracy: of the teacher on the held-out images.
        rows: methods by student and image set.
    """

    teacher_accuracy: float
    rows: tuple[FrontierRow, ...]


def measure_frontier(
    run: Run,
    bought: Sequence[Bought],
    whitebox: nn.Module,
    held_out: Dataset,
    distillations: Sequence[Distillation],
    *,
    options: FrontierOptions,
    progress: Progress = silent,
) -> Frontier:
    """Train and measure all students.

    Args:
        run: keeps the trained students, so that an interrupted table goes on.
        bought: what runs have bought; those on the same images share their baselines.
        whitebox: the teacher's network, for standard knowledge distillation and the held-out decisions.
        held_out: labelled images that no student saw.
        distillations: one for each student.
        options: seeds, softening rules, device.
        progress: hears the epochs.

    Returns:
        The table.

    Raises:
        InputError: images without labels.

    Cost: one query per held-out image, booked apart.
    """
    images = bought[0].transfer.images
    teacher = TorchTeacher(
        whitebox, input_shape=images.image_shape, num_classes=bought[0].transfer.num_classes, device=options.device
    )
    decisions = decide(run, teacher, held_out, budget=Budget(), stage="held-out", held_out=True, progress=progress)
    measured = HeldOut(held_out, decisions)
    if measured.teacher_accuracy is None or any(one.transfer.images.labels is None for one in bought):
        raise InputError("the frontier compares with true labels, and these images have none; name labelled images")
    rows = [
        _row(figures, distillation.student)
        for group in _by_images(bought)
        for distillation in distillations
        for figures in compare(
            run,
            _lessons(group, whitebox, distillation, options),
            measured,
            distillation,
            seeds=options.seeds,
            device=options.device,
            progress=progress,
        )
    ]
    return Frontier(measured.teacher_accuracy, tuple(rows))


def read_bought(folders: Sequence[Path]) -> tuple[Bought, ...]:
    """Read what runs have bought.

    Args:
        folders: run directories whose labelling is finished.

    Returns:
        It, in this order.

    Raises:
        InputError: a run has no transfer set yet.
        ArtifactError: a file was edited or truncated.
    """
    found = []
    for folder in folders:
        run = Run(folder)
        data = run.get(TRANSFER)
        if data is None:
            raise InputError(f"{folder} holds no {TRANSFER}; nothing was trained: finish its `db3kd label` first")
        transfer = transfer_from_bytes(data, str(folder / TRANSFER))
        primed = "primer_queries" in transfer.provenance
        mixtures = kept_supplement(run, transfer, beside=("mixtures",), primers=True) if primed else NOTHING
        found.append(Bought(transfer, mixtures))
    return tuple(found)


def _lessons(
    group: Sequence[Bought], whitebox: nn.Module, distillation: Distillation, options: FrontierOptions
) -> list[Lesson]:
    """The baselines, the same distances by each rule, and what primers and their mixtures bring."""
    transfers = [one.transfer for one in group]
    found = [*baseline_lessons(transfers[0], whitebox, distillation.softened_by("inverse"))]
    for rule in options.softenings:
        if rule == "primers":
            primed = next((one for one in group if one.mixtures.primers), None)
            found += [] if primed is None else _primed_lessons(primed, distillation, options.device)
        else:
            # The paper's rule needs no further name.
            ending = "" if rule == "inverse" else f"-{rule}"
            taught = distance_lessons(transfers, distillation.softened_by(rule))
            found += [replace(one, name=f"{one.name}{ending}") for one in taught]
    return found


def _primed_lessons(primed: Bought, distillation: Distillation, device: str) -> list[Lesson]:
    """Decisions on mixtures; what primers think of the images, and of the mixtures too."""
    primers, smoothed = distillation.softened_by("primers"), distillation.softened_by("smoothed")
    ways = {
        "mixtures": (replace(smoothed, beside=("mixtures",)), primed.mixtures),
        "primers": (primers, Supplement(primers=primed.mixtures.primers)),
        "primers-and-mixtures": (replace(primers, beside=("mixtures",)), primed.mixtures),
    }
    return [
        own_lesson(name, primed.transfer, way, supplement, device=device) for name, (way, supplement) in ways.items()
    ]


def _by_images(bought: Sequence[Bought]) -> Sequence[Sequence[Bought]]:
    groups: Mapping[str, list[Bought]] = {one.transfer.images.digest: [] for one in bought}
    for one in bought:
        groups[one.transfer.images.digest].append(one)
    return list(groups.values())


def _row(figures: StudentFigures, student: str) -> FrontierRow:
    assert figures.accuracy is not None
    assert figures.agreement is not None
    assert figures.images
    by_seed = figures.accuracy_by_seed
    return FrontierRow(
        method=figures.name,
        student=student,
        images=figures.images,
        queries_per_image=(figures.queries or 0) / figures.images,
        seeds=figures.seeds,
        accuracy_mean=figures.accuracy,
        accuracy_std=stdev(by_seed) if len(by_seed) > 1 else None,
        agreement_mean=figures.agreement,
        accuracy_by_seed=by_seed,
    )
