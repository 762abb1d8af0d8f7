"""Sign-OPT's own ways: where it starts, how far it looks, and when it gives up."""

import pytest
import torch

from db3kd.boundary import BoundaryDistance, ExemplarPool, MinimalBoundaryDistance, Outcome
from known_teachers import Ball, HalfSpace, Sectors
from questions import SHORT, Question, Stack, ask, measured, question


@pytest.mark.parametrize("teacher", [HalfSpace(), Ball(radius=8.0)], ids=["half-space", "ball"])
def test_it_is_within_5_percent_of_the_truth_at_2000_queries(teacher: HalfSpace | Ball) -> None:
    asked = question(teacher, count=10, exemplars=120)
    answer = ask(asked, MinimalBoundaryDistance(start=BoundaryDistance(exemplars=1)), queries=2000)
    exact = teacher.distances(asked.images)
    # With two classes, targeted and untargeted rows have the same truth.
    for distances in answer.distances.chunk(2):
        assert (distances >= exact * (1 - 1e-5) - 1e-5).all()
        assert distances.mean() <= 1.05 * exact.mean()


@pytest.mark.parametrize("teacher", [Sectors(), HalfSpace(), Ball(radius=8.0)], ids=["sectors", "half-space", "ball"])
def test_no_probe_lies_farther_away_than_what_its_row_has_found(teacher: Sectors | HalfSpace | Ball) -> None:
    """The reference implementation walks rays that never reach the class in steps of 1%, out to a distance of 100."""
    asked = question(teacher, count=3)
    search = SHORT.search(asked.pairs(), asked.pool, teacher.spec)
    remaining = torch.full_like(search.pairs.image_of, 120)
    while len((probes := search.propose(remaining, 1024)).rows):
        remaining -= torch.bincount(probes.rows, minlength=len(remaining))
        origins = search.pairs.images[search.pairs.image_of[probes.rows]]
        lengths = torch.linalg.vector_norm((probes.points - origins).flatten(1), dim=1)
        assert (lengths <= search.best.distances[probes.rows] * (1 + 1e-4)).all()
        search.observe(teacher(probes.points))
    assert (remaining < 120).all()


def test_the_queries_of_the_start_are_counted() -> None:
    """The reference implementation does not count what its start costs."""
    asked = question(Sectors(classes=3), count=2)
    start = ask(asked, SHORT.start, queries=60)
    whole = ask(asked, SHORT, queries=60)
    assert (start.queries > 5).all()
    # Cut off where its start ends, the whole search has found what the start finds, for the same queries.
    longest = int(start.queries.max())
    cut = ask(asked, SHORT, queries=longest)
    done = start.queries == longest
    assert torch.equal(cut.distances[done], start.distances[done])
    assert whole.charged == whole.seen.rows == int(whole.queries.sum())


def test_a_row_that_cannot_get_nearer_is_stalled_and_spends_no_more() -> None:
    """In the reference implementation the branch for 'no progress' always runs, whether there was progress or not."""
    teacher = HalfSpace()
    foot = (teacher.normal * teacher.offset).view(1, 1, 8, 8)
    # Straight through the boundary: the start is the best there is.
    image, straight = foot * 0.2, foot * 2
    pool = ExemplarPool(Stack(straight), teacher(straight), num_classes=2)
    asked = Question(teacher, image, teacher(image), pool, straight)
    method = MinimalBoundaryDistance(start=BoundaryDistance(exemplars=1, tolerance=1e-6), patience=2)
    answer = ask(asked, method, queries=100_000)
    assert (answer.outcomes == Outcome.STALLED).all()
    assert (answer.queries < 5000).all()
    assert answer.distances[0].item() == pytest.approx(0.8, rel=1e-4)
    # And one that can is not.
    slanted = foot * 2 + torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    pool = ExemplarPool(Stack(slanted), teacher(slanted), num_classes=2)
    asked = Question(teacher, image, teacher(image), pool, slanted)
    answer = ask(asked, MinimalBoundaryDistance(start=BoundaryDistance(exemplars=1)), queries=500)
    assert (answer.outcomes == Outcome.BUDGET).all()
    assert answer.distances[0] < 0.5 * measured(answer.pairs, slanted.expand_as(answer.points))[0]


def test_a_row_on_a_teacher_with_levels_stalls_too() -> None:
    """Its directions cannot get shorter than a level, so their length cannot tell that there is no progress left."""
    teacher = Sectors(classes=2, levels=16)
    asked = question(teacher, count=1)
    method = MinimalBoundaryDistance(start=SHORT.start, directions=20, patience=1)
    answer = ask(asked, method, queries=50_000)
    assert (answer.outcomes == Outcome.STALLED).all()
    assert (answer.queries < 50_000).all()


def test_the_step_of_a_row_is_its_own_and_not_the_batchs() -> None:
    """The reference implementation keeps one step size for a whole batch."""
    asked = question(Sectors(classes=4), count=3)
    alone = ask(asked, SHORT, queries=60)
    # A mate whose boundary is a thousand times nearer takes other steps altogether.
    other = asked.exemplars[asked.teacher(asked.exemplars) != asked.decisions[0]][0]
    low, high = asked.images[0], other
    for _ in range(12):
        middle = (low + high) / 2
        own = bool(asked.teacher(middle[None]) == asked.decisions[0])
        low, high = (middle, high) if own else (low, middle)
    images = torch.cat([asked.images, low[None]])
    mixed = Question(asked.teacher, images, asked.teacher(images), asked.pool, asked.exemplars)
    answer = ask(mixed, SHORT, queries=60)
    assert answer.distances[-1] < 0.01 * answer.distances[-4:-1].min()
    rows = (answer.pairs.image_of < 3).nonzero()[:, 0]
    assert torch.equal(answer.distances[rows], alone.distances)
    assert torch.equal(answer.queries[rows], alone.queries)


def test_another_seed_draws_other_directions_and_every_row_has_its_own() -> None:
    asked = question(Sectors(classes=3), count=2)
    one, other = (ask(asked, SHORT, asked.pairs(seed=seed), queries=60) for seed in (0, 1))
    assert not torch.equal(one.distances, other.distances)
    assert len(one.pairs.keys.unique()) == len(one.pairs.keys)
