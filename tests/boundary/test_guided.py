"""The guided search: with a true guide it is there at once, with a false one or none it gets there by asking."""

import pytest
import torch

from db3kd.boundary import ExemplarPool, Guide, GuidedDistance, Outcome, SampleDistance
from known_teachers import Ball, HalfSpace, Sectors, draw_images
from questions import GUIDED, Question, Stack, ask, guide_of, linear, question, with_the_boundary_of


def test_a_guide_that_knows_the_boundary_leads_there_in_a_few_queries() -> None:
    teacher = HalfSpace()
    asked = question(teacher, count=10, exemplars=120)
    answer = ask(asked, GuidedDistance(), queries=20, guide=guide_of(with_the_boundary_of(teacher)))
    true = teacher.distances(asked.images)[answer.pairs.image_of]
    assert (answer.distances >= true * (1 - 1e-4)).all()
    assert (answer.distances <= 1.02 * true + 1e-4).all()


@pytest.mark.parametrize("teacher", [HalfSpace(), Ball(radius=8.0)], ids=["half-space", "ball"])
def test_without_a_guide_it_comes_near_by_asking(teacher: HalfSpace | Ball) -> None:
    asked = question(teacher, count=10, exemplars=120)
    answer = ask(asked, GuidedDistance(directions=40, subspace=64), queries=900)
    true = teacher.distances(asked.images)[answer.pairs.image_of]
    assert (answer.distances / true).mean() < 1.1


def test_a_false_guide_costs_queries_and_no_more() -> None:
    teacher = HalfSpace()
    asked = question(teacher, count=10, exemplars=120)
    false = linear(torch.randn(2, 64, generator=torch.Generator().manual_seed(5)), torch.tensor([4.0, 0.0]))
    sample = ask(asked, SampleDistance(), queries=0).distances
    guided = ask(asked, GuidedDistance(directions=40), queries=600, guide=guide_of(false))
    true = teacher.distances(asked.images)[guided.pairs.image_of]
    assert (guided.distances <= sample).all()
    assert (guided.distances / true).mean() < 1.25
    assert (sample / true).mean() > 3


def test_a_guide_finds_classes_that_no_exemplar_shows() -> None:
    teacher = Sectors(classes=4)
    images, others = draw_images(teacher, 3), draw_images(teacher, 80, seed=1)
    kept = others[teacher(others) != 2]
    pool = ExemplarPool(Stack(kept), teacher(kept), num_classes=4)
    asked = Question(teacher, images, teacher(images), pool, kept)
    member = linear(teacher.weights, -0.5 * teacher.weights.sum(1))
    answer = ask(asked, GuidedDistance(), queries=40, guide=Guide([member], torch.eye(64)))
    missing = (answer.pairs.goals.classes == 2) & answer.pairs.goals.reaching
    assert missing.any()
    assert answer.distances[missing].isfinite().all()


def test_an_answer_for_one_class_is_kept_for_every_class_of_the_image() -> None:
    teacher = Sectors(classes=4)
    images, others = draw_images(teacher, 3), draw_images(teacher, 80, seed=1)
    of_others = teacher(others)
    # Class 2 has no exemplar and there is no guide: only what was asked for other classes can find it.
    kept = others[of_others != 2]
    pool = ExemplarPool(Stack(kept), teacher(kept), num_classes=4)
    asked = Question(teacher, images, teacher(images), pool, kept)
    answer = ask(asked, GUIDED, queries=150)
    missing = (answer.pairs.goals.classes == 2) & answer.pairs.goals.reaching
    met = missing & answer.distances.isfinite()
    assert met.any()
    assert teacher(answer.points[met]).eq(2).all()
    assert (answer.outcomes[missing & ~met] == Outcome.NO_START).all()


def test_a_row_that_gains_nothing_stalls() -> None:
    asked = question(Sectors(classes=3), count=1)
    answer = ask(asked, GuidedDistance(directions=10, patience=1), queries=20_000)
    assert (answer.outcomes == Outcome.STALLED).all()
    assert (answer.queries < 20_000).all()
