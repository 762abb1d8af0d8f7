"""The main job on real digits in a few minutes: the paper's methods beside what they have to beat.

A LeNet5 is trained on 4,000 MNIST digits, hidden behind its decisions, and distilled into LeNet5-half by students that
see the same few hundred images. Called by `db3kd demo`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from pydantic import JsonValue
from torch import nn

from db3kd import __version__
from db3kd.acquisition import Rounds
from db3kd.boundary import (
    BoundaryDistance,
    GuidedDistance,
    Measurement,
    MinimalBoundaryDistance,
    SampleDistance,
)
from db3kd.context import Context
from db3kd.data import Dataset, load
from db3kd.ledger import Statement
from db3kd.models import parameter_count
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.comparison import Contender, baselines, by_lesson, compare
from db3kd.pipeline.conclude import REPORT, account_of, committee_figures, read_report, write_report
from db3kd.pipeline.held_out import Measurer, measurer_of
from db3kd.pipeline.learn import Fixed
from db3kd.pipeline.lessons import lessons_for
from db3kd.pipeline.pictures import examples_of
from db3kd.pipeline.settling import Wishes, settle
from db3kd.pipeline.story import FixedLesson, Story, Student
from db3kd.pipeline.teach import Teach, settled_recipe
from db3kd.pipeline.tell import Purchase, buy, own_name
from db3kd.pools import ImagePool
from db3kd.report.distances import summarise
from db3kd.report.figures import StudentFigures, TeacherFigures
from db3kd.report.schema import Report
from db3kd.runs import Keeper, Run, spent_seconds, timed
from db3kd.softening import Inverse, Proportional
from db3kd.teachers import TorchTeacher
from db3kd.training import Committee, Material, Objective, Recipe

_SOURCE = "mnist-5k"
_TEACHER, _STUDENT, _CHOSEN = "lenet5", "lenet5-half", "chosen"


@dataclass(frozen=True)
class DemoOptions:
    """How large the demo is; the defaults take 5 to 14 minutes on two cores, by the processor."""

    images: int = 300
    queries_per_pair: int = 500
    guided_queries_per_pair: int = 50
    members: int = 2
    mixtures_per_image: float = 5.0
    teacher_epochs: int = 20
    student_epochs: int = 100
    seen: int = 90_000
    pool_epochs: int = 25
    seeds: tuple[int, ...] = (0, 1, 2)


def demonstrate(keeper: Keeper, options: DemoOptions) -> Report:
    """Train a teacher, buy distances by each method, train the students, and report.

    Cost: for each method one query an image and its searches; see the report.
    """
    run = keeper.run
    run.adopt({"demo": {**vars(options), "seeds": list(options.seeds), "seed": keeper.context.seed}})
    if run.get(REPORT) is not None:
        return read_report(run)
    with timed(run):
        digits, test = load(_SOURCE, "train"), load(_SOURCE, "test")
        network = _train_teacher(keeper, digits, options)
        teacher = TorchTeacher(
            network,
            input_shape=digits.image_shape,
            num_classes=len(digits.class_names),
            device=keeper.context.device,
        )
        stories = _stories(teacher, test, options, seed=keeper.context.seed)
        bought = [_buy(keeper, name, story) for name, story in stories.items()]
        measurer = measurer_of(bought[0].story, keeper)
        chosen = _buy(keeper, _CHOSEN, _pool_story(teacher, digits, options))
        students = _students(keeper, network, bought, chosen, digits, measurer=measurer, options=options)
        guided = bought[-1].purchase
        report = Report(
            title=f"Demo: {_STUDENT} from the decisions of a LeNet5 on MNIST digits",
            db3kd_version=__version__,
            teacher=TeacherFigures(
                accuracy=measurer.teacher_accuracy, parameters=parameter_count(network), name=_TEACHER
            ),
            students=students,
            queries=account_of(_together([*bought, chosen], run.statement())),
            class_names=digits.class_names,
            committee=committee_figures(guided, measurer),
            distances=tuple(
                summarise(one.purchase.measured.distances, one.purchase.bought.answers.decisions)
                for one in bought
                if one.purchase.measured is not None
            ),
            settings=cast("dict[str, JsonValue]", run.plan() or {}),
            notes=_notes(options, digits, test),
        )
    report = report.model_copy(update={"seconds": spent_seconds(run)})
    write_report(run, report, examples_of(guided, digits.class_names))
    return report


@dataclass(frozen=True, eq=False)
class _Bought:
    """What one method brought, and what it spent."""

    method: str
    story: Story
    purchase: Purchase
    statement: Statement


def _train_teacher(keeper: Keeper, digits: Dataset, options: DemoOptions) -> nn.Module:
    return keeper.perform(
        Teach(
            "teacher",
            Fixed(Material(digits.pixels, Objective(labels=digits.labels))),
            _TEACHER,
            Recipe("adam", 1e-3, epochs=options.teacher_epochs, batch_size=128),
            about={"lesson": "true-labels"},
            digest=digits.digest,
            num_classes=len(digits.class_names),
            seed=keeper.context.seed,
        )
    )


def _stories(teacher: TorchTeacher, test: Dataset, options: DemoOptions, *, seed: int) -> dict[str, Story]:
    """One for each method, all on the same images."""
    pool = ImagePool(load(_SOURCE, "train", limit=options.images, seed=seed))
    # Far fewer images than the default is made for: each of them needs more mixtures.
    committee = Committee(members=options.members, mixtures_per_image=options.mixtures_per_image, unasked=0)
    measurements = (
        Measurement(SampleDistance()),
        Measurement(BoundaryDistance()),
        Measurement(MinimalBoundaryDistance(seed=seed), options.queries_per_pair),
        Measurement(GuidedDistance(seed=seed), options.guided_queries_per_pair),
    )
    return {
        measurement.method.name: Story(
            teacher,
            pool,
            rounds=Rounds.once(),
            committee=committee if measurement.method.guided else None,
            measurement=measurement,
            held_out=test,
            budget=Budget(repeats=0),
        )
        for measurement in measurements
    }


def _buy(keeper: Keeper, name: str, story: Story) -> _Bought:
    """Buy what a story needs in a run of its own, so that each method pays all of it."""
    with Run(keeper.run.folder / name) as own:
        return _Bought(name, story, buy(story, Keeper(own, keeper.context)), own.statement())


def _pool_story(teacher: TorchTeacher, digits: Dataset, options: DemoOptions) -> Story:
    """Choose as many questions among all digits, and learn from those that are not asked about too."""
    changes = {"committee": {"seen": options.seen}, "recipe": {"epochs": options.pool_epochs}}
    return settle(Wishes(_STUDENT, digits, budget=Budget(options.images, repeats=0), changes=changes), teacher)


def _students(
    keeper: Keeper,
    network: nn.Module,
    bought: Sequence[_Bought],
    chosen: _Bought,
    digits: Dataset,
    *,
    measurer: Measurer,
    options: DemoOptions,
) -> tuple[StudentFigures, ...]:
    """The table: baselines, methods, and what true labels on all digits give."""
    context = keeper.context
    recipe = Recipe("adam", 1e-3, epochs=options.student_epochs, batch_size=32)
    paper = FixedLesson(Inverse(), classes="true")
    rows = list(baselines(bought[0].purchase.bought.answers, network, paper, context))
    for one in bought:
        # The guided search is ours, and so is its rule.
        lesson = FixedLesson(Proportional(), classes="true") if one.method == GuidedDistance.name else paper
        rows.append(by_lesson(one.method, one.purchase.bought, lesson, context))
    longer = replace(recipe, epochs=options.teacher_epochs)
    everything = Fixed(Material(digits.pixels, Objective(labels=digits.labels)))
    all_labels = Contender("true-labels-all", everything, 0, len(digits), f"true labels of all {len(digits):,} images")
    own, pool_recipe = _by_pool(chosen, digits, context)
    return (
        *compare(keeper, rows, measurer, Student(_STUDENT, recipe), seeds=options.seeds),
        *compare(keeper, [own], measurer, Student(_STUDENT, pool_recipe), seeds=options.seeds),
        # As long as the teacher, whose images these are.
        *compare(keeper, [all_labels], measurer, Student(_STUDENT, longer), seeds=options.seeds),
    )


def _by_pool(chosen: _Bought, digits: Dataset, context: Context) -> tuple[Contender, Recipe]:
    """What the committee thinks of all digits, and how long a student learns it."""
    story, bought = chosen.story, chosen.purchase.bought
    asked = len(bought.answers)
    recipe = settled_recipe(story, asked)
    lessons = lessons_for(story.lesson, bought, ImagePool(digits), recipe, context)
    label = f"{asked} chosen of {len(digits):,}, and a committee"
    return Contender(own_name(story), lessons, asked, len(digits), label), recipe


def _notes(options: DemoOptions, digits: Dataset, test: Dataset) -> tuple[str, ...]:
    return (
        f"All students but the last two learn from the same {options.images} of {len(digits):,} digits, with "
        f"{len(options.seeds)} seeds; accuracy and agreement are after the last epoch, on {len(test):,} held-out "
        f"digits. The last but one asks {options.images} questions about images that it chooses, and learns from all "
        "others without asking: this is what db3kd distill does.",
        "The row with the teacher's logits is what a white box would give; this library sees decisions only.",
    )


def _together(bought: Sequence[_Bought], own: Statement) -> Statement:
    """The accounts of all methods."""
    by_stage = {f"{one.method}: {stage}": rows for one in bought for stage, rows in one.statement.by_stage.items()}
    unsettled = sum(one.statement.unsettled for one in bought)
    return Statement(by_stage, sum(by_stage.values()), own.held_out, unsettled)
