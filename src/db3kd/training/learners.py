"""Who learns in one training: a network alone, or several of one architecture that are stacked into one.

A stacked network is a network of theirs in which each weight has one axis more, for the member. What is learned always
has that axis, [k b ...], of length 1 for a network alone. Called by `fitting`, `steps` and `together`.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain
from typing import Protocol, final, runtime_checkable

import torch
from torch import nn
from torch.func import functional_call, vmap

from db3kd.tensors import Float, Tensor
from db3kd.training.orders import derive


@runtime_checkable
class Learners(Protocol):
    """One network, or several."""

    @property
    def seeds(self) -> Sequence[int]:
        """Give the seed of each."""

    def answer(self, network: nn.Module, images: Float[Tensor, "k b c h w"]) -> Float[Tensor, "k b num_classes"]:
        """Let each member answer its own images."""

    def each(self, function: Callable[..., Tensor], *values: Tensor) -> Tensor:
        """Call a function for each member with its part of some values."""

    def own(self, value: Tensor, number: int) -> Tensor:
        """Give a member's part of a weight, or of what belongs to one; what is written into it is written there."""

    def randomness(self, epoch: int, device: torch.device) -> AbstractContextManager[None]:
        """Let what a network draws follow from the seed and the epoch."""


@final
class Alone:
    """One network."""

    def __init__(self, seed: int) -> None:
        self.seeds = (seed,)

    def answer(self, network: nn.Module, images: Float[Tensor, "k b c h w"]) -> Float[Tensor, "k b num_classes"]:
        answered: Tensor = network(images[0].contiguous(memory_format=torch.channels_last))
        return answered[None]

    def each(self, function: Callable[..., Tensor], *values: Tensor) -> Tensor:
        return function(*(value[0] for value in values))[None]

    def own(self, value: Tensor, number: int) -> Tensor:
        return value

    @contextmanager
    def randomness(self, epoch: int, device: torch.device) -> Iterator[None]:
        on_gpu, seed = device.type == "cuda", derive(self.seeds[0], epoch, "dropout")
        with torch.random.fork_rng(devices=[device] if on_gpu else []):
            torch.default_generator.manual_seed(seed)
            if on_gpu:
                with torch.cuda.device(device):
                    torch.cuda.manual_seed(seed)
            yield


@final
class Stacked:
    """Several networks in one: a layer of all members is one operation."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self.seeds = seeds

    def answer(self, network: nn.Module, images: Float[Tensor, "k b c h w"]) -> Float[Tensor, "k b num_classes"]:
        def one(entries: dict[str, Tensor], some: Tensor) -> Tensor:
            answered: Tensor = functional_call(network, entries, (some,))
            return answered

        answered: Tensor = vmap(one)({**dict(network.named_parameters()), **dict(network.named_buffers())}, images)
        return answered

    def each(self, function: Callable[..., Tensor], *values: Tensor) -> Tensor:
        mapped: Tensor = vmap(function)(*values)
        return mapped

    def own(self, value: Tensor, number: int) -> Tensor:
        # Members are at the same step: what has no axis, as an optimizer's count, is of all of them.
        return value[number] if value.ndim else value

    def randomness(self, epoch: int, device: torch.device) -> AbstractContextManager[None]:
        # vmap refuses a network that draws: each member would have to draw as it does alone.
        return nullcontext()


def stack(networks: Sequence[nn.Module]) -> nn.Module:
    """Make one network of several: a copy of the first, with the weights of all."""
    stacked = copy.deepcopy(networks[0])
    # Not `stack_module_state`: what it gives has no module, which the optimizer and the running mean go through.
    entries = zip(*(chain(one.parameters(), one.buffers()) for one in (stacked, *networks)), strict=True)
    for mine, *theirs in entries:
        mine.data = torch.stack([one.detach() for one in theirs])
    return stacked
