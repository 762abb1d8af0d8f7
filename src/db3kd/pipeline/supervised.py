"""A network trained on true labels: a teacher of our own, or a baseline student.

It is trained in a run, so that it goes on after an interruption, and measured after its last epoch. No teacher is
asked. Called by `db3kd train`.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from db3kd.data import Dataset
from db3kd.errors import InputError
from db3kd.evaluation import Evaluation, evaluate
from db3kd.models import parameter_count
from db3kd.pipeline.story import Progress, silent
from db3kd.pipeline.students import last_losses, train
from db3kd.pipeline.timing import spent_seconds, timed
from db3kd.runs import Run
from db3kd.training import Objective, Recipe

MODEL = "model"
TRAINING = "train.json"


@dataclass(frozen=True)
class Trained:
    """A network that learned from true labels.

    Args:
        weights: its file.
        architecture: its name.
        parameters: number of its weights.
        images: number of images that it was trained on.
        epochs: passes over them.
        last_loss: the mean loss of the last epoch, in nats.
        seconds: wall time, all sessions together.
        test: what it does on the test images, after the last epoch; None where there are none.
    """

    weights: Path
    architecture: str
    parameters: int
    images: int
    epochs: int
    last_loss: float | None
    seconds: float
    test: Evaluation | None

    def figures(self) -> dict[str, object]:
        """Give all of it as JSON can hold it; accuracies are fractions of 1."""
        return {"format_version": 1, **asdict(self), "weights": str(self.weights)}


def train_on_labels(
    run: Run,
    images: Dataset,
    test: Dataset | None,
    *,
    architecture: str,
    recipe: Recipe,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = silent,
) -> Trained:
    """Train a network by cross-entropy with the true labels, or go on with it, and measure it.

    Args:
        run: keeps `model.safetensors` and `train.json`.
        images: with labels.
        test: images that it is measured on, or None.
        architecture: as `db3kd.models.build` takes it.
        recipe: how it learns.
        seed: of the initial weights and the order of the images.
        device: where it learns.
        progress: hears the epochs.

    Returns:
        The figures, which are also in the run as `train.json`.

    Raises:
        InputError: there are no labels, or architecture, images and recipe do not fit each other.
        StorageError: the disk is full; the last kept state is whole.

    Cost: none.
    """
    if images.labels is None:
        raise InputError(
            f"{images.name} has no labels, which training on true labels needs; nothing was trained: name other "
            "images, or let a teacher decide with `db3kd label`"
        )
    with timed(run):
        model = train(
            run,
            MODEL,
            images,
            Objective(labels=images.labels),
            architecture=architecture,
            recipe=recipe,
            seed=seed,
            device=device,
            progress=progress,
        )
        found = None if test is None else evaluate(model, test, labels=test.labels, device=device)
    trained = Trained(
        weights=run.folder / f"{MODEL}.safetensors",
        architecture=architecture,
        parameters=parameter_count(model),
        images=len(images),
        epochs=recipe.epochs,
        last_loss=last_losses(run).get(MODEL),
        seconds=spent_seconds(run),
        test=found,
    )
    run.put(TRAINING, (json.dumps(trained.figures(), indent=2) + "\n").encode())
    return trained
