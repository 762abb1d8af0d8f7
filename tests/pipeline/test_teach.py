"""For how long a student is taught: by its lesson, the questions that were asked, and the size of a pool."""

import pytest
import torch

from db3kd.data import from_arrays
from db3kd.pipeline.story import CommitteeLesson, FixedLesson
from db3kd.pipeline.teach import recipe_for


def test_a_student_of_opinions_learns_for_longer_from_more_questions() -> None:
    epochs = [recipe_for(CommitteeLesson(), "lenet5", questions).epochs for questions in (10, 25_000, 50_000, 10**7)]
    assert epochs == [60, 60, 120, 480]
    assert recipe_for(FixedLesson(), "lenet5", 10) == recipe_for(FixedLesson(), "lenet5", 10**7)


@pytest.mark.parametrize(("images", "side", "epochs"), [(500, 28, 50), (500, 64, 50), (500, 224, 15)])
def test_a_student_sees_each_image_of_a_pool_often_and_large_ones_less_often(
    images: int, side: int, epochs: int
) -> None:
    pool = from_arrays(torch.zeros(images, 1, side, side, dtype=torch.uint8))
    assert recipe_for(CommitteeLesson(), "residual", images, pool).epochs == epochs
