"""From a plan without images to its story: made images, asked in rounds or at once.

Beside `opening`, which does the same for plans that name images.
"""

from dataclasses import replace

from db3kd.errors import PlanError
from db3kd.pipeline.dataless import primer_architecture
from db3kd.pipeline.imitating import Imitation, candidates_for, epochs_for, imitation_recipe
from db3kd.pipeline.telling_dataless import DatalessStory
from db3kd.plan.learning_keys import DistillSection
from db3kd.plan.opening import open_budget, open_images, open_recipe
from db3kd.plan.schema import Plan
from db3kd.plan.synthesis import open_exploring, settle_exploring
from db3kd.plan.synthesis_keys import SynthesizeSection
from db3kd.plan.teachers import OpenedTeacher
from db3kd.teachers import TeacherSpec


def settle(plan: Plan, spec: TeacherSpec, kept: SynthesizeSection | None) -> Plan:
    """Say what a plan without images leaves open, as `settle_exploring` does.

    Args:
        plan: explores a teacher.
        spec: of the teacher.
        kept: the section of the run that goes on, or None.

    Returns:
        The plan with nothing open.
    """
    assert plan.synthesize is not None, "asked of plans without images"
    primers = primer_architecture(spec, plan.distill.student)
    settled = settle_exploring(plan.synthesize, plan.budget, primers=primers, kept=kept)
    return plan.model_copy(update={"synthesize": settled})


def open_dataless_story(plan: Plan, opened: OpenedTeacher, *, device: str = "cpu") -> DatalessStory:
    """Turn a plan without images into objects.

    Args:
        plan: explores a teacher, and leaves nothing open.
        opened: the teacher.
        device: where networks run.

    Returns:
        The story.

    Raises:
        PlanError: a name that leads nowhere, or values that do not fit.
        DataError: a held-out file is missing or damaged.
    """
    assert plan.synthesize is not None, "asked of plans without images"
    exploring = open_exploring(plan.synthesize, opened.teacher.spec, device=device)
    if exploring is None:
        raise PlanError("this plan makes images by repulsion, and explores nothing; nothing was asked")
    return DatalessStory(
        teacher=opened.teacher,
        exploring=exploring,
        imitation=replace(open_imitation(plan.distill, exploring.queries), device=device),
        held_out=None if plan.held_out is None else open_images(plan.held_out),
        budget=open_budget(plan.budget),
        teacher_name=plan.teacher.uri,
        teacher_parameters=opened.parameters,
    )


def open_imitation(section: DistillSection, queries: int) -> Imitation:
    """Make what a section says about a student that learns what primers think.

    Args:
        section: what it leaves open is the preset.
        queries: that are spent.

    Returns:
        How it learns; an epoch is a set of made images.
    """
    recipe = open_recipe(section, imitation_recipe(section.epochs or epochs_for(queries)))
    imitation = Imitation(section.student, recipe, candidates_for(queries), seed=section.seed)
    return imitation if section.temperature is None else replace(imitation, temperature=section.temperature)
