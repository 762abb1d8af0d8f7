"""The training of a network by a run, which goes on after an interruption.

What students are taught is the matter of `lessons`; no query is spent here. Called by `db3kd.pipeline.tell`, by
`db3kd train` and by benchmarks.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict

from torch import nn

from db3kd.data import Dataset
from db3kd.models import build, weights
from db3kd.pipeline.story import Progress, silent
from db3kd.runs import Run
from db3kd.tensorfile import pack, unpack
from db3kd.training import Epoch, Objective, Recipe, TrainingState, fit

_STATE = "db3kd-training-1"
# A state is three times the weights: for a large network, one an epoch would take longer than the epoch.
_SECONDS_BETWEEN_STATES = 5.0


def train(  # noqa: PLR0913  # what a training is stands in the call; its options are keyword-only
    run: Run,
    name: str,
    images: Dataset,
    objective: Objective,
    *,
    architecture: str,
    recipe: Recipe,
    num_classes: int | None = None,
    images_per_epoch: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress = silent,
) -> nn.Module:
    """Train a network and keep it, go on with a training that was interrupted, or read the finished one.

    Args:
        run: keeps `NAME.safetensors`, the state of an unfinished training, and a line per epoch in `training.jsonl`.
        name: of the network in the run.
        images: what it learns from.
        objective: what it learns about them.
        architecture: as `db3kd.models.build` takes it.
        recipe: how it learns.
        num_classes: length of its scores; None to take it from what it learns.
        images_per_epoch: an epoch takes so many of the images; None for all of them.
        seed: of the initial weights and the order of the images.
        device: where it learns.
        progress: hears the epochs.

    Returns:
        The trained network in eval mode on the CPU.

    Raises:
        ArtifactError: a kept file was edited or truncated.
        PlanError: architecture, images and objective do not fit each other.
        StorageError: the disk is full; the last kept state is whole.
    """
    finished = finished_network(run, name)
    if finished is not None:
        return finished
    num_classes = num_classes or _count_classes(images, objective)
    resume = interrupted_state(run, name)
    progress(f"train {name}", 0 if resume is None else resume.epoch, recipe.epochs, "epochs")
    module = fit(
        build(architecture, images.image_shape, num_classes, seed=seed),
        images,
        objective,
        recipe,
        seed=seed,
        device=device,
        images_per_epoch=images_per_epoch,
        resume=resume,
        on_epoch=noting(run, name, recipe.epochs, progress=progress),
    )
    header = weights.describe(architecture, images.image_shape, num_classes, dataset=images.name)
    return keep_network(run, name, module, header)


def kept_network(run: Run, name: str) -> nn.Module | None:
    """Read a network that a run has finished training, if it has.

    Args:
        run: keeps it.
        name: of the network in the run.

    Returns:
        The network in eval mode on the CPU, or None.

    Raises:
        ArtifactError: the file was edited or truncated.
    """
    kept = run.get(f"{name}.safetensors")
    return None if kept is None else weights.from_bytes(kept, str(run.folder / name))[0]


def finished_network(run: Run, name: str) -> nn.Module | None:
    """Read a network as `kept_network` does, where it may be trained next: only what is finished is left of it."""
    kept = kept_network(run, name)
    if kept is not None:
        # A kill may have come between the weights and the end of their training's state.
        run.remove(_state_file(name))
    return kept


def keep_network(run: Run, name: str, module: nn.Module, header: dict[str, str]) -> nn.Module:
    """Keep a network that is trained, and forget where its training was.

    Args:
        run: keeps it, as `NAME.safetensors`.
        name: of the network in the run.
        module: the network.
        header: what `weights.describe` says of it.

    Returns:
        The network on the CPU.
    """
    run.put(f"{name}.safetensors", weights.to_bytes(module, header))
    run.remove(_state_file(name))
    return module.cpu()


def interrupted_state(run: Run, name: str) -> TrainingState | None:
    """Read where the training of a network was interrupted, and drop the lines of the epochs after that.

    Args:
        run: keeps it.
        name: of the network in the run.

    Returns:
        The last state that was kept; None where there is none.

    Raises:
        ArtifactError: the file was edited or truncated.
    """
    data, state = run.get(_state_file(name)), None
    if data is not None:
        way_out = "delete it and run again: the training starts anew"
        tensors, header = unpack(data, kind=_STATE, origin=str(run.folder / _state_file(name)), way_out=way_out)
        state = TrainingState(int(header["epoch"]), tensors)
    done = 0 if state is None else state.epoch
    run.rewrite_lines([line for line in run.lines() if line["student"] != name or int(str(line["epoch"])) <= done])
    return state


def noting(
    run: Run, name: str, epochs: int, *, progress: Progress = silent
) -> Callable[[Epoch, Callable[[], TrainingState]], None]:
    """Write a line per epoch, and the state every few seconds; not the last one, from which nothing would be trained.

    Args:
        run: keeps both.
        name: of the network in the run.
        epochs: of the whole training.
        progress: hears the epochs.

    Returns:
        What `fit` takes as `on_epoch`.
    """
    kept_at = time.monotonic()

    def note(epoch: Epoch, state: Callable[[], TrainingState]) -> None:
        nonlocal kept_at
        run.append_line({"student": name} | {"epoch": epoch.number} | asdict(epoch))
        if time.monotonic() - kept_at > _SECONDS_BETWEEN_STATES and epoch.number < epochs:
            reached = state()
            run.put(_state_file(name), pack(reached.tensors, {"epoch": str(reached.epoch)}, kind=_STATE))
            kept_at = time.monotonic()
        progress(f"train {name}", epoch.number, epochs, "epochs")

    return note


def last_losses(run: Run) -> Mapping[str, float]:
    """Read the loss of each student's last epoch from the run's `training.jsonl`."""
    return {str(line["student"]): float(str(line["loss"])) for line in run.lines()}


def _state_file(name: str) -> str:
    return f"{name}.state.safetensors"


def _count_classes(images: Dataset, objective: Objective) -> int:
    if objective.soft_labels is not None:
        return objective.soft_labels.shape[1]
    if images.class_names:
        return len(images.class_names)
    assert objective.labels is not None
    return int(objective.labels.max()) + 1
