"""The plan: every key that a user can write, with its default.

A key that is unknown or impossible is named, all of them in one message. Turning the plan into objects is
`opening`'s business; `db3kd.cli` reads files and options into it.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from db3kd.errors import PlanError
from db3kd.plan.learning_keys import DistillSection, PrimerSection, RecipeSection, TrainSection
from db3kd.plan.section import Count, Fraction, Positive, Section
from db3kd.plan.synthesis_keys import SynthesizeSection
from db3kd.plan.teacher_keys import TeacherSection


class ImagesSection(Section):
    """What the student learns from, or is measured on.

    Args:
        source: a name or a path: mnist, fashion-mnist, cifar10, mnist-5k, imagefolder:DIR, npz:FILE, ...
        split: "train" or "test".
        limit: take that many, drawn by the seed.
        seed: of the draw.
    """

    source: str
    split: Literal["train", "test"] = "train"
    limit: PositiveInt | None = None
    seed: int = 0


class HeldOutSection(ImagesSection):
    """What the student is measured on; like the images, but from the test split."""

    split: Literal["train", "test"] = "test"


class LabelSection(Section):
    """How distances are bought.

    Args:
        method: "sd" (sample distance), "bd" (boundary distance), "mbd" (minimal boundary distance, by Sign-OPT as in
            the paper) or "guided" (minimal boundary distance where primers expect it).
        queries_per_pair: most queries for one image and class; by default 50 for guided, 1,000 for mbd, and what it
            can use for bd.
        snapshots: query counts at which the distances are kept as well.
        exemplars: images of the class that bd and the start of mbd bisect towards; for sd, random ones to look at
            instead of all.
        order: "nearest" exemplars, or the nearest and then "random" ones as in the paper.
        tolerance: bd's bisection stops when its bracket is this part of the radius.
        directions: random directions per estimate; 200 for mbd, 20 for guided.
        smoothing: their length beside the row's direction (the paper's beta).
        step: first step of mbd's line search.
        keep_probes: most points to keep with their answers, as images near the boundary to learn from.
        seed: of all random choices.
    """

    method: Literal["sd", "bd", "mbd", "guided"] = "guided"
    queries_per_pair: Count | None = None
    snapshots: tuple[PositiveInt, ...] = ()
    exemplars: PositiveInt | None = None
    order: Literal["nearest", "random"] = "nearest"
    tolerance: Fraction = 1e-3
    directions: PositiveInt | None = None
    smoothing: Positive = 1e-3
    step: Positive = 0.2
    keep_probes: Count = 0
    seed: int = 0


# What a student of a run that explores heeds of the section above.
_HEEDED = {"student", "seed", "temperature", *RecipeSection.model_fields}


class BudgetSection(Section):
    """What may be spent; it may be changed to go on with a run.

    Args:
        total: most queries of all stages together.
        decisions: most queries of the stage that asks for the class of each image.
        primer: most queries of the stage that asks for the classes of mixtures.
        noise: most queries of the stage that asks for the classes of noise.
        repulsion: most queries of the stage that pushes noise away from the boundary.
        explore: most queries of the stage that asks about made images.
        label: most queries of the stage that asks for distances.
        record: whether all answers are kept by question, so that none is paid twice.
        answers: directories of recorded runs of the same teacher, whose answers are used.
        repeats: images to ask a second time at the end, to see whether the teacher is constant; 0 for none.
        price_per_1000: money for 1,000 queries.
        currency: what the price is in, for the estimate.
    """

    total: Count | None = None
    decisions: Count | None = None
    primer: Count | None = None
    noise: Count | None = None
    repulsion: Count | None = None
    explore: Count | None = None
    label: Count | None = None
    record: bool = False
    answers: tuple[str, ...] = ()
    repeats: Count = 16
    price_per_1000: Annotated[float, Field(ge=0)] | None = None
    currency: str = "EUR"


class Plan(Section):
    """A whole run; each section but `held_out` has its place in the story.

    Args:
        teacher: who decides.
        images: what the student learns from; left out where there are none.
        synthesize: how they are made then; no section of a plan that has images.
        held_out: what it is measured on; without it, the report holds no accuracies.
        label: how distances are bought.
        primer: what guides the guided search.
        distill: how the student learns.
        budget: what may be spent.
    """

    teacher: TeacherSection
    images: ImagesSection | None = None
    synthesize: SynthesizeSection | None = None
    held_out: HeldOutSection | None = None
    label: LabelSection = LabelSection()
    primer: PrimerSection = PrimerSection()
    distill: DistillSection = DistillSection()
    budget: BudgetSection = BudgetSection()

    @model_validator(mode="after")
    def _images_from_one_place(self) -> "Plan":
        if (self.images is None) == (self.synthesize is None):
            raise ValueError(
                "name what the student learns from in [images], or say in [synthesize] how images are made, and not "
                'both; `method = "active"` makes some without any'
            )
        if self.synthesize is not None and self.synthesize.unheeded is not None:
            raise ValueError(f"in [synthesize], {self.synthesize.unheeded}; leave them out, or name another method")
        idle = self._idle_keys() if self.explores else []
        if idle:
            raise ValueError(
                f"{', '.join(idle)} cannot be heeded where images are made by asking: no distance is bought there, and "
                "the student learns what primers think; leave them out"
            )
        return self

    @property
    def explores(self) -> bool:
        """Whether images are made by asking about them, round by round or at once."""
        return self.synthesize is not None and self.synthesize.method != "repulsion"

    def _idle_keys(self) -> list[str]:
        """The keys of other sections that were written and mean nothing where a teacher is explored."""
        sections = sorted(self.model_fields_set & {"label", "primer"})
        return [*sections, *(f"distill.{key}" for key in sorted(self.distill.model_fields_set - _HEEDED))]

    def sections(self) -> dict[str, object]:
        """Give the plan as plain values, defaults included, as a run keeps it: a plan again, of what is heeded."""
        idle = set(DistillSection.model_fields) - _HEEDED
        unheeded: dict[str, bool | set[str]] = {"label": True, "primer": True, "distill": idle}
        return self.model_dump(mode="json", exclude_none=True, exclude=unheeded if self.explores else None)


class Sections(BaseModel):
    """Some sections: those that a run holds so far, or those that the options of a command give.

    Args:
        teacher: as in a plan.
        images: as in a plan.
        held_out: as in a plan.
        label: as in a plan.
        primer: as in a plan.
        distill: as in a plan.
        budget: as in a plan.
        train: of `db3kd train`.
        synthesize: as in a plan, or of `db3kd synthesize`.
    """

    # What else a run holds, such as the settings of a benchmark, is no business of the commands that read this.
    model_config = ConfigDict(frozen=True, extra="ignore")

    teacher: TeacherSection | None = None
    images: ImagesSection | None = None
    held_out: HeldOutSection | None = None
    label: LabelSection | None = None
    primer: PrimerSection | None = None
    distill: DistillSection | None = None
    budget: BudgetSection | None = None
    train: TrainSection | None = None
    synthesize: SynthesizeSection | None = None

    def sections(self) -> dict[str, object]:
        """Give them as plain values, defaults included, as a run keeps them."""
        return self.model_dump(mode="json", exclude_none=True)


def parse_sections(content: Mapping[str, object], origin: str) -> Sections:
    """Check some sections of a plan.

    Args:
        content: sections of keys.
        origin: where they come from, for the error.

    Returns:
        The sections.

    Raises:
        PlanError: naming every key that is unknown, missing or impossible.
    """
    try:
        return Sections.model_validate(content)
    except ValidationError as error:
        raise PlanError(f"{origin} cannot be followed: {_faults(error)}; nothing was done: mend these keys") from error


def parse_plan(content: Mapping[str, object], origin: str) -> Plan:
    """Check a plan.

    Args:
        content: sections of keys.
        origin: where they come from, for the error.

    Returns:
        The plan.

    Raises:
        PlanError: naming every key that is unknown, missing or impossible.
    """
    try:
        return Plan.model_validate(content)
    except ValidationError as error:
        raise PlanError(f"{origin} is no plan: {_faults(error)}; nothing was done: mend these keys") from error


def read_plan(path: Path) -> Plan:
    """Read a plan from a TOML file.

    Args:
        path: the file.

    Returns:
        The plan.

    Raises:
        PlanError: the file cannot be read, is no TOML, or no plan.
    """
    try:
        content = tomllib.loads(path.read_text())
    except OSError as error:
        raise PlanError(f"the plan {path} cannot be read: {error.strerror}; name another file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"the plan {path} is no TOML: {error}; mend it") from error
    return parse_plan(content, str(path))


def _faults(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_url=False))
