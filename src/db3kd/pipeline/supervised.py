"""A network trained on true labels: a teacher of our own, or a baseline student. Called by `db3kd train`.

It is trained in a run, so that it goes on after an interruption, and measured after its last epoch. No query is spent.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from db3kd.data import Dataset
from db3kd.errors import InputError
from db3kd.evaluation import Evaluation, evaluate
from db3kd.models import build, parameter_count
from db3kd.pipeline.learn import Fixed
from db3kd.pipeline.teach import Teach
from db3kd.runs import Keeper, key_of, spent_seconds, timed
from db3kd.training import Material, Objective, Recipe

MODEL, FIGURES = "model", "train.json"


@dataclass(frozen=True)
class Trained:
    """A network that learned from true labels."""

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
    keeper: Keeper, images: Dataset, test: Dataset | None, *, architecture: str, recipe: Recipe
) -> Trained:
    """Train a network by cross-entropy with the true labels, or go on with it, and measure it."""
    if images.labels is None:
        raise InputError(
            f"{images.name} has no labels, which training on true labels needs; nothing was trained: name other "
            "images, or let a teacher decide with `db3kd label`"
        )
    context, run = keeper.context, keeper.run
    num_classes = max(len(images.class_names), int(images.labels.max()) + 1)
    # Built and dropped: a run must not be bound to a network that cannot be built.
    build(architecture, images.image_shape, num_classes)
    stage = Teach(
        MODEL,
        Fixed(Material(images.pixels, Objective(labels=images.labels))),
        architecture,
        recipe,
        about={"recipe": key_of(recipe), "images": images.digest},
        digest=images.digest,
        num_classes=num_classes,
        seed=context.seed,
    )
    with timed(run):
        keeper.declare([stage.outline])
        model = keeper.perform(stage)
        found = None if test is None else evaluate(model, test, labels=test.labels, device=context.device)
    losses = [line["loss"] for line in run.lines() if line["part"] == MODEL]
    trained = Trained(
        weights=run.folder / f"{MODEL}.safetensors",
        architecture=architecture,
        parameters=parameter_count(model),
        images=len(images),
        epochs=recipe.epochs,
        last_loss=float(str(losses[-1])) if losses and losses[-1] is not None else None,
        seconds=spent_seconds(run),
        test=found,
    )
    run.put(FIGURES, (json.dumps(trained.figures(), indent=2) + "\n").encode())
    return trained
