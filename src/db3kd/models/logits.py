"""Whether a network that is not ours gives what is needed: tried on two images before anything is paid."""

import torch
from torch import nn

from db3kd.errors import PlanError
from db3kd.tensors import Tensor


def check_logits(network: nn.Module, name: str, input_shape: tuple[int, int, int], num_classes: int) -> None:
    """Show a network in eval mode two images, and refuse one that gives no logits; what it raises passes through."""
    with torch.inference_mode():
        logits = network(torch.zeros(2, *input_shape))
    if not isinstance(logits, Tensor) or logits.shape != (2, num_classes) or not logits.is_floating_point():
        found = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise PlanError(
            f"the network of {name!r} must give {num_classes} logits for each image, got {found} for 2 images; no "
            "network was built"
        )
