"""The main job on real digits in a few minutes: the paper's methods beside what they have to beat.

A LeNet5 is trained on 4,000 MNIST digits, hidden behind its decisions, and distilled into LeNet5-half by students that
see the same few hundred images. All figures are computed, whatever they are. Called by `db3kd demo`.
"""

from dataclasses import dataclass, replace
from typing import cast

from pydantic import JsonValue
from torch import nn

from db3kd import __version__
from db3kd.bench.comparison import baseline_lessons, compare, distance_lessons
from db3kd.boundary.methods import BoundaryDistance, GuidedDistance, MinimalBoundaryDistance, SampleDistance
from db3kd.data import Dataset, load
from db3kd.execution import Labelling
from db3kd.ledger import Statement
from db3kd.models import parameter_count
from db3kd.pipeline.asking import decide
from db3kd.pipeline.labelling import label
from db3kd.pipeline.lessons import Lesson
from db3kd.pipeline.reporting import HeldOut, account_of, describe_labelling, describe_primers
from db3kd.pipeline.story import Budget, Distillation, Priming, Progress, silent
from db3kd.pipeline.students import train
from db3kd.pipeline.telling import REPORT, write_report
from db3kd.pipeline.timing import spent_seconds, timed
from db3kd.report.schema import Report, StudentFigures, TeacherFigures, from_json
from db3kd.runs import Run
from db3kd.teachers import TorchTeacher
from db3kd.training import Objective, Recipe
from db3kd.transfer import TransferSet

_SOURCE = "mnist-5k"
_TEACHER = "lenet5"
_STUDENT = "lenet5-half"


@dataclass(frozen=True)
class DemoOptions:
    """How large the demo is; the defaults take about three minutes on two cores.

    Args:
        images: what each student sees.
        queries_per_pair: of the minimal boundary distance.
        guided_queries_per_pair: of the guided search.
        primers: networks that guide it.
        mixtures_per_image: what these learn from beside the images.
        teacher_epochs: passes of the teacher over the 4,000 digits.
        student_epochs: passes of each student over its images.
        seeds: trainings of each student.
        seed: of the teacher and of the draw of the images.
        device: where everything runs.
    """

    images: int = 300
    queries_per_pair: int = 500
    guided_queries_per_pair: int = 50
    primers: int = 2
    mixtures_per_image: float = 5.0
    teacher_epochs: int = 20
    student_epochs: int = 100
    seeds: tuple[int, ...] = (0, 1, 2)
    seed: int = 0
    device: str = "cpu"


def demonstrate(run: Run, options: DemoOptions, *, progress: Progress = silent) -> Report:
    """Train a teacher, buy distances by each method, train the students, and report.

    Args:
        run: keeps everything; an interrupted demo goes on, and a finished one is only read.
        options: how large it is.
        progress: hears how far it is.

    Returns:
        The report; it is in the run as `report.json` and, with the extra `report`, as `report.html`.

    Raises:
        DataError: the extra `demo`, which holds the digits, is not installed.
        RunMismatch: the run was made with other options.

    Cost: for each method one query an image and its searches; see the report.
    """
    run.adopt({"demo": {**vars(options), "seeds": list(options.seeds)}})
    kept = run.get(REPORT)
    if kept is not None:
        return from_json(kept.decode())
    with timed(run):
        digits, test = load(_SOURCE, "train"), load(_SOURCE, "test")
        network = _train_teacher(run, digits, options, progress)
        teacher = TorchTeacher(
            network, input_shape=digits.image_shape, num_classes=len(digits.class_names), device=options.device
        )
        bought = _buy_all(run, teacher, options, progress)
        decisions = decide(run, teacher, test, budget=Budget(), stage="held-out", held_out=True, progress=progress)
        students = _students(run, network, bought, digits, HeldOut(test, decisions), options=options, progress=progress)
        with Run(run.folder / bought[-1].transfer.provenance["method"]) as shards:
            primers = describe_primers(shards, bought[-1].transfer, HeldOut(test, decisions), device=options.device)
    report = Report(
        title=f"Demo: {_STUDENT} from the decisions of a LeNet5 on MNIST digits",
        db3kd_version=__version__,
        teacher=TeacherFigures(
            accuracy=HeldOut(test, decisions).teacher_accuracy, parameters=parameter_count(network), name=_TEACHER
        ),
        students=students,
        queries=account_of(_joined(bought, run.statement())),
        seconds=spent_seconds(run),
        class_names=digits.class_names,
        primers=primers,
        labellings=tuple(describe_labelling(one.transfer) for one in bought),
        settings=cast("dict[str, JsonValue]", run.plan() or {}),
        notes=(
            f"All students but the last saw the same {options.images} of {len(digits):,} digits, "
            f"with {len(options.seeds)} seeds; accuracy and agreement are after the last epoch, on {len(test):,} "
            "held-out digits.",
            "The row with the teacher's logits is what a white box would give; this library sees decisions only.",
        ),
    )
    with Run(run.folder / bought[-1].transfer.provenance["method"]) as shards:
        write_report(run, report, bought[-1].transfer, shards=shards)
    return report


