"""Sign-OPT's own ways: where it starts, how far it looks, and when it gives up."""

import pytest
import torch

from db3kd.boundary import ExemplarPool, Outcome, SignOptOptions
from db3kd.boundary.methods import BoundaryDistance, MinimalBoundaryDistance
from known_teachers import Ball, HalfSpace, Sectors
from questions import SHORT, Question, Stack, ask, measured, question


@pytest.mark.parametrize("teacher", [Sectors(), HalfSpace(), Ball(radius=8.0)], ids=["sectors", "half-space", "ball"])
def test_no_probe_lies_farther_away_than_what_its_row_has_found(teacher: Sectors | HalfSpace | Ball) -> None:
    """The reference implementation walks rays that never reach the class in steps of 1%, out to a distance of 100."""
    asked = question(teacher, count=3)
    search = SHORT.search(asked.pairs(), asked.pool, teacher.spec)
    remaining = torch.full_like(search.pairs.image_of, 300)
    while len((probes := search.propose(remaining, 1024)).rows):
        remaining -= torch.bincount(probes.rows, minlength=len(remaining))
        origins = search.pairs.images[search.pairs.image_of[probes.rows]]
        lengths = torch.linalg.vector_norm((probes.points - origins).flatten(1), dim=1)
        assert (lengths <= search.best.distances[probes.rows] * (1 + 1e-4)).all()
        search.observe(teacher(probes.points))
    assert (remaining < 300).all()


def test_the_queries_of_the_start_are_counted() -> None:
    """The reference implementation does not count what its start costs."""
    asked = question(Sectors(), count=3)
    start = ask(asked, SHORT.start, queries=1000)
    whole = ask(asked, SHORT, queries=1000, snapshots=(0,))
    assert (start.queries > 10).all()
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
    method = MinimalBoundaryDistance(start=BoundaryDistance(exemplars=1, tolerance=1e-6))
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


def test_every_outcome_has_a_sentence() -> None:
    assert len({outcome.sentence for outcome in Outcome}) == len(Outcome)


def test_a_row_on_a_teacher_with_levels_stalls_too() -> None:
    """Its directions cannot get shorter than a level, so their length cannot tell that there is no progress left."""
    teacher = Sectors(levels=256)
    asked = question(teacher, count=2)
    method = MinimalBoundaryDistance(sign_opt=SignOptOptions(directions=10))
    answer = ask(asked, method, queries=50_000)
    assert (answer.outcomes == Outcome.STALLED).all()
    assert (answer.queries < 50_000).all()
