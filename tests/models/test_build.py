"""Networks by name, and a user's own by that of its factory: seeds, and what is refused."""

import sys
import types
from collections.abc import Callable

import pytest
import torch
from torch import nn

from db3kd.errors import PlanError
from db3kd.models import build
from db3kd.tensors import Tensor


def test_weights_follow_from_the_seed_and_leave_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = (build("lenet5-fifth", (1, 28, 28), 10, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


class Failing(nn.Module):
    """Gives what a function makes of images."""

    def __init__(self, answer: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, images: Tensor) -> object:
        return self.answer(images)


@pytest.fixture
def _own_package(monkeypatch: pytest.MonkeyPatch) -> None:
    own = types.ModuleType("own_networks")
    own.linear = lambda *, input_shape, num_classes: nn.Sequential(  # type: ignore[attr-defined]  # made at run time
        nn.Flatten(), nn.Linear(input_shape[0] * input_shape[1] * input_shape[2], num_classes)
    )
    own.text = lambda *, input_shape, num_classes: "no network"  # type: ignore[attr-defined]  # made at run time
    own.lists = lambda *, input_shape, num_classes: Failing(lambda images: [0])  # type: ignore[attr-defined]  # made at run time
    own.short = lambda *, input_shape, num_classes: Failing(lambda images: images[:, 0, 0, :2])  # type: ignore[attr-defined]  # made at run time
    own.fails = lambda *, input_shape, num_classes: nn.Linear(7, num_classes)  # type: ignore[attr-defined]  # made at run time
    own.bare = lambda: None  # type: ignore[attr-defined]  # made at run time
    own.number = 5  # type: ignore[attr-defined]  # made at run time
    monkeypatch.setitem(sys.modules, "own_networks", own)


@pytest.mark.usefixtures("_own_package")
def test_a_factory_of_the_users_own_is_seeded_too() -> None:
    first, again = (build("own_networks:linear", (1, 4, 5), 3, seed=1) for _ in range(2))
    assert first(torch.zeros(2, 1, 4, 5)).shape == (2, 3)
    assert torch.equal(first.get_parameter("1.weight"), again.get_parameter("1.weight"))


@pytest.mark.usefixtures("_own_package")
@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("lenet6", "expected one of lenet5, .* or package.module:factory"),
        (":linear", "is unknown"),
        ("no_such_package:net", "cannot be imported .*PYTHONPATH"),
        ("own_networks:missing", "has no 'missing'"),
        ("own_networks:number", "is int, which cannot be called"),
        ("own_networks:text", "must return an nn.Module, got str"),
        ("own_networks:lists", "must give 10 logits for each image, got list"),
        ("own_networks:short", r"must give 10 logits for each image, got \[2, 2\]"),
        ("own_networks:fails", "failed for images of .*RuntimeError"),
        ("own_networks:bare", "failed for images of .*TypeError"),
    ],
)
def test_what_cannot_be_built_is_named(architecture: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        build(architecture, (1, 28, 28), 10)


@pytest.mark.parametrize(("shape", "num_classes"), [((0, 28, 28), 10), ((1, 28, 28), 1)])
def test_impossible_tasks_are_refused(shape: tuple[int, int, int], num_classes: int) -> None:
    with pytest.raises(PlanError, match="at least 2 classes"):
        build("lenet5", shape, num_classes)