@dataclass(frozen=True)
class _Bought:
    """What one method brought, and what it spent."""

    transfer: TransferSet
    statement: Statement


def _train_teacher(run: Run, digits: Dataset, options: DemoOptions, progress: Progress) -> nn.Module:
    return train(
        run,
        "teacher",
        digits,
        Objective(labels=digits.labels),
        architecture=_TEACHER,
        recipe=Recipe("adam", 1e-3, epochs=options.teacher_epochs, batch_size=128),
        seed=options.seed,
        device=options.device,
        progress=progress,
    )


def _buy_all(run: Run, teacher: TorchTeacher, options: DemoOptions, progress: Progress) -> list[_Bought]:
    """Buy distances by each method in a run of its own, so that each pays all that it needs."""
    images = load(_SOURCE, "train", limit=options.images, seed=options.seed)
    boundary, minimal = BoundaryDistance(), MinimalBoundaryDistance(seed=options.seed)
    guided = GuidedDistance(seed=options.seed)
    # Far fewer images than the default is made for: each of them needs more mixtures.
    priming = Priming(networks=options.primers, mixtures_per_image=options.mixtures_per_image, seed=options.seed)
    bought = []
    for method, queries in (
        (SampleDistance(), 0),
        (boundary, boundary.most_queries),
        (minimal, options.queries_per_pair),
        (guided, options.guided_queries_per_pair),
    ):
        labelling = Labelling(method, queries, seed=options.seed, device=options.device)
        with Run(run.folder / method.name) as own:
            own.adopt_teacher(teacher.spec.fingerprint)
            transfer = label(
                own,
                teacher,
                images,
                labelling,
                budget=Budget(),
                priming=priming if method is guided else None,
                progress=progress,
            )
            bought.append(_Bought(transfer, own.statement()))
    return bought


def _students(
    run: Run,
    network: nn.Module,
    bought: list[_Bought],
    digits: Dataset,
    held_out: HeldOut,
    *,
    options: DemoOptions,
    progress: Progress,
) -> tuple[StudentFigures, ...]:
    """The table: baselines, methods, and what true labels on all digits give."""
    recipe = Recipe("adam", 1e-3, epochs=options.student_epochs, batch_size=32)
    distillation = Distillation(_STUDENT, recipe, classes="true")
    paper = distillation.softened_by("inverse")
    lessons = [
        *baseline_lessons(bought[0].transfer, network, paper),
        *distance_lessons([one.transfer for one in bought[:-1]], paper),
        # The last one is ours, and so is its rule.
        *distance_lessons([bought[-1].transfer], distillation.softened_by("proportional")),
    ]
    # As long as the teacher, whose images these are.
    everything = replace(distillation, recipe=replace(recipe, epochs=options.teacher_epochs))
    return tuple(
        row
        for some, learning in ((lessons, distillation), ([_all_labels(digits)], everything))
        for row in compare(run, some, held_out, learning, seeds=options.seeds, device=options.device, progress=progress)
    )


def _all_labels(digits: Dataset) -> Lesson:
    label = f"true labels of all {len(digits):,} images"
    return Lesson("true-labels-all", digits, Objective(labels=digits.labels), 0, label=label)


def _joined(bought: list[_Bought], own: Statement) -> Statement:
    """The accounts of all methods together."""
    by_stage = {
        f"{one.transfer.provenance['method']}: {stage}": rows
        for one in bought
        for stage, rows in one.statement.by_stage.items()
    }
    unsettled = sum(one.statement.unsettled for one in bought)
    return Statement(by_stage, sum(by_stage.values()), own.held_out, unsettled)
