"""Sample distance: the nearest image on the other side, for no query."""

import pytest
import torch

from db3kd.boundary import SampleDistance
from known_teachers import Ball, HalfSpace, Sectors
from questions import SHORT, across_of, ask, question


@pytest.mark.parametrize("teacher", [HalfSpace(), Ball(radius=8.0)], ids=["half-space", "ball"])
def test_it_is_the_distance_of_the_nearest_image_on_the_other_side(teacher: HalfSpace | Ball) -> None:
    asked = question(teacher, count=10, exemplars=120)
    assert len(asked.decisions.unique()) == 2
    answer = ask(asked, SampleDistance(), queries=100)
    for distances in answer.distances.chunk(2):
        for image, distance, others in zip(asked.images, distances, across_of(asked), strict=True):
            assert distance == torch.linalg.vector_norm((others - image).flatten(1), dim=1).min()
    assert answer.charged == answer.seen.rows == 0


@pytest.mark.parametrize("levels", [None, 256])
def test_minimal_boundary_distance_is_at_most_boundary_distance_is_at_most_sample_distance(levels: int | None) -> None:
    asked = question(Sectors(classes=3, levels=levels), count=3)
    sample, boundary, minimal = (
        ask(asked, method, queries=100).distances for method in (SampleDistance(), SHORT.start, SHORT)
    )
    assert (boundary <= sample).all()
    assert (minimal <= boundary).all()
    assert boundary.mean() < 0.9 * sample.mean()
    assert minimal.mean() < 0.9 * boundary.mean()
