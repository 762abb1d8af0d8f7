"""Banks of directions: unit vectors, the same for the same keys, and within a span where there is one."""

import pytest
import torch

from db3kd.boundary.normals import DirectionBank, low_frequencies


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 6, 9)])
def test_low_frequencies_are_orthonormal_and_smooth(shape: tuple[int, int, int]) -> None:
    waves = low_frequencies(shape, 27)
    assert torch.allclose(waves @ waves.T, torch.eye(len(waves)), atol=1e-5)
    pictures = waves.view(-1, *shape)
    roughness = (pictures.diff(dim=2) ** 2).sum() / (pictures**2).sum()
    assert roughness < 1  # of white noise it is about 2


def test_a_bank_with_a_span_draws_within_it() -> None:
    span = low_frequencies((1, 8, 8), 9)
    bank = DirectionBank(64, block=5, seed=0, span=span)
    drawn = bank.take(torch.arange(20), torch.zeros(20, dtype=torch.int64), torch.arange(20) % 5)
    assert torch.allclose(drawn @ span.T @ span, drawn, atol=1e-5)
    assert torch.allclose(torch.linalg.vector_norm(drawn, dim=1), torch.ones(20))
    assert bank.freedom == 9


def test_the_weighted_mean_of_a_block_is_that_of_the_directions_taken_from_it() -> None:
    bank = DirectionBank(16, block=4, seed=1)
    keys, counters = torch.tensor([7, 3]), torch.tensor([1, 2])
    weights = torch.tensor([[1.0, -1.0, 1.0, 0.5], [0.0, 0.0, 2.0, 0.0]])
    places = torch.arange(4)
    for row, mean in enumerate(bank.weigh(keys, counters, weights)):
        taken = bank.take(keys[row].expand(4), counters[row].expand(4), places)
        assert torch.allclose(mean, (weights[row][:, None] * taken).mean(dim=0), atol=1e-6)
