"""The one loop of the library that changes weights.

Teachers, committees, baselines and students differ in their `Material` and `Recipe` only. What `on_epoch` hands out is
kept by `db3kd.runs`.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, final

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from db3kd.arguments import check_arguments, check_callable
from db3kd.augmentation import transform
from db3kd.context import HERE, Context
from db3kd.errors import ImageError, PlanError
from db3kd.models.placement import find_device, has_bfloat16, is_faster_in_bfloat16, place, settled
from db3kd.tensors import Float, Int, Tensor
from db3kd.training.consistency import Consistency
from db3kd.training.objective import Material, Objective, Views
from db3kd.training.orders import batches_of, derive, generator_of, order_of
from db3kd.training.recipe import Recipe
from db3kd.training.state import TrainingState, restore, snapshot

_log = logging.getLogger(__name__)

# A step of 1,024 images of LeNet5 on a CPU takes 1.3 to 1.6 times as long in one piece as in pieces of 128.
_CPU_PIECE = 128


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
    objective, seed = material.objective, context.seed
    _check(module, material, recipe)
    target = find_device(context.device)
    student = place(module, context.device).train()
    material, objective = replace(material, pixels=settled(material.pixels, target)), objective.to(target)
    _check_classes(student, material.images(torch.zeros(1, dtype=torch.int64)).to(target), objective)
    steps = _Steps(student, material, objective, recipe, target)
    if resume is not None:
        restore(student, steps.optimizer, resume)
        if steps.consistency is not None:
            steps.consistency.restore(resume.tensors)
    for epoch in range(resume.epoch if resume is not None else 0, min(until or recipe.epochs, recipe.epochs)):
        started = time.perf_counter()
        rate = recipe.rate_after(epoch)
        with _reproducible(derive(seed, epoch, "dropout"), target):
            order = order_of(len(material), material.images_per_epoch or len(material), seed, epoch)
            loss = steps.epoch(epoch, order, seed)
        # The last step may spoil weights that the loss has not seen yet.
        if not (math.isfinite(loss) and all(bool(weight.isfinite().all()) for weight in student.parameters())):
            raise PlanError(
                f"the loss was {loss} or a weight became infinite in epoch {epoch + 1} at the rate {rate:g}: training "
                f"stopped, and the state of epoch {epoch} is the last good one; lower the rate or train with adam"
            )
        seconds = time.perf_counter() - started
        report = Epoch(epoch + 1, loss, seconds, len(order) / seconds, rate)
        _log.debug("epoch %d of %d: loss %.4f, %.0f images/s", epoch + 1, recipe.epochs, loss, report.images_per_second)
        if on_epoch is not None:
            more = {} if steps.consistency is None else steps.consistency.tensors()
            on_epoch(report, partial(snapshot, student, steps.optimizer, epoch + 1, more))
    return student.eval() if steps.consistency is None else steps.consistency.average


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
    if min(recipe.batch_size, count) < 2 and _has_batch_norm(module):
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


def _has_batch_norm(module: nn.Module) -> bool:
    return any(isinstance(part, _BatchNorm) for part in module.modules())


def _make_optimizer(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    # fused: one pass over the weights instead of one for each operation, on both kinds of device.
    if recipe.optimizer == "adamw":
        kernels = [one for one in module.parameters() if one.ndim > 1]
        others = [one for one in module.parameters() if one.ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": kernels}, {"params": others, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, recipe.rate, weight_decay=recipe.weight_decay, fused=True)
    if recipe.optimizer == "adam":
        return torch.optim.Adam(module.parameters(), recipe.rate, weight_decay=recipe.weight_decay, fused=True)
    return torch.optim.SGD(
        module.parameters(), recipe.rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay, fused=True
    )


def _is_short(recipe: Recipe, device: torch.device) -> bool:
    """Whether a network computes in bfloat16."""
    wanted = recipe.precision != "float32" and is_faster_in_bfloat16(device)
    return wanted or (recipe.precision == "mixed" and has_bfloat16(device))


@contextmanager
def _reproducible(seed: int, device: torch.device) -> Iterator[None]:
    on_gpu = device.type == "cuda"
    with (
        torch.random.fork_rng(devices=[device] if on_gpu else []),
        torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=torch.backends.cudnn.allow_tf32
        ),
    ):
        torch.default_generator.manual_seed(seed)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


@final
class _Steps:
    """One step after another: the network, what it learns, and what changes its weights."""

    def __init__(
        self, student: nn.Module, material: Material, objective: Objective, recipe: Recipe, device: torch.device
    ) -> None:
        self.optimizer = _make_optimizer(student, recipe)
        views = material.views or Views()
        self.consistency: Consistency | None = None
        if material.unasked is not None:
            self.consistency = Consistency(student, material.unasked, views, device)
        self._student, self._material, self._objective, self._recipe = student, material, objective, recipe
        self._weak, self._device = views.weak, device
        # Pieces give the gradient of the whole batch, except where batch norm looks at its batch mates.
        self._piece = _CPU_PIECE if device.type == "cpu" and not _has_batch_norm(student) else 2**31
        self._short = _is_short(recipe, device)

    def epoch(self, epoch: int, order: Int[Tensor, " _"], seed: int) -> float:
        """Learn from some images once; the mean loss, in nats."""
        # All at once: a copy for each step would keep a GPU waiting.
        batches = batches_of(order.to(self._device), self._recipe.batch_size)
        beside = None if self.consistency is None else self.consistency.rows(len(order), seed, epoch)
        generator = generator_of(seed, epoch, "views", self._device)
        # Summed on the device: asking for the number after each step would make a GPU wait.
        summed, done = torch.zeros((), device=self._device), 0
        for number, batch in enumerate(batches):
            for group in self.optimizer.param_groups:
                group["lr"] = self._recipe.rate_after(epoch + number / len(batches))
            self.optimizer.zero_grad()
            summed += self._learn_answers(batch, generator) * len(batch)
            if self.consistency is not None and beside is not None:
                each = len(beside) // len(order)
                rows = beside[done * each : (done + len(batch)) * each]
                done += len(batch)
                summed += self._learn_unasked(self.consistency, rows, generator) * len(batch)
            self.optimizer.step()
            if self.consistency is not None:
                self.consistency.follow()
        return summed.item() / len(order)

    def _learn_answers(self, batch: Int[Tensor, " b"], generator: torch.Generator) -> Float[Tensor, ""]:
        summed = torch.zeros((), device=self._device)
        for rows in torch.split(batch, self._piece):
            images = self._material.images(rows).to(self._device)
            if self._weak:
                images = transform(images, self._weak, generator)
            loss = self._objective.loss(self._answer(images), rows) * (len(rows) / len(batch))
            loss.backward()
            summed += loss.detach()
        return summed

    def _learn_unasked(
        self, consistency: Consistency, rows: Int[Tensor, " b"], generator: torch.Generator
    ) -> Float[Tensor, ""]:
        summed = torch.zeros((), device=self._device)
        images, targets = consistency.views(rows, generator, self._precision())
        for some, wanted in zip(torch.split(images, self._piece), torch.split(targets, self._piece), strict=True):
            loss = functional.cross_entropy(self._answer(some), wanted) * (len(some) / len(images))
            loss.backward()
            summed += loss.detach()
        return summed

    def _answer(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b num_classes"]:
        with self._precision():
            answered: Tensor = self._student(images.contiguous(memory_format=torch.channels_last))
        return answered.to(torch.float32)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._short)
