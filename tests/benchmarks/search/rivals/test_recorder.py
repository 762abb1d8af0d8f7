"""What a rival is measured by: every row counted, the best crossing kept at each count, the end when all is asked."""

import math

import pytest
import torch

from benchmarks.search.rivals.recorder import EnoughAsked, Recorder, never_across
from db3kd.tensors import Float, Int, Tensor


class Threshold:
    """Class 1 where the first pixel is at least a half; it keeps what it was sent."""

    def __init__(self) -> None:
        self.sent: list[Float[Tensor, "b c h w"]] = []

    def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
        self.sent.append(images)
        return (images[:, 0, 0, 0] >= 0.5).long()

    @property
    def rows(self) -> int:
        return sum(map(len, self.sent))


def points(*values: float) -> Float[Tensor, "b c h w"]:
    images = torch.zeros(len(values), 1, 2, 2)
    images[:, 0, 0, 0] = torch.tensor(values)
    return images


def recorder(network: Threshold, *counts: int) -> Recorder:
    return Recorder(network, points(0.0)[0], 1, start=points(1.0)[0], counts=counts)


def test_the_best_crossing_at_each_count_is_kept() -> None:
    network = Threshold()
    asked = recorder(network, 2, 3, 6)

    assert asked.decide(points(0.9)).tolist() == [1]
    assert asked.decide(points(0.25, 0.75)).tolist() == [0, 1]
    assert asked.decide(points(0.875)).tolist() == [1]

    # The attack ended by itself after 4 queries: the last count has what it had then.
    assert asked.distances() == pytest.approx((0.9, 0.75, 0.75))
    assert asked.queries == network.rows == 4


def test_before_the_first_crossing_the_start_is_the_best() -> None:
    asked = recorder(Threshold(), 1)

    with pytest.raises(EnoughAsked):
        asked.decide(points(0.1))

    assert asked.distances() == (1.0,)


def test_a_batch_beyond_the_largest_count_is_cut_and_ends_the_attack() -> None:
    network = Threshold()
    asked = recorder(network, 4, 2)
    asked.decide(points(0.8))

    with pytest.raises(EnoughAsked):
        asked.decide(points(0.7, 0.6, 0.55, 0.5, 0.5))

    assert asked.queries == network.rows == 4
    assert asked.distances() == pytest.approx((0.7, 0.55))
    # An attack that goes on all the same gets no answer and costs nothing.
    with pytest.raises(EnoughAsked):
        asked.decide(points(0.5))
    assert asked.queries == network.rows == 4


def test_what_is_out_of_bounds_is_measured_as_it_was_sent() -> None:
    network = Threshold()
    asked = Recorder(network, points(0.0)[0], 1, start=points(1.0)[0] + 1, counts=(5,))

    asked.decide(points(1.5, -3.0))

    assert network.sent[0].flatten(1).amax(dim=1).tolist() == [1.0, 0.0]
    assert float(network.sent[0].min()) == 0.0
    assert asked.distances() == (1.0,)


def test_a_point_that_is_not_a_number_is_counted_and_never_the_best() -> None:
    asked = Recorder(lambda images: torch.ones(len(images)).long(), points(0)[0], 1, start=points(1)[0], counts=(2,))

    asked.decide(points(math.nan))

    assert asked.queries == 1
    assert asked.distances() == (1.0,)


def test_a_pair_whose_start_is_not_across_is_not_found() -> None:
    assert never_across((200, 500)) == (math.inf, math.inf)
