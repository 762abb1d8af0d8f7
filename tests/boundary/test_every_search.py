"""What holds for every search, whatever the teacher: it ends, stays within its means, and tells the truth.

The rows are of both kinds, targeted and untargeted, in one search.
"""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from db3kd.boundary import ExemplarPool, Outcome, interrogate
from db3kd.boundary.methods import BoundaryDistance, Method, MinimalBoundaryDistance
from db3kd.teachers import Teacher
from db3kd.tensors import Float, Int, Tensor
from known_teachers import Ball, Constant, Flaky, HalfSpace, Liar, Sectors, Slow
from questions import METHODS, SHORT, Answer, Question, Stack, ask, draw_images, measured, question

TEACHERS: dict[str, Callable[[], Teacher]] = {
    "half-space": HalfSpace,
    "ball": lambda: Ball(radius=8.0),
    "sectors": Sectors,
    "constant": Constant,
    "liar": Liar,
    "slow": lambda: Slow(Sectors(classes=3), seconds=0.001),
}
CAP = 150
every_search = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


def _check_accounts(answer: Answer, cap: int) -> None:
    assert (answer.queries >= 0).all()
    assert (answer.queries <= cap).all()
    assert int(answer.queries.sum()) == answer.usage.rows
    assert answer.usage.rows + answer.usage.repeated == answer.charged
    low, high = answer.seen.spec.bounds
    assert answer.seen.rows == 0 or low <= answer.seen.lowest <= answer.seen.highest <= high


def _check_truth(answer: Answer, cap: int) -> None:
    found = answer.distances.isfinite()
    assert torch.equal(answer.points.flatten(1).isnan().any(dim=1), ~found)
    assert torch.equal(answer.distances[found], measured(answer.pairs, answer.points)[found])
    assert torch.equal(answer.outcomes == Outcome.NO_START, ~found)
    assert (answer.queries[~found] == 0).all()
    # "The queries were used up" is said of no row that had one left.
    assert (answer.queries[answer.outcomes == Outcome.BUDGET] == cap).all()


@every_search
@pytest.mark.parametrize("name", TEACHERS)
def test_it_ends_within_its_queries_and_tells_the_truth(name: str, method: Method) -> None:
    asked = question(TEACHERS[name](), count=4)
    answer = ask(asked, method, queries=CAP)
    _check_accounts(answer, CAP)
    _check_truth(answer, CAP)
    assert answer.seen.rows == answer.charged
    found = answer.distances.isfinite().nonzero()[:, 0]
    assert len(found) == (0 if name == "constant" else len(answer.pairs))
    if name != "liar":
        decisions = asked.teacher(answer.points[found])
        assert answer.pairs.goals.across(found, decisions).all(), "a kept point is not across when asked again"


@every_search
def test_lost_calls_change_the_bill_and_not_the_answer(method: Method) -> None:
    plain = question(Sectors(), count=4)
    reference = ask(plain, method, queries=CAP)
    teacher = Flaky(Sectors(), maybe_served=frozenset({2, 3, 5, 9, 14}), not_served=frozenset({6, 7}))
    answer = ask(Question(teacher, plain.images, plain.decisions, plain.pool, plain.exemplars), method, queries=CAP)
    _check_accounts(answer, CAP)
    assert torch.equal(answer.points, reference.points)
    assert torch.equal(answer.queries, reference.queries)
    # The ledger holds at least what was answered, and no call that was surely not served.
    assert answer.usage.rows <= answer.charged <= answer.seen.rows
    if answer.seen.calls >= 14:
        assert answer.usage.repeated > 0
        assert answer.charged < answer.seen.rows


@settings(max_examples=8, deadline=None)
@given(queries=st.integers(0, 200), method=st.sampled_from(sorted(METHODS)), seed=st.integers(0, 3))
def test_any_cap_is_kept(queries: int, method: str, seed: int) -> None:
    answer = ask(question(Sectors(), count=2, seed=seed), METHODS[method], queries=queries)
    _check_accounts(answer, queries)
    _check_truth(answer, queries)


@every_search
def test_without_a_query_it_gives_the_distance_of_an_exemplar(method: Method) -> None:
    asked = question(Sectors())
    answer = ask(asked, method, queries=0)
    assert answer.seen.rows == answer.charged == 0
    assert torch.equal(answer.distances, ask(asked, METHODS["sd"], queries=0).distances)


