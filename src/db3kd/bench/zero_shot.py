"""How good students are that never saw an image, at a number of calls: methods without data, side by side.

The rounds and the priors are ours (`pipeline.exploring`), the others are what they are compared with (`baselines`).
Every call to the teacher is counted by the ledger; the held-out decisions are booked apart. Called by
`db3kd bench zero-shot`.
"""

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import nn

from db3kd.bench.baselines import BaselineMethod, buy, student_name, teach
from db3kd.bench.figures import json_of
from db3kd.data import Dataset
from db3kd.evaluation import evaluate, never_decided
from db3kd.pipeline.asking import decide
from db3kd.pipeline.dataless import plan_exploring
from db3kd.pipeline.exploring import DatalessMethod, explore
from db3kd.pipeline.imitating import Imitation, candidates_for, epochs_for, imitate_together, imitation_recipe
from db3kd.pipeline.story import Budget, Progress, silent
from db3kd.pipeline.trusting import write_trust
from db3kd.runs import Run
from db3kd.teachers import Teacher
from db3kd.tensors import Float, Tensor, UInt8

ZeroShotMethod = DatalessMethod | BaselineMethod

_FORMAT = 1


@dataclass(frozen=True)
class ZeroShotStudent:
    """One student.

    Args:
        name: its architecture.
        accuracy: on the test images, after the last epoch, a fraction of 1; None where they have no labels.
        agreement: share of the test images that it decides as the teacher does.
    """

    name: str
    accuracy: float | None
    agreement: float | None


@dataclass(frozen=True)
class ZeroShot:
    """What a method made of a number of calls.

    Args:
        teacher: its name.
        held_out: name of the data set that students were measured on.
        method: how images were made and chosen.
        seed: of all choices.
        epochs: of each student, each as long as one of the rounds' students.
        device: where networks were trained and asked.
        planned: calls that were to be made.
        calls: images that the teacher was asked about, as the ledger has them: what an interruption lost in flight is
            among them.
        unique_images: how many of the images that are learnt from differ; the probes of a search are not among them.
        students: trained on what the calls brought.
        class_histogram: the teacher's answers by class, for the same images.
        never_decided: the classes that it never gave there; no student knows them.
        seconds: wall time, evaluation included.
        peak_memory_bytes: the most memory that this process has held.
        format: version of this file's form.
    """

    teacher: str
    held_out: str
    method: ZeroShotMethod
    seed: int
    epochs: int
    device: str
    planned: int
    calls: int
    unique_images: int
    students: tuple[ZeroShotStudent, ...]
    class_histogram: tuple[int, ...]
    never_decided: tuple[int, ...]
    seconds: float
    peak_memory_bytes: int
    format: int = _FORMAT

    def to_json(self) -> bytes:
        """Turn all figures into the bytes of a JSON file."""
        return json_of(asdict(self))


