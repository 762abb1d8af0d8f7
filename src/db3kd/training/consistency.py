"""Learning from images that nobody asked about: what a network says of one should stay when the image is transformed.

A running mean of the network's weights looks at a weak view, and says what it thinks; the network sees a strong view of
the same image and learns that. The running mean is the network that is kept. Called by `fitting` alone.

Source: mean teachers of Tarvainen and Valpola (2017), weak and strong views of Sohn et al. (2020), "FixMatch", with
soft targets and no threshold; class shares after Berthelot et al. (2020), "ReMixMatch".
"""

import copy
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import final

import torch
from torch import nn

from db3kd.augmentation import transform
from db3kd.errors import ArtifactError
from db3kd.models.placement import gather, settled
from db3kd.tensors import Float, Int, Tensor
from db3kd.training.objective import Unasked, Views
from db3kd.training.orders import order_of

_DECAY = 0.999
# A running mean of 1,000 steps would hold the first weights for long: it begins with one of ten.
_BEGINNING = 10.0
_MEAN_DECAY = 0.99
# So many answers drawn by lot are believed as much as what the network says of the pool by itself.
_DOUBT = 100.0
_LEAST = 1e-4


@final
class Consistency:
    """The running mean of a network, and what it teaches the network about images that nobody asked about."""

    def __init__(self, module: nn.Module, unasked: Unasked, views: Views, device: torch.device) -> None:
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
        self._thought, self._steps = shares.clone(), torch.zeros((), dtype=torch.int64)

    def rows(self, answers: int, seed: int, epoch: int) -> Int[Tensor, " _"]:
        """Choose the images of an epoch in which the network learns from so many answers."""
        return self._rows[order_of(len(self._rows), self._for_each * answers, seed, epoch, purpose="unasked")]

    def views(
        self, rows: Int[Tensor, " b"], generator: torch.Generator, precision: AbstractContextManager[object]
    ) -> tuple[Float[Tensor, "b c h w"], Float[Tensor, "b num_classes"]]:
        """Give strong views of some images, and what the running mean thinks of weak ones."""
        images = gather(self._pixels, rows).to(self._device)
        weak = transform(images, self._views.weak, generator)
        with torch.no_grad():
            with precision:
                said = self.average(weak.contiguous(memory_format=torch.channels_last))
            thought = said.to(torch.float32).softmax(dim=1)
            self._thought.lerp_(thought.mean(dim=0), 1 - _MEAN_DECAY)
            expected = torch.lerp(self._thought, self._shares, self._trust)
            aligned = thought * (expected / self._thought.clamp(min=_LEAST))
        return transform(images, self._views.strong, generator), aligned / aligned.sum(dim=1, keepdim=True)

    def follow(self) -> None:
        """Take a step of the network into the running mean."""
        steps = int(self._steps.add_(1))
        weight = 1 - min(_DECAY, steps / (_BEGINNING + steps))
        with torch.no_grad():
            torch._foreach_lerp_([mine for mine, _ in self._means], [its for _, its in self._means], weight)
            for kept, now in self._counts:
                kept.copy_(now)

    def tensors(self) -> dict[str, Tensor]:
        """Give what a training needs to go on."""
        weights = {f"average/{name}": value for name, value in self.average.state_dict().items()}
        return {**weights, "thought": self._thought, "steps": self._steps}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on where `tensors` were taken, or raise an ArtifactError where they hold no running mean."""
        if "thought" not in tensors:
            raise ArtifactError(
                "the training state holds no running mean of the weights, which images that nobody asked about need; "
                "nothing was trained: start without it"
            )
        own = {name.removeprefix("average/"): one for name, one in tensors.items() if name.startswith("average/")}
        self.average.load_state_dict(own)
        self._thought.copy_(tensors["thought"])
        self._steps.copy_(tensors["steps"])
