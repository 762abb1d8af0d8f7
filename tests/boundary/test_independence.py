"""A row's result depends on its image, its goal and the seed, and on nothing that happens to stand beside it."""

import functools
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from known_teachers import Sectors
from questions import METHODS, Answer, Question, ask, question

CAP = 150
IMAGES, CLASSES = 4, 4
every_search = pytest.mark.parametrize("name", METHODS)


def _question(*, max_batch: int = 128, levels: int | None = None) -> Question:
    # 49 pixels: no multiple of what a processor handles at once.
    teacher = Sectors(shape=(1, 7, 7), classes=CLASSES, levels=levels)
    teacher.spec = replace(teacher.spec, max_batch=max_batch)
    return question(teacher, count=IMAGES)


@functools.cache
def _reference(name: str, levels: int | None = None) -> Answer:
    return ask(_question(levels=levels), METHODS[name], queries=CAP)


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


@pytest.mark.parametrize("levels", [None, 256])
@every_search
@settings(max_examples=3, deadline=None)
@given(max_batch=st.integers(1, 300), probes_per_turn=st.integers(9, 5000))
def test_no_result_depends_on_the_size_of_batch_or_turn(
    name: str, levels: int | None, max_batch: int, probes_per_turn: int
) -> None:
    asked = _question(levels=levels, max_batch=max_batch)
    _assert_same(ask(asked, METHODS[name], queries=CAP, probes_per_turn=probes_per_turn), _reference(name, levels))


@every_search
@settings(max_examples=3, deadline=None)
@given(chosen=st.permutations(range(IMAGES)), count=st.integers(1, IMAGES - 1))
def test_no_result_depends_on_the_other_images_or_their_order(name: str, chosen: list[int], count: int) -> None:
    asked = _question()
    answer = ask(asked, METHODS[name], asked.pairs(images=chosen[:count]), queries=CAP)
    _assert_same(answer, _reference(name), _rows_of(chosen[:count]))


@every_search
def test_one_image_asked_probe_by_probe_comes_to_the_same(name: str) -> None:
    asked = _question(max_batch=1)
    answer = ask(asked, METHODS[name], asked.pairs(images=[2]), queries=CAP, probes_per_turn=1)
    _assert_same(answer, _reference(name), _rows_of([2]))


def test_the_step_of_a_row_is_its_own_and_not_the_batchs() -> None:
    """The reference implementation keeps one step size for a whole batch."""
    asked = _question()
    # A mate whose boundary is a thousand times nearer takes other steps altogether.
    other = asked.exemplars[asked.teacher(asked.exemplars) != asked.decisions[0]][0]
    low, high = asked.images[0], other
    for _ in range(12):
        middle = (low + high) / 2
        own = bool(asked.teacher(middle[None]) == asked.decisions[0])
        low, high = (middle, high) if own else (low, middle)
    images = torch.cat([asked.images, low[None]])
    mixed = Question(asked.teacher, images, asked.teacher(images), asked.pool, asked.exemplars)
    answer = ask(mixed, METHODS["mbd"], queries=CAP)
    assert answer.distances[-1] < 0.01 * answer.distances[-1 - IMAGES : -1].min()
    rows = torch.tensor([row for row in range(len(answer.pairs)) if answer.pairs.image_of[row] < IMAGES])
    assert torch.equal(answer.distances[rows], _reference("mbd").distances)
    assert torch.equal(answer.queries[rows], _reference("mbd").queries)


def test_another_seed_draws_other_directions_and_every_row_has_its_own() -> None:
    asked = _question()
    other = ask(asked, METHODS["mbd"], asked.pairs(seed=1), queries=CAP)
    assert not torch.equal(_reference("mbd").distances, other.distances)
    keys = _reference("mbd").pairs.keys
    assert len(keys.unique()) == len(keys)


# Not guided: by the time that a row has asked so many, its image's other rows may have asked more, and shared it.
@pytest.mark.parametrize("name", [name for name in METHODS if name != "guided"])
def test_a_snapshot_is_what_a_search_with_so_many_queries_finds(name: str) -> None:
    asked = _question()
    counts = (0, 1, 7, 20, 57, 81, 100, CAP)
    answer = ask(asked, METHODS[name], queries=CAP, snapshots=counts, probes_per_turn=300)
    assert tuple(answer.interrogation.snapshots) == counts
    for count, kept in answer.interrogation.snapshots.items():
        again = ask(asked, METHODS[name], queries=count)
        assert torch.equal(kept, again.distances), count
        assert torch.equal(answer.queries.clamp(max=count), again.queries), count


@every_search
def test_snapshots_never_grow_and_end_at_the_final_distance(name: str) -> None:
    answer = ask(_question(), METHODS[name], queries=CAP, snapshots=(0, 10, 50, CAP, 10 * CAP))
    kept = torch.stack(list(answer.interrogation.snapshots.values()))
    assert (kept[1:] <= kept[:-1]).all()
    assert torch.equal(kept[-1], answer.distances)
    assert torch.equal(kept[-2], answer.distances)
