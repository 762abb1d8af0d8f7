"""Accuracy against queries: every method's student beside its baselines on the same images, over several seeds.

It reads runs that have bought already (`db3kd label`, `db3kd distill`), so that no comparison costs a query but the
teacher's decisions on held-out images. `python -m benchmarks.lessons` has the options.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import stdev
from typing import Annotated

import torch
import typer
from torch import nn

from benchmarks import command
from db3kd.answers import Answers
from db3kd.context import Context
from db3kd.data import Dataset, load
from db3kd.errors import InputError
from db3kd.models import weights
from db3kd.names import SOFTENINGS, find
from db3kd.pipeline.ask_all import ask_held_out
from db3kd.pipeline.bought import Bought
from db3kd.pipeline.comparison import Contender, baselines, by_lesson, compare
from db3kd.pipeline.held_out import Measurer
from db3kd.pipeline.kept import kept_bought
from db3kd.pipeline.story import FixedLesson, Student
from db3kd.report.figures import StudentFigures
from db3kd.runs import Keeper, Run, existing
from db3kd.softening import Inverse, Opinions, Proportional, Smoothed, Softening
from db3kd.teachers import TorchTeacher
from db3kd.training import student_recipe


@dataclass(frozen=True)
class LessonRow:
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
class LessonOptions:
    """What the table compares.

    Args:
        seeds: of the trainings, the same for all.
        softenings: rules that make soft labels; a row for each, and three for what a committee thinks.
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    softenings: tuple[Softening, ...] = (Inverse(), Proportional(), Opinions())


@dataclass(frozen=True)
class LessonTable:
    """The whole table.

    Args:
        teacher_accuracy: of the teacher on the held-out images.
        rows: methods by student and image set.
    """

    teacher_accuracy: float
    rows: tuple[LessonRow, ...]


def measure_lessons(
    keeper: Keeper,
    bought: Sequence[Bought],
    whitebox: nn.Module,
    held_out: Dataset,
    students: Sequence[Student],
    *,
    options: LessonOptions,
) -> LessonTable:
    """Train and measure all students.

    Args:
        keeper: keeps the trained students, so that an interrupted table goes on.
        bought: what runs have bought; those on the same images share their baselines.
        whitebox: the teacher's network, for standard knowledge distillation and the held-out decisions.
        held_out: labelled images that no student saw.
        students: architectures and recipes.
        options: seeds and softening rules.

    Returns:
        The table.

    Raises:
        InputError: images without labels.

    Cost: one query per held-out image, booked outside the budget.
    """
    first = bought[0].answers
    teacher = TorchTeacher(
        whitebox,
        input_shape=first.images.image_shape,
        num_classes=first.num_classes,
        device=keeper.context.device,
    )
    measurer = Measurer(keeper.perform(ask_held_out(teacher, held_out)), keeper.context.device)
    accuracy = measurer.teacher_accuracy
    if accuracy is None:
        raise InputError(
            f"a comparison with true labels needs images that have them, and {held_out.name!r} has none; nothing was "
            "trained: name labelled images"
        )
    rows = []
    for group in _by_images(bought):
        contenders = _contenders(group, whitebox, options.softenings, keeper.context)
        for student in students:
            table = compare(keeper, contenders, measurer, student, seeds=options.seeds)
            rows += [_row(figures, student.architecture) for figures in table]
    return LessonTable(accuracy, tuple(rows))


def read_bought(folders: Sequence[Path]) -> tuple[Bought, ...]:
    """Read what runs have bought.

    Args:
        folders: run directories in which asking and searching are finished.

    Returns:
        It, in this order.

    Raises:
        InputError: a run has not finished what it wanted to buy.
        RunError: there is no run, or it has bought nothing.
        ArtifactError: a file was edited or truncated.
    """
    found = []
    for folder in folders:
        with existing(folder) as run:
            keeper = Keeper(run)
            standing = keeper.standing(keeper.declared())
            unfinished = [one.name for one in standing if one.name in ("answers", "distances") and one.state != "done"]
            if unfinished:
                raise InputError(
                    f"{folder} has not finished {' and '.join(unfinished)}; nothing was trained: go on with it first"
                )
            found.append(kept_bought(keeper))
    return tuple(found)


def _contenders(
    group: Sequence[Bought], whitebox: nn.Module, softenings: Sequence[Softening], context: Context
) -> list[Contender]:
    """The baselines, the same distances by each rule, and what a committee and its mixtures bring."""
    lesson = FixedLesson(classes="true")
    found = [*baselines(group[0].answers, whitebox, lesson, context)]
    for softening in softenings:
        if softening.needs == "opinions":
            taught = next((one for one in group if one.committee), None)
            found += [] if taught is None else _by_committee(taught, softening, lesson, context)
            continue
        # The paper's rule needs no further name.
        ending = "" if softening.name == Inverse.name else f"-{softening.name}"
        found += [
            by_lesson(f"{one.distances.method}{ending}", one, replace(lesson, softening=softening), context)
            for one in group
            if one.distances is not None
        ]
    return found


