"""Images of an exploration as any other synthesized images: `run:DIR` names them, and labelling pays for none again.

Beside `synthesizing`, which makes images by repulsion. Called by `db3kd synthesize`.
"""

import torch

from db3kd.data import Dataset
from db3kd.evaluation import never_decided
from db3kd.pipeline.exploring import EXPLORE, Exploring, explore
from db3kd.pipeline.story import Budget, Progress, silent
from db3kd.pipeline.synthesized import Synthesized, keep, kept_synthesis
from db3kd.pipeline.trusting import put_samples
from db3kd.report.schema import Synthesis
from db3kd.runs import Run
from db3kd.synthesis.answers import KINDS, Answers
from db3kd.teachers import Teacher


def synthesize_by_asking(
    run: Run, teacher: Teacher, exploring: Exploring, *, budget: Budget, progress: Progress = silent
) -> Synthesized:
    """Make images out of nothing by asking about made ones, or read those that were made before.

    Args:
        run: remembers answers, primers and images.
        teacher: decides.
        exploring: how.
        budget: what may be spent.
        progress: hears how far it is.

    Returns:
        All images that were asked about, with their classes; an image that was asked about twice is there once.

    Raises:
        BudgetExhausted: the budget is spent; all answers are kept.
        InputError: the teacher's bounds are not those of images.
        RunMismatch: the run belongs to other images, or was made in another way.
        TeacherError: the teacher failed for good.

    Cost: `exploring.queries` at most.
    """
    provenance = {"teacher": teacher.spec.fingerprint, "exploring": repr(exploring)}
    finished = kept_synthesis(run, provenance)
    if finished is not None:
        return finished
    explored = explore(run, teacher, exploring, budget=budget, progress=progress)
    made = _gather(explored.answers, exploring.method)
    put_samples(run, explored)
    keep(run, teacher, made, provenance)
    return made


def _gather(answers: Answers, method: str) -> Synthesized:
    pixels = answers.questions.pixels
    rows = _first_of_each(answers)
    kinds = [KINDS[kind].replace(" ", "-") for kind in answers.questions.kinds[rows].tolist()]
    ids = tuple(f"{method}/{kind}/{row:07}" for kind, row in zip(kinds, rows.tolist(), strict=True))
    decisions = answers.decisions[rows]
    by_class = torch.bincount(decisions, minlength=answers.num_classes)
    figures = Synthesis(
        method=method,
        images=len(ids),
        images_by_class=tuple(by_class.tolist()),
        missing=never_decided(answers.histogram()),
        queries={EXPLORE: len(answers)},
    )
    return Synthesized(Dataset(method, ids, pixels[rows], None, ()), decisions, figures)


def _first_of_each(answers: Answers) -> torch.Tensor:
    """The positions of all images that are no copy of an earlier one."""
    _, group = torch.unique(answers.questions.pixels.flatten(1), dim=0, return_inverse=True)
    first = torch.full((int(group.max()) + 1,), len(answers)).scatter_reduce(
        0, group, torch.arange(len(answers)), "amin"
    )
    return first.sort().values
