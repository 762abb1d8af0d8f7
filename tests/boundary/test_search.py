"""Rows of a group ask in the same turn, every row gets its turn, and a turn holds about as many probes as it may."""

import pytest
import torch

from db3kd.boundary.goal import Pairs
from db3kd.boundary.search import Turn, none_left


@pytest.mark.parametrize("limit", [1, 4, 7, 100])
def test_all_rows_of_a_group_ask_in_the_same_turn(limit: int) -> None:
    group_of = torch.tensor([0, 0, 1, 1, 1, 2, 3, 3, 4, 0])
    turn = Turn(group_of)
    wants = torch.tensor([3, 1, 2, 0, 2, 5, 1, 1, 0, 2])
    seen: list[int] = []
    for _ in range(12):
        rows, counts = turn.take(wants, torch.full((10,), 4), limit)
        assert torch.equal(counts, wants[rows].clamp(max=4))
        assert int(counts.sum()) <= limit or len(group_of[rows].unique()) == 1
        asking = {row for row in range(10) if wants[row] and group_of[row] in group_of[rows]}
        assert set(rows.tolist()) == asking
        seen += rows.tolist()
    assert set(seen) == {row for row in range(10) if wants[row]}


def test_none_is_chosen_where_none_wants_or_may() -> None:
    turn = Turn(torch.arange(3))
    rows, counts = turn.take(torch.tensor([0, 2, 1]), torch.tensor([5, 0, 0]), 10)
    assert len(rows) == len(counts) == 0


def test_no_probe_is_of_the_shape_of_the_images() -> None:
    images = torch.rand(2, 3, 4, 5)
    pairs = Pairs.every_other_class(images, ("a", "b"), torch.tensor([0, 1]), num_classes=3)
    rows, points = none_left(pairs)
    assert (rows.shape, rows.dtype) == ((0,), pairs.image_of.dtype)
    assert (points.shape, points.dtype) == ((0, 3, 4, 5), images.dtype)


def test_after_the_last_group_the_first_has_its_turn_again() -> None:
    turn, wants, remaining = Turn(torch.tensor([0, 1, 2])), torch.tensor([2, 2, 2]), torch.tensor([9, 9, 1])
    asked = [turn.take(wants, remaining, 3) for _ in range(3)]
    assert [(rows.tolist(), counts.tolist()) for rows, counts in asked] == [
        ([0], [2]),
        ([1, 2], [2, 1]),
        ([0], [2]),
    ]
