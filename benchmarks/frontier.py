"""Accuracy against questions: our way beside what it has to beat, on the same pool, teacher, students and questions.

`benchmarks.extraction` has the public rivals, `benchmarks.figure` draws the figures of its files.

Each measurement is a run of its own and asks anew, so that every query is counted; interrupted, it goes on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, final

import torch
import typer

from benchmarks import command
from benchmarks.environment import rivals_python
from benchmarks.extraction import RIVALS, Extract
from db3kd.acquisition import Disagreement, Margin, Random, Rounds
from db3kd.context import Context
from db3kd.data import Dataset, load
from db3kd.data.dataset import as_bytes
from db3kd.errors import InputError
from db3kd.evaluation import evaluate
from db3kd.pipeline.ask_all import ask_held_out
from db3kd.pipeline.asking import as_seen
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.settling import Wishes, settle
from db3kd.pipeline.story import FixedLesson, Student
from db3kd.pipeline.tell import buy, own_name, teach_students
from db3kd.runs import Keeper, Run, timed
from db3kd.runs.seconds import spent_seconds
from db3kd.teachers import Teacher, TeacherSpec
from db3kd.tensors import Float, Int, Tensor

TRUE_LABELS = "true-labels"
METHODS: Mapping[str, Mapping[str, object]] = {
    "default": {},
    "random": {"acquisition": Random()},
    "margin": {"acquisition": Margin()},
    "disagreement": {"acquisition": Disagreement()},
    "margin-supervised": {"acquisition": Margin(), "lesson": FixedLesson(), "changes": {"committee": {"unasked": 0}}},
    "random-supervised": {"changes": {"committee": {"members": 0}}},
    # The labels of the images in the teacher's place; nothing is known of transformed ones.
    TRUE_LABELS: {"rounds": replace(Rounds.of_pool(), views=0.0)},
}
_NAMES = (*METHODS, *RIVALS)


@dataclass(frozen=True)
class FrontierRow:
    """One student of one measurement.

    Args:
        method: a name of `METHODS` or `RIVALS`.
        student: its architecture.
        questions: that were charged.
        seed: of the whole run.
        accuracy: on the held-out images after the last epoch, a fraction of 1.
        agreement: share of them that it decides as the teacher does.
        seconds: of asking and committee, and of this student.
    """

    method: str
    student: str
    questions: int
    seed: int
    accuracy: float | None
    agreement: float | None
    seconds: float


@final
class Labels:
    """Gives the true label of each image of a data set, as if it were a teacher."""

    def __init__(self, images: Dataset, spec: TeacherSpec) -> None:
        assert images.labels is not None, "asked for labelled images"
        self.spec = replace(spec, fingerprint=f"labels of {images.digest}")
        pixels = as_bytes(images.images()).flatten(1).numpy()
        self._known = {row.tobytes(): label for row, label in zip(pixels, images.labels.tolist(), strict=True)}

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        """Look the labels up."""
        rows = as_bytes(images).flatten(1).numpy()
        return torch.tensor([self._known[row.tobytes()] for row in rows])


def measure_frontier(
    folder: Path,
    teacher: Teacher,
    images: Dataset,
    held_out: Dataset,
    students: Sequence[str],
    *,
    method: str,
    questions: int,
    context: Context,
) -> Iterator[FrontierRow]:
    """Ask so many questions by a method, and train and measure each student.

    Args:
        folder: of the runs.
        teacher: decides.
        images: the pool.
        held_out: labelled images that no student sees.
        students: architectures.
        method: a name of `METHODS` or `RIVALS`.
        questions: the budget; a rival spends it for each student.
        context: where, and the seed.

    Yields:
        A row for each student.

    Cost: `questions` at most, and one query for each held-out image, booked outside the budget.
    """
    place = folder / f"{method}-{questions}-seed{context.seed}"
    if method in RIVALS:
        for architecture in students:
            wanted = Extract(method, teacher, as_seen(images, teacher.spec), architecture, questions, context.seed)
            yield _measure_rival(place / architecture.replace(":", "."), wanted, held_out, context)
        return
    deciding = Labels(as_seen(images, teacher.spec), teacher.spec) if method == TRUE_LABELS else teacher
    wishes = Wishes(students[0], images, baselines=(), budget=Budget(questions), **METHODS[method])  # type: ignore[arg-type]  # a method's own
    story = settle(wishes, deciding)
    with Run(place) as run:
        keeper = Keeper(run, context)
        with timed(run):
            purchase = buy(story, keeper)
        decisions = keeper.perform(ask_held_out(teacher, held_out)).decisions
        spent, seconds = run.statement().total, spent_seconds(run)
    for architecture in students:
        with Run(place / architecture.replace(":", ".")) as run:
            keeper = Keeper(run, context)
            taught = replace(story, student=Student(architecture))
            with timed(run):
                network = teach_students(taught, keeper, purchase.bought, purchase.planned)[own_name(taught)]
            found = evaluate(network, held_out, decisions=decisions, labels=held_out.labels, device=context.device)
            took = seconds + spent_seconds(run)
        yield FrontierRow(method, architecture, spent, context.seed, found.accuracy, found.agreement, took)


def _measure_rival(place: Path, wanted: Extract, held_out: Dataset, context: Context) -> FrontierRow:
    with Run(place) as run:
        keeper = Keeper(run, context)
        with timed(run):
            network = keeper.perform(wanted)
        spent, seconds = run.statement().total, spent_seconds(run)
        decisions = keeper.perform(ask_held_out(wanted.teacher, held_out)).decisions
        found = evaluate(network, held_out, decisions=decisions, labels=held_out.labels, device=context.device)
    known = (wanted.rival, wanted.architecture, spent, context.seed)
    return FrontierRow(*known, found.accuracy, found.agreement, seconds)


def frontier(
    *,
    teacher: Annotated[str, typer.Option(help="The teacher, as in `db3kd distill --teacher`.")],
    images: Annotated[str, typer.Option(help="The pool: the training split of this source.")],
    folder: Annotated[Path, typer.Option("--run", help="Directory that remembers all of it; run again to go on.")],
    questions: Annotated[str, typer.Option(help="Budgets.")] = "300,1000,3000,10000",
    methods: Annotated[str, typer.Option(help=f"Of {', '.join(_NAMES)}.")] = "default,random,random-supervised",
    students: Annotated[str, typer.Option(help="Architectures.")] = "lenet5-half,lenet5",
    seeds: Annotated[str, typer.Option(help="Of the runs.")] = "0,1,2",
    file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
    device: Annotated[str, typer.Option(help="Where everything runs: cpu, cuda, cuda:N.")] = "cpu",
) -> None:
    """Measure accuracy against questions: our way, random questions, and learning from answers alone."""
    command.check_file(file)
    numbers = [*command.listed(questions), *command.listed(seeds)]
    unknown = [name for name in command.listed(methods) if name not in _NAMES]
    if unknown or not all(number.isdecimal() for number in numbers):
        raise InputError(
            f"expected numbers such as 0,1,2 and methods of {', '.join(_NAMES)}; got {questions!r}, {seeds!r} and "
            f"{methods!r}; nothing was measured"
        )
    if any(method in RIVALS for method in command.listed(methods)):
        # Made now, where it is not there yet, and not after minutes of measuring.
        rivals_python()
    opened, pool, test = command.teacher_of(teacher, device=device), load(images, "train"), load(images, "test")
    rows: list[FrontierRow] = []
    with command.showing() as stages:
        for budget in command.listed(questions):
            for method in command.listed(methods):
                for seed in command.listed(seeds):
                    context = Context(device, int(seed), stages)
                    rows += measure_frontier(
                        folder,
                        opened,
                        pool,
                        test,
                        command.listed(students),
                        method=method,
                        questions=int(budget),
                        context=context,
                    )
                    command.write(file, [asdict(row) for row in rows])
    command.print_table("accuracy against questions", [_cells(row) for row in rows], names=2)


def _cells(row: FrontierRow) -> dict[str, str]:
    return {
        "method": row.method,
        "student": row.student,
        "questions": f"{row.questions:,}",
        "seed": str(row.seed),
        "accuracy": command.percent(row.accuracy),
        "agreement": command.percent(row.agreement),
        "seconds": f"{row.seconds:,.0f}",
    }


if __name__ == "__main__":
    command.run(frontier, "frontier")
