"""The state of a training is a copy of all that it needs, and goes into a training of its own kind alone."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from db3kd.errors import ArtifactError
from db3kd.tensors import Tensor
from db3kd.training.state import TrainingState, restore, snapshot


def _own(value: Tensor) -> Tensor:
    return value


def _stepped(make: Callable[..., torch.optim.Optimizer], **options: float) -> tuple[nn.Module, torch.optim.Optimizer]:
    """A network and its optimizer after one step, in which one weight had no gradient."""
    network = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    network[1].requires_grad_(requires_grad=False)
    optimizer = make(network.parameters(), lr=0.1, **options)
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return network, optimizer


def _states(optimizer: torch.optim.Optimizer) -> list[dict[str, Tensor]]:
    return [dict(optimizer.state[one]) for group in optimizer.param_groups for one in group["params"]]


@pytest.mark.parametrize(
    ("make", "options"), [(torch.optim.Adam, {}), (torch.optim.SGD, {"momentum": 0.9}), (torch.optim.SGD, {})]
)
def test_what_was_copied_out_is_put_back(make: Callable[..., torch.optim.Optimizer], options: dict[str, float]) -> None:
    network, optimizer = _stepped(make, **options)
    state = snapshot(network, optimizer, 4, {"more": torch.ones(1)}, own=_own)
    assert (state.epoch, state.tensors["more"].item()) == (4, 1.0)
    again = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    fresh = make(again.parameters(), lr=0.1, **options)
    with torch.no_grad():
        restore(again, fresh, state, own=_own)
    assert all(map(torch.equal, again.state_dict().values(), network.state_dict().values()))
    for one, other in zip(_states(fresh), _states(optimizer), strict=True):
        # Plain SGD keeps nothing, and may say so.
        kept = {key: value for key, value in other.items() if value is not None}
        assert one.keys() == kept.keys()
        assert all(torch.equal(one[key], kept[key]) for key in kept)


def test_further_training_leaves_a_state_as_it_is() -> None:
    network, optimizer = _stepped(torch.optim.Adam)
    state = snapshot(network, optimizer, 1, {}, own=_own)
    before = {name: value.clone() for name, value in state.tensors.items()}
    optimizer.step()
    assert all(torch.equal(state.tensors[name], before[name]) for name in before)
    assert not torch.equal(network.state_dict()["0.weight"], before["module/0.weight"])


def test_a_state_lies_in_the_plain_order_of_its_shapes() -> None:
    network = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as torch has it
    state = snapshot(network, torch.optim.SGD(network.parameters(), lr=0.1), 0, {}, own=_own)
    assert state.tensors["module/weight"].is_contiguous()


def test_a_state_of_another_network_or_optimizer_changes_nothing() -> None:
    network, optimizer = _stepped(torch.optim.Adam)
    state = snapshot(network, optimizer, 2, {}, own=_own)
    before = [value.clone() for value in network.state_dict().values()]
    with pytest.raises(ArtifactError, match=r"epoch 2 is of another network \(it differs in bias, weight\)"):
        restore(nn.Linear(3, 2), optimizer, TrainingState(2, {"module/weight": torch.ones(1, 1)}), own=_own)
    with pytest.raises(ArtifactError, match=r"SGD needs \['momentum_buffer'\]"):
        restore(network, torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9), state, own=_own)
    assert all(map(torch.equal, before, network.state_dict().values()))
