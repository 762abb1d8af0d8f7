"""The defaults of a run, in one place: what is left open follows from the teacher, the images and the budget.

Python, plans and commands say what they want in `Wishes`, and get the same story from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from db3kd.acquisition import Acquisition, Disagreement, Margin, Random, Rounds
from db3kd.arguments import check_arguments
from db3kd.boundary import BoundaryDistance, Measurement, SampleDistance
from db3kd.data import Dataset
from db3kd.errors import InputError
from db3kd.pipeline import measure
from db3kd.pipeline.asking import as_seen
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.story import (
    TRUE_LABELS,
    Baseline,
    CommitteeLesson,
    FixedLesson,
    Lesson,
    Preset,
    Pushed,
    Source,
    Story,
    Student,
    Taken,
    has_labels,
)
from db3kd.pipeline.teach import check_networks, settled_recipe
from db3kd.pools import ImagePool, Pool, Priors
from db3kd.runs import Keeper, key_of
from db3kd.teachers import Teacher, TeacherSpec
from db3kd.training import Committee, Recipe

_MIXTURES, _GUIDES = 2.0, 4
# Sides that LeNet5 is made for; a residual network sees all others.
_LENET_SIDES = range(16, 41)
_LEAST_GUIDED = 10


@dataclass(frozen=True)
class Wishes:
    """What somebody wants of a run; None leaves it open."""

    architecture: str | None = None
    images: Dataset | None = None
    pool: Source | None = None
    rounds: Rounds | None = None
    acquisition: Acquisition | None = None
    committee: Committee | None = None
    measurement: Measurement | None = None
    lesson: Lesson | None = None
    recipe: Recipe | None = None
    preset: Preset = "usual"
    baselines: tuple[Baseline, ...] | None = None
    held_out: Dataset | None = None
    budget: Budget = field(default_factory=Budget)
    names: Mapping[str, str] = field(default_factory=dict)
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def settle(wishes: Wishes, teacher: Teacher) -> Story:
    """Choose what is left open."""
    check_arguments(Wishes.__init__, vars(wishes))
    spec = teacher.spec
    held_out = None if wishes.held_out is None else as_seen(wishes.held_out, spec)
    if wishes.images is not None:
        check_images(spec, wishes.images, labelled=_reads_labels(wishes))
    if held_out is not None:
        check_images(spec, held_out)
    pool = wishes.pool or _usual_pool(wishes, spec)
    endless = not isinstance(pool, Pushed) and pool.size is None
    if endless or isinstance(pool, Pushed):
        check_makeable(spec)
    lesson = wishes.lesson or _usual_lesson(wishes, pool)
    by_committee = _is_chosen(wishes, pool)
    acquisition = wishes.acquisition or _usual_acquisition(by_committee=by_committee, endless=endless)
    committee = wishes.committee or _usual_committee(wishes, pool, spec, lesson, acquisition)
    said, changes = (wishes.changes.get(name, {}) for name in ("rounds", "recipe"))
    judged = acquisition.committee or said.get("target_agreement") is not None
    rounds = wishes.rounds or _usual_rounds(judged=judged, by_committee=by_committee, endless=endless)
    usual: tuple[Baseline, ...] = ("true-labels", "hard-decisions") if held_out is not None and not endless else ()
    asked = usual if wishes.baselines is None else wishes.baselines
    baselines = tuple(name for name in asked if has_labels(pool) or name != TRUE_LABELS)
    follows = wishes.architecture is None and committee is not None and bool(committee.rivals)
    student = Student(_usual_student(wishes, spec), wishes.recipe, baselines, wishes.preset, changes, follows)
    story = Story(
        teacher=teacher,
        pool=pool,
        rounds=replace(rounds, **said),
        acquisition=acquisition,
        committee=committee,
        measurement=wishes.measurement,
        lesson=lesson,
        student=student,
        held_out=held_out,
        budget=wishes.budget,
        names=wishes.names,
    )
    _check(story)
    # An object that says nothing of itself could not be told from another one when the run goes on.
    for options in (story.acquisition, story.measurement, story.lesson):
        key_of(options)
    return story


def settle_measurement(story: Story, questions: int, keeper: Keeper) -> Measurement | None:
    """Choose how many queries a pair may ask: what was said, or what suits the method and the budget leaves."""
    wanted = story.measurement
    if wanted is None or wanted.queries_per_pair is not None:
        return wanted
    if settled := measure.settled_queries(keeper):
        return replace(wanted, queries_per_pair=settled)
    others = max(1, story.teacher.spec.num_classes - 1)
    # A search that the budget could not pay was not begun.
    declared = (outline for outline in keeper.declared() if outline.name == measure.NAME and outline.queries)
    begun = next(declared, None)
    if begun is not None:
        first = min(questions, measure.images_per_shard(story.teacher.spec.input_shape, others + 1))
        allowed: int | None = begun.parts[0].queries // (first * others)
    else:
        mixed = 0 if story.committee is None or not story.has_members else story.committee.mixtures_for(questions)
        allowed = story.budget.for_each_pair(questions * others, before=questions + mixed)
    affordable = wanted.queries if allowed is None else min(wanted.queries, allowed)
    least = _LEAST_GUIDED if wanted.method.guided else BoundaryDistance(exemplars=1).usual_queries
    if affordable < min(least, wanted.queries):
        return Measurement(SampleDistance(), 0)
    return replace(wanted, queries_per_pair=affordable)


def check_images(spec: TeacherSpec, images: Dataset, *, labelled: bool = True) -> None:
    """Refuse images that a teacher cannot be asked about, before a query is spent on them."""
    if not len(images):
        raise InputError(f"{images.name} holds no image; nothing was asked: name other images")
    if spec.bounds != (0.0, 1.0):
        raise InputError(
            f"images are given in [0, 1], and the teacher's bounds are {spec.bounds}: it would be asked about other "
            "pictures than these; nothing was asked: let scale = 255, for instance, take the place of bounds = "
            "[0, 255], or let a callable rescale its images itself, with the bounds 0, 1"
        )
    if images.image_shape != tuple(spec.input_shape):
        raise InputError(
            f"the teacher takes images of shape {tuple(spec.input_shape)}, and those of {images.name} are "
            f"{images.image_shape}; nothing was asked: name other images, or another teacher"
        )
    if labelled and images.labels is not None and int(images.labels.max()) >= spec.num_classes:
        raise InputError(
            f"the teacher knows {spec.num_classes} classes, and the labels of {images.name} go up to "
            f"{int(images.labels.max())}; nothing was asked: name other images, or another teacher"
        )


def check_makeable(spec: TeacherSpec) -> None:
    """Refuse a teacher for which no images can be made, before a query is spent on it."""
    if spec.bounds != (0.0, 1.0):
        raise InputError(
            f"images are made in [0, 1], and the teacher's bounds are {spec.bounds}; nothing was asked: let a callable "
            "rescale its images itself, with the bounds 0, 1"
        )


def _reads_labels(wishes: Wishes) -> bool:
    true_classes = isinstance(wishes.lesson, FixedLesson) and wishes.lesson.classes == "true"
    usual = () if wishes.held_out is None else (TRUE_LABELS,)
    return true_classes or TRUE_LABELS in (usual if wishes.baselines is None else wishes.baselines)


def _is_chosen(wishes: Wishes, pool: Source) -> bool:
    """Whether a committee says what is asked: not for distances of images at hand, nor where no committee is wanted.

    What is taught in the end does not matter: another lesson of the same run has the same answers.
    """
    if isinstance(pool, Pushed | Taken) or (wishes.measurement is not None and pool.size is not None):
        return False
    changed = wishes.changes.get("committee", {})
    return (changed.get("members") if wishes.committee is None else wishes.committee.members) != 0


def _usual_lesson(wishes: Wishes, pool: Source) -> Lesson:
    """What a committee thinks; labels where there is none, or where it is said how they are to be."""
    changes = wishes.changes.get("lesson")
    return CommitteeLesson() if changes is None and _is_chosen(wishes, pool) else FixedLesson(**(changes or {}))


def _usual_pool(wishes: Wishes, spec: TeacherSpec) -> Pool:
    return Priors(spec.input_shape) if wishes.images is None else ImagePool(as_seen(wishes.images, spec))


def _usual_acquisition(*, by_committee: bool, endless: bool) -> Acquisition:
    if endless:
        return Disagreement()
    return Margin() if by_committee else Random()


def _usual_rounds(*, judged: bool, by_committee: bool, endless: bool) -> Rounds:
    if endless:
        return Rounds() if judged else Rounds(opening=1.0)
    if judged:
        return Rounds.of_pool()
    return replace(Rounds.of_pool(), opening=1.0, opening_at_most=None, number=0) if by_committee else Rounds.once()


def committee_architecture(student: str, spec: TeacherSpec) -> str:
    """Choose the usual network of a committee by the size of the images, or the student's where they are tiny."""
    if min(spec.input_shape[1:]) < _LENET_SIDES.start:
        return student
    return "lenet5" if _suits_lenet(spec) else "residual"


