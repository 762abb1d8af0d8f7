"""Training learns, and a resumed training is the uninterrupted one, byte for byte."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import chain

import pytest
import safetensors.torch
import torch
from torch import nn

from bright_halves import bright_halves
from db3kd.context import Context
from db3kd.errors import ArtifactError, ImageError, PlanError
from db3kd.evaluation import predict
from db3kd.models import build
from db3kd.tensors import Float, Tensor
from db3kd.training import Epoch, Material, Objective, Recipe, TrainingState, fit, for_photos
from made_networks import bytes_of

ADAM = Recipe("adam", 1e-3, epochs=4, batch_size=16)
SGD = Recipe("sgd", 0.05, epochs=4, batch_size=16, momentum=0.9, weight_decay=1e-4, milestones=(2,))


def test_some_rows_of_a_large_set_are_learned_as_a_copy_of_them_would_be() -> None:
    pixels = torch.randint(0, 256, (30, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    rows, labels = torch.arange(29, -1, -3), torch.arange(10) % 2
    module, objective, recipe = build("lenet5-fifth", (1, 28, 28), 2), Objective(labels=labels), replace(ADAM, epochs=2)
    copied = fit(module, Material(pixels[rows], objective), recipe)
    taken = fit(module, Material(pixels, objective, rows=rows), recipe)
    assert bytes_of(copied) == bytes_of(taken)


def _through_a_file(state: TrainingState) -> TrainingState:
    return TrainingState(state.epoch, safetensors.torch.load(safetensors.torch.save(state.tensors)))


def test_a_small_problem_is_learnt_from_labels() -> None:
    pixels, labels = bright_halves(96)
    module = build("lenet5-fifth", (1, 28, 28), 2)
    before = bytes_of(module)
    trained = fit(module, Material(pixels, Objective(labels=labels)), replace(ADAM, epochs=12, rate=5e-3))
    assert (predict(trained, pixels) == labels).float().mean() >= 0.95
    assert not trained.training
    assert module.training
    assert bytes_of(module) == before


def test_a_small_problem_is_learnt_from_soft_labels_alone() -> None:
    pixels, labels = bright_halves(96)
    soft = torch.where(nn.functional.one_hot(labels, 2).bool(), 0.8, 0.2)
    trained = fit(
        build("lenet5-fifth", (1, 28, 28), 2),
        Material(pixels, Objective(soft_labels=soft, temperature=2.0)),
        replace(ADAM, epochs=12, rate=5e-3),
    )
    assert (predict(trained, pixels) == labels).float().mean() >= 0.95


@pytest.mark.parametrize(
    ("architecture", "shape", "recipe", "threads"),
    [
        ("lenet5-fifth", (1, 28, 28), ADAM, 1),
        ("lenet5-fifth", (1, 28, 28), ADAM, 2),
        ("lenet5-fifth", (1, 28, 28), SGD, 1),
        ("lenet5-fifth", (1, 28, 28), replace(SGD, momentum=0.0), 1),
        ("alexnet-quarter", (3, 32, 32), SGD, 1),
        ("lenet5-fifth", (1, 28, 28), replace(ADAM, schedule="one-cycle", precision="bfloat16"), 1),
        ("lenet5-fifth", (1, 28, 28), for_photos(ADAM), 1),
    ],
)
def test_resumed_equals_uninterrupted(
    architecture: str, shape: tuple[int, int, int], recipe: Recipe, threads: int
) -> None:
    pixels, labels = bright_halves(25, shape)
    train = partial(
        fit,
        build(architecture, shape, 2, seed=1),
        Material(pixels, Objective(labels=labels)),
        recipe,
        context=Context(seed=3),
    )
    states: dict[int, TrainingState] = {}

    def keep(epoch: Epoch, state: Callable[[], TrainingState]) -> None:
        states[epoch.number] = state()

    used = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        whole = bytes_of(train(on_epoch=keep))
        assert list(states) == [1, 2, 3, 4]
        for finished in (1, 3):
            # Whatever happened to the global generator in between must not matter.
            torch.rand(finished)
            assert bytes_of(train(resume=_through_a_file(states[finished]))) == whole
        assert bytes_of(train(on_epoch=None)) == whole
    finally:
        torch.set_num_threads(used)


def test_a_training_in_parts_is_the_whole_training() -> None:
    pixels, labels = bright_halves(41)
    cycle = replace(ADAM, schedule="one-cycle")
    train = partial(
        fit,
        build("lenet5-fifth", (1, 28, 28), 2),
        Material(pixels, Objective(labels=labels)),
        cycle,
        context=Context(seed=3),
    )
    states: list[TrainingState] = []

    def keep(_: Epoch, state: Callable[[], TrainingState]) -> None:
        states.append(state())

    whole = bytes_of(train())
    part = bytes_of(train(until=2, on_epoch=keep))
    assert [state.epoch for state in states] == [1, 2]
    assert part != whole
    assert bytes_of(train(resume=states[-1])) == whole


def test_a_state_is_a_copy() -> None:
    pixels, labels = bright_halves(20)
    kept: list[tuple[TrainingState, dict[str, Tensor]]] = []

    def keep(epoch: Epoch, state: Callable[[], TrainingState]) -> None:
        taken = state()
        kept.append((taken, copy.deepcopy(taken.tensors)))

    fit(build("lenet5-fifth", (1, 28, 28), 2), Material(pixels, Objective(labels=labels)), ADAM, on_epoch=keep)
    taken, as_it_was = kept[0]
    assert all(torch.equal(value, as_it_was[name]) for name, value in taken.tensors.items())


def test_another_seed_is_another_training_and_no_global_seed_moves() -> None:
    pixels, labels = bright_halves(40)
    module = build("lenet5-fifth", (1, 28, 28), 2)
    before = torch.get_rng_state()
    first, again, other = (
        bytes_of(fit(module, Material(pixels, Objective(labels=labels)), ADAM, context=Context(seed=seed)))
        for seed in (0, 0, 1)
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert first == again
    assert first != other


def test_dropout_follows_the_epoch() -> None:
    pixels, labels = bright_halves(16)
    module = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(784, 2))
    # At a rate this low the weights stand still, so the loss changes with the dropout alone.
    losses: list[float] = []
    recipe = Recipe("sgd", 1e-12, epochs=3, batch_size=16)
    fit(module, Material(pixels, Objective(labels=labels)), recipe, on_epoch=lambda epoch, _: losses.append(epoch.loss))
    assert len(set(losses)) == 3


def test_epochs_are_reported() -> None:
    pixels, labels = bright_halves(40)
    seen: list[Epoch] = []
    fit(
        build("lenet5-fifth", (1, 28, 28), 2),
        Material(pixels, Objective(labels=labels)),
        SGD,
        on_epoch=lambda epoch, _: seen.append(epoch),
    )
    assert [epoch.number for epoch in seen] == [1, 2, 3, 4]
    assert [epoch.rate for epoch in seen] == pytest.approx([0.05, 0.05, 0.005, 0.005])
    for epoch in seen:
        assert epoch.images_per_second == pytest.approx(40 / epoch.seconds)


class _Counting(nn.Module):
    """Remembers which images it was trained on, by their first pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(1, 2)
        self.steps: list[list[int]] = []

    def __deepcopy__(self, memo: dict[int, object]) -> "_Counting":
        return self

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b num_classes"]:
        if self.training:
            self.steps.append((images[:, 0, 0, 0] * 255).round().int().tolist())
        answered: Tensor = self.linear(images[:, :, 0, 0])
        return answered


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"), [(40, 16, [16, 16, 8]), (33, 16, [16, 17]), (1, 16, [1]), (3, 1, [1, 1, 1])]
)
def test_each_epoch_sees_each_image_once_in_a_new_order(count: int, batch_size: int, sizes: list[int]) -> None:
    module = _Counting()
    pixels = torch.arange(count, dtype=torch.uint8).view(count, 1, 1, 1)
    recipe = Recipe("sgd", 0.01, epochs=2, batch_size=batch_size)
    fit(module, Material(pixels, Objective(labels=torch.zeros(count, dtype=torch.int64))), recipe)
    assert [len(step) for step in module.steps] == sizes * 2
    first, second = (list(chain(*module.steps[at : at + len(sizes)])) for at in (0, len(sizes)))
    assert sorted(first) == sorted(second) == list(range(count))
    assert first != second or count == 1


