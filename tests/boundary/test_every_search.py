"""The contract of the protocols `Method` and `Search`: what holds for every search, whatever the teacher.

It ends, stays within its means, tells the truth, and gives each row what is its own. Every search that has a name in
`db3kd.names.SEARCHES` is run here against every known teacher, so that a new one is covered by its row alone. The rows
of a search are of both kinds, targeted and untargeted.
"""

import dataclasses
import functools
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from db3kd.boundary import ExemplarPool, Guide, Method, Outcome, interrogate
from db3kd.names import SEARCHES, find
from db3kd.teachers import Teacher
from db3kd.tensors import Float, Int, Tensor
from known_teachers import Ball, Constant, Flaky, HalfSpace, Liar, Sectors, Slow, draw_images
from questions import METHODS, Answer, Question, Stack, ask, guide_of, linear, measured, named, question

TEACHERS: dict[str, Callable[[], Teacher]] = {
    "half-space": HalfSpace,
    "ball": lambda: Ball(radius=8.0),
    "sectors": lambda: Slow(Sectors(classes=3), seconds=0.0),
    "constant": Constant,
    "liar": Liar,
}
CAP, IMAGES, CLASSES = 40, 3, 3
every_search = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
every_variant = pytest.mark.parametrize("name", METHODS)
every_name = pytest.mark.parametrize("name", SEARCHES)


@every_name
def test_its_options_have_defaults_and_can_be_written_down(name: str) -> None:
    method = named(name)
    assert method.name == name
    assert dataclasses.is_dataclass(type(method))
    assert find(SEARCHES, name)() == method
    hash(method)
    assert method.usual_queries >= 0
    assert method.most_queries is None or method.usual_queries <= method.most_queries


@pytest.mark.parametrize("method", [method for method in METHODS.values() if method.most_queries is not None])
def test_no_row_uses_more_than_the_most_that_its_search_can_use(method: Method) -> None:
    answer = ask(question(Sectors(), count=3), method, queries=10_000)
    assert method.most_queries is not None
    assert (answer.queries <= method.most_queries).all()


def _check_accounts(answer: Answer, cap: int) -> None:
    assert (answer.queries >= 0).all()
    assert (answer.queries <= cap).all()
    assert int(answer.queries.sum()) == answer.usage.rows
    assert answer.usage.rows + answer.usage.repeated == answer.charged
    low, high = answer.seen.spec.bounds
    assert answer.seen.rows == 0 or low <= answer.seen.lowest <= answer.seen.highest <= high


def _check_truth(answer: Answer, cap: int, *, advised: bool = False) -> None:
    found = answer.distances.isfinite()
    assert torch.equal(answer.points.flatten(1).isnan().any(dim=1), ~found)
    assert torch.equal(answer.distances[found], measured(answer.pairs, answer.points)[found])
    assert torch.equal(answer.outcomes == Outcome.NO_START, ~found)
    # Only a committee gives a row without an exemplar a point to ask about.
    assert advised or (answer.queries[~found] == 0).all()
    # "The queries were used up" is said of no row that had one left.
    assert (answer.queries[answer.outcomes == Outcome.BUDGET] == cap).all()


def _guide(teacher: Teacher) -> Guide:
    """A committee that knows nothing."""
    classes = teacher.spec.num_classes
    weights = torch.randn(classes, 64, generator=torch.Generator().manual_seed(0))
    return guide_of(linear(weights, torch.zeros(classes)), bounds=teacher.spec.bounds)


@pytest.mark.parametrize(
    ("method", "advised"),
    [
        pytest.param(method, advised, id=f"{name}, advised" if advised else name)
        for name, method in METHODS.items()
        for advised in ([False, True] if method.guided else [False])
    ],
)
@pytest.mark.parametrize("name", TEACHERS)
def test_it_ends_within_its_queries_and_tells_the_truth(name: str, method: Method, advised: bool) -> None:
    asked = question(TEACHERS[name](), count=2)
    answer = ask(asked, method, queries=CAP, guide=_guide(asked.teacher) if advised else None)
    _check_accounts(answer, CAP)
    _check_truth(answer, CAP, advised=advised)
    assert answer.seen.rows == answer.charged
    found = answer.distances.isfinite().nonzero()[:, 0]
    assert len(found) == (0 if name == "constant" else len(answer.pairs))
    if name != "liar":
        decisions = asked.teacher(answer.points[found])
        assert answer.pairs.goals.across(found, decisions).all(), "a kept point is not across when asked again"


@every_search
def test_lost_calls_change_the_bill_and_not_the_answer(method: Method) -> None:
    plain = question(Sectors(classes=3), count=2)
    reference = ask(plain, method, queries=30)
    teacher = Flaky(Sectors(classes=3), maybe_served=frozenset({2, 3, 5, 9, 14}), not_served=frozenset({6, 7}))
    answer = ask(Question(teacher, plain.images, plain.decisions, plain.pool, plain.exemplars), method, queries=30)
    _check_accounts(answer, 30)
    assert torch.equal(answer.points, reference.points)
    assert torch.equal(answer.queries, reference.queries)
    # The ledger holds at least what was answered, and no call that was surely not served.
    assert answer.usage.rows <= answer.charged <= answer.seen.rows
    if answer.seen.calls >= 14:
        assert answer.usage.repeated > 0
        assert answer.charged < answer.seen.rows


@settings(max_examples=6, deadline=None)
@given(queries=st.integers(0, 99), method=st.sampled_from(sorted(METHODS)), seed=st.integers(0, 3))
def test_any_cap_is_kept(queries: int, method: str, seed: int) -> None:
    answer = ask(question(Sectors(classes=3), count=2, seed=seed), METHODS[method], queries=queries)
    _check_accounts(answer, queries)
    _check_truth(answer, queries)


