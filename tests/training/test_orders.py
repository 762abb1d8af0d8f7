"""Each image has its turn, in an order that follows from the seed and the epoch."""

import pytest
import torch

from db3kd.training.orders import batches_of, derive, generator_of, order_of


def test_each_seed_epoch_and_purpose_has_a_chance_of_its_own() -> None:
    asked = [(seed, epoch, purpose) for seed in range(20) for epoch in range(20) for purpose in ("order", "dropout")]
    derived = [derive(*one) for one in asked]
    assert len(set(derived)) == len(asked)
    # Torch's generator on the CPU looks at 32 bits.
    assert 0 <= min(derived) <= max(derived) < 2**32
    drawn = [torch.rand(1, generator=generator_of(*one, torch.device("cpu"))).item() for one in asked[:4] * 2]
    assert drawn[:4] == drawn[4:]


@pytest.mark.parametrize("taken", [1, 7, 10, 23], ids=str)
def test_all_images_had_their_turn_before_any_has_a_second(taken: int) -> None:
    epochs = [order_of(10, taken, 3, epoch) for epoch in range(10)]
    assert all(len(order) == taken for order in epochs)
    seen = torch.cat(epochs)
    turns = seen[: len(seen) // 10 * 10].view(-1, 10)
    assert all(turn.sort().values.tolist() == list(range(10)) for turn in turns)
    assert len(turns.unique(dim=0)) == len(turns)
    assert not torch.equal(torch.cat([order_of(10, taken, 4, epoch) for epoch in range(10)]), seen)


def test_another_purpose_has_another_order() -> None:
    assert not torch.equal(order_of(50, 50, 0, 0), order_of(50, 50, 0, 0, purpose="unasked"))


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"),
    [(10, 5, [5, 5]), (11, 5, [5, 6]), (12, 5, [5, 5, 2]), (1, 5, [1]), (3, 1, [1, 1, 1]), (2, 5, [2])],
)
def test_one_image_that_is_left_over_joins_the_batch_before_it(count: int, batch_size: int, sizes: list[int]) -> None:
    orders = torch.arange(2 * count).view(2, count)
    batches = batches_of(orders, batch_size)
    assert [batch.shape[1] for batch in batches] == sizes
    assert torch.equal(torch.cat(batches, dim=1), orders)
