"""A committee as a guide: its gradients, the subspace they share, what it expects, and what its own work comes to."""

import torch
from torch import nn

from db3kd.boundary import Goals, Guide, closeness, find_subspace
from db3kd.boundary.guide import principal_directions
from db3kd.context import Context
from db3kd.data import from_arrays
from db3kd.models import build
from known_teachers import HalfSpace
from questions import guide_of, question, with_the_boundary_of


def test_a_gradient_does_not_depend_on_what_stands_beside_it() -> None:
    member = build("lenet5-fifth", (1, 16, 16), 4, seed=2)
    guide = Guide([member], torch.eye(256))
    points = torch.rand(150, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    goals = Goals(torch.arange(150) % 4, torch.arange(150) % 3 > 0)
    together = guide.slopes(points, goals)
    for rows in (torch.tensor([140, 3]), torch.arange(70, 80)):
        alone = guide.slopes(points[rows], Goals(goals.classes[rows], goals.reaching[rows]))
        assert torch.equal(alone.normals, together.normals[rows])
        assert torch.equal(alone.margins, together.margins[rows])


def test_the_guides_own_work_is_counted() -> None:
    guide = guide_of(with_the_boundary_of(HalfSpace()))
    guide.slopes(torch.rand(5, 1, 8, 8), Goals.reach(torch.ones(5, dtype=torch.int64)))
    assert guide.passes == 5 * guide.looks
    assert guide.seconds > 0


def test_guides_are_told_apart_by_their_weights() -> None:
    one, same, other = (guide_of(with_the_boundary_of(HalfSpace(seed=seed))) for seed in (0, 0, 1))
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_the_committee_expects_the_crossing_where_its_own_boundary_is() -> None:
    teacher = HalfSpace()
    asked = question(teacher, count=8)
    guide = guide_of(with_the_boundary_of(teacher))
    points = guide.expect(asked.images, Goals.leave(asked.decisions), steps=40)
    lengths = torch.linalg.vector_norm((points - asked.images).flatten(1), dim=1)
    # The guide looks a little beside the points, so a short distance is not as exact as a long one.
    assert torch.allclose(lengths, 1.02 * teacher.distances(asked.images), rtol=0.02, atol=0.15)


def test_closeness_is_the_cosine_to_the_way_that_a_search_found() -> None:
    teacher = HalfSpace()
    images = question(teacher, count=8).images
    away = (teacher.offset - (images.flatten(1) * teacher.normal).sum(1))[:, None] * teacher.normal
    points = images + 1.1 * away.view_as(images)
    members = [with_the_boundary_of(teacher)]
    assert closeness(members, images, points, teacher(points)) > 0.999
    assert closeness(members, images, points, 1 - teacher(points)) < -0.999


def test_principal_directions_hold_what_normals_have_in_common() -> None:
    generator = torch.Generator().manual_seed(0)
    span, _ = torch.linalg.qr(torch.randn(30, 4, generator=generator))
    normals = torch.randn(200, 4, generator=generator) @ span.T * torch.rand(200, 1, generator=generator)
    found = principal_directions(normals, 4)
    assert torch.allclose(found @ found.T, torch.eye(4), atol=1e-5)
    assert torch.allclose(found.T @ (found @ span), span, atol=1e-4)
    assert torch.equal(found, principal_directions(normals, 4))


def test_the_subspace_of_linear_members_is_that_of_their_weights() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        members = [nn.Sequential(nn.Flatten(), nn.Linear(64, 3)) for _ in range(2)]
    images = from_arrays(torch.rand(30, 1, 8, 8, generator=torch.Generator().manual_seed(1)))
    found = find_subspace(members, images, 4, Context(seed=5))
    assert found.shape == (4, 64)
    for member in members:
        layer = member[1]
        assert isinstance(layer, nn.Linear)
        gaps = (layer.weight[1:] - layer.weight[:1]).detach()
        # In bfloat16, as gradients may be, they lie there to three digits.
        assert torch.allclose(gaps @ found.T @ found, gaps, atol=1e-2)
    assert torch.equal(found, find_subspace(members, images, 4, Context(seed=5)))
    assert not torch.equal(found, find_subspace(members, images, 4))
