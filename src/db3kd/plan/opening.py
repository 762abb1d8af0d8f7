"""From a plan's strings to objects: the only place besides the command line that reads them.

Methods by their name, recipes by their options; teachers, by their URI, in the module beside this one.
"""

from dataclasses import fields, replace

from db3kd.boundary.guided import GuidedOptions
from db3kd.boundary.methods import BoundaryDistance, GuidedDistance, Method, MinimalBoundaryDistance, SampleDistance
from db3kd.boundary.sign_opt import SignOptOptions
from db3kd.data import Dataset, load
from db3kd.errors import PlanError
from db3kd.execution import Labelling
from db3kd.pipeline import Budget, Distillation, Priming, Story
from db3kd.pipeline.priming import primer_recipe
from db3kd.pipeline.story import TEMPERATURES, best_softening
from db3kd.plan.learning_keys import DistillSection, PrimerSection, RecipeSection, TrainSection
from db3kd.plan.schema import BudgetSection, ImagesSection, LabelSection, Plan
from db3kd.plan.synthesis import RUN, open_synthesized
from db3kd.plan.teachers import OpenedTeacher, open_teacher
from db3kd.training import Recipe, student_recipe, teacher_recipe

_QUERIES = {"mbd": 1000, "guided": 50}
_DIRECTIONS = {"mbd": 200, "guided": 20}
_BD_EXEMPLARS = 10
_MANY = 100_000
_PRIMERS = 4


def open_story(
    plan: Plan, *, device: str = "cpu", opened: OpenedTeacher | None = None, made: Dataset | None = None
) -> Story:
    """Turn a plan into objects: opens the teacher, reads the images.

    Args:
        plan: the plan.
        device: where searches, students and a torch teacher run.
        opened: the teacher, where it is open already.
        made: the images of a plan that names none, once they were made.

    Returns:
        The story.

    Raises:
        PlanError: a name that leads nowhere, or values that do not fit.
        DataError: an image file is missing or damaged.
        ArtifactError: the teacher's file is damaged.
    """
    opened = opened or open_teacher(plan.teacher, device=device)
    priming = open_priming(plan.primer, plan.label)
    if made is None:
        assert plan.images is not None, "a plan without images has them made before"
        made = open_images(plan.images)
    return Story(
        teacher=opened.teacher,
        images=made,
        held_out=None if plan.held_out is None else open_images(plan.held_out),
        labelling=open_labelling(plan.label, device=device),
        distillation=open_distillation(plan.distill, primed=priming is not None, images=len(made)),
        budget=open_budget(plan.budget),
        priming=priming,
        teacher_name=plan.teacher.uri,
        teacher_parameters=opened.parameters,
        device=device,
    )


def open_images(section: ImagesSection) -> Dataset:
    """Read the images that a section names.

    Args:
        section: source, split and how many.

    Returns:
        The images.

    Raises:
        DataError: a file is missing or damaged.
        RunError: the run that is named holds no images.
    """
    if section.source.startswith(RUN):
        return open_synthesized(section)
    return load(section.source, section.split, limit=section.limit, seed=section.seed)


def open_labelling(section: LabelSection, *, device: str = "cpu") -> Labelling:
    """Make the search that a section names.

    Args:
        section: the method and its options.
        device: where it runs.

    Returns:
        How distances are bought.
    """
    boundary = BoundaryDistance(section.exemplars or _BD_EXEMPLARS, section.order, section.tolerance)
    directions = section.directions or _DIRECTIONS.get(section.method, 1)
    sign_opt = SignOptOptions(directions, section.smoothing, section.step)
    methods: dict[str, Method] = {
        "sd": SampleDistance(section.exemplars),
        "bd": boundary,
        "mbd": MinimalBoundaryDistance(boundary, sign_opt, section.seed),
        "guided": GuidedDistance(options=GuidedOptions(directions), seed=section.seed),
    }
    method = methods[section.method]
    most = _QUERIES[section.method] if method.most_queries is None else method.most_queries
    queries = most if section.queries_per_pair is None else section.queries_per_pair
    late = [count for count in section.snapshots if count >= queries]
    if late:
        raise PlanError(
            f"label.snapshots must lie below the {queries:,} queries that a pair may ask, got {late}; nothing was "
            "asked: take them out, or raise label.queries_per_pair"
        )
    return Labelling(
        method,
        queries,
        tuple(sorted(section.snapshots)),
        seed=section.seed,
        share_leftovers=section.method == "guided",
        keep_probes=section.keep_probes,
        device=device,
    )


def open_priming(section: PrimerSection, label: LabelSection) -> Priming | None:
    """Say where primers come from.

    Args:
        section: how many of which kind; left open, a guided search has some and another none.
        label: the search.

    Returns:
        How primers are made; None where there are none.
    """
    usual = _PRIMERS if label.method == "guided" else 0
    networks = usual if section.networks is None else section.networks
    if not networks:
        return None
    # Without a word on it, the recipe follows the number of answers, which is not known yet.
    chosen = section.model_fields_set & RecipeSection.model_fields.keys()
    return Priming(
        recipe=open_recipe(section, primer_recipe(_MANY, section.epochs)) if chosen else None,
        architecture=section.architecture,
        networks=networks,
        mixtures_per_image=section.mixtures_per_image,
        subspace=section.subspace,
        seed=section.seed,
    )


def open_distillation(section: DistillSection, *, primed: bool = False, images: int = 0) -> Distillation:
    """Make what a section says about learning.

    Args:
        section: what it leaves open is the preset of the student's architecture, and the best rule for what was bought.
        primed: whether there are primers.
        images: how many images were bought.

    Returns:
        How students learn.
    """
    softening = section.softening or best_softening(primed=primed, images=images)
    softening_temperature, temperature = TEMPERATURES[softening]
    return Distillation(
        student=section.student,
        recipe=open_recipe(section, student_recipe(section.student)),
        softening=softening,
        softening_temperature=section.softening_temperature or softening_temperature,
        temperature=section.temperature or temperature,
        beside=section.beside,
        hard_weight=section.hard_weight,
        soft_weight=section.soft_weight,
        classes=section.classes,
        queries_per_pair=section.queries_per_pair,
        seed=section.seed,
        baselines=section.baselines,
    )


def open_budget(section: BudgetSection) -> Budget:
    """Make what a section says may be spent."""
    limits = section.model_dump(include={"decisions", "primer", "noise", "repulsion", "explore", "label"})
    stages = {name: limit for name, limit in limits.items() if limit is not None}
    return Budget(section.total, stages, section.price_per_1000, section.repeats)


def open_train_recipe(section: TrainSection) -> Recipe:
    """Make the recipe of a network that learns from true labels: its preset, and what the section changes.

    Args:
        section: architecture, preset and changes.

    Returns:
        The recipe.

    Raises:
        PlanError: values that no training can have.
    """
    preset = teacher_recipe if section.preset == "teacher" else student_recipe
    return open_recipe(section, preset(section.architecture))


def open_recipe(section: RecipeSection, preset: Recipe) -> Recipe:
    """Change a preset where the section says so.

    Args:
        section: the changes.
        preset: what holds where it says nothing.

    Returns:
        The recipe.

    Raises:
        PlanError: values that no training can have.
    """
    asked = {
        field.name: getattr(section, field.name) for field in fields(Recipe) if getattr(section, field.name) is not None
    }
    # Who names milestones means steps, and who names a cycle has none of the preset's.
    if section.milestones is not None:
        asked = {"schedule": "steps"} | asked
    elif section.schedule == "one-cycle":
        asked["milestones"] = ()
    return replace(preset, **asked)
