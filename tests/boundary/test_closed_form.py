"""Half-spaces and balls, whose boundaries are known: the distances are the true ones, targeted and untargeted."""

import pytest
import torch

from db3kd.boundary import ExemplarPool, Outcome
from db3kd.boundary.methods import BoundaryDistance, MinimalBoundaryDistance, SampleDistance
from db3kd.tensors import Float, Tensor
from known_teachers import Ball, HalfSpace
from questions import Answer, Question, Stack, ask, question

# Of the Gaussian images, about half lie in the ball and a sixth beyond the plane.
known = pytest.mark.parametrize("teacher", [HalfSpace(), Ball(radius=8.0)], ids=["half-space", "ball"])


def _question(teacher: HalfSpace | Ball) -> Question:
    asked = question(teacher, count=10, exemplars=120)
    assert len(asked.decisions.unique()) == 2
    return asked


def _exemplars(asked: Question) -> list[Float[Tensor, "p c h w"]]:
    """The exemplars of the other class, for each image."""
    classes = asked.teacher(asked.exemplars)
    return [asked.exemplars[classes != decision] for decision in asked.decisions]


def _by_goal(answer: Answer) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """The distances of the targeted and of the untargeted rows; with two classes both have the same truth."""
    targeted, untargeted = answer.distances.chunk(2)
    return targeted, untargeted


@known
def test_sample_distance_is_the_distance_of_the_nearest_image_on_the_other_side(teacher: HalfSpace | Ball) -> None:
    asked = _question(teacher)
    answer = ask(asked, SampleDistance(), queries=100)
    for distances in _by_goal(answer):
        for image, distance, others in zip(asked.images, distances, _exemplars(asked), strict=True):
            assert distance == torch.linalg.vector_norm((others - image).flatten(1), dim=1).min()
    assert answer.charged == answer.seen.rows == 0


@pytest.mark.parametrize("tolerance", [1e-1, 1e-3, 1e-5])
@known
def test_boundary_distance_is_the_distance_on_the_line_to_its_tolerance(
    teacher: HalfSpace | Ball, tolerance: float
) -> None:
    asked = _question(teacher)
    answer = ask(asked, BoundaryDistance(exemplars=1, tolerance=tolerance), queries=100)
    ends = [
        others[torch.linalg.vector_norm((others - image).flatten(1), dim=1).argmin()]
        for image, others in zip(asked.images, _exemplars(asked), strict=True)
    ]
    exact = teacher.on_the_way(asked.images, torch.stack(ends))
    for distances in _by_goal(answer):
        assert (distances >= exact * (1 - 1e-5)).all()
        assert (distances <= exact / (1 - tolerance) * (1 + 1e-5)).all()
    assert (answer.outcomes == Outcome.FOUND).all()


@known
def test_boundary_distance_is_the_least_over_the_lines_to_all_exemplars(teacher: HalfSpace | Ball) -> None:
    asked = _question(teacher)
    answer = ask(asked, BoundaryDistance(exemplars=200), queries=2000)
    for image, distance, others in zip(asked.images, _by_goal(answer)[0], _exemplars(asked), strict=True):
        exact = teacher.on_the_way(image.expand_as(others), others).min()
        assert distance.item() == pytest.approx(exact.item(), rel=1.2e-3)


@known
def test_minimal_boundary_distance_is_within_5_percent_of_the_truth_at_2000_queries(teacher: HalfSpace | Ball) -> None:
    asked = _question(teacher)
    answer = ask(asked, MinimalBoundaryDistance(), queries=2000)
    exact = teacher.distances(asked.images)
    for distances in _by_goal(answer):
        assert (distances >= exact * (1 - 1e-5) - 1e-5).all()
        assert distances.mean() <= 1.05 * exact.mean()


def test_a_boundary_close_to_the_image_is_found_to_the_same_relative_tolerance() -> None:
    teacher = HalfSpace(offset=1.0)
    near, far = ((teacher.normal * length).view(1, 1, 8, 8) for length in (1.0 - 1e-3, 6.0))
    pool = ExemplarPool(Stack(far), teacher(far), num_classes=2)
    answer = ask(
        Question(teacher, near, teacher(near), pool, far), BoundaryDistance(exemplars=1, tolerance=1e-2), queries=100
    )
    assert answer.distances[0].item() == pytest.approx(1e-3, rel=1.1e-2)
