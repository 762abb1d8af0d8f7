"""One step after another: the networks, what they learn, and what changes their weights. Called by `fitting` alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, final

import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from db3kd.augmentation import transform
from db3kd.models.placement import has_bfloat16, is_faster_in_bfloat16, settled
from db3kd.tensors import Float, Int, Tensor
from db3kd.training.consistency import Consistency
from db3kd.training.learners import Learners
from db3kd.training.objective import Material, Views
from db3kd.training.orders import batches_of, generator_of, order_of
from db3kd.training.recipe import Recipe
from db3kd.training.state import TrainingState, restore, snapshot

# A step of 1,024 images of LeNet5 on a CPU takes 1.3 to 1.6 times as long in one piece as in pieces of 128.
_CPU_PIECE = 128


@final
class Steps:
    """One network, or several that are stacked, and what they learn."""

    def __init__(
        self, network: nn.Module, learners: Learners, material: Material, recipe: Recipe, device: torch.device
    ) -> None:
        self.network, self.learners = network, learners
        self._optimizer = _make_optimizer(network, learners, recipe)
        views = material.views or Views()
        self._consistency: Consistency | None = None
        if material.unasked is not None:
            self._consistency = Consistency(network, learners, material.unasked, views, device)
        self._material = replace(material, pixels=settled(material.pixels, device))
        self._objective, self._recipe = material.objective.to(device), recipe
        self._weak, self._device = views.weak, device
        # Pieces give the gradient of the whole batch, except where batch norm looks at its batch mates.
        self._piece = _CPU_PIECE if device.type == "cpu" and not has_batch_norm(network) else 2**31
        self._short = _is_short(recipe, device)
        self.images = material.images_per_epoch or len(material)

    @property
    def result(self) -> nn.Module:
        """What is kept: the running mean where there is one."""
        return self.network if self._consistency is None else self._consistency.average

    def snapshot(self, number: int, epoch: int) -> TrainingState:
        """Copy the state of a member out."""
        more = {} if self._consistency is None else self._consistency.tensors(number)
        return snapshot(self.network, self._optimizer, epoch, more, own=lambda one: self.learners.own(one, number))

    def restore(self, number: int, state: TrainingState) -> None:
        """Put a member into a state."""
        restore(self.network, self._optimizer, state, own=lambda one: self.learners.own(one, number))
        if self._consistency is not None:
            self._consistency.restore(state.tensors, number)

    def epoch(self, epoch: int) -> Sequence[float]:
        """Learn from some images once; the mean loss of each member, in nats."""
        seeds, taken = self.learners.seeds, self.images
        order = torch.stack([order_of(len(self._material), taken, seed, epoch) for seed in seeds])
        # All at once: a copy for each step would keep a GPU waiting.
        batches = batches_of(order.to(self._device), self._recipe.batch_size)
        beside = None if self._consistency is None else self._consistency.rows(taken, epoch)
        generators = [generator_of(seed, epoch, "views", self._device) for seed in seeds]
        # Summed on the device: asking for the number after each step would make a GPU wait.
        summed, done = torch.zeros(len(seeds), device=self._device), 0
        for number, batch in enumerate(batches):
            size = batch.shape[1]
            for group in self._optimizer.param_groups:
                group["lr"] = self._recipe.rate_after(epoch + number / len(batches))
            self._optimizer.zero_grad()
            summed += self._learn_answers(batch, generators) * size
            if self._consistency is not None and beside is not None:
                each = beside.shape[1] // taken
                rows = beside[:, done * each : (done + size) * each]
                done += size
                summed += self._learn_unasked(self._consistency, rows, generators) * size
            self._optimizer.step()
            if self._consistency is not None:
                self._consistency.follow()
        losses: list[float] = (summed / taken).tolist()
        return losses

    def _learn_answers(self, batch: Int[Tensor, "k b"], generators: Sequence[torch.Generator]) -> Float[Tensor, " k"]:
        summed = torch.zeros(len(batch), device=self._device)
        for rows in torch.split(batch, self._piece, dim=1):
            images = self._material.images(rows.flatten()).to(self._device)
            if self._weak:
                images = transform(images, self._weak, *generators)
            answered = self._answer(images.unflatten(0, rows.shape))
            losses = self.learners.each(self._objective.loss, answered, rows) * (rows.shape[1] / batch.shape[1])
            # The gradient of a sum: no member's loss depends on another's weights.
            losses.sum().backward()
            summed += losses.detach()
        return summed

    def _learn_unasked(
        self, consistency: Consistency, rows: Int[Tensor, "k b"], generators: Sequence[torch.Generator]
    ) -> Float[Tensor, " k"]:
        summed = torch.zeros(len(rows), device=self._device)
        images, targets = consistency.views(rows, generators, self._precision())
        pieces = zip(torch.split(images, self._piece, dim=1), torch.split(targets, self._piece, dim=1), strict=True)
        for some, wanted in pieces:
            part = some.shape[1] / images.shape[1]
            losses = self.learners.each(functional.cross_entropy, self._answer(some), wanted) * part
            losses.sum().backward()
            summed += losses.detach()
        return summed

    def _answer(self, images: Float[Tensor, "k b c h w"]) -> Float[Tensor, "k b num_classes"]:
        with self._precision():
            answered = self.learners.answer(self.network, images)
        return answered.to(torch.float32)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self._device.type, torch.bfloat16, enabled=self._short)


def has_batch_norm(module: nn.Module) -> bool:
    """Say whether a network looks at the batch mates of an image while it learns."""
    return any(isinstance(part, _BatchNorm) for part in module.modules())


def _make_optimizer(network: nn.Module, learners: Learners, recipe: Recipe) -> torch.optim.Optimizer:
    # fused: one pass over the weights instead of one for each operation, on both kinds of device.
    if recipe.optimizer == "adamw":
        kernels = [one for one in network.parameters() if learners.own(one, 0).ndim > 1]
        others = [one for one in network.parameters() if learners.own(one, 0).ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": kernels}, {"params": others, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, recipe.rate, weight_decay=recipe.weight_decay, fused=True)
    if recipe.optimizer == "adam":
        return torch.optim.Adam(network.parameters(), recipe.rate, weight_decay=recipe.weight_decay, fused=True)
    return torch.optim.SGD(
        network.parameters(), recipe.rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay, fused=True
    )


def _is_short(recipe: Recipe, device: torch.device) -> bool:
    """Whether a network computes in bfloat16."""
    wanted = recipe.precision != "float32" and is_faster_in_bfloat16(device)
    return wanted or (recipe.precision == "mixed" and has_bfloat16(device))