def following(story: Story, committee: Committee | None) -> Story:
    """Give the student the architecture that suits its committee as it turned out, where nobody named one."""
    if not story.student.follows or committee is None:
        return story
    architecture = "lenet5-half" if committee.architecture == "lenet5" else committee.architecture
    return replace(story, student=replace(story.student, architecture=architecture, follows=False))


def usual_rivals(architecture: str) -> tuple[str, ...]:
    """Choose what is tried beside the usual network of a committee: one that is built in another way."""
    return ("residual-half",) if architecture == "lenet5" else ()


def _usual_student(wishes: Wishes, spec: TeacherSpec) -> str:
    return wishes.architecture or ("lenet5-half" if _suits_lenet(spec) else "residual-half")


def _suits_lenet(spec: TeacherSpec) -> bool:
    return all(side in _LENET_SIDES for side in spec.input_shape[1:])


def _usual_committee(
    wishes: Wishes, pool: Source, spec: TeacherSpec, lesson: Lesson, acquisition: Acquisition
) -> Committee | None:
    """Networks of the usual size, or of the student's where images are too small; none where nobody needs one."""
    architecture = committee_architecture(_usual_student(wishes, spec), spec)
    changes = wishes.changes.get("committee")
    guided = wishes.measurement is not None and wishes.measurement.method.guided
    opinions = isinstance(lesson, CommitteeLesson) or lesson.softening.needs == "opinions"
    if isinstance(lesson, FixedLesson) and (guided or (opinions and wishes.measurement is not None)):
        usual = Committee(architecture, members=_GUIDES, mixtures_per_image=_MIXTURES, unasked=0)
    elif opinions or acquisition.committee or changes is not None:
        # Gray images at hand are copied well by the usual network, and more than three times as fast.
        trying = pool.size is None or (not isinstance(pool, Taken) and spec.input_shape[0] > 1)
        usual = Committee(architecture, rivals=usual_rivals(architecture) if trying else ())
        if pool.size is not None:
            # Four that learn from the pool know more together than two, and than five that do not.
            usual = replace(usual, members=4, choosers=2, mixtures_per_image=_beyond(wishes.budget, pool.size))
    else:
        return None
    # Whoever names a network wants that one.
    settled = usual.of(usual.architecture) if "architecture" in (changes or {}) else usual
    return replace(settled, **(changes or {}))


