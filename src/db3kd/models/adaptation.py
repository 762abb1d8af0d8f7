"""Published weights brought to other images and classes: first convolutions to other channels, heads to other classes.

Called by `libraries`, which knows where the weights come from.
"""

from collections.abc import Mapping
from typing import cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from db3kd.errors import PlanError
from db3kd.tensors import Float, Tensor


def read_weights(path: str) -> dict[str, Tensor]:
    """Read a safetensors file, or raise a PlanError."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise PlanError(
            f"the weights {path} cannot be read ({error}); no network was built: name a safetensors file"
        ) from error


def adapted(found: Mapping[str, Tensor], own: Mapping[str, Tensor], num_classes: int, origin: str) -> dict[str, Tensor]:
    """Fit published weights: first convolutions to other channels; without its classes, the head stays as drawn."""
    fitted: dict[str, Tensor] = {}
    faults = []
    for name, mine in own.items():
        given = found.get(name)
        if given is None:
            fitted[name] = mine
            faults += [] if mine.shape[:1] == (num_classes,) else [f"{name} is missing"]
        elif given.shape == mine.shape:
            fitted[name] = given
        elif given.shape[1:] == mine.shape[1:] and len(mine) == num_classes:
            fitted[name] = mine
        elif given.ndim == 4 and (len(given), given.shape[2:]) == (len(mine), mine.shape[2:]):
            fitted[name] = _of_channels(given, mine.shape[1])
        else:
            faults.append(f"{name} is {list(given.shape)} and should be {list(mine.shape)}")
    if faults:
        raise PlanError(
            f"the weights do not fit {origin} as it is to be: {'; '.join(faults[:3])}; no network was built: take "
            "images of the size that the weights are for, other weights, or none"
        )
    return fitted


def take_channels(network: nn.Module, channels: int) -> None:
    """Exchange the first convolution by one of so many channels."""
    for name, part in network.named_modules():
        if isinstance(part, nn.Conv2d):
            place, _, last = name.rpartition(".")
            exchanged = nn.Conv2d(
                channels,
                part.out_channels,
                cast("tuple[int, int]", part.kernel_size),
                cast("tuple[int, int]", part.stride),
                cast("tuple[int, int]", part.padding),
                bias=part.bias is not None,
            )
            setattr(network.get_submodule(place), last, exchanged)
            return


def _of_channels(kernel: Float[Tensor, "outputs c rows columns"], channels: int) -> Tensor:
    """Let a convolution answer gray images as it answers them in colour, and more channels alike."""
    given = kernel.shape[1]
    if channels == 1:
        return kernel.sum(dim=1, keepdim=True)
    return kernel[:, torch.arange(channels) % given] * (given / channels)
