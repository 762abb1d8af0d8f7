"""The primers of an exploration: networks that learn what a teacher has said of made images so far.

Those of a round choose what is asked next, and learn briefly; the last ones teach the student. No query is spent here.
Called by `exploring`, and by `db3kd.bench` for what it compares with.
"""

import torch
from torch import nn

from db3kd.data import from_arrays
from db3kd.pipeline.story import Progress, silent
from db3kd.pipeline.students import train
from db3kd.runs import Run
from db3kd.synthesis.answers import Answers
from db3kd.tensors import Int, Tensor
from db3kd.training import Objective, Recipe

# The ensemble that learns all answers in the end, and teaches the student.
LAST = "teacher"
_MANY_ANSWERS = 50_000
_MOST_EPOCHS = 60


def train_ensemble(  # noqa: PLR0913  # what a training is stands in the call; its options are keyword-only
    run: Run,
    name: str,
    answers: Answers,
    *,
    architecture: str,
    recipe: Recipe,
    networks: int,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = silent,
) -> tuple[nn.Module, ...]:
    """Train primers on all answers that are not kept apart, or read them.

    Args:
        run: keeps them, as `NAME-primer-NUMBER.safetensors`.
        name: of the ensemble in the run.
        answers: so far.
        architecture: of each primer, as `db3kd.models.build` takes it.
        recipe: how each learns.
        networks: how many.
        seed: of the exploration.
        device: where they learn.
        progress: hears the epochs of all of them as one stage: a dozen files' names would tell a user nothing.

    Returns:
        The primers in eval mode on the CPU.

    Raises:
        ArtifactError: a kept file was edited or truncated.

    Cost: none.
    """
    rows = answers.learned()
    lesson, decisions = from_arrays(answers.questions.pixels[rows], name="made images"), answers.decisions[rows]
    objective = balanced_objective(decisions, answers.num_classes)
    told = "the student's primers" if name == LAST else f"primers of {name.replace('-', ' ')}"
    return tuple(
        train(
            run,
            _primer(name, network),
            lesson,
            objective,
            architecture=architecture,
            recipe=recipe,
            num_classes=answers.num_classes,
            # Far from the seeds that students and teachers are made with: a primer must not begin as its teacher did.
            seed=(seed + 1) * 1_000_003 + 101 * len(rows) + network,
            device=device,
            progress=_part_of(told, network, networks, progress),
        )
        for network in range(networks)
    )


def has_begun(run: Run, name: str) -> bool:
    """Tell whether the first primer of an ensemble is finished in a run."""
    return run.has(f"{_primer(name, 0)}.safetensors")


def balanced_objective(decisions: Int[Tensor, " n"], num_classes: int) -> Objective:
    """Learn decisions so that a class that was seldom given counts as much as a frequent one.

    Args:
        decisions: of a teacher, a class for each image.
        num_classes: of the teacher.

    Returns:
        Cross-entropy, with the logarithm of each class's share added to its logit.
    """
    counts = torch.bincount(decisions, minlength=num_classes).to(torch.float32)
    return Objective(labels=decisions, offsets=((counts + 1) / (counts + 1).sum()).log())


def choosing_recipe(answers: int) -> Recipe:
    """Choose how primers learn that only choose what is asked next.

    Args:
        answers: that they learn from.

    Returns:
        Four epochs, and 100,000 images more.
    """
    return _recipe(answers, epochs=4, seen=100_000)


def teaching_recipe(answers: int) -> Recipe:
    """Choose how primers learn that teach in the end: many epochs of few answers, few of many.

    Args:
        answers: that they learn from.

    Returns:
        Ten epochs, and 400,000 images more.
    """
    return _recipe(answers, epochs=10, seen=400_000)


def _primer(name: str, number: int) -> str:
    return f"{name}-primer-{number}"


def _part_of(ensemble: str, number: int, networks: int, progress: Progress) -> Progress:
    """Tell one training's epochs as a part of the whole ensemble's."""

    def hear(stage: str, done: int, total: int, unit: str) -> None:  # noqa: ARG001  # the ensemble's stands for it
        progress(ensemble, number * total + done, networks * total, unit)

    return hear


def _recipe(answers: int, *, epochs: int, seen: int) -> Recipe:
    batch = 128 if answers >= _MANY_ANSWERS else 64
    wanted = min(_MOST_EPOCHS, epochs + seen // max(1, answers))
    return Recipe("adam", 2e-3, wanted, batch, schedule="one-cycle", precision="bfloat16")