def _by_committee(bought: Bought, softening: Softening, lesson: FixedLesson, context: Context) -> list[Contender]:
    """Decisions on mixtures; what a committee thinks of the images, and of the mixtures too."""
    ways = {
        "mixtures": FixedLesson(Smoothed(), classes=lesson.classes, mixtures=True),
        softening.name: replace(lesson, softening=softening),
        f"{softening.name}-and-mixtures": replace(lesson, softening=softening, mixtures=True),
    }
    return [
        by_lesson(name, bought, way, context) for name, way in ways.items() if len(bought.mixtures) or not way.mixtures
    ]


def _by_images(bought: Sequence[Bought]) -> list[list[Bought]]:
    """Runs on the same images together, in whatever order they asked about them."""
    groups: dict[str, list[Bought]] = {}
    for one in bought:
        groups.setdefault(_same_whatever_order(one.answers), []).append(one)
    return list(groups.values())


def _same_whatever_order(answers: Answers) -> str:
    ids = answers.images.ids
    return answers.images.subset(torch.tensor(sorted(range(len(ids)), key=lambda row: ids[row]))).digest


def _row(figures: StudentFigures, student: str) -> LessonRow:
    assert figures.accuracy is not None
    assert figures.agreement is not None
    assert figures.images
    by_seed = figures.accuracy_by_seed
    return LessonRow(
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


def lessons(
    *,
    teacher: Annotated[str, typer.Option(help="The teacher of all runs: torch:FILE or torch:ARCHITECTURE@FILE.")],
    bought: Annotated[list[Path], typer.Option("--bought", help="A run that has bought all it wants; several times.")],
    held_out: Annotated[str, typer.Option(help="The test split of this source is what students are measured on.")],
    folder: Annotated[Path, typer.Option("--run", help="Directory that remembers all of it; run again to go on.")],
    students: Annotated[str, typer.Option(help="Architectures.")] = "lenet5-half,lenet5-fifth",
    seeds: Annotated[str, typer.Option(help="Of the trainings.")] = "0,1,2",
    softenings: Annotated[str, typer.Option(help="A row by each of these rules.")] = "inverse,proportional,opinions",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the images.")] = 30,
    batch_size: Annotated[int, typer.Option(min=1, help="Images per step.")] = 128,
    file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
    device: Annotated[str, typer.Option(help="Where everything runs: cpu, cuda, cuda:N.")] = "cpu",
) -> None:
    """Train students on what runs have bought, beside their baselines on the same images: accuracy against queries."""
    command.check_file(file)
    network = command.weights_of(teacher)
    rules = [_rule(name) for name in command.listed(softenings)]
    numbers = command.listed(seeds)
    if not numbers or not all(seed.isdecimal() for seed in numbers):
        raise InputError(f"expected seeds such as 0,1,2, got {seeds!r}; nothing was trained")
    learning = [
        Student(name, replace(student_recipe(name), epochs=epochs, batch_size=batch_size))
        for name in command.listed(students)
    ]
    module, _ = weights.from_file(network)
    with Run(folder) as run, command.showing() as stages:
        run.adopt({"lessons": {"teacher": teacher, "epochs": epochs, "batch_size": batch_size}})
        table = measure_lessons(
            Keeper(run, Context(device, progress=stages)),
            read_bought(bought),
            module,
            load(held_out, "test"),
            learning,
            options=LessonOptions(tuple(map(int, numbers)), tuple(rules)),
        )
    command.write(file, [asdict(row) for row in table.rows])
    title = f"the teacher itself: {command.percent(table.teacher_accuracy)}"
    command.print_table(title, [_cells(row) for row in table.rows], names=2)


def _rule(name: str) -> Softening:
    rule = find(SOFTENINGS, name)()
    if not isinstance(rule, Softening):
        raise InputError(f"{name!r} makes a {type(rule).__name__}, which is no softening; nothing was trained")
    return rule


def _cells(row: LessonRow) -> dict[str, str]:
    spread = "" if row.accuracy_std is None else f" ± {100 * row.accuracy_std:.2f}"
    return {
        "student": row.student,
        "learned from": row.method,
        "saw images": f"{row.images:,}",
        "queries per image": f"{row.queries_per_image:,.0f}",
        "accuracy": command.percent(row.accuracy_mean) + spread,
        "agreement": command.percent(row.agreement_mean),
    }


if __name__ == "__main__":
    command.run(lessons, "lessons")
