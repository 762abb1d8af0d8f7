"""Students of a run without data: they learn what an ensemble thinks, on images that never end.

Each set of candidates, at no query, stands beside images that the teacher has answered. An interrupted training
goes on to the same weights. Called by `telling_dataless`, and by `db3kd.bench`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional

from db3kd.data import Dataset, from_arrays
from db3kd.evaluation import mean_logits
from db3kd.models import build, weights
from db3kd.pipeline.exploring import Explored
from db3kd.pipeline.story import Progress, silent
from db3kd.pipeline.students import finished_network, interrupted_state, keep_network, noting
from db3kd.runs import Run
from db3kd.synthesis.candidates import supply
from db3kd.tensors import Float, Int, Tensor, UInt8
from db3kd.training import Epoch, Objective, Recipe, TrainingState, fit

_LEAST_CANDIDATES, _MOST_CANDIDATES = 1024, 16_384
_LEAST_EPOCHS, _MOST_EPOCHS, _QUERIES_OF_LEAST_EPOCHS = 60, 480, 25_000
_LEAST_PASSES, _MOST_SETS = 2, 60


@dataclass(frozen=True)
class Imitation:
    """How a student learns from an ensemble.

    Args:
        student: architecture, as `db3kd.models.build` takes it.
        recipe: how; an epoch is one pass over a set of images.
        candidates: new images in each set.
        answered: images in each set that the teacher has decided, at most.
        temperature: at which student and ensemble are compared.
        trust: weight of the teacher's decision against the ensemble's opinion, on those.
        seed: of the initial weights, the candidates and their order.
        device: where it learns.
    """

    student: str
    recipe: Recipe
    candidates: int = _MOST_CANDIDATES
    answered: int = 16_384
    temperature: float = 2.0
    trust: float = 0.5
    seed: int = 0
    device: str = "cpu"

    @property
    def passes(self) -> int:
        """Over a set before the next one is made: asking the ensemble takes longer than a pass."""
        return max(_LEAST_PASSES, -(-self.recipe.epochs // _MOST_SETS))


def candidates_for(queries: int) -> int:
    """Choose how many new images an epoch has after so many queries: more where there is more to tell of them."""
    return max(_LEAST_CANDIDATES, min(_MOST_CANDIDATES, 4 * queries))


def epochs_for(queries: int) -> int:
    """Choose how long a student learns what so many queries taught: it falls behind the ensemble where it is short."""
    return max(_LEAST_EPOCHS, min(_MOST_EPOCHS, round(_LEAST_EPOCHS * queries / _QUERIES_OF_LEAST_EPOCHS)))


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
    return imitate_together(run, {name: imitation.student}, explored, imitation, progress=progress)[name]


def imitate_together(
    run: Run, students: Mapping[str, str], explored: Explored, imitation: Imitation, *, progress: Progress = silent
) -> dict[str, nn.Module]:
    """Train students side by side: candidates are made, and the ensemble is asked about them, once for all of them.

    Args:
        run: as for `imitate`, for each student.
        students: architectures, by the students' names in the run.
        explored: the answers and the ensemble.
        imitation: how all of them learn, whatever student it names.
        progress: hears the epochs.

    Returns:
        What `imitate` would return for each, to the bit.

    Raises:
        ArtifactError: a kept file was edited or truncated.
        PlanError: an architecture does not fit the images.

    Cost: no query.
    """
    finished = {name: finished_network(run, name) for name in students}
    learners = {
        name: _Learner(run, name, explored, replace(imitation, student=architecture))
        for name, architecture in students.items()
        if finished[name] is None
    }
    if learners:
        _teach(learners, explored, imitation, progress=progress)
    return {name: learners[name].finish() if network is None else network for name, network in finished.items()}


class _Learner:
    """One student on its way: its weights, and the state to go on from.

    Args:
        run: keeps it.
        name: of the student in the run.
        explored: what it will learn.
        imitation: how.
    """

    def __init__(self, run: Run, name: str, explored: Explored, imitation: Imitation) -> None:
        self._run, self._name, self._imitation = run, name, imitation
        _, channels, height, width = explored.answers.questions.pixels.shape
        shape, num_classes = (channels, height, width), explored.answers.num_classes
        self._header = weights.describe(imitation.student, shape, num_classes, dataset="made images")
        self._begun = self._student = build(imitation.student, shape, num_classes, seed=imitation.seed)
        self._state = interrupted_state(run, name)
        self._note = noting(run, name, imitation.recipe.epochs)

    @property
    def done(self) -> int:
        """Epochs that are finished."""
        return 0 if self._state is None else self._state.epoch

    def learn(self, images: Dataset, objective: Objective) -> None:
        """Train one epoch on images of its own: `fit` goes on from the state of the epoch before."""
        self._student = fit(
            self._begun,
            images,
            objective,
            self._imitation.recipe,
            seed=self._imitation.seed,
            device=self._imitation.device,
            until=self.done + 1,
            resume=self._state,
            on_epoch=self._hear,
        )

    def finish(self) -> nn.Module:
        """Keep the weights."""
        return keep_network(self._run, self._name, self._student, self._header)

    def _hear(self, epoch: Epoch, snapshot: Callable[[], TrainingState]) -> None:
        state = self._state = snapshot()
        self._note(epoch, lambda: state)


def _teach(learners: Mapping[str, _Learner], explored: Explored, imitation: Imitation, *, progress: Progress) -> None:
    """Bring all of them to their last epoch; one that was interrupted later than the others waits for them."""
    stage = f"train {', '.join(learners)}"
    # What the ensemble thinks of answered images is asked once; the candidates of each set are new to it.
    known = opinions(explored.primers, explored.answers.questions.pixels, imitation)
    first = min(learner.done for learner in learners.values())
    for epoch in range(first, imitation.recipe.epochs):
        progress(stage, epoch, imitation.recipe.epochs, "epochs")
        if epoch == first or epoch % imitation.passes == 0:
            images, objective = _lesson(explored, known, imitation, epoch // imitation.passes)
        for learner in learners.values():
            if learner.done == epoch:
                learner.learn(images, objective)
    progress(stage, imitation.recipe.epochs, imitation.recipe.epochs, "epochs")


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