def test_an_epoch_may_be_a_part_of_the_images_and_all_have_their_turn() -> None:
    module, count = _Counting(), 40
    pixels = torch.arange(count, dtype=torch.uint8).view(count, 1, 1, 1)
    seen: list[Epoch] = []
    fit(
        module,
        Material(pixels, Objective(labels=torch.zeros(count, dtype=torch.int64)), images_per_epoch=16),
        Recipe("sgd", 0.01, epochs=9, batch_size=8),
        on_epoch=lambda epoch, _: seen.append(epoch),
    )
    assert [len(step) for step in module.steps] == [8] * 18
    seen_images = list(chain(*module.steps))
    turns = [sorted(seen_images[at : at + count]) for at in range(0, 120, count)]
    assert turns == [list(range(count))] * 3
    assert seen_images[:count] != seen_images[count : 2 * count]
    assert seen[0].images_per_second == pytest.approx(16 / seen[0].seconds)


def test_one_leftover_image_does_not_stop_batch_norm() -> None:
    pixels, labels = bright_halves(17, (3, 32, 32))
    module = build("alexnet-quarter", (3, 32, 32), 2)
    fit(module, Material(pixels, Objective(labels=labels)), replace(ADAM, epochs=1))
    with pytest.raises(PlanError, match="batch norm needs at least 2 images a step, got batch_size 1"):
        fit(module, Material(pixels, Objective(labels=labels)), replace(ADAM, batch_size=1))


