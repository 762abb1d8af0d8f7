"""The student of a run without data: it learns what an ensemble thinks, on images that never end.

Each set of candidates, at no query, stands beside images that the teacher has answered. An interrupted training
goes on to the same weights. Called by `telling_dataless`, and by `db3kd.bench`.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import nn
from torch.nn import functional

from db3kd.data import Dataset, from_arrays
from db3kd.evaluation import mean_logits
from db3kd.models import build, weights
from db3kd.pipeline.exploring import Explored
from db3kd.pipeline.story import Progress, silent
from db3kd.pipeline.students import drop_state, keep_state, kept_network, kept_state
from db3kd.runs import Run
from db3kd.synthesis.candidates import supply
from db3kd.tensors import Float, Int, Tensor, UInt8
from db3kd.training import Epoch, Objective, Recipe, TrainingState, fit

_SECONDS_BETWEEN_STATES = 5.0
_LEAST_CANDIDATES, _MOST_CANDIDATES = 1024, 16_384
_LEAST_EPOCHS, _QUERIES_OF_LEAST_EPOCHS = 60, 25_000


@dataclass(frozen=True)
class Imitation:
    """How a student learns from an ensemble.

    Args:
        student: architecture, as `db3kd.models.build` takes it.
        recipe: how; an epoch is one pass over a set of images.
        candidates: new images in each set.
        answered: images in each set that the teacher has decided, at most.
        passes: over a set before the next one is made; asking the ensemble takes longer than a pass.
        temperature: at which student and ensemble are compared.
        trust: weight of the teacher's decision against the ensemble's opinion, on those.
        seed: of the initial weights, the candidates and their order.
        device: where it learns.
    """

    student: str
    recipe: Recipe
    candidates: int = _MOST_CANDIDATES
    answered: int = 16_384
    passes: int = 2
    temperature: float = 2.0
    trust: float = 0.5
    seed: int = 0
    device: str = "cpu"


def candidates_for(queries: int) -> int:
    """Choose how many new images an epoch has after so many queries: more where there is more to tell of them."""
    return max(_LEAST_CANDIDATES, min(_MOST_CANDIDATES, 4 * queries))


def epochs_for(queries: int) -> int:
    """Choose how long a student learns what so many queries taught: it falls behind the ensemble where it is short."""
    return round(_LEAST_EPOCHS * max(1.0, min(2.0, math.sqrt(queries / _QUERIES_OF_LEAST_EPOCHS))))


def imitation_recipe(epochs: int) -> Recipe:
    """Give the preset: Adam, one cycle of the rate, computed in bfloat16 where that is faster."""
    return Recipe("adam", 2e-3, epochs, 128, schedule="one-cycle", precision="bfloat16")


def opinions(
    primers: Sequence[nn.Module],
    images: Dataset | UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"],
    imitation: Imitation,
) -> Float[Tensor, "n num_classes"]:
    """Give what an ensemble thinks of images, as soft labels at the temperature of an imitation."""
    return (mean_logits(primers, images, device=imitation.device) / imitation.temperature).softmax(dim=1)


def corrected(
    thought: Float[Tensor, "n num_classes"], decisions: Int[Tensor, " n"], imitation: Imitation
) -> Float[Tensor, "n num_classes"]:
    """Draw soft labels towards what the teacher decided, as far as an imitation trusts it more than the ensemble."""
    decided = functional.one_hot(decisions, thought.shape[1]).to(thought.dtype)
    return torch.lerp(thought, decided, imitation.trust)


def imitate(run: Run, name: str, explored: Explored, imitation: Imitation, *, progress: Progress = silent) -> nn.Module:
    """Train a student on an ensemble's opinions and keep it, go on with it, or read the finished one.

    Args:
        run: keeps `NAME.safetensors`, and the state of an unfinished training.
        name: of the student in the run.
        explored: the answers and the ensemble.
        imitation: how.
        progress: hears the epochs.

    Returns:
        The student in eval mode on the CPU.

    Raises:
        ArtifactError: a kept file was edited or truncated.
        PlanError: the architecture does not fit the images.

    Cost: no query.
    """
    kept = kept_network(run, name)
    if kept is not None:
        drop_state(run, name)
        return kept
    shape, num_classes = _shape_of(explored), explored.answers.num_classes
    student = begun = build(imitation.student, shape, num_classes, seed=imitation.seed)
    state, kept_at = kept_state(run, name), time.monotonic()
    done = 0 if state is None else state.epoch
    # What the ensemble thinks of answered images is asked once; the candidates of each set are new to it.
    known = opinions(explored.primers, explored.answers.questions.pixels, imitation)
    images, objective = _lesson(explored, known, imitation, done // imitation.passes)
    for epoch in range(done, imitation.recipe.epochs):
        progress(f"train {name}", epoch, imitation.recipe.epochs, "epochs")
        if epoch > done and epoch % imitation.passes == 0:
            images, objective = _lesson(explored, known, imitation, epoch // imitation.passes)
        student, state, line = _one_epoch(begun, images, objective, imitation, epoch, state)
        run.append_line({"student": name} | {"epoch": line.number} | asdict(line))
        if time.monotonic() - kept_at > _SECONDS_BETWEEN_STATES:
            keep_state(run, name, state)
            kept_at = time.monotonic()
    progress(f"train {name}", imitation.recipe.epochs, imitation.recipe.epochs, "epochs")
    header = weights.describe(imitation.student, shape, num_classes, dataset="made images")
    run.put(f"{name}.safetensors", weights.to_bytes(student, header))
    drop_state(run, name)
    return student.cpu()


def _one_epoch(
    begun: nn.Module,
    images: Dataset,
    objective: Objective,
    imitation: Imitation,
    epoch: int,
    state: TrainingState | None,
) -> tuple[nn.Module, TrainingState, Epoch]:
    """Train one epoch on images of its own: `fit` goes on from the state of the epoch before."""
    lines: list[Epoch] = []
    states: list[TrainingState] = []

    def note(line: Epoch, snapshot: Callable[[], TrainingState]) -> None:
        lines.append(line)
        states.append(snapshot())

    student = fit(
        begun,
        images,
        objective,
        imitation.recipe,
        seed=imitation.seed,
        device=imitation.device,
        until=epoch + 1,
        resume=state,
        on_epoch=note,
    )
    return student, states[-1], lines[-1]


def _lesson(
    explored: Explored, known: Float[Tensor, "n num_classes"], imitation: Imitation, number: int
) -> tuple[Dataset, Objective]:
    """A set of images, and what the ensemble thinks of them."""
    answers = explored.answers
    generator = torch.Generator().manual_seed((imitation.seed + 1) * 1_000_033 + number)
    rows = answers.learned()
    rows = rows[torch.randperm(len(rows), generator=generator)[: imitation.answered]]
    made = supply(answers, imitation.candidates, generator)
    thought = [
        opinions(explored.primers, made.pixels, imitation),
        corrected(known[rows], answers.decisions[rows], imitation),
    ]
    pixels = torch.cat([made.pixels, answers.questions.pixels[rows]])
    return from_arrays(pixels, name="made images"), Objective(
        soft_labels=torch.cat(thought), temperature=imitation.temperature
    )


def _shape_of(explored: Explored) -> tuple[int, int, int]:
    _, channels, height, width = explored.answers.questions.pixels.shape
    return channels, height, width
