"""From a plan to the story that it asks for: names become objects, and `settle` chooses what is left open.

Teachers are opened in `teachers`. Called by the commands.
"""

from dataclasses import replace
from functools import partial
from typing import Any

from db3kd.answers import Answers
from db3kd.boundary import Measurement
from db3kd.data import Dataset, ImageOptions, Place, Split, draw, load
from db3kd.data.picture import Shape
from db3kd.data.pixel_rows import NOWHERE
from db3kd.data.sources import is_whole
from db3kd.errors import PlanError
from db3kd.ledger import Prices
from db3kd.pipeline.budget import Budget
from db3kd.pipeline.kept import kept_answers
from db3kd.pipeline.settling import Wishes, settle
from db3kd.pipeline.sources import check_pools, make_pool
from db3kd.pipeline.story import Pushed, Story, Taken
from db3kd.plan.schema import NONE, REPULSION, BudgetSection, HeldOutSection, ImagesSection, Plan, TrainSection
from db3kd.plan.section import Options, keys_of
from db3kd.plan.teacher_keys import TeacherSection
from db3kd.plan.teachers import OpenedTeacher, open_bare_teacher
from db3kd.plan.writing import SEVERAL
from db3kd.pools import NoiseOptions, Pool, Repulsion
from db3kd.runs import Keeper, existing
from db3kd.scaling import Cluster
from db3kd.teachers import TeacherSpec
from db3kd.training import (
    POOL_RECIPE,
    Committee,
    Recipe,
    adapted,
    for_photos,
    student_recipe,
    teacher_recipe,
    teaching_recipe,
)

# A committee's recipe follows from the answers; one of which only some options are said, from so many.
_MANY = 100_000
_RUN = "run:"
_OF_MEASUREMENT = ("queries_per_pair", "snapshots")
_OF_REPULSION = ("search", "committee")


def open_story(plan: Plan, teacher: OpenedTeacher, place: Place = NOWHERE) -> Story:
    """Turn a plan into objects; decoded pixels may lie in `place`."""
    assert plan.teacher is not None, "it is open"
    spec, student = teacher.teacher.spec, plan.student
    taken = None if plan.images is None else _open_taken(plan.images, spec)
    images = None
    if plan.images is not None and taken is None:
        images = open_images(plan.images, wanted=spec.input_shape, place=place)
    held_out = None
    if plan.held_out is not None:
        beside = replace(place, name="held-out")
        held_out = open_images(plan.held_out, wanted=spec.input_shape, place=beside, like=plan.images)
    learner = {} if student is None else student.given
    size = {} if teacher.parameters is None else {"parameters": str(teacher.parameters)}
    wishes = Wishes(
        images=images,
        pool=taken if plan.pool is None else _open_pool(plan.pool, images, spec),
        acquisition=None if plan.acquisition is None else plan.acquisition.open(),
        measurement=None if plan.search is None else _open_search(plan.search),
        lesson=None if plan.lesson is None or _is_adapted(plan.lesson) else plan.lesson.open(),
        held_out=held_out,
        budget=open_budget(plan.budget),
        names={"teacher": plan.teacher.uri, **size},
        changes=_changes(plan),
        **{key: value for key, value in learner.items() if key in ("architecture", "baselines", "preset")},
    )
    return settle(wishes, teacher.teacher)


def open_images(
    section: ImagesSection, *, wanted: Shape | None = None, place: Place = NOWHERE, like: ImagesSection | None = None
) -> Dataset:
    """Read the images that a section names.

    They are brought to the shape that is wanted, as `db3kd.data.load` says; `like` is a section whose options hold
    where this one says nothing. Images to measure on are all of a folder that is not divided, if the others are not
    from there.
    """
    options = open_image_options(like, section)
    if section.source.startswith(_RUN):
        if open_image_options(section) != ImageOptions():
            raise PlanError(
                "images of a run are what was asked about, and are not changed; nothing was asked: leave size, fit, "
                "color and the like out"
            )
        return _answers_of(section).images
    return load(
        section.source,
        _split_of(section, like),
        limit=section.limit,
        seed=section.seed,
        wanted=wanted,
        options=options,
        place=place,
    )


def _split_of(section: ImagesSection, like: ImagesSection | None) -> Split:
    elsewhere = like is None or like.source != section.source
    if isinstance(section, HeldOutSection) and "split" not in section.model_fields_set and elsewhere:
        return "train" if is_whole(section.source) else section.split
    return section.split


