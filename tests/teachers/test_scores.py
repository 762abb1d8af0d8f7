"""The highest score is the class, and rows with a score that is no number are named."""

import pytest
import torch

from db3kd.errors import InvalidDecision
from db3kd.teachers.scores import highest


def test_the_class_is_that_of_the_highest_score() -> None:
    scores = torch.tensor([[0.1, -3.0, 0.2], [-1.0, -2.0, -3.0], [1e30, 0.0, -1e30]])
    assert highest(scores, origin="the module").tolist() == [2, 0, 0]
    assert highest(torch.zeros(0, 3), origin="the module").tolist() == []


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ((3,), "row 3 of the 50"),
        ((3, 17), "rows 3, 17 of the 50"),
        (range(10), "rows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 of the 50"),
        (range(50), "rows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 40 others of the 50"),
    ],
    ids=["one", "two", "ten", "all"],
)
def test_rows_with_a_score_that_is_not_finite_are_named(rows: tuple[int, ...] | range, told: str, wrong: float) -> None:
    scores = torch.zeros(50, 4)
    scores[list(rows), 2] = wrong
    with pytest.raises(InvalidDecision, match=f"finite scores from a forest, got NaN or infinity in {told}") as caught:
        highest(scores, origin="a forest")
    assert caught.value.rows == tuple(rows)
