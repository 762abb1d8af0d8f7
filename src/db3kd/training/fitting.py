"""The one loop of the library that changes weights.

Teachers, committees, baselines and students differ in their `Material` and `Recipe` only. What `on_epoch` hands out is
kept by `db3kd.runs`.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from db3kd.arguments import check_arguments, check_callable
from db3kd.context import HERE, Context
from db3kd.errors import ImageError, PlanError
from db3kd.models.placement import find_device, place
from db3kd.tensors import Float, Tensor
from db3kd.training.learners import Alone
from db3kd.training.objective import Material, Objective
from db3kd.training.recipe import Recipe
from db3kd.training.state import TrainingState
from db3kd.training.steps import Steps, has_batch_norm

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Epoch:
    """What one pass over the images brought; the loss is the mean, in nats, the rate the one that it began with."""

    number: int
    loss: float
    seconds: float
    images_per_second: float
    rate: float


def fit(
    module: nn.Module,
    material: Material,
    recipe: Recipe,
    *,
    context: Context = HERE,
    until: int | None = None,
    resume: TrainingState | None = None,
    on_epoch: Callable[[Epoch, Callable[[], TrainingState]], None] | None = None,
) -> nn.Module:
    """Train a copy of a network.

    Order and dropout of an epoch follow from the seed and its number: going on from a state gives the weights of a
    training that was never interrupted, byte for byte on the same machine with the same number of threads.

    Args:
        module: the network with its initial weights; left as it is.
        material: what to learn.
        recipe: how.
        context: where; its seed decides order and dropout.
        until: stop after so many epochs, to go on later, with other material even; None for those of the recipe.
        resume: where to go on; made by the same call with the same arguments.
        on_epoch: hears what each epoch brought, with a function that copies the state out.

    Returns:
        The trained copy in eval mode, on the device, after the last epoch.

    Raises:
        PlanError: the parts do not fit each other, or the loss or a weight became infinite or not a number.
        ImageError: there is no image, or a pixel is not a number.
        ArtifactError: `resume` is of another network or another recipe.
    """
    check_arguments(fit, locals())
    if on_epoch is not None:
        check_callable("on_epoch", on_epoch, "what an epoch brought", "a function")
    target = find_device(context.device)
    student = prepare(module, material, recipe, context.device)
    steps = Steps(student, Alone(context.seed), material, recipe, target)

    def hear(_: int, epoch: Epoch, state: Callable[[], TrainingState]) -> None:
        if on_epoch is not None:
            on_epoch(epoch, state)

    run_through(steps, recipe, target, until=until, resume={0: resume}, hear=hear)
    return steps.result.eval()


def prepare(module: nn.Module, material: Material, recipe: Recipe, device: str) -> nn.Module:
    """Check what a network is to learn, and how, and copy the network to a device."""
    _check(module, material, recipe)
    student, target = place(module, device).train(), find_device(device)
    _check_classes(student, material.images(torch.zeros(1, dtype=torch.int64)).to(target), material.objective)
    return student


def run_through(
    steps: Steps,
    recipe: Recipe,
    device: torch.device,
    *,
    until: int | None,
    resume: Mapping[int, TrainingState | None],
    hear: Callable[[int, Epoch, Callable[[], TrainingState]], None],
) -> None:
    """Train epoch by epoch.

    `resume` names the members that are needed. One that is further than another waits: until the other is there, its
    place is taken by a network that learns from first weights, and nobody hears of that. So a member always learns
    among as many, in the same place, and no bit depends on where an interruption came.
    """
    last = min(until or recipe.epochs, recipe.epochs)
    begins = {number: 0 if state is None else min(state.epoch, last) for number, state in resume.items()}

    def go_on(epoch: int) -> None:
        for number, state in resume.items():
            if state is not None and begins[number] == epoch:
                steps.restore(number, state)

    for epoch in range(min(begins.values()), last):
        go_on(epoch)
        started = time.perf_counter()
        rate = recipe.rate_after(epoch)
        with deterministic(), steps.learners.randomness(epoch, device):
            losses = steps.epoch(epoch)
        seconds = time.perf_counter() - started
        learned = [number for number, begun in begins.items() if begun <= epoch]
        for number in learned:
            _check_finite(steps, number, losses[number], epoch, rate)
        for number in learned:
            report = Epoch(epoch + 1, losses[number], seconds, steps.images / seconds, rate)
            _log.debug(
                "epoch %d of %d: loss %.4f, %.0f images/s",
                report.number,
                recipe.epochs,
                report.loss,
                report.images_per_second,
            )
            hear(number, report, partial(steps.snapshot, number, epoch + 1))
    go_on(last)


def _check_finite(steps: Steps, number: int, loss: float, epoch: int, rate: float) -> None:
    weights = (steps.learners.own(weight, number) for weight in steps.network.parameters())
    # The last step may spoil weights that the loss has not seen yet.
    if not (math.isfinite(loss) and all(bool(weight.isfinite().all()) for weight in weights)):
        raise PlanError(
            f"the loss was {loss} or a weight became infinite in epoch {epoch + 1} at the rate {rate:g}: training "
            f"stopped, and the state of epoch {epoch} is the last good one; lower the rate or train with adam"
        )


def _check(module: nn.Module, material: Material, recipe: Recipe) -> None:
    pixels, objective, count = material.pixels, material.objective, len(material)
    if count == 0:
        raise ImageError("a network cannot be trained on no images; nothing was trained: name a set that holds some")
    if len(objective) != count:
        raise PlanError(f"an objective for {len(objective)} images does not fit {count} images; nothing was trained")
    if pixels.is_floating_point() and not pixels.isfinite().all().item():
        raise ImageError("the images hold values that are not numbers or infinite; nothing was trained: clean the set")
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise PlanError(f"{type(module).__name__} has no weight that can be trained; nothing was trained")
    if min(recipe.batch_size, count) < 2 and has_batch_norm(module):
        raise PlanError(
            f"batch norm needs at least 2 images a step, got batch_size {recipe.batch_size} and {count} images; "
            "nothing was trained: take a larger batch or a network without batch norm"
        )


def _check_classes(module: nn.Module, image: Float[Tensor, "1 c h w"], objective: Objective) -> None:
    with torch.inference_mode():
        answer = module.eval()(image)
    module.train()
    num_classes = answer.shape[1]
    faults = []
    if objective.labels is not None:
        # Out of range on a GPU, a label would end the process.
        least, greatest = int(objective.labels.min()), int(objective.labels.max())
        if not 0 <= least <= greatest < num_classes:
            faults.append(f"labels from {least} to {greatest}")
    if objective.soft_labels is not None and objective.soft_labels.shape[1] != num_classes:
        faults.append(f"soft labels for {objective.soft_labels.shape[1]} classes")
    if faults:
        raise PlanError(
            f"a network of {num_classes} classes cannot learn {' and '.join(faults)}; nothing was trained: build it "
            "with the num_classes of the images"
        )


@contextmanager
def deterministic() -> Iterator[None]:
    """Let a GPU choose operations that give the same bits each time."""
    with torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=torch.backends.cudnn.allow_tf32
    ):
        yield
