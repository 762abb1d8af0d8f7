"""The line search of a ray: lost where it is not across at first, else a crossing as near as the tolerance."""

import math

import pytest
import torch

from db3kd.boundary import Pairs
from db3kd.boundary.crossing import BestCrossings
from db3kd.boundary.rays import Rays
from db3kd.tensors import Bool, Float, Int, Tensor
from known_teachers import HalfSpace

TEACHER = HalfSpace()
TOLERANCE = 1e-3
ROWS = torch.arange(4)


def _rays() -> tuple[Rays, BestCrossings, Pairs]:
    """Four images on one side, each of which wants the other."""
    images = torch.zeros(4, 1, 8, 8)
    pairs = Pairs.every_other_class(images, list("abcd"), TEACHER(images), num_classes=2)
    best = BestCrossings(pairs)
    return Rays(pairs, best, TEACHER.spec, tolerance=TOLERANCE, first_shrink=0.05), best, pairs


def _across(points: Float[Tensor, "r d"]) -> Bool[Tensor, " r"]:
    return TEACHER(points.view(-1, 1, 8, 8)) == 1


def _search(rays: Rays) -> tuple[list[int], list[int], Int[Tensor, " k"]]:
    """Go on until all are idle: which were lost, which settled, and what each cost."""
    lost, settled, queries = list[int](), list[int](), torch.zeros(4, dtype=torch.int64)
    for _ in range(100):
        rows = rays.busy.nonzero()[:, 0]
        if not len(rows):
            return lost, settled, queries
        points = rays.points(rows)
        ended = rays.observe(rows, points, _across(points))
        lost += ended.lost.tolist()
        settled += ended.settled.tolist()
        queries[rows] += 1
    raise AssertionError("it never ends")


# Straight on, at an angle, far beyond the boundary; the last ray leads away from it.
def _aims() -> Float[Tensor, "k d"]:
    normal, across = TEACHER.normal, torch.nn.functional.one_hot(torch.tensor(0), 64).float()
    across = across - (across @ normal) * normal
    across = across / across.norm()
    return torch.stack([normal, 0.6 * normal + 0.8 * across, normal, -normal])


@pytest.mark.parametrize("halving", [False, True])
def test_a_ray_ends_at_its_crossing_or_is_lost_for_one_query(*, halving: bool) -> None:
    rays, best, _ = _rays()
    radii = torch.tensor([1.2, 2.0, 50.0, 50.0])
    rays.start(ROWS, _aims(), radii, halving=halving)
    assert rays.busy.all()
    lost, settled, queries = _search(rays)
    assert lost == [3]
    assert sorted(settled) == [0, 1, 2]
    true = torch.tensor([1.0, 1 / 0.6, 1.0])
    assert torch.allclose(best.distances[:3], true, rtol=TOLERANCE)
    assert bool((best.distances[:3] >= true - 1e-5).all()), "a crossing is across"
    assert best.distances[3] == math.inf
    assert queries[3] == 1
    assert queries[:2].max() <= 3 + math.log2(1 / TOLERANCE)


def test_a_first_step_that_is_small_saves_queries_where_the_crossing_is_near() -> None:
    costs = []
    for halving in (False, True):
        rays, _, _ = _rays()
        rays.start(ROWS[:1], _aims()[:1], torch.tensor([1.01]), halving=halving)
        costs.append(int(_search(rays)[2][0]))
    assert costs[0] < costs[1]


def test_what_is_known_to_be_across_is_bisected_at_once() -> None:
    rays, best, _ = _rays()
    rays.bisect(ROWS[:1], _aims()[:1], torch.tensor([4.0]))
    assert torch.allclose(rays.points(ROWS[:1]), 2.0 * _aims()[:1])
    _, settled, _ = _search(rays)
    assert settled == [0]
    assert best.distances[0].item() == pytest.approx(1.0, rel=TOLERANCE)


def test_only_what_comes_nearer_by_more_than_the_tolerance_has_gained() -> None:
    rays, best, _ = _rays()
    best.offer(ROWS[:2], torch.stack([3.0 * TEACHER.normal, (1 + TOLERANCE / 4) * TEACHER.normal]))
    rays.start(ROWS[:2], TEACHER.normal.expand(2, -1), torch.tensor([2.0, 1.2]))
    _search(rays)
    assert rays.gained(ROWS[:2]).tolist() == [True, False]
