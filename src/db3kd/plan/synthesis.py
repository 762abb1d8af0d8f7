"""From the section of a synthesis to objects, and from `run:DIR` to the images that a synthesis left there.

Beside `opening`, which does the same for the sections of a plan.
"""

from dataclasses import replace

from db3kd.boundary.guided import GuidedOptions
from db3kd.boundary.methods import BoundaryDistance, GuidedDistance, Method, MinimalBoundaryDistance
from db3kd.boundary.sign_opt import SignOptOptions
from db3kd.data import Dataset
from db3kd.data.dataset import draw
from db3kd.errors import PlanError, RunMismatch
from db3kd.pipeline.dataless import plan_exploring
from db3kd.pipeline.exploring import Exploring
from db3kd.pipeline.priming import primer_recipe
from db3kd.pipeline.story import Priming
from db3kd.pipeline.synthesized import kept_synthesis, synthesized_images
from db3kd.pipeline.synthesizing import Pushing
from db3kd.plan.schema import BudgetSection, ImagesSection
from db3kd.plan.synthesis_keys import SynthesizeSection
from db3kd.runs import Run
from db3kd.synthesis import NoiseOptions, Repulsion
from db3kd.teachers import TeacherSpec
from db3kd.tensors import Int, Tensor

RUN = "run:"
_QUERIES = {"mbd": 200, "guided": 50}
_DIRECTIONS = {"mbd": 40, "guided": 20}
_USUAL_STRIDE = 5
_MANY = 100_000


def open_pushing(section: SynthesizeSection, *, device: str = "cpu") -> Pushing:
    """Make what a section says about synthesis by repulsion.

    Args:
        section: noise, search and steps.
        device: where the searches run.

    Returns:
        How images are made.

    Raises:
        PlanError: steps after which images are to be kept that are none of the steps.
    """
    keep = section.keep or tuple(range(_USUAL_STRIDE, section.steps + 1, _USUAL_STRIDE)) or (section.steps,)
    late = [step for step in keep if step > section.steps]
    if late:
        raise PlanError(
            f"synthesize.keep names steps after the last of {section.steps}: {late}; nothing was asked: take them out, "
            "or raise synthesize.steps"
        )
    method = _search(section)
    queries = section.queries_per_step or method.most_queries or _QUERIES[section.search]
    noise = NoiseOptions(section.images_per_class, section.rounds, section.images_per_round, seed=section.seed)
    repulsion = Repulsion(
        method,
        queries,
        section.steps,
        tuple(sorted(set(keep))),
        section.step,
        section.halvings,
        seed=section.seed,
        device=device,
    )
    return Pushing(noise, repulsion, _priming(section))


def settle_exploring(
    section: SynthesizeSection, budget: BudgetSection, *, primers: str, kept: SynthesizeSection | None
) -> SynthesizeSection:
    """Say what a section leaves open where images are made by asking: how many queries, and who the primers are.

    What a run has begun with holds: another number would make other rounds, and pay for them again.

    Args:
        section: as it was written.
        budget: what may be spent.
        primers: the usual architecture for such images.
        kept: the section of the run that goes on, or None.

    Returns:
        The section with nothing open: the queries are those that the budget allows, if it has a limit.
    """
    allowed = min((limit for limit in (budget.total, budget.explore) if limit is not None), default=section.queries)
    left_open: dict[str, object] = {"queries": allowed if kept is None else kept.queries}
    left_open["primer_architecture"] = primers if kept is None else kept.primer_architecture
    settled = {name: value for name, value in left_open.items() if name not in section.model_fields_set}
    return section.model_copy(update=settled)


def open_exploring(section: SynthesizeSection, spec: TeacherSpec, *, device: str = "cpu") -> Exploring | None:
    """Make what a section says about synthesis by asking about made images.

    Args:
        section: the method, its queries, and the architecture of the primers.
        spec: of the teacher.
        device: where primers are trained.

    Returns:
        How the teacher is explored; None where the method is repulsion.
    """
    if section.method == "repulsion":
        return None
    architecture = section.primer_architecture
    planned = plan_exploring(
        spec, architecture, queries=section.queries, method=section.method, seed=section.seed, device=device
    )
    return replace(planned, architecture=architecture)


def open_synthesized(section: ImagesSection) -> Dataset:
    """Read the images that a run holds, which `run:DIR` names.

    Args:
        section: source, and how many.

    Returns:
        The images.

    Raises:
        PlanError: a split that synthesized images do not have, or no path.
        RunError: the run holds no synthesized images.
        ArtifactError: they were edited or truncated.
    """
    folder = section.source.removeprefix(RUN)
    if not folder:
        raise PlanError(f"{section.source!r} names no run: write run:DIR")
    if section.split != "train":
        raise PlanError(
            f"images that {section.source} holds have no {section.split} split; nothing was asked: measure on images "
            "of your own"
        )
    images = synthesized_images(Run(folder))
    if section.limit is None or section.limit >= len(images):
        return images
    return images.subset(draw(images.ids, section.limit, seed=section.seed))


def known_classes(section: ImagesSection, images: Dataset, fingerprint: str) -> Int[Tensor, " n"] | None:
    """Tell the classes of images that another run has bought already.

    Args:
        section: names the images.
        images: what it led to.
        fingerprint: of the teacher whose classes are wanted.

    Returns:
        A class for each image; None where they come from no run, or from one of another teacher.

    Raises:
        ArtifactError: the images were edited or truncated.

    Cost: none.
    """
    if not section.source.startswith(RUN):
        return None
    try:
        made = kept_synthesis(Run(section.source.removeprefix(RUN)), {"teacher": fingerprint})
    except RunMismatch:
        return None
    if made is None:
        return None
    places = {name: place for place, name in enumerate(made.images.ids)}
    return made.decisions[[places[name] for name in images.ids]]


def _search(section: SynthesizeSection) -> Method:
    directions = section.directions or _DIRECTIONS.get(section.search, 1)
    boundary = BoundaryDistance(section.exemplars)
    methods: dict[str, Method] = {
        "bd": boundary,
        "mbd": MinimalBoundaryDistance(boundary, SignOptOptions(directions), section.seed),
        "guided": GuidedDistance(options=GuidedOptions(directions), seed=section.seed),
    }
    return methods[section.search]


def _priming(section: SynthesizeSection) -> Priming | None:
    if section.search != "guided" or not section.primers:
        return None
    priming = Priming(
        architecture=section.primer_architecture,
        networks=section.primers,
        mixtures_per_image=section.mixtures_per_image,
        seed=section.seed,
        name="noise-primer",
    )
    if section.primer_epochs is None:
        return priming
    return replace(priming, recipe=primer_recipe(_MANY, section.primer_epochs))
