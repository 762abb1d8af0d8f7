"""One line of Python where there are no images: a teacher in, a trained student out.

The stages are in `exploring` and `imitating`; here they are put together, and what can be said of the student's quality
without a test set is written into the run. Called by users as `db3kd.distill_without_data`, and by `db3kd bench`.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from torch import nn

from db3kd.data import Dataset
from db3kd.errors import InputError
from db3kd.pipeline.exploring import DatalessMethod, Exploring
from db3kd.pipeline.imitating import Imitation, candidates_for, epochs_for, imitation_recipe
from db3kd.pipeline.story import Budget
from db3kd.pipeline.telling import REPORT
from db3kd.pipeline.telling_dataless import (
    DatalessStory,
    check_dataless,
    conclude_without_data,
    learn_without_data,
)
from db3kd.runs import Run
from db3kd.synthesis.active import Rounds
from db3kd.teachers import Teacher, TeacherSpec
from db3kd.training import Recipe

SECTION = "without-data"
_LEAST_SIDE = 16


def distill_without_data(  # noqa: PLR0913  # the whole story in one call: its options are the user's, and keyword-only
    teacher: Teacher,
    *,
    student: str = "lenet5-half",
    budget: int = 100_000,
    method: DatalessMethod = "active",
    recipe: Recipe | None = None,
    run: str | Path | None = None,
    held_out: Dataset | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> nn.Module:
    """Copy what a teacher knows into a small network, without a single image.

    Args:
        teacher: tells nothing but its decisions, such as a `FunctionTeacher`.
        student: architecture: "lenet5-half", "alexnet-quarter", ... or "package.module:factory".
        budget: most queries to spend in all; fewer are spent where asking further brings nothing.
        method: "active" chooses what to ask in rounds; "priors" asks about procedural images as they come.
        recipe: how the student is trained; a set of made images serves two epochs, more where there are many.
            None for the preset.
        run: a directory that makes it durable: interrupted, it goes on there without paying twice. None for a
            temporary one. How far the student can be trusted is in its `trust.json` and its report.
        held_out: images, of `db3kd.data.from_arrays` or `load`, that the student is measured on for that report; they
            may be given in a later call, which asks nothing else again.
        seed: of all random choices.
        device: where training runs.

    Returns:
        The trained student, in eval mode on the CPU; it maps images [n c h w] in [0, 1] to logits.

    Raises:
        InputError: the teacher takes no images in [0, 1], or the student or the held-out images do not fit it, or there
            is no run whose report these could be in.
        RunMismatch: the run was made in another way, or measured on other held-out images.
        TeacherError: the teacher failed for good; with `run`, what was bought is kept.

    Cost: `budget` queries at most; one for each held-out image, booked apart.
    """
    if held_out is not None and run is None:
        raise InputError("held-out images are measured for the report of a run; nothing was asked: name one with run=")
    with ExitStack() as stack:
        folder = run or stack.enter_context(tempfile.TemporaryDirectory(prefix="db3kd-"))
        opened = stack.enter_context(Run(folder))
        queries = _kept_queries(opened) or budget
        exploring = plan_exploring(teacher.spec, student, queries=queries, method=method, seed=seed, device=device)
        candidates = candidates_for(exploring.queries)
        recipe = recipe or imitation_recipe(epochs_for(exploring.queries))
        imitation = Imitation(student, recipe, candidates, seed=seed, device=device)
        story = DatalessStory(teacher, exploring, imitation, held_out, Budget(total=budget))
        # Before the run is bound to it.
        check_dataless(story)
        asked = {"method": method, "student": student, "recipe": repr(imitation.recipe), "seed": seed}
        opened.adopt({SECTION: {**asked, "queries": exploring.queries, "epochs": imitation.recipe.epochs}})
        learnt = learn_without_data(opened, story)
        if run is not None and (held_out is not None or not opened.has(REPORT)):
            conclude_without_data(opened, story, learnt)
    return learnt.student


def plan_exploring(
    spec: TeacherSpec, student: str, *, queries: int, method: DatalessMethod, seed: int = 0, device: str = "cpu"
) -> Exploring:
    """Choose how a teacher is explored.

    Args:
        spec: of the teacher.
        student: whose architecture primers take where images are too small for the usual one.
        queries: to spend.
        method: "active", or "priors" for one opening and no rounds.
        seed: of all choices.
        device: where primers are trained.

    Returns:
        The plan.

    Raises:
        InputError: there is no query to spend.
    """
    if queries < 1:
        raise InputError(f"a budget of at least 1 query is needed, got {queries}; nothing was asked")
    return Exploring(
        queries=queries,
        rounds=rounds_of(method),
        architecture=primer_architecture(spec, student),
        seed=seed,
        device=device,
    )


def rounds_of(method: DatalessMethod) -> Rounds:
    """Give the rounds of a method: one opening and nothing else for "priors"."""
    return Rounds(opening=1.0) if method == "priors" else Rounds()


def primer_architecture(spec: TeacherSpec, student: str) -> str:
    """Choose who the primers are: LeNet5, or networks like the student where images are too small for it."""
    return student if min(spec.input_shape[1:]) < _LEAST_SIDE else "lenet5"


def _kept_queries(run: Run) -> int | None:
    """What a run that was begun is to spend: a budget that is raised later must not change its rounds."""
    section = (run.plan() or {}).get(SECTION)
    return int(str(section["queries"])) if isinstance(section, dict) and "queries" in section else None