def test_a_loss_that_explodes_stops_with_the_epoch_and_the_rate() -> None:
    pixels, labels = bright_halves(40)
    finished: list[int] = []
    with pytest.raises(PlanError, match=r"in epoch \d at the rate 1e\+20.*lower the rate"):
        fit(
            build("lenet5-fifth", (1, 28, 28), 2),
            Material(pixels, Objective(labels=labels)),
            Recipe("sgd", 1e20, epochs=3, batch_size=16),
            on_epoch=lambda epoch, _: finished.append(epoch.number),
        )
    assert finished == []


def test_parts_that_do_not_fit_are_refused() -> None:
    pixels, labels = bright_halves(10)
    module = build("lenet5-fifth", (1, 28, 28), 2)
    with pytest.raises(PlanError, match="objective for 9 images does not fit 10"):
        fit(module, Material(pixels, Objective(labels=labels[:9])), ADAM)
    with pytest.raises(PlanError, match="network of 2 classes cannot learn labels from 1 to 2"):
        fit(module, Material(pixels, Objective(labels=labels + 1)), ADAM)
    with pytest.raises(PlanError, match="cannot learn soft labels for 3 classes"):
        fit(module, Material(pixels, Objective(soft_labels=torch.full((10, 3), 1 / 3))), ADAM)
    with pytest.raises(ImageError, match="no images"):
        fit(module, Material(pixels[:0], Objective(labels=labels[:0])), ADAM)
    with pytest.raises(ImageError, match="not numbers"):
        fit(module, Material(torch.full((10, 1, 28, 28), float("nan")), Objective(labels=labels)), ADAM)
    with pytest.raises(PlanError, match="no weight that can be trained"):
        fit(nn.Flatten(), Material(pixels, Objective(labels=labels)), ADAM)


def test_a_state_of_another_training_is_refused() -> None:
    pixels, labels = bright_halves(20)
    states: list[TrainingState] = []
    train = partial(fit, material=Material(pixels, Objective(labels=labels)))
    train(
        build("lenet5-fifth", (1, 28, 28), 2),
        recipe=replace(ADAM, epochs=1),
        on_epoch=lambda _, state: states.append(state()),
    )
    with pytest.raises(ArtifactError, match="is of another network"):
        train(build("lenet5-half", (1, 28, 28), 2), recipe=ADAM, resume=states[0])
    with pytest.raises(ArtifactError, match=r"needs .'momentum_buffer'."):
        train(build("lenet5-fifth", (1, 28, 28), 2), recipe=SGD, resume=states[0])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_resumed_equals_uninterrupted_on_a_gpu() -> None:
    pixels, labels = bright_halves(200, (3, 32, 32))
    module = build("alexnet-quarter", (3, 32, 32), 2)
    states: list[TrainingState] = []
    train = partial(fit, module, Material(pixels, Objective(labels=labels)), SGD, context=Context("cuda"))
    whole = train(on_epoch=lambda _, state: states.append(state()))
    assert next(whole.parameters()).is_cuda
    assert bytes_of(train(resume=_through_a_file(states[1])).cpu()) == bytes_of(whole.cpu())
