"""One line of Python for the whole story: a teacher and images in, a trained student out."""

import logging
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Shaped
from torch import nn

from db3kd.boundary.methods import BoundaryDistance, GuidedDistance, Method, MinimalBoundaryDistance, SampleDistance
from db3kd.data import Dataset, from_arrays
from db3kd.execution import Labelling
from db3kd.models import weights
from db3kd.pipeline.priming import mixtures_for
from db3kd.pipeline.repeating import kept_repeats, warnings_of
from db3kd.pipeline.story import ENOUGH_FOR_PRIMERS, Budget, Distillation, Priming, Story, best_softening
from db3kd.pipeline.telling import STUDENT, tell
from db3kd.runs import Run
from db3kd.teachers import Teacher
from db3kd.tensors import Tensor
from db3kd.training import Recipe, student_recipe

_log = logging.getLogger(__name__)

MethodName = Literal["sd", "bd", "mbd", "guided"]
_QUERIES: dict[str, int] = {"mbd": 1000, "guided": 50}
_LEAST_GUIDED = 10
_LEAST_SIDE = 16
_SECTION = "python"
_REPEATS = 16


def distill(  # noqa: PLR0913  # the whole story in one call: its options are the user's, and keyword-only
    teacher: Teacher,
    images: Dataset | Shaped[Tensor, "n ..."] | Shaped[np.ndarray, "n ..."],
    *,
    student: str = "lenet5-half",
    budget: int | None = None,
    method: MethodName = "sd",
    recipe: Recipe | None = None,
    run: str | Path | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> nn.Module:
    """Copy what a teacher knows into a small network.

    Args:
        teacher: tells nothing but its decisions, such as a `FunctionTeacher`.
        images: what to ask about: a `Dataset`, uint8 images, or floating point ones in [0, 1];
            [n h w], [n c h w] or [n h w c]. No labels are needed.
        student: architecture: "lenet5-half", "alexnet-quarter", ... or "package.module:factory".
        budget: most queries to spend in all; the queries per pair are chosen so that they fit.
        method: "sd", "bd", "mbd" or "guided", which trains primers first. "sd" asks about the images alone, and, where
            there are 20,000 or more, about two mixtures for each, from whose classes primers learn that teach the
            student: no search has made a better one (records/2026-11-23-students). Where the budget does not reach for
            a search, the sample distance is taken.
        recipe: how the student is trained; None for the preset of its architecture.
        run: a directory that makes it durable: interrupted, it goes on there without paying twice. None for a
            temporary one.
        seed: of all random choices.
        device: where searches and training run.

    Returns:
        The trained student, in eval mode on the CPU; it maps images [n c h w] in [0, 1] to logits.

    Raises:
        BudgetExhausted: the budget is smaller than the number of images.
        InputError: images and teacher do not fit.
        TeacherError: the teacher failed for good; with `run`, what was bought is kept.

    Cost: one query an image, and what the budget leaves for the distances; the last 16, where it leaves them, ask some
        images a second time, and a teacher that is not constant is told in a warning.
    """
    dataset = images if isinstance(images, Dataset) else from_arrays(images)
    with ExitStack() as stack:
        folder = run or stack.enter_context(tempfile.TemporaryDirectory(prefix="db3kd-"))
        opened = stack.enter_context(Run(folder))
        priming = _priming(dataset, student, seed)
        beside = mixtures_for(len(dataset), priming)
        allowed = _kept_allowance(opened)
        if allowed is None:
            primed = method == "guided" or (method == "sd" and _is_worth_priming(dataset, budget, beside))
            each = _allowance(budget, dataset, teacher.spec.num_classes, beside=beside if primed else 0)
            allowed = _Allowance(each, primed)
        rule = best_softening(primed=allowed.primed, images=len(dataset))
        learning = Distillation(student, recipe or student_recipe(student), seed=seed, baselines=()).softened_by(rule)
        asked = {"images": dataset.digest, "method": method, "distillation": repr(learning), "seed": seed}
        opened.adopt({_SECTION: {**asked, "allowance": allowed.each, "primed": allowed.primed}})
        story = Story(
            teacher=teacher,
            images=dataset,
            held_out=None,
            labelling=choose_labelling(method, None if allowed.each < 0 else allowed.each, seed=seed, device=device),
            distillation=learning,
            budget=Budget(total=budget, repeats=_REPEATS),
            priming=priming if allowed.primed else None,
            device=device,
        )
        tell(opened, story)
        for warning in warnings_of(kept_repeats(opened)):
            _log.warning("%s", warning)
        kept = opened.get(f"{STUDENT}.safetensors")
    assert kept is not None, "the student was just trained"
    return weights.from_bytes(kept, STUDENT)[0]


def _priming(images: Dataset, student: str, seed: int) -> Priming:
    """Primers of the usual size, or of the student's where images are too small for that."""
    usual = Priming(seed=seed)
    return usual if min(images.image_shape[1:]) >= _LEAST_SIDE else replace(usual, architecture=student)


class _Allowance(NamedTuple):
    """What a budget leaves for each pair, -1 for no limit, and whether it reaches for primers."""

    each: int
    primed: bool


def _is_worth_priming(images: Dataset, budget: int | None, beside: int) -> bool:
    return len(images) >= ENOUGH_FOR_PRIMERS and (budget is None or budget >= len(images) + beside)


def _allowance(budget: int | None, images: Dataset, num_classes: int, *, beside: int) -> int:
    """Queries that a budget leaves for each pair; -1 for no limit."""
    if budget is None:
        return -1
    return max(0, budget - len(images) - beside) // max(1, len(images) * (num_classes - 1))


def _kept_allowance(run: Run) -> _Allowance | None:
    """What a run that was begun allows each pair: a budget that is raised to go on must not change the search."""
    section = (run.plan() or {}).get(_SECTION)
    if not isinstance(section, dict) or "allowance" not in section:
        return None
    return _Allowance(int(str(section["allowance"])), bool(section.get("primed", False)))


def choose_labelling(method: MethodName, allowance: int | None, *, seed: int = 0, device: str = "cpu") -> Labelling:
    """Choose a search that an allowance of queries per pair can pay.

    Args:
        method: what is wished for.
        allowance: most queries for one image and class, or None for the method's own measure.
        seed: of all random choices.
        device: where it runs.

    Returns:
        The search with its queries per pair: the boundary distance with fewer exemplars where few queries are allowed,
        the sample distance where they do not reach for one bisection.
    """
    wished: dict[MethodName, Method] = {
        "sd": SampleDistance(),
        "bd": BoundaryDistance(),
        "mbd": MinimalBoundaryDistance(seed=seed),
        "guided": GuidedDistance(seed=seed),
    }
    chosen = wished[method]
    most = _QUERIES[method] if chosen.most_queries is None else chosen.most_queries
    affordable = most if allowance is None else min(most, allowance)
    least = _LEAST_GUIDED if method == "guided" else BoundaryDistance(exemplars=1).most_queries
    if affordable < least:
        chosen, affordable = SampleDistance(), 0
    return Labelling(chosen, affordable, seed=seed, share_leftovers=chosen.name == "guided", device=device)