def _beyond(budget: Budget, size: int) -> float:
    """How many mixtures for each image a budget that goes beyond the pool may pay; it ends them where it ends."""
    return _MIXTURES if (budget.total or 0) > size + budget.repeats else 0.0


def _check(story: Story) -> None:
    """Refuse a story whose parts do not fit, before a query is spent on it."""
    lesson = story.lesson
    check_networks(story)
    settled_recipe(story, 1)
    if isinstance(lesson, CommitteeLesson):
        if not story.has_members or isinstance(story.pool, Pushed | Taken):
            raise InputError(
                "a lesson of a committee needs one, and a pool of images; nothing was asked: name both, or take a "
                "lesson of labels"
            )
        return
    if lesson.classes == "true" and not has_labels(story.pool):
        raise InputError("classes = 'true' needs images with labels; nothing was asked: use classes = 'decisions'")
    if lesson.softening.needs == "distances" and story.measurement is None:
        raise InputError(
            f"the softening {lesson.softening.name!r} needs distances, and no search is named; nothing was asked: name "
            "one, or take the softening 'smoothed'"
        )
    if lesson.softening.needs == "opinions" and not story.has_members:
        raise InputError(
            "the softening 'opinions' needs a committee, and none is to be trained; nothing was asked: name one, or "
            "take the softening 'smoothed'"
        )
    if lesson.mixtures and (story.committee is None or not story.committee.mixtures_per_image):
        raise InputError(
            "the lesson is to hold mixtures, and none are to be asked about; nothing was asked: set "
            "committee.mixtures_per_image to 2, or leave lesson.mixtures out"
        )
    snapshots = () if story.measurement is None else story.measurement.snapshots
    if lesson.queries_per_pair is not None and lesson.queries_per_pair not in snapshots:
        raise InputError(
            f"the student is to learn from the distances at {lesson.queries_per_pair} queries a pair, which are not "
            f"among the snapshots {list(snapshots)}; nothing was asked: add them there"
        )