@every_search
def test_without_a_query_it_gives_the_distance_of_an_exemplar(method: Method) -> None:
    asked = question(Sectors())
    answer = ask(asked, method, queries=0)
    assert answer.seen.rows == answer.charged == 0
    assert torch.equal(answer.distances, ask(asked, METHODS["sd"], queries=0).distances)


@pytest.mark.parametrize("levels", [2, 256])
@every_search
def test_a_teacher_of_few_levels_is_sent_those_levels_and_nothing_else(method: Method, levels: int) -> None:
    def assert_on_levels(points: Float[Tensor, "b c h w"]) -> None:
        steps = points * (levels - 1)
        assert torch.allclose(steps, steps.round(), atol=1e-4)

    class Strict(Sectors):
        def __call__(self, images: Float[Tensor, "b c h w"]) -> Int[Tensor, " b"]:
            assert_on_levels(images)
            return super().__call__(images)

    asked = question(Strict(classes=3, levels=levels), count=2)
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
    if "random" not in repr(method) and METHODS["sd of 3"] is not method:
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
    answer = ask(asked, method, queries=CAP)
    _check_accounts(answer, CAP)
    _check_truth(answer, CAP)


@every_search
def test_what_was_taken_from_a_search_stays_as_it_was_when_the_search_goes_on(method: Method) -> None:
    """The reference implementation overwrites its results through an alias."""
    asked = question(Sectors(), count=2)
    search = method.search(asked.pairs(), asked.pool, asked.teacher.spec)
    taken = interrogate(asked.teacher, search, queries_per_pair=9, snapshots=(3, 9, 50))
    before = [taken.crossings.points, taken.crossings.distances, taken.crossings.queries, taken.crossings.outcomes]
    before += list(taken.snapshots.values())
    copies = [tensor.clone() for tensor in before]
    further = interrogate(asked.teacher, search, queries_per_pair=120).crossings
    assert method.most_queries == 0 or (further.distances < taken.crossings.distances).any()
    assert all(torch.equal(tensor, copy) for tensor, copy in zip(before, copies, strict=True))


def _small(*, max_batch: int = 128, levels: int | None = None) -> Question:
    # 49 pixels: no multiple of what a processor handles at once.
    teacher = Sectors(shape=(1, 7, 7), classes=CLASSES, levels=levels)
    teacher.spec = dataclasses.replace(teacher.spec, max_batch=max_batch)
    return question(teacher, count=IMAGES)


@functools.cache
def _reference(name: str, levels: int | None = None) -> Answer:
    return ask(_small(levels=levels), METHODS[name], queries=CAP)


def _rows_of(chosen: list[int]) -> torch.Tensor:
    """Where the rows of these images stand in the reference."""
    targeted = [image * (CLASSES - 1) + goal for image in chosen for goal in range(CLASSES - 1)]
    return torch.tensor(targeted + [IMAGES * (CLASSES - 1) + image for image in chosen])


def _assert_same(answer: Answer, reference: Answer, rows: torch.Tensor | slice = slice(None)) -> None:
    """Bit for bit."""
    assert torch.equal(answer.distances, reference.distances[rows])
    assert torch.equal(answer.points, reference.points[rows])
    assert torch.equal(answer.queries, reference.queries[rows])
    assert torch.equal(answer.outcomes, reference.outcomes[rows])


@pytest.mark.parametrize(("levels", "max_batch", "probes_per_turn"), [(None, 7, 40), (256, 300, 5000)])
@every_variant
def test_no_result_depends_on_the_size_of_batch_or_turn(
    name: str, levels: int | None, max_batch: int, probes_per_turn: int
) -> None:
    asked = _small(levels=levels, max_batch=max_batch)
    _assert_same(ask(asked, METHODS[name], queries=CAP, probes_per_turn=probes_per_turn), _reference(name, levels))


@every_variant
def test_no_result_depends_on_the_other_images_or_their_order(name: str) -> None:
    asked = _small()
    answer = ask(asked, METHODS[name], asked.pairs(images=[2, 0]), queries=CAP)
    _assert_same(answer, _reference(name), _rows_of([2, 0]))


@every_variant
def test_one_image_asked_probe_by_probe_comes_to_the_same(name: str) -> None:
    asked = _small(max_batch=1)
    answer = ask(asked, METHODS[name], asked.pairs(images=[2]), queries=CAP, probes_per_turn=1)
    _assert_same(answer, _reference(name), _rows_of([2]))


# Not guided: by the time that a row has asked so many, its image's other rows may have asked more, and shared it.
@pytest.mark.parametrize("name", [name for name in METHODS if not METHODS[name].guided])
def test_a_snapshot_is_what_a_search_with_so_many_queries_finds(name: str) -> None:
    asked = _small()
    counts = (0, 1, 15, 37)
    answer = ask(asked, METHODS[name], queries=CAP, snapshots=counts, probes_per_turn=300)
    assert tuple(answer.interrogation.snapshots) == counts
    for count, kept in answer.interrogation.snapshots.items():
        again = ask(asked, METHODS[name], queries=count)
        assert torch.equal(kept, again.distances), count
        assert torch.equal(answer.queries.clamp(max=count), again.queries), count


@every_variant
def test_snapshots_never_grow_and_end_at_the_final_distance(name: str) -> None:
    answer = ask(_small(), METHODS[name], queries=CAP, snapshots=(0, 10, 30, CAP, 10 * CAP))
    kept = torch.stack(list(answer.interrogation.snapshots.values()))
    assert (kept[1:] <= kept[:-1]).all()
    assert torch.equal(kept[-1], answer.distances)
    assert torch.equal(kept[-2], answer.distances)
