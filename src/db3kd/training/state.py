"""All that a training needs to go on after an interruption, as flat tensors.

Turning them into a file is the matter of `db3kd.runs`. Called by `steps` alone; the state itself passes through
whoever keeps it between two calls of `fit`.
"""

from collections.abc import Callable, Mapping
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
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    epoch: int,
    more: Mapping[str, Tensor],
    *,
    own: Callable[[Tensor], Tensor],
) -> TrainingState:
    """Copy the state of a training out, so that further training leaves it as it is.

    `own` gives a member's part of a tensor; `more` is what else that member needs.
    """
    tensors = {**more} | {f"module/{name}": own(value) for name, value in module.state_dict().items()}
    for name, parameter in module.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{key}/{name}"] = own(value)
    # Channels-last memory is no business of a file's: each tensor leaves in the plain order of its shape.
    copies = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()
    }
    return TrainingState(epoch, copies)


def restore(
    module: nn.Module, optimizer: torch.optim.Optimizer, state: TrainingState, *, own: Callable[[Tensor], Tensor]
) -> None:
    """Put a network and its optimizer, or a member's part, into a state; an ArtifactError where it is not theirs."""
    prefix = "module/"
    weights = {name.removeprefix(prefix): one for name, one in state.tensors.items() if name.startswith(prefix)}
    entries = {name: own(value) for name, value in module.state_dict().items()}
    unlike = sorted(name for name in {**weights, **entries} if _shape(weights.get(name)) != _shape(entries.get(name)))
    if unlike:
        raise ArtifactError(
            f"the training state of epoch {state.epoch} is of another network (it differs in {', '.join(unlike[:3])}); "
            "nothing was trained: start without it, or with the network it was made by"
        )
    kept = {name.split("/")[1] for name in state.tensors if name.startswith("optimizer/")}
    if kept != _keys(optimizer):
        raise ArtifactError(
            f"the training state of epoch {state.epoch} keeps {sorted(kept)} for its optimizer, and "
            f"{type(optimizer).__name__} needs {sorted(_keys(optimizer))}; nothing was trained: start without it, or "
            "with the recipe it was made by"
        )
    for name, value in entries.items():
        value.copy_(weights[name])
    for name, parameter in module.named_parameters():
        for key in kept:
            # A parameter that got no gradient has no entry, here as in the training that made the state.
            saved = state.tensors.get(f"optimizer/{key}/{name}")
            if saved is None:
                continue
            held = optimizer.state[parameter]
            if key not in held:
                # In the parameter's own memory order: in another one the same sum may round differently in its last
                # bit. Steps are counted once for all members.
                like = torch.zeros_like(parameter, requires_grad=False)
                held[key] = torch.zeros((), device=parameter.device) if key == "step" else like
            own(held[key]).copy_(saved)


def _shape(one: Tensor | None) -> torch.Size | None:
    return None if one is None else one.shape


def _keys(optimizer: torch.optim.Optimizer) -> set[str]:
    if isinstance(optimizer, torch.optim.Adam):
        return {"step", "exp_avg", "exp_avg_sq"}
    return {"momentum_buffer"} if optimizer.defaults["momentum"] else set()
