"""A committee's subspace holds what its gradients have in common."""

import torch
from torch import nn

from db3kd.boundary import find_subspace
from db3kd.boundary.guide import principal_directions
from db3kd.context import Context
from db3kd.data import from_arrays


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
