"""Steps change weights as their recipe says: the rate of each, pieces of a batch, decay, and precision."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from bright_halves import bright_halves
from db3kd.models import build
from db3kd.training import Material, Objective, Recipe, Unasked, Views, fit
from db3kd.training.learners import Alone
from db3kd.training.steps import Steps, has_batch_norm

CPU = torch.device("cpu")
SHAPE = (1, 4, 4)


def _linear() -> nn.Sequential:
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2, bias=False))
    nn.init.zeros_(network.get_parameter("1.weight"))
    return network


def _steps(recipe: Recipe, *, count: int = 8, unasked: bool = False) -> Steps:
    pixels, labels = bright_halves(count, SHAPE)
    beside = Unasked(pixels, torch.arange(count), torch.full((2,), 0.5), count, 1) if unasked else None
    return Steps(_linear(), Alone(3), Material(pixels, Objective(labels=labels), unasked=beside), recipe, CPU)


def test_pieces_give_the_gradient_of_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, labels = bright_halves(50)
    module = build("lenet5-fifth", (1, 28, 28), 2)
    recipe = Recipe("sgd", 0.1, epochs=1, batch_size=50)
    soft = torch.full((50, 2), 0.5)
    monkeypatch.setattr("db3kd.training.steps._CPU_PIECE", 16)
    pieces = fit(module, Material(pixels, Objective(labels, soft, temperature=2.0)), recipe)
    monkeypatch.setattr("db3kd.training.steps._CPU_PIECE", 64)
    whole = fit(module, Material(pixels, Objective(labels, soft, temperature=2.0)), recipe)
    for one, other in zip(pieces.parameters(), whole.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_adamw_takes_decay_off_kernels_and_spares_biases() -> None:
    pixels, labels = bright_halves(16)
    once = Recipe("adamw", 1e-2, epochs=1, batch_size=16)
    module, material = build("lenet5-fifth", (1, 28, 28), 2), Material(pixels, Objective(labels=labels))
    plain, decayed = (fit(module, material, replace(once, weight_decay=decay)) for decay in (0.0, 0.5))
    for (name, one), other in zip(plain.named_parameters(), decayed.parameters(), strict=True):
        before = module.get_parameter(name)
        assert torch.allclose(other, one - 0.005 * before if one.ndim > 1 else one, atol=1e-7), name


def test_mixed_precision_is_for_gpus_that_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Watched(nn.Linear):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(torch.is_autocast_enabled("cpu"))
            return super().forward(images)

    monkeypatch.setattr("db3kd.training.steps.is_faster_in_bfloat16", lambda device: False)
    pixels, labels = bright_halves(4, (1, 4, 4))
    module, material = nn.Sequential(nn.Flatten(), Watched(16, 2)), Material(pixels, Objective(labels=labels))
    for has, precision, wanted in (
        (True, "mixed", True),
        (False, "mixed", False),
        (True, "bfloat16", False),
        (True, "float32", False),
    ):
        seen.clear()
        monkeypatch.setattr("db3kd.training.steps.has_bfloat16", lambda device, has=has: has)
        fit(module, material, Recipe(epochs=1, batch_size=4, precision=precision))  # type: ignore[arg-type]  # a word
        assert seen[-1] is wanted, (has, precision)


def test_the_first_loss_is_that_of_guessing_and_a_plain_step_is_the_gradient_times_the_rate() -> None:
    steps = _steps(Recipe("sgd", 0.5, epochs=2, batch_size=8))
    (loss,) = steps.epoch(0)
    assert loss == pytest.approx(torch.tensor(2.0).log().item())
    pixels, labels = bright_halves(8, SHAPE)
    images = pixels.flatten(1) / 255
    # Of zero weights both classes are given a half.
    gradient = (0.5 - nn.functional.one_hot(labels, 2).float()).T @ images / 8
    assert torch.allclose(steps.result.get_parameter("1.weight"), -0.5 * gradient, atol=1e-6)
    (later,) = steps.epoch(1)
    assert later < loss


def test_the_rate_is_that_of_the_epoch() -> None:
    recipe = Recipe("sgd", 0.5, epochs=2, batch_size=8, milestones=(1,))
    changed = []
    for epoch in (0, 1):
        steps = _steps(recipe)
        steps.epoch(epoch)
        changed.append(steps.result.get_parameter("1.weight"))
    assert recipe.rate_after(1.0) == pytest.approx(0.05)
    assert torch.allclose(changed[1], changed[0] / 10, atol=1e-7)


def test_images_that_are_black_teach_weights_nothing() -> None:
    pixels, labels = bright_halves(8, SHAPE)
    steps = Steps(_linear(), Alone(3), Material(pixels * 0, Objective(labels=labels)), Recipe("sgd", 0.5), CPU)
    (loss,) = steps.epoch(0)
    assert loss == pytest.approx(0.6931, abs=1e-4)
    assert not steps.result.get_parameter("1.weight").any()


def test_where_images_are_learned_unasked_the_running_mean_is_kept() -> None:
    steps = _steps(Recipe("sgd", 0.5, epochs=1, batch_size=8), unasked=True)
    assert steps.result is not steps.network
    steps.epoch(0)
    mean, network = steps.result.get_parameter("1.weight"), steps.network.get_parameter("1.weight")
    # The mean of the first step holds a little of the weights before it, which were none.
    assert torch.allclose(mean, network * 10 / 11, atol=1e-6)
    assert not mean.requires_grad
    plain = _steps(Recipe("sgd", 0.5, epochs=1, batch_size=8))
    assert plain.result is plain.network


def test_a_state_is_put_back_whole() -> None:
    recipe = Recipe("adam", 0.1, epochs=3, batch_size=4)
    first, second = _steps(recipe, unasked=True), _steps(recipe, unasked=True)
    first.epoch(0)
    state = first.snapshot(0, 1)
    assert state.epoch == 1
    losses = first.epoch(1)
    second.restore(0, state)
    assert second.epoch(1) == losses
    assert torch.equal(second.result.get_parameter("1.weight"), first.result.get_parameter("1.weight"))


def test_an_epoch_is_as_long_as_the_material_says() -> None:
    pixels, labels = bright_halves(8, SHAPE)
    recipe = Recipe("sgd", 0.5, epochs=1, batch_size=8)
    for asked, taken in ((None, 8), (20, 20), (3, 3)):
        material = Material(pixels, Objective(labels=labels), asked, Views())
        assert Steps(_linear(), Alone(3), material, recipe, CPU).images == taken


def test_batch_norm_is_found_wherever_it_lies() -> None:
    assert has_batch_norm(nn.Sequential(nn.Flatten(), nn.Sequential(nn.BatchNorm1d(3))))
    assert not has_batch_norm(nn.Sequential(nn.Conv2d(1, 2, 3), nn.GroupNorm(1, 2)))
