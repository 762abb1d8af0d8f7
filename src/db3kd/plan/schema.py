"""The plan: its sections, with the keys that the objects named in it have.

A key that is unknown or impossible is named, all of them in one message. Turning the plan into objects is the business
of `opening`; files and options are read in `writing`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge
from pydantic import AfterValidator, BaseModel, Field, ValidationError, create_model

from db3kd.acquisition import Rounds
from db3kd.arguments import Seed
from db3kd.boundary import Measurement
from db3kd.data import ImageOptions
from db3kd.errors import PlanError
from db3kd.names import ACQUISITIONS, POOLS, SEARCHES
from db3kd.pipeline.story import Student
from db3kd.plan.section import Keys, Options, Section, chosen, keys_of, known, section_of
from db3kd.plan.teacher_keys import TeacherSection
from db3kd.plan.writing import SEVERAL
from db3kd.pools import NoiseOptions, Repulsion
from db3kd.scaling import Cluster
from db3kd.training import Committee, Recipe

Count = Annotated[int, Ge(0)]
Price = Annotated[float, Ge(0), Field(allow_inf_nan=False)]
REPULSION, NONE = "repulsion", "none"
POOL_KINDS: Mapping[str, str] = {**POOLS, REPULSION: "db3kd.plan.schema:Nothing"}
SEARCH_NAMES: Mapping[str, str] = {NONE: "db3kd.plan.schema:Nothing", **SEARCHES}
LESSON_KINDS: Mapping[str, str] = {
    "labels": "db3kd.pipeline.story:FixedLesson",
    "candidates": "db3kd.pipeline.story:CommitteeLesson",
}


@dataclass(frozen=True)
class Nothing:
    """What has no options of its own."""


class RunSection(Section):
    """How the run is done.

    Args:
        seed: all random choices are drawn from it.
        bought_by: directory of another run whose answers are learned from; nothing is asked then.
    """

    seed: Seed = 0
    bought_by: str | None = None


class ImagesSection(Section):
    """Unlabelled images at hand; without the section, there are none.

    Args:
        source: a folder of images, or a name or a path: mnist, fashion-mnist, cifar10, mnist-5k, imagefolder:DIR,
            npy:FILE, npz:FILE, run:DIR for what another run was asked about, ...
        split: "train" or "test".
        limit: take that many, drawn by the seed.
        seed: decides which images are taken where there is a limit.

    The other keys are those of `db3kd.data.ImageOptions`.
    """

    source: str
    split: Literal["train", "test"] = "train"
    limit: Annotated[int, Ge(1)] | None = None
    seed: Seed = 0


class HeldOutSection(ImagesSection):
    """What students are measured on; without the section, the report holds no accuracies.

    Without a `split`, a folder or file that is not divided into train and test is taken whole, unless it is that of
    `images`. What it does not say of how images are brought to one size is as the section `images` has it.
    """

    split: Literal["train", "test"] = "test"


class BudgetSection(Section):
    """What may be spent; it may be changed to go on with a run.

    Args:
        total: most queries of all stages together.
        images: most questions about the pool, some of them about transformed images; left out, as many as it has, or as
            the total reaches for.
        answers: most queries about images of the pool.
        mixtures: most queries about mixtures for a committee; mixtures of noise, which repulsion may want, are counted
            by themselves.
        distances: most queries of the search.
        noise: most queries about noise, which repulsion begins with.
        repulsion: most queries of the pushes.
        repeats: images to ask a second time at the end, to see whether the teacher is constant; 0 for none.
        record: keep all answers by question: "recorded:RUN" replays them, and no question is paid twice. By default
            where the teacher bills tokens.
        recorded: directories of recorded runs of the same teacher, whose answers are used.
        price_per_1000: money for 1,000 queries.
        price_per_million_input: money for a million tokens that go in, where the teacher bills tokens.
        price_per_million_output: money for a million tokens that come out.
        currency: currency of the prices.
    """

    total: Count | None = None
    images: Count | None = None
    answers: Count | None = None
    mixtures: Count | None = None
    distances: Count | None = None
    noise: Count | None = None
    repulsion: Count | None = None
    repeats: Count = 16
    record: bool | None = None
    recorded: tuple[str, ...] = ()
    price_per_1000: Price | None = None
    price_per_million_input: Price | None = None
    price_per_million_output: Price | None = None
    currency: str = "EUR"


class TrainSection(Section):
    """What `db3kd train` trains, beside the keys of its recipe.

    Args:
        architecture: a name, such as lenet5, lenet5-half or alexnet, timm:NAME, torchvision:NAME, hf:NAME, or
            package.module:factory.
        preset: the recipe that the other keys change: "teacher", "student", or "photo" for deep networks of photos.
    """

    architecture: str
    preset: Literal["teacher", "student", "photo"] = "teacher"


class Plan(Section):
    """A run as it was asked for; a section that is left out is what suits.

    Args:
        teacher: who decides.
        run: how the run is done.
        images: unlabelled images at hand.
        pool: where images come from, in the place of those at hand or beside them; a list of names, such as
            ["images", "priors"], for all of them together.
        rounds: how the questions are divided.
        acquisition: what chooses them.
        committee: networks that learn the answers.
        search: how distances are bought.
        lesson: what the student learns.
        student: who learns.
        held_out: what students are measured on.
        budget: what may be spent.
        cluster: replicas of the teacher. A run does not keep it: it goes on with others, or with none.
        train: a network that is trained on true labels.
    """

    teacher: TeacherSection | None = None
    run: RunSection = RunSection()
    images: ImagesSection | None = None
    pool: Options | None = None
    rounds: Options | None = None
    acquisition: Options | None = None
    committee: Options | None = None
    search: Options | None = None
    lesson: Options | None = None
    student: Options | None = None
    held_out: HeldOutSection | None = None
    budget: BudgetSection = BudgetSection()
    cluster: Options | None = None
    train: TrainSection | None = None

    def written(self) -> dict[str, object]:
        """Give the keys that were written, as plain values: what a run keeps, and a plan again."""
        return self.model_dump(mode="json", exclude_unset=True, exclude_none=True, exclude={"cluster"})


def sections_of(content: Mapping[str, object]) -> dict[str, type[Section]]:
    """Make the models of all sections."""
    searching, recipe = content.get("search"), keys_of(Recipe)
    none = isinstance(searching, Mapping) and searching.get("name") == NONE
    return {
        "teacher": TeacherSection,
        "run": RunSection,
        "images": create_model("ImagesSection", __base__=ImagesSection, **keys_of(ImageOptions)),
        "pool": _pool_section(content.get("pool")),
        "rounds": section_of(Rounds, keys_of(Rounds)),
        "acquisition": chosen(ACQUISITIONS, content.get("acquisition")),
        "committee": section_of(Committee, keys_of(Committee)),
        "search": chosen(SEARCH_NAMES, searching, more={} if none else keys_of(Measurement, without=("method",))),
        "lesson": chosen(LESSON_KINDS, content.get("lesson"), key="kind", default="labels"),
        "student": section_of(None, {**keys_of(Student, without=("recipe", "changes", "follows")), **recipe}),
        "held_out": create_model("HeldOutSection", __base__=HeldOutSection, **keys_of(ImageOptions)),
        "budget": BudgetSection,
        "cluster": section_of(Cluster, keys_of(Cluster, without=("opening",))),
        "train": create_model("TrainSection", __base__=TrainSection, **recipe),
    }


def _pool_section(written: object) -> type[Options]:
    """Repulsion is several objects in one section, and several pools have no options."""
    section = written if isinstance(written, Mapping) else {}
    kind = section.get("kind")
    if isinstance(kind, str) and SEVERAL in kind:
        model = section_of(None, {"kind": (Annotated[str, AfterValidator(_known_pools)], Field())})
        model.chosen_by = "kind"
        return model
    if kind != REPULSION:
        return chosen(POOL_KINDS, written, key="kind")
    pushing = keys_of(Repulsion, {"method": section.get("search")})
    keys: Keys = {**keys_of(NoiseOptions), "search": pushing.pop("method"), **pushing}
    keys["committee"] = (section_of(Committee, keys_of(Committee, without=("rivals",))) | None, None)
    return chosen(POOL_KINDS, written, key="kind", more=keys)


def _known_pools(names: str) -> str:
    for name in names.split(SEVERAL):
        known(POOLS, name)
    return names


def parse_plan(content: Mapping[str, object], origin: str = "what was asked for") -> Plan:
    """Check a plan that comes from `origin`."""
    sections: dict[str, Any] = {
        name: (model if name in ("run", "budget") else model | None, Plan.model_fields[name].default)
        for name, model in sections_of(content).items()
    }
    model = create_model("Plan", __base__=Plan, **sections)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(_fault(fault, model) for fault in error.errors(include_url=False))
        raise PlanError(f"{origin} cannot be followed: {faults}; nothing was done: correct these keys") from error


def _fault(fault: Mapping[str, Any], model: type[BaseModel]) -> str:
    location = [str(part) for part in fault["loc"]]
    place = ".".join(location)
    if fault["type"] == "missing":
        return f"{place} is missing"
    if fault["type"] == "value_error":
        return f"{place}: {fault['msg'].removeprefix('Value error, ')}"
    if fault["type"] == "extra_forbidden":
        for part in location[:-1]:
            model = next(iter(_models(model.model_fields[part].annotation)), model)
        return f"{place} is unknown: expected one of {', '.join(model.model_fields)}"
    return f"{place} must be {fault['msg'].removeprefix('Input should be ')}, got {fault['input']!r}"


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Find the models in a type such as `Section | None`."""
    if isinstance(annotation, type):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for part in getattr(annotation, "__args__", ()) for model in _models(part)]
