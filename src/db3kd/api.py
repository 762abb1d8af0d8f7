"""One line of Python for the whole story: a teacher in, a trained student out, with images or without.

`distill` takes names or objects, lets `db3kd.pipeline.settling` choose what is left open, and returns a `Result`.
"""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from annotated_types import Ge, Gt, Lt
from torch import nn

from db3kd.acquisition import Acquisition
from db3kd.answers import Answers
from db3kd.arguments import Seed, check_arguments, check_callable
from db3kd.boundary import Distances, Measurement, Method
from db3kd.context import Context, Progress, Tracker
from db3kd.data import ImageOptions, Place, dataset_of
from db3kd.errors import PlanError
from db3kd.ledger import Prices
from db3kd.names import ACQUISITIONS, SEARCHES, SOFTENINGS, find, made
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.conclude import conclude
from db3kd.pipeline.settling import Wishes, settle
from db3kd.pipeline.sources import make_pool
from db3kd.pipeline.story import FixedLesson, Preset, Source
from db3kd.pipeline.tell import own_name, tell
from db3kd.progress import Stages, showing
from db3kd.report.schema import Report
from db3kd.runs import Keeper, Run
from db3kd.runs.replay import known_answers
from db3kd.runs.tracking import tracking
from db3kd.scaling import Cluster, replicated
from db3kd.softening import Softening
from db3kd.teachers import Teacher, recognised
from db3kd.teachers.protocol import spec_of
from db3kd.teachers.scikit_learn import Estimator
from db3kd.teachers.watched import WatchedTeacher
from db3kd.training import Committee, Recipe

# Whatever `db3kd.data.dataset_of` takes: a user's mistake is to meet its words, and not those of a type checker.
Images = Any


@dataclass(frozen=True, eq=False)
class Result:
    """What `distill` returns.

    Args:
        student: the trained network in eval mode on the CPU; it maps images [n c h w] in [0, 1] to logits.
        report: all figures.
        answers: the images that the teacher was asked about, with its decisions.
        committee: networks that learned the answers; empty where none were trained.
        distances: to the boundary of each class; None where no search was wanted.
        spent: queries that were charged to the budget.
    """

    student: nn.Module
    report: Report
    answers: Answers
    committee: tuple[nn.Module, ...]
    distances: Distances | None
    spent: int


