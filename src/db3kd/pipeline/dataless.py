"""One line of Python where there are no images: a teacher in, a trained student out.

The stages are in `exploring` and `imitating`; here they are put together, and what can be said of the student's quality
without a test set is written into the run. Called by users as `db3kd.distill_without_data`, and by `db3kd bench`.
"""

import json
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from torch import nn

from db3kd.errors import InputError
from db3kd.evaluation import ApartScore, Gain, measure_apart, never_decided, predict
from db3kd.models import build
from db3kd.pipeline.exploring import Explored, Exploring, explore
from db3kd.pipeline.imitating import Imitation, candidates_for, imitate, imitation_recipe
from db3kd.pipeline.story import Budget, Progress, silent
from db3kd.pipeline.timing import timed
from db3kd.runs import Run
from db3kd.synthesis.active import Rounds
from db3kd.synthesis.answers import KINDS
from db3kd.teachers import Teacher, TeacherSpec
from db3kd.training import Recipe

DatalessMethod = Literal["active", "priors"]
STUDENT = "student"
TRUST = "trust.json"
_FORMAT = "db3kd-trust-1"
_SECTION = "without-data"
_LEAST_SIDE = 16


@dataclass(frozen=True)
class Trust:
    """How far a student that was made without data can be trusted.

    Args:
        score: its agreement with answers that no training saw.
        gains: how the ensemble's agreement grew, round by round.
        stopped_early: whether the rounds ended since they no longer gained.
        queries: asked in all.
        class_histogram: the teacher's answers by class.
        never_decided: classes that never came: the student cannot know them.
    """

    score: ApartScore
    gains: tuple[Gain, ...]
    stopped_early: bool
    queries: int
    class_histogram: tuple[int, ...]
    never_decided: tuple[int, ...]


def distill_without_data(  # the whole story in one call: its options are the user's, and keyword-only
    teacher: Teacher,
    *,
    student: str = "lenet5-half",
    budget: int = 100_000,
    method: DatalessMethod = "active",
    recipe: Recipe | None = None,
    run: str | Path | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> nn.Module:
    """Copy what a teacher knows into a small network, without a single image.

    Args:
        teacher: tells nothing but its decisions, such as a `FunctionTeacher`.
        student: architecture: "lenet5-half", "alexnet-quarter", ... or "package.module:factory".
        budget: most queries to spend in all; fewer are spent where asking further brings nothing.
        method: "active" chooses what to ask in rounds; "priors" asks about procedural images as they come.
        recipe: how the student is trained; every second epoch has a new set of made images. None for the preset.
        run: a directory that makes it durable: interrupted, it goes on there without paying twice. None for a
            temporary one. How far the student can be trusted is in its `trust.json`.
        seed: of all random choices.
        device: where training runs.

    Returns:
        The trained student, in eval mode on the CPU; it maps images [n c h w] in [0, 1] to logits.

    Raises:
        InputError: the teacher takes no images in [0, 1], or the student does not fit them.
        TeacherError: the teacher failed for good; with `run`, what was bought is kept.

    Cost: `budget` queries at most.
    """
    # Built and dropped: a student that cannot be built must not show after the budget is spent.
    build(student, teacher.spec.input_shape, teacher.spec.num_classes)
    with ExitStack() as stack:
        folder = run or stack.enter_context(tempfile.TemporaryDirectory(prefix="db3kd-"))
        opened = stack.enter_context(Run(folder))
        queries = _kept_queries(opened) or budget
        exploring = plan_exploring(teacher.spec, student, queries=queries, method=method, seed=seed, device=device)
        candidates = candidates_for(exploring.queries)
        imitation = Imitation(student, recipe or imitation_recipe(), candidates, seed=seed, device=device)
        asked = {"method": method, "student": student, "recipe": repr(imitation.recipe), "seed": seed}
        opened.adopt({_SECTION: {**asked, "queries": exploring.queries}})
        opened.adopt_teacher(teacher.spec.fingerprint)
        with timed(opened):
            explored = explore(opened, teacher, exploring, budget=Budget(total=budget))
            network = imitate(opened, STUDENT, explored, imitation)
        write_trust(opened, explored, network, device=device)
    return network


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
    small = min(spec.input_shape[1:]) < _LEAST_SIDE
    return Exploring(
        queries=queries,
        rounds=Rounds(opening=1.0) if method == "priors" else Rounds(),
        architecture=student if small else "lenet5",
        seed=seed,
        device=device,
    )


def measure_trust(explored: Explored, student: nn.Module, *, device: str = "cpu") -> Trust:
    """Say how far a student can be trusted, on answers that were kept apart.

    Args:
        explored: all answers.
        student: the network.
        device: where it is asked.

    Returns:
        Shares of 1 and counts.

    Cost: none.
    """
    answers = explored.answers
    rows = answers.apart().nonzero()[:, 0]
    decisions = answers.decisions[rows]
    said = predict(student, answers.questions.pixels[rows], device=device) if len(rows) else decisions
    score = measure_apart(
        said, decisions, answers.questions.kinds[rows], num_classes=answers.num_classes, kind_names=KINDS
    )
    histogram = answers.histogram()
    return Trust(
        score=score,
        gains=explored.gains,
        stopped_early=explored.stopped_early,
        queries=len(answers),
        class_histogram=tuple(histogram.tolist()),
        never_decided=never_decided(histogram),
    )


def write_trust(
    run: Run, explored: Explored, student: nn.Module, *, device: str = "cpu", progress: Progress = silent
) -> Trust:
    """Measure how far a student can be trusted, and keep it as `trust.json`.

    Args:
        run: keeps it.
        explored: all answers.
        student: the network.
        device: where it is asked.
        progress: hears that it is done.

    Returns:
        What was written.

    Cost: none.
    """
    trust = measure_trust(explored, student, device=device)
    run.put(TRUST, json.dumps({"format": _FORMAT, **asdict(trust)}, indent=2).encode())
    progress("trust", 1, 1, "students")
    return trust


def _kept_queries(run: Run) -> int | None:
    """What a run that was begun is to spend: a budget that is raised later must not change its rounds."""
    section = (run.plan() or {}).get(_SECTION)
    return int(str(section["queries"])) if isinstance(section, dict) and "queries" in section else None
