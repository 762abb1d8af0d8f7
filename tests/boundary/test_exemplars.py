"""Exemplars are of the class that the teacher gave them; the nearest are the nearest, and none comes twice."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from db3kd.boundary import ExemplarPool, Outcome
from db3kd.tensors import Float, Int, Tensor
from known_teachers import Constant, Sectors, draw_images
from questions import METHODS, Question, Stack, ask, question


def _question(classes: int, exemplars: int, seed: int) -> Question:
    return question(Sectors(shape=(1, 3, 3), classes=classes), count=4, exemplars=exemplars, seed=seed)


def _images_of(asked: Question, chosen: Int[Tensor, " m"]) -> Float[Tensor, "taken c h w"]:
    """The images of a row's exemplars, up to the first that is missing; none follows."""
    taken = chosen[chosen >= 0]
    assert torch.equal(chosen[: len(taken)], taken)
    return asked.pool.images(taken).view(-1, *asked.teacher.spec.input_shape)


@settings(max_examples=12, deadline=None)
@given(classes=st.integers(2, 6), exemplars=st.integers(1, 60), count=st.integers(1, 25), seed=st.integers(0, 50))
def test_the_nearest_are_those_of_an_exhaustive_search(classes: int, exemplars: int, count: int, seed: int) -> None:
    asked = _question(classes, exemplars, seed)
    pairs = asked.pairs()
    chosen = asked.pool.nearest(pairs, count)
    of_pool = asked.teacher(asked.exemplars)
    for row in range(len(pairs)):
        others = asked.exemplars[pairs.goals.across(torch.full((exemplars,), row), of_pool)]
        lengths = torch.linalg.vector_norm((others - pairs.images[pairs.image_of[row]]).flatten(1), dim=1)
        assert torch.equal(_images_of(asked, chosen[row]), others[lengths.argsort(stable=True)][:count])


@settings(max_examples=12, deadline=None)
@given(classes=st.integers(2, 6), exemplars=st.integers(1, 60), count=st.integers(1, 25), seed=st.integers(0, 50))
def test_random_ones_are_across_for_the_teacher_come_once_and_begin_with_the_nearest(
    classes: int, exemplars: int, count: int, seed: int
) -> None:
    asked = _question(classes, exemplars, seed)
    pairs = asked.pairs()
    chosen = asked.pool.random(pairs, count)
    assert torch.equal(chosen[:, :1], asked.pool.nearest(pairs, 1))
    of_pool = asked.teacher(asked.exemplars)
    for row in range(len(pairs)):
        taken = _images_of(asked, chosen[row])
        assert len(taken.flatten(1).unique(dim=0)) == len(taken)
        assert pairs.goals.across(torch.full((len(taken),), row), asked.teacher(taken)).all()
        there = int(pairs.goals.across(torch.full((exemplars,), row), of_pool).sum())
        assert min(count - 1, there) <= len(taken) <= min(count, there)


def test_random_ones_differ_from_row_to_row_and_seed_to_seed() -> None:
    asked = _question(2, 60, 0)
    first, second = (asked.pool.random(asked.pairs(seed=seed), 5) for seed in (0, 1))
    assert not torch.equal(first[:, 1:], second[:, 1:])
    assert len({tuple(row) for row in first[:, 1:].tolist()}) > 1


def test_a_class_that_the_teacher_gave_to_no_image_costs_nothing_and_says_so() -> None:
    """The reference implementation waits for ever for a class that never shows up."""
    asked = question(Constant(classes=3))
    for method in METHODS.values():
        answer = ask(asked, method, queries=1000)
        assert answer.distances.isinf().all()
        assert (answer.outcomes == Outcome.NO_START).all()
        assert answer.seen.rows == answer.charged == 0


def test_rows_without_an_exemplar_leave_the_others_as_they_are() -> None:
    teacher = Sectors(classes=4)
    images, others = draw_images(teacher, 3), draw_images(teacher, 80, seed=1)
    of_others = teacher(others)
    full = Question(teacher, images, teacher(images), ExemplarPool(Stack(others), of_others, num_classes=4), others)
    kept = others[of_others != 2]
    without = Question(teacher, images, teacher(images), ExemplarPool(Stack(kept), teacher(kept), num_classes=4), kept)
    for method in METHODS.values():
        if method.guided:
            continue  # which hands answers on from class to class: see test_guided
        reference, answer = ask(full, method, queries=50), ask(without, method, queries=50)
        missing = (answer.pairs.goals.classes == 2) & answer.pairs.goals.reaching
        assert 0 < missing.sum() < len(missing)
        assert (answer.outcomes[missing] == Outcome.NO_START).all()
        assert answer.distances[missing].isinf().all()
        assert (answer.queries[missing] == 0).all()
        if method in (METHODS["sd of 3"], METHODS["bd at random"]):
            continue  # what is drawn at random depends on how many there are
        reaching = answer.pairs.goals.reaching & ~missing
        assert torch.equal(answer.points[reaching], reference.points[reaching])
        assert torch.equal(answer.queries[reaching], reference.queries[reaching])