@pytest.mark.parametrize("levels", [None, 256])
@pytest.mark.parametrize("seed", range(2))
def test_minimal_boundary_distance_is_at_most_boundary_distance_is_at_most_sample_distance(
    levels: int | None, seed: int
) -> None:
    asked = question(Sectors(levels=levels), count=4, seed=seed)
    sample, boundary, minimal = (
        ask(asked, method, queries=400).distances for method in (METHODS["sd"], SHORT.start, SHORT)
    )
    assert (boundary <= sample).all()
    assert (minimal <= boundary).all()
    assert boundary.mean() < 0.9 * sample.mean()
    assert minimal.mean() < 0.9 * boundary.mean()


@pytest.mark.parametrize("levels", [2, 16, 256])
@every_search
def test_a_teacher_of_few_levels_is_sent_those_levels_and_nothing_else(method: Method, levels: int) -> None:
    def assert_on_levels(points: Float[Tensor, "b c h w"]) -> None:
        steps = points * (levels - 1)
        assert torch.allclose(steps, steps.round(), atol=1e-4)

    class Strict(Sectors):
        def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
            assert_on_levels(images)
            return super().__call__(images)

    asked = question(Strict(levels=levels), count=3)
    answer = ask(asked, method, queries=CAP)
    assert answer.distances.isfinite().all()
    assert_on_levels(answer.points)
    assert answer.pairs.goals.across(torch.arange(len(answer.pairs)), asked.teacher(answer.points)).all()
    _check_accounts(answer, CAP)
    _check_truth(answer, CAP)


@every_search
def test_an_image_that_equals_an_exemplar_is_at_distance_0_and_stops_no_other_row(method: Method) -> None:
    # A teacher that contradicts itself, by ever so little, may give one picture two classes.
    teacher = Sectors()
    images = draw_images(teacher, 4)
    decisions = teacher(images)
    lies = (decisions + 1) % teacher.classes
    others = draw_images(teacher, 60, seed=9)
    pool = ExemplarPool(
        Stack(torch.cat([images, others])), torch.cat([lies, teacher(others)]), num_classes=teacher.classes
    )
    answer = ask(Question(teacher, images, decisions, pool, images), method, queries=CAP)
    lied = (answer.pairs.goals.classes == lies[answer.pairs.image_of]) | ~answer.pairs.goals.reaching
    if METHODS["bd at random"] is not method and METHODS["sd of 3"] is not method:
        assert (answer.distances[lied] == 0).all()
    assert (answer.distances[~lied] > 0).all()
    _check_accounts(answer, CAP)
    _check_truth(answer, CAP)


@pytest.mark.parametrize("levels", [None, 256])
@every_search
def test_a_teacher_that_puts_the_image_itself_across_ends_the_row_and_no_other(
    method: Method, levels: int | None
) -> None:
    """The reference implementation walks on at a distance near zero for tens of thousands of queries."""

    class Across(Sectors):
        def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
            return torch.ones(len(images), dtype=torch.int64)

    teacher = Across(classes=2, levels=levels)
    images = draw_images(teacher, 3)
    others = draw_images(teacher, 20, seed=9)
    pool = ExemplarPool(Stack(others), torch.ones(20, dtype=torch.int64), num_classes=2)
    asked = Question(teacher, images, torch.zeros(3, dtype=torch.int64), pool, others)
    answer = ask(asked, method, queries=500)
    _check_accounts(answer, 500)
    _check_truth(answer, 500)


@pytest.mark.parametrize("method", [BoundaryDistance(), MinimalBoundaryDistance()], ids=["bd", "mbd"])
def test_what_was_taken_from_a_search_stays_as_it_was_when_the_search_goes_on(
    method: BoundaryDistance | MinimalBoundaryDistance,
) -> None:
    """The reference implementation overwrites its results through an alias."""
    asked = question(Sectors(), count=2)
    search = method.search(asked.pairs(), asked.pool, asked.teacher.spec)
    taken = interrogate(asked.teacher, search, queries_per_pair=9, snapshots=(3, 9, 50))
    before = [taken.crossings.points, taken.crossings.distances, taken.crossings.queries, taken.crossings.outcomes]
    before += list(taken.snapshots.values())
    copies = [tensor.clone() for tensor in before]
    further = interrogate(asked.teacher, search, queries_per_pair=300).crossings
    assert (further.distances < taken.crossings.distances).any()
    assert all(torch.equal(tensor, copy) for tensor, copy in zip(before, copies, strict=True))
