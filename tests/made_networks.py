"""Networks for tests: small, and found by name as a user's own would be (`made_networks:two_layers`)."""

import math

from torch import nn


def two_layers(*, input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    channels, height, width = input_shape
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, 24), nn.ReLU(), nn.Linear(24, num_classes))


def one_layer(*, input_shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """A linear classifier."""
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), num_classes))
