"""Networks that learn as one learn what each learns alone, and an interruption changes no bit."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import safetensors.torch
import torch
from torch import nn

from db3kd.context import Context
from db3kd.errors import ArtifactError, PlanError
from db3kd.models import build
from db3kd.tensors import Float, Tensor
from db3kd.training import (
    Epoch,
    Material,
    Objective,
    Recipe,
    TrainingState,
    Unasked,
    Views,
    can_learn_together,
    fit,
    fit_together,
)
from made_networks import bytes_of

SHAPE = (1, 16, 16)
RECIPE = Recipe("adam", 3e-3, 4, 16, schedule="one-cycle")
SEEDS = (5, 6, 9)
VIEWS = Views(
    {"shift": 0.05, "mirror": 1.0},
    {"shift": 0.1, "turn": 10.0, "noise": 0.1, "brightness": 0.3, "contrast": 0.2, "hole": 0.3},
)
Taken = dict[int, list[TrainingState]]


class _Stopped(BaseException):
    pass


def _material(*, unasked: bool, shape: tuple[int, int, int] = SHAPE) -> Material:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randint(0, 256, (120, *shape), dtype=torch.uint8, generator=generator)
    pool = Unasked(pixels, torch.arange(40, 120), torch.tensor([0.2, 0.3, 0.5]), 20, for_each=2)
    objective = Objective(labels=torch.arange(40) % 3, smoothing=0.05, offsets=torch.tensor([0.0, 0.5, -0.5]))
    return Material(pixels[:40], objective, 32, VIEWS if unasked else None, pool if unasked else None)


def _networks(architecture: str = "lenet5-fifth", shape: tuple[int, int, int] = SHAPE) -> list[nn.Module]:
    return [build(architecture, shape, 3, seed=seed) for seed in SEEDS]


def _noting(states: Taken) -> Callable[[int, Epoch, Callable[[], TrainingState]], None]:
    def note(number: int, epoch: Epoch, snapshot: Callable[[], TrainingState]) -> None:
        state = snapshot()
        assert state.epoch == epoch.number
        tensors = safetensors.torch.load(safetensors.torch.save(state.tensors))
        states.setdefault(number, []).append(TrainingState(state.epoch, tensors))

    return note


def _alike(one: nn.Module, other: nn.Module, tolerance: float = 2e-5) -> None:
    for (name, value), wanted in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.allclose(value.double(), wanted.double(), atol=tolerance), name


@pytest.mark.parametrize("unasked", [False, True], ids=["answers", "unasked"])
@pytest.mark.parametrize(
    ("architecture", "shape", "recipe"),
    [
        ("lenet5-fifth", SHAPE, RECIPE),
        ("lenet5-fifth", SHAPE, Recipe("sgd", 0.05, 4, 13, momentum=0.9, weight_decay=1e-3, milestones=(2,))),
        ("lenet5-fifth", SHAPE, Recipe("adamw", 3e-3, 4, 31, weight_decay=0.1)),
        ("residual-half", (3, 16, 16), Recipe("sgd", 0.02, 2, 16, momentum=0.9)),
    ],
    ids=["adam", "sgd", "adamw", "batch norm"],
)
def test_each_member_learns_what_it_learns_alone(
    architecture: str, shape: tuple[int, int, int], recipe: Recipe, *, unasked: bool
) -> None:
    material, networks = _material(unasked=unasked, shape=shape), _networks(architecture, shape)
    before = [bytes_of(one) for one in networks]
    assert can_learn_together(networks, material, recipe, "cpu")
    told: list[tuple[int, int, float]] = []
    together = fit_together(
        networks,
        material,
        recipe,
        seeds=SEEDS,
        on_epoch=lambda number, epoch, _: told.append((number, epoch.number, epoch.loss)),
    )
    assert [bytes_of(one) for one in networks] == before
    assert [one[:2] for one in told] == [(n, e) for e in range(1, recipe.epochs + 1) for n in range(3)]
    for number, (network, seed) in enumerate(zip(networks, SEEDS, strict=True)):
        losses: list[float] = []
        alone = fit(
            network,
            material,
            recipe,
            context=Context(seed=seed),
            on_epoch=lambda epoch, _, losses=losses: losses.append(epoch.loss),  # type: ignore[misc]  # bound now
        )
        # Rounding grows where a value is near the kink of a ReLU, in deep networks most.
        _alike(together[number], alone, 2e-4 if architecture == "residual-half" else 2e-5)
        assert [loss for one, _, loss in told if one == number] == pytest.approx(losses, abs=1e-5)
        assert not together[number].training
        assert all(weight.requires_grad for weight in together[number].parameters())


@pytest.mark.parametrize("unasked", [False, True], ids=["answers", "unasked"])
def test_resumed_equals_uninterrupted_wherever_each_member_stood(*, unasked: bool) -> None:
    material, networks, states = _material(unasked=unasked), _networks(), Taken()
    whole = fit_together(networks, material, RECIPE, seeds=SEEDS, on_epoch=_noting(states))
    for stood in ((2, 2, 2), (1, 3, 0), (None, 1, 3), (None, None, 2)):
        resume = {
            number: states[number][epoch - 1] if epoch else None
            for number, epoch in enumerate(stood)
            if epoch is not None
        }
        told: list[tuple[int, int]] = []
        again = fit_together(
            networks,
            material,
            RECIPE,
            seeds=SEEDS,
            resume=resume,
            on_epoch=lambda number, epoch, _, told=told: told.append((number, epoch.number)),  # type: ignore[misc]  # bound now
        )
        assert {n: bytes_of(one) for n, one in again.items()} == {n: bytes_of(whole[n]) for n in resume}
        begun = {number: 0 if state is None else state.epoch for number, state in resume.items()}
        assert sorted(told) == [(n, epoch) for n in resume for epoch in range(begun[n] + 1, 5)]


@pytest.mark.parametrize("unasked", [False, True], ids=["answers", "unasked"])
def test_a_state_is_the_same_alone_and_together(*, unasked: bool) -> None:
    material, networks, states = _material(unasked=unasked), _networks(), Taken()
    together = fit_together(networks, material, RECIPE, seeds=SEEDS, on_epoch=_noting(states))
    alone: list[TrainingState] = []
    for number, (network, seed) in enumerate(zip(networks, SEEDS, strict=True)):
        seen: list[TrainingState] = []
        fit(
            network,
            material,
            RECIPE,
            context=Context(seed=seed),
            on_epoch=lambda _, snapshot, seen=seen: seen.append(snapshot()),  # type: ignore[misc]  # bound now
        )
        shapes = [{name: (one.shape, one.dtype) for name, one in some.tensors.items()} for some in seen]
        assert shapes == [{n: (one.shape, one.dtype) for n, one in some.tensors.items()} for some in states[number]]
        _alike(fit(network, material, RECIPE, context=Context(seed=seed), resume=states[number][1]), together[number])
        alone.append(seen[1])
    for number, network in fit_together(networks, material, RECIPE, seeds=SEEDS, resume=dict(enumerate(alone))).items():
        _alike(network, together[number])


def test_several_devices_share_the_members() -> None:
    material, networks, states = _material(unasked=True), _networks(), Taken()
    wanted = fit_together(networks, material, RECIPE, seeds=SEEDS)
    before = torch.get_rng_state()
    whole = fit_together(networks, material, RECIPE, seeds=SEEDS, devices=["cpu", "cpu"], on_epoch=_noting(states))
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.backends.cudnn.deterministic
    assert sorted(whole) == [0, 1, 2]
    for number, network in whole.items():
        _alike(network, wanted[number])
    resume = {0: states[0][1], 1: states[1][2]}
    again = fit_together(networks, material, RECIPE, seeds=SEEDS, devices=["cpu", "cpu"], resume=resume)
    assert {n: bytes_of(one) for n, one in again.items()} == {n: bytes_of(whole[n]) for n in (0, 1)}


@pytest.mark.parametrize("devices", [["cpu"], ["cpu", "cpu"]], ids=len)
def test_what_stops_one_member_stops_all(devices: list[str]) -> None:
    def stop(number: int, epoch: Epoch, _: object) -> None:
        told.append((number, epoch.number))
        if (number, epoch.number) == (1, 2):
            raise _Stopped

    told: list[tuple[int, int]] = []
    recipe = replace(RECIPE, epochs=200)
    with pytest.raises(_Stopped):
        fit_together(_networks(), _material(unasked=False), recipe, seeds=SEEDS, devices=devices, on_epoch=stop)
    assert max(epoch for _, epoch in told) < 200
    bad = Recipe("sgd", 1e20, epochs=3, batch_size=16)
    with pytest.raises(PlanError, match=r"in epoch \d at the rate 1e\+20"):
        fit_together(_networks(), _material(unasked=False), bad, seeds=SEEDS, devices=devices)


def test_a_state_of_another_training_is_refused() -> None:
    material, states = _material(unasked=False), Taken()
    fit_together(_networks(), material, RECIPE, seeds=SEEDS, on_epoch=_noting(states))
    with pytest.raises(ArtifactError, match="is of another network"):
        fit_together(_networks("lenet5-half"), material, RECIPE, seeds=SEEDS, resume={1: states[1][0]})


def test_bfloat16_holds_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("db3kd.training.steps.is_faster_in_bfloat16", lambda device: True)
    material, networks = _material(unasked=True), _networks()
    recipe = replace(RECIPE, precision="bfloat16", epochs=1)
    together = fit_together(networks, material, recipe, seeds=SEEDS)
    for number, (network, seed) in enumerate(zip(networks, SEEDS, strict=True)):
        alone = fit(network, material, recipe, context=Context(seed=seed))
        # Adam turns a gradient that rounds to the other sign into a step the other way: few weights differ by that.
        pairs = zip(together[number].parameters(), alone.parameters(), strict=True)
        assert torch.cat([(one - other).detach().abs().flatten() for one, other in pairs]).mean() < 1e-4


class _Odd(nn.Module):
    """A linear classifier with something in it that does not suit everybody."""

    def __init__(self, oddity: Callable[[Tensor], Tensor], classes: int = 3) -> None:
        super().__init__()
        self.linear, self.oddity = nn.Linear(256, classes), oddity

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b num_classes"]:
        answered: Tensor = self.linear(self.oddity(images.flatten(1)))
        return answered


def _unruled(images: Tensor) -> Tensor:
    return images * torch.histc(images, 1, 0.0, 2.0)


@pytest.mark.parametrize(
    ("modules", "can"),
    [
        ([_Odd(lambda images: images) for _ in range(2)], True),
        ([_Odd(nn.Dropout(0.5)) for _ in range(2)], False),
        ([_Odd(lambda images: images * images.sum().item()) for _ in range(2)], False),
        ([_Odd(lambda images: images if images.sum() > 0 else -images) for _ in range(2)], False),
        ([_Odd(_unruled) for _ in range(2)], False),
        # Each has a number beside its weights.
        ([_Odd(partial(torch.mul, kept)) for kept in (torch.tensor(1.0), torch.tensor(3.0))], False),
        ([_Odd(nn.Identity(), classes) for classes in (2, 3)], False),
        ([_Odd(nn.Identity())], False),
    ],
    ids=["plain", "draws", "asks", "branches", "no rule", "keeps more", "other shapes", "one"],
)
def test_whether_they_can_learn_together_is_tried(modules: list[nn.Module], *, can: bool) -> None:
    before = [bytes_of(one) for one in modules]
    chance = torch.get_rng_state()
    assert can_learn_together(modules, _material(unasked=False), RECIPE, "cpu") is can
    assert [bytes_of(one) for one in modules] == before
    assert torch.equal(torch.get_rng_state(), chance)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_resumed_equals_uninterrupted_on_a_gpu() -> None:
    material, networks, states = _material(unasked=True), _networks(), Taken()
    assert can_learn_together(networks, material, RECIPE, "cuda")
    whole = fit_together(networks, material, RECIPE, seeds=SEEDS, devices=["cuda"], on_epoch=_noting(states))
    resume = {0: states[0][0], 2: states[2][2]}
    again = fit_together(networks, material, RECIPE, seeds=SEEDS, devices=["cuda"], resume=resume)
    assert {n: bytes_of(one.cpu()) for n, one in again.items()} == {n: bytes_of(whole[n].cpu()) for n in (0, 2)}
