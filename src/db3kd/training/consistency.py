"""Learning from images that nobody asked about: what a network says of one should stay when the image is transformed.

A running mean of the network's weights looks at a weak view, and says what it thinks; the network sees a strong view of
the same image and learns that. The running mean is the network that is kept. Called by `steps` alone.

Source: mean teachers of Tarvainen and Valpola (2017), weak and strong views of Sohn et al. (2020), "FixMatch", with
soft targets and no threshold; class shares after Berthelot et al. (2020), "ReMixMatch".
"""

import copy
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import final

import torch
from torch import nn

from db3kd.augmentation import transform
from db3kd.errors import ArtifactError
from db3kd.models.placement import gather, settled
from db3kd.tensors import Float, Int, Tensor
from db3kd.training.learners import Learners
from db3kd.training.objective import Unasked, Views
from db3kd.training.orders import order_of

_DECAY = 0.999
# A running mean of 1,000 steps would hold the first weights for long: it begins with one of ten.
_BEGINNING = 10.0
_MEAN_DECAY = 0.99
# So many answers drawn at random are believed as much as what the network says of the pool by itself.
_DOUBT = 100.0
_LEAST = 1e-4


@final
class Consistency:
    """The running mean of a network, or of several, and what it teaches them about images that nobody asked about."""

    def __init__(
        self, module: nn.Module, learners: Learners, unasked: Unasked, views: Views, device: torch.device
    ) -> None:
        self._learners = learners
        self.average = copy.deepcopy(module).eval().requires_grad_(requires_grad=False)
        pairs = list(zip(self.average.state_dict().values(), module.state_dict().values(), strict=True))
        # What batch norm saw belongs to the weights that saw it; its counts are no mean.
        self._means = [pair for pair in pairs if pair[0].is_floating_point()]
        self._counts = [pair for pair in pairs if not pair[0].is_floating_point()]
        self._pixels, self._rows = settled(unasked.pixels, device), unasked.rows
        self._views, self._for_each, self._device = views, unasked.for_each, device
        shares = unasked.shares.to(device, torch.float32)
        self._shares, self._trust = shares, unasked.certainty / (unasked.certainty + _DOUBT)
        # What the running mean thinks of the pool's images in the mean, and the steps so far.
        self._thought, self._steps = shares.repeat(len(learners.seeds), 1), torch.zeros((), dtype=torch.int64)

    def rows(self, answers: int, epoch: int) -> Int[Tensor, "k _"]:
        """Choose the images of an epoch in which each network learns from so many answers."""
        count, taken = len(self._rows), self._for_each * answers
        orders = [order_of(count, taken, seed, epoch, purpose="unasked") for seed in self._learners.seeds]
        return self._rows[torch.stack(orders)]

    def views(
        self,
        rows: Int[Tensor, "k b"],
        generators: Sequence[torch.Generator],
        precision: AbstractContextManager[object],
    ) -> tuple[Float[Tensor, "k b c h w"], Float[Tensor, "k b num_classes"]]:
        """Give strong views of some images, and what the running mean thinks of weak ones."""
        images = gather(self._pixels, rows.flatten()).to(self._device)
        weak = transform(images, self._views.weak, *generators).unflatten(0, rows.shape)
        with torch.no_grad():
            with precision:
                said = self._learners.answer(self.average, weak)
            thought = said.to(torch.float32).softmax(dim=2)
            self._thought.lerp_(thought.mean(dim=1), 1 - _MEAN_DECAY)
            expected = torch.lerp(self._thought, self._shares, self._trust)
            aligned = thought * (expected / self._thought.clamp(min=_LEAST))[:, None]
        strong = transform(images, self._views.strong, *generators).unflatten(0, rows.shape)
        return strong, aligned / aligned.sum(dim=2, keepdim=True)

    def follow(self) -> None:
        """Take a step of the network into the running mean."""
        steps = int(self._steps.add_(1))
        weight = 1 - min(_DECAY, steps / (_BEGINNING + steps))
        with torch.no_grad():
            torch._foreach_lerp_([mine for mine, _ in self._means], [its for _, its in self._means], weight)
            for kept, now in self._counts:
                kept.copy_(now)

    def tensors(self, number: int) -> dict[str, Tensor]:
        """Give what the training of a member needs to go on."""
        weights = {f"average/{name}": value for name, value in self._average_of(number).items()}
        return {**weights, "thought": self._thought[number], "steps": self._steps}

    def restore(self, tensors: Mapping[str, Tensor], number: int) -> None:
        """Go on where `tensors` were taken, or raise an ArtifactError where they hold no running mean."""
        if "thought" not in tensors:
            raise ArtifactError(
                "the training state holds no running mean of the weights, which images that nobody asked about need; "
                "nothing was trained: start without it"
            )
        for name, value in self._average_of(number).items():
            value.copy_(tensors[f"average/{name}"])
        self._thought[number].copy_(tensors["thought"])
        self._steps.copy_(tensors["steps"])

    def _average_of(self, number: int) -> dict[str, Tensor]:
        return {name: self._learners.own(value, number) for name, value in self.average.state_dict().items()}