def distill(  # noqa: PLR0913  # the command in Python: its options are the user's, and keyword-only
    teacher: Teacher | Estimator,
    images: Images | None = None,
    *,
    student: str | None = None,
    budget: Annotated[int, Ge(0)] | None = None,
    prices: Prices | None = None,
    run: str | Path | None = None,
    held_out: Images | None = None,
    image_options: ImageOptions | None = None,
    search: str | Method | Measurement | None = None,
    pool: str | Sequence[str] | Source | None = None,
    acquisition: str | Acquisition | None = None,
    target_agreement: Annotated[float, Gt(0), Lt(1)] | None = None,
    softening: str | Softening | None = None,
    committee: Committee | None = None,
    recipe: Recipe | Literal["photo"] | None = None,
    seed: Seed = 0,
    device: str = "cpu",
    progress: Progress | None = None,
    track: str | Tracker | None = None,
    cluster: Cluster | None = None,
) -> Result:
    """Copy what a teacher knows into a small network.

    Args:
        teacher: tells nothing but its decisions, such as a `FunctionTeacher`; or a fitted scikit-learn classifier
            that takes images as rows of pixels in [0, 1].
        images: unlabelled images, in any form that `db3kd.data.dataset_of` takes: the path of a folder, a source such
            as "mnist-5k", paths, pictures, arrays, tensors, a data set of torch or Hugging Face, a DataLoader. Pictures
            are brought to what the teacher takes. None where there are none: procedural images are asked about then.
        student: architecture: "lenet5-half", "residual", "alexnet-quarter", "timm:NAME", "torchvision:NAME", "hf:NAME",
            ... or "package.module:factory"; None for lenet5-half or, for images other than 16 to 40 pixels,
            residual-half; without images, what is built as the networks that copy this teacher best.
        budget: most queries in all. One that does not reach for all images asks about some of them, and the student
            learns from the others too. None asks as many questions as there are images, 10,000 where these
            are made.
        prices: what queries and tokens cost, a `db3kd.ledger.Prices`; the report then tells the money.
        run: a directory that makes it durable: interrupted, or with a larger budget, it goes on there without paying
            twice. None for a temporary one.
        held_out: images that students are measured on, in any such form; their queries are outside the budget.
        image_options: how both are brought to what the teacher takes, and what becomes of broken files, a
            `db3kd.data.ImageOptions`; a `db3kd.data.Dataset` stays as it is.
        search: measures distances to the boundary: "sd", "bd", "mbd", "guided", an object of `db3kd.boundary`, or
            None. No search has made a better student.
        pool: where images come from, in the place of those at hand: "priors", "surrogates" for images that are made
            beside and out of `images`, which are of another kind than the teacher's; several such names for all of
            them together, as ["images", "priors"]; or an object of `db3kd.pools`.
        acquisition: chooses what is asked: "random", "margin", "disagreement" or an object of `db3kd.acquisition`; None
            for margin among images at hand, and disagreement among images that are made.
        target_agreement: asking ends where the committee surely agrees with the teacher so often: the lower end of the
            interval of 95% on answers that are set aside; a fraction of 1. None asks to the end of the budget, or until
            two rounds in a row surely gained too little.
        softening: makes soft labels of what was bought: "smoothed", "opinions", "proportional", "inverse" (the paper's,
            of distances) or an object of `db3kd.softening`; None for what suits.
        committee: networks that learn the answers; None for what suits.
        recipe: how the student is trained: a `Recipe`, "photo" for the preset of deep networks of photos, or None for
            that of what it learns.
        seed: of all random choices.
        device: where networks and searches run: "cpu", "cuda" or "cuda:N".
        progress: hears how far it is; None shows a bar in terminals and notebooks.
        track: hears figures of trainings and rounds: "tensorboard" for a log in the run's directory, or a function of
            source, step and figures; see `db3kd.context.Tracker`.
        cluster: replicas of the teacher on a Ray cluster, a `db3kd.scaling.Cluster`, where networks are trained too;
            None for this machine alone. A run goes on with another one, or without.

    Returns:
        The student, and all that led to it.

    Raises:
        InputError: the parts do not fit each other, or the images cannot be read; nothing was asked.
        RunMismatch: the run was made with other options.
        BudgetExhausted: not a single answer is within the budget.
        TeacherError: the teacher failed for good; with `run`, what was bought is kept.

    Cost: `budget` queries at most; without one, one an image and what the search takes. Some images are asked a second
        time at the end, where the budget leaves that.
    """
    _check(locals())
    # Numbers of numpy cannot be written down.
    seed, budget = int(seed), None if budget is None else int(budget)
    wishes = Wishes(
        architecture=student,
        pool=None if isinstance(pool, Sequence) else pool,
        acquisition=cast("Acquisition | None", _object(ACQUISITIONS, acquisition)),
        committee=committee,
        measurement=_measurement(search),
        lesson=None if softening is None else FixedLesson(cast("Softening", _object(SOFTENINGS, softening))),
        recipe=recipe if isinstance(recipe, Recipe) else None,
        preset=_preset(recipe),
        budget=Budget(total=budget, prices=prices or Prices()),
        changes={} if target_agreement is None else {"rounds": {"target_agreement": target_agreement}},
    )
    with ExitStack() as stack:
        folder = run or stack.enter_context(tempfile.TemporaryDirectory(prefix="db3kd-"))
        opened = stack.enter_context(Run(folder))
        tracker = stack.enter_context(tracking(track, None if run is None else Path(run)))
        heard: Progress = progress or stack.enter_context(showing())
        wanted = (
            spec_of(teacher).input_shape if isinstance(teacher, Teacher) and not isinstance(teacher, type) else None
        )
        place = Place(None if run is None else lambda: opened.place("pixels"), progress=heard)
        read = partial(dataset_of, wanted=wanted, options=image_options)
        if images is not None:
            wishes = replace(wishes, images=read(images, place=place))
        if held_out is not None:
            wishes = replace(wishes, held_out=read(held_out, place=replace(place, name="held-out")))
        shapes = [one.image_shape for one in (wishes.images, wishes.held_out) if one is not None]
        asking = recognised(teacher, shapes[0] if shapes else None)
        if isinstance(pool, Sequence):
            names = [pool] if isinstance(pool, str) else pool
            wishes = replace(wishes, pool=make_pool(names, wishes.images, asking.spec))
        asking = stack.enter_context(replicated(cluster, asking))
        if isinstance(heard, Stages):
            asking = WatchedTeacher(asking, heard.hear_rows)
        story, context = settle(wishes, asking), Context(device, seed, heard, tracker, cluster is not None)
        recording, index = known_answers(asking.spec)
        keeper = Keeper(opened, context, recording=recording, index=index)
        purchase, students = tell(story, keeper)
        report = conclude(story, keeper, purchase, students)
        spent = opened.statement().total
    bought = purchase.bought
    return Result(students[own_name(story)], report, bought.answers, bought.committee, bought.distances, spent)


def _check(given: Mapping[str, object]) -> None:
    """Refuse what no argument of `distill` can be, before a query."""
    if callable(given["student"]):
        raise PlanError(
            "a student is named, so that a run can build it again, and it is an object here; nothing was asked: write "
            "student='package.module:factory' of a function that is called with input_shape= and num_classes= and "
            "returns the network"
        )
    # A teacher of an unknown kind is told what makes one.
    check_arguments(distill, {name: value for name, value in given.items() if name != "teacher"})
    for name, example in (("progress", ("answers", 1, 3, "rounds")), ("track", ("answers", 1, {"asked": 8.0}))):
        if callable(function := given[name]):
            check_callable(name, function, *example)


def _preset(recipe: Recipe | str | None) -> Preset:
    return "photo" if recipe == "photo" else "usual"


def _measurement(search: str | Method | Measurement | None) -> Measurement | None:
    if search is None or isinstance(search, Measurement):
        return search
    return Measurement(cast("Method", _object(SEARCHES, search)))


def _object(table: Mapping[str, str], wanted: object) -> object:
    """What a name stands for, with its defaults; an object stands for itself."""
    return made(find(table, wanted), wanted) if isinstance(wanted, str) else wanted