def open_image_options(*sections: ImagesSection | None) -> ImageOptions:
    """Make what sections say of how images are brought to one size; the last one that says something holds."""
    keys = keys_of(ImageOptions)
    given: dict[str, Any] = {}
    for one in sections:
        if one is not None:
            given |= {key: getattr(one, key) for key in one.model_fields_set if key in keys}
    return ImageOptions(**given)


def _answers_of(section: ImagesSection) -> Answers:
    with existing(section.source.removeprefix(_RUN)) as run:
        answers = kept_answers(Keeper(run))
    if section.limit is None or section.limit >= len(answers):
        return answers
    return answers.take(draw(answers.images.ids, section.limit, seed=section.seed))


def _open_taken(section: ImagesSection, spec: TeacherSpec) -> Taken | None:
    """The answers of a run that is named; another teacher is asked about its images anew."""
    if not section.source.startswith(_RUN):
        return None
    kept = existing(section.source.removeprefix(_RUN)).teacher() or {}
    return Taken(_answers_of(section)) if kept.get("fingerprint") == spec.fingerprint else None


def open_budget(section: BudgetSection) -> Budget:
    """Make what a section says about spending."""
    stages = section.model_dump(include={"answers", "mixtures", "distances", "noise", "repulsion"}, exclude_none=True)
    prices = Prices(
        section.price_per_1000, section.price_per_million_input, section.price_per_million_output, section.currency
    )
    others = section.model_dump(include={"total", "images", "repeats"})
    return Budget(stages=stages, prices=prices, **others)


def open_cluster(section: Options, teacher: TeacherSection, device: str) -> Cluster:
    """Make what a section says about replicas; each of them opens the teacher by itself."""
    made: Cluster = section.open(opening=partial(open_bare_teacher, teacher, device))
    return made


def open_train_recipe(section: TrainSection) -> Recipe:
    """Make the recipe that a section asks for: its preset, with what it says."""
    preset = (teacher_recipe if section.preset == "teacher" else student_recipe)(section.architecture)
    changes = {key: getattr(section, key) for key in section.model_fields_set if key in keys_of(Recipe)}
    return adapted(for_photos(preset) if section.preset == "photo" else preset, changes)


def _open_pool(section: Options, images: Dataset | None, spec: TeacherSpec) -> Pool | Pushed:
    if section.which != REPULSION:
        names = section.which.split(SEVERAL)
        return make_pool(names, images, spec, section.open if len(names) == 1 else None)
    check_pools([REPULSION], images)
    return _open_repulsion(section)


def _open_repulsion(section: Options) -> Pushed:
    given, noise = section.given, keys_of(NoiseOptions)
    search, committee = given.get("search"), given.get("committee")
    pushing = {key: value for key, value in given.items() if key not in (*noise, *_OF_REPULSION)}
    if search is not None:
        pushing["method"] = search.open()
    return Pushed(
        NoiseOptions(**{key: value for key, value in given.items() if key in noise}),
        Repulsion(**pushing),
        None if committee is None else Committee(**_committee_changes(committee, teaching_recipe(_MANY))),
    )


def _open_search(section: Options) -> Measurement | None:
    if section.which == NONE:
        return None
    given = {key: value for key, value in section.given.items() if key in _OF_MEASUREMENT}
    return Measurement(section.open(without=_OF_MEASUREMENT), **given)


def _is_adapted(lesson: Options) -> bool:
    """Whether a lesson of labels leaves its softening open."""
    return lesson.which == "labels" and "softening" not in lesson.given


def _changes(plan: Plan) -> dict[str, dict[str, Any]]:
    """Give the options that change what suits."""
    changes = {}
    if plan.rounds is not None:
        changes["rounds"] = plan.rounds.given
    if plan.committee is not None:
        at_hand = plan.images is not None and (plan.pool is None or plan.pool.which == "images")
        of_pool = at_hand and plan.search is None
        changes["committee"] = _committee_changes(plan.committee, POOL_RECIPE if of_pool else teaching_recipe(_MANY))
    if plan.student is not None:
        changes["recipe"] = {key: value for key, value in plan.student.given.items() if key in keys_of(Recipe)}
    if plan.lesson is not None and _is_adapted(plan.lesson):
        changes["lesson"] = plan.lesson.given
    return changes


def _committee_changes(section: Options, usual: Recipe) -> dict[str, Any]:
    given = section.given
    recipe = given.get("recipe")
    return given if recipe is None else {**given, "recipe": adapted(usual, recipe.given)}
