"""All that a training needs to go on after an interruption, as flat tensors.

Turning them into a file is the matter of `db3kd.runs`. Called by `fitting` alone; the state itself passes through
whoever keeps it between two calls of `fit`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from db3kd.errors import ArtifactError
from db3kd.tensors import Tensor


@dataclass(frozen=True)
class TrainingState:
    """All that training needs to go on, as flat tensors on the CPU that safetensors can hold.

    Args:
        epoch: how many are finished.
        tensors: the network's entries under "module/NAME", the optimizer's under "optimizer/KEY/PARAMETER".
    """

    epoch: int
    tensors: dict[str, Tensor]


def snapshot(
    module: nn.Module, optimizer: torch.optim.Optimizer, epoch: int, more: Mapping[str, Tensor]
) -> TrainingState:
    """Copy the state of a training out, with what else it needs, so that further training leaves it as it is."""
    tensors = {**more} | {f"module/{name}": value for name, value in module.state_dict().items()}
    for name, parameter in module.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{key}/{name}"] = value
    # Channels-last memory is no business of a file's: each tensor leaves in the plain order of its shape.
    copies = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()
    }
    return TrainingState(epoch, copies)


def restore(module: nn.Module, optimizer: torch.optim.Optimizer, state: TrainingState) -> None:
    """Put a network and its optimizer, both fresh, into a state, or raise an ArtifactError where it is not theirs."""
    weights = {
        name.removeprefix("module/"): value for name, value in state.tensors.items() if name.startswith("module/")
    }
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise ArtifactError(
            f"the training state of epoch {state.epoch} is of another network ({error}); nothing was trained: "
            "start without it, or with the network it was made by"
        ) from error
    kept = {name.split("/")[1] for name in state.tensors if name.startswith("optimizer/")}
    if kept != _keys(optimizer):
        raise ArtifactError(
            f"the training state of epoch {state.epoch} keeps {sorted(kept)} for its optimizer, and "
            f"{type(optimizer).__name__} needs {sorted(_keys(optimizer))}; nothing was trained: start without it, or "
            "with the recipe it was made by"
        )
    for name, parameter in module.named_parameters():
        for key in kept:
            # A parameter that got no gradient has no entry, here as in the training that made the state.
            saved = state.tensors.get(f"optimizer/{key}/{name}")
            if saved is not None:
                optimizer.state[parameter][key] = _as_kept(saved, parameter)


def _keys(optimizer: torch.optim.Optimizer) -> set[str]:
    if isinstance(optimizer, torch.optim.Adam):
        return {"step", "exp_avg", "exp_avg_sq"}
    return {"momentum_buffer"} if optimizer.defaults["momentum"] else set()


def _as_kept(saved: Tensor, parameter: nn.Parameter) -> Tensor:
    if saved.shape != parameter.shape:
        return saved.to(parameter.device, copy=True)
    # In the parameter's own memory order: in another one the same sum may round differently in its last bit.
    return torch.empty_like(parameter, requires_grad=False).copy_(saved)
