"""Networks for tests: small, and found by name as a user's own would be (`made_networks:two_layers`)."""

import math

import safetensors.torch
import torch
from torch import nn

from db3kd.tensors import Float, Tensor


def two_layers(*, input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    channels, height, width = input_shape
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, 24), nn.ReLU(), nn.Linear(24, num_classes))


def one_layer(*, input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """A linear classifier."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), num_classes))


class _Blind(nn.Module):
    """Says the first class whatever it sees and learns."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(num_classes))

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b num_classes"]:
        return 0.0 * self.weight.expand(len(images), -1)


def blind(*, input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    return _Blind(num_classes)


def bytes_of(network: nn.Module) -> bytes:
    """All that a network holds, to be compared to the last bit."""
    plain = {name: one.clone(memory_format=torch.contiguous_format) for name, one in network.state_dict().items()}
    return safetensors.torch.save(plain)