def measure_zero_shot(  # noqa: PLR0913  # what is measured stands in the call; the rest is keyword-only
    run: Run,
    teacher: Teacher,
    held_out: Dataset,
    *,
    calls: int,
    method: ZeroShotMethod,
    students: Sequence[str],
    teacher_name: str = "",
    epochs: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = silent,
) -> ZeroShot:
    """Explore a teacher, train the students, and measure them on images that nobody saw.

    Args:
        run: keeps all of it, so that an interrupted measurement goes on.
        teacher: decides.
        held_out: the test images.
        calls: to be answered; an interruption loses some beside.
        method: how images are made and chosen.
        students: architectures; the first one's is taken for primers where images are too small for LeNet5.
        teacher_name: how the figures call it.
        epochs: of each student; None for what suits the number of calls.
        seed: of all choices.
        device: where networks are trained and asked.
        progress: hears how far it is.

    Returns:
        The figures.

    Cost: `calls` queries at most, and what an interruption lost in flight; one for each held-out image, booked apart.
    """
    started = time.perf_counter()
    taught = _Taught(calls, students, epochs or epochs_for(calls), seed, device)
    if method == "active" or method == "priors":  # `in` would not tell mypy which of the methods are left
        asked, networks = _rounds(run, teacher, method, taught, progress=progress)
    else:
        asked, networks = _baseline(run, teacher, method, taught, progress=progress)
    decisions = decide(run, teacher, held_out, budget=Budget(), stage="held-out", held_out=True, progress=progress)
    measured: list[ZeroShotStudent] = []
    for architecture, student in networks.items():
        figures = evaluate(student, held_out, decisions=decisions, labels=held_out.labels, device=device)
        measured.append(ZeroShotStudent(architecture, figures.accuracy, figures.agreement))
    return ZeroShot(
        teacher=teacher_name,
        held_out=held_out.name,
        method=method,
        seed=seed,
        epochs=taught.epochs,
        device=device,
        planned=calls,
        calls=run.statement().total,
        unique_images=asked.unique_images,
        students=tuple(measured),
        class_histogram=asked.class_histogram,
        never_decided=never_decided(torch.tensor(asked.class_histogram)),
        seconds=time.perf_counter() - started,
        peak_memory_bytes=_peak_memory(),
    )


class _Asked(NamedTuple):
    """What a method asked, in two figures."""

    unique_images: int
    class_histogram: tuple[int, ...]


class _Taught(NamedTuple):
    """What all methods have in common: what may be asked, and who learns for how long."""

    calls: int
    students: Sequence[str]
    epochs: int
    seed: int
    device: str


def _rounds(
    run: Run, teacher: Teacher, method: DatalessMethod, taught: _Taught, *, progress: Progress
) -> tuple[_Asked, dict[str, nn.Module]]:
    """Explore, and let students imitate the ensemble."""
    calls, students, epochs, seed, device = taught
    exploring = plan_exploring(teacher.spec, students[0], queries=calls, method=method, seed=seed, device=device)
    run.adopt({"zero-shot": {"exploring": repr(exploring), "epochs": epochs, "students": ",".join(students)}})
    run.adopt_teacher(teacher.spec.fingerprint)
    # The rounds bound what is asked. What a kill lost in flight is counted, and must not end a measurement.
    explored = explore(run, teacher, exploring, budget=Budget(), progress=progress)
    imitation = Imitation(students[0], imitation_recipe(epochs), candidates_for(calls), seed=seed, device=device)
    named = {student_name(architecture): architecture for architecture in students}
    trained = imitate_together(run, named, explored, imitation, progress=progress)
    networks = {architecture: trained[name] for name, architecture in named.items()}
    write_trust(run, explored, networks[students[0]], device=device)
    histogram = tuple(explored.answers.histogram().tolist())
    return _Asked(_count_unique(explored.answers.questions.pixels), histogram), networks


def _baseline(
    run: Run, teacher: Teacher, method: BaselineMethod, taught: _Taught, *, progress: Progress
) -> tuple[_Asked, dict[str, nn.Module]]:
    """Ask as another method does, and teach students what came back."""
    calls, students, epochs, seed, device = taught
    about = {"method": method, "calls": calls, "seed": seed, "epochs": epochs, "students": ",".join(students)}
    run.adopt({"zero-shot": about})
    run.adopt_teacher(teacher.spec.fingerprint)
    primer = plan_exploring(teacher.spec, students[0], queries=calls, method="priors").architecture
    bought = buy(run, teacher, method, calls, architecture=primer, seed=seed, device=device, progress=progress)
    networks = teach(
        run, bought, students, architecture=primer, epochs=epochs, seed=seed, device=device, progress=progress
    )
    histogram = torch.bincount(bought.decisions, minlength=teacher.spec.num_classes)
    return _Asked(_count_unique(bought.images.pixels), tuple(histogram.tolist())), networks


def _count_unique(pixels: UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"]) -> int:
    return len(torch.unique(pixels.flatten(1), dim=0))


def _peak_memory() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak if sys.platform == "darwin" else 1024 * peak
