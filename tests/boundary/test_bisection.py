"""Boundary distance: where the geometry is known, it is the distance on the line, to the tolerance."""

import pytest
import torch

from db3kd.boundary import BoundaryDistance, ExemplarPool, Outcome
from db3kd.errors import PlanError
from known_teachers import Ball, HalfSpace
from questions import Question, Stack, across_of, ask, question

# Of the Gaussian images, about half lie in the ball and a sixth beyond the plane.
known = pytest.mark.parametrize("teacher", [HalfSpace(), Ball(radius=8.0)], ids=["half-space", "ball"])


@pytest.mark.parametrize("tolerance", [1e-1, 1e-3, 1e-5])
@known
def test_it_is_the_distance_on_the_line_to_its_tolerance(teacher: HalfSpace | Ball, tolerance: float) -> None:
    asked = question(teacher, count=10, exemplars=120)
    answer = ask(asked, BoundaryDistance(exemplars=1, tolerance=tolerance), queries=100)
    ends = [
        others[torch.linalg.vector_norm((others - image).flatten(1), dim=1).argmin()]
        for image, others in zip(asked.images, across_of(asked), strict=True)
    ]
    exact = teacher.on_the_way(asked.images, torch.stack(ends))
    # With two classes, targeted and untargeted rows have the same truth.
    for distances in answer.distances.chunk(2):
        assert (distances >= exact * (1 - 1e-5)).all()
        assert (distances <= exact / (1 - tolerance) * (1 + 1e-5)).all()
    assert (answer.outcomes == Outcome.FOUND).all()


@known
def test_it_is_the_least_over_the_lines_to_all_exemplars(teacher: HalfSpace | Ball) -> None:
    asked = question(teacher, count=10, exemplars=120)
    answer = ask(asked, BoundaryDistance(exemplars=200), queries=2000)
    for image, distance, others in zip(asked.images, answer.distances.chunk(2)[0], across_of(asked), strict=True):
        exact = teacher.on_the_way(image.expand_as(others), others).min()
        assert distance.item() == pytest.approx(exact.item(), rel=1.2e-3)


def test_a_boundary_close_to_the_image_is_found_to_the_same_relative_tolerance() -> None:
    teacher = HalfSpace(offset=1.0)
    near, far = ((teacher.normal * length).view(1, 1, 8, 8) for length in (1.0 - 1e-3, 6.0))
    pool = ExemplarPool(Stack(far), teacher(far), num_classes=2)
    asked = Question(teacher, near, teacher(near), pool, far)
    answer = ask(asked, BoundaryDistance(exemplars=1, tolerance=1e-2), queries=100)
    assert answer.distances[0].item() == pytest.approx(1e-3, rel=1.1e-2)


def test_an_exemplar_that_cannot_win_costs_one_query() -> None:
    teacher = Ball(radius=3.0)
    image = torch.zeros(1, 1, 8, 8)
    directions = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    ends = directions / directions.flatten(1).norm(dim=1).view(2, 1, 1, 1) * torch.tensor([5.0, 6.0]).view(2, 1, 1, 1)
    pool = ExemplarPool(Stack(ends), teacher(ends), num_classes=2)
    asked = Question(teacher, image, teacher(image), pool, ends)
    one, both = (ask(asked, BoundaryDistance(exemplars=count), queries=100) for count in (1, 2))
    # At the best distance so far, the second is across or not; across, it is bisected to no more than the tolerance.
    assert ((both.queries - one.queries) >= 1).all()
    assert torch.allclose(both.distances, torch.full((2,), 3.0), rtol=2e-3)


def test_what_no_boundary_distance_can_have_is_refused_with_all_faults() -> None:
    with pytest.raises(PlanError, match=r"exemplars must be a whole number from 1, got 0; tolerance must be a number"):
        BoundaryDistance(exemplars=0, tolerance=1.0)
