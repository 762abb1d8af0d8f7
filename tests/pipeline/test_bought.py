"""What was bought has a digest of all that a student learns from it, and a lesson costs what it makes use of."""

from dataclasses import replace

import torch

from db3kd.pipeline.bought import cost_of
from db3kd.pipeline.story import CommitteeLesson, FixedLesson
from db3kd.pipeline.tell import Purchase
from db3kd.softening import Inverse, Opinions


def test_a_lesson_costs_what_it_rests_on(purchase: Purchase) -> None:
    bought = purchase.bought
    assert bought.distances is not None
    searched = bought.distances.cost
    for lesson, cost in (
        (FixedLesson(), 24),
        (FixedLesson(mixtures=True), 24 + len(bought.mixtures)),
        (FixedLesson(Opinions()), 24 + len(bought.mixtures)),
        (FixedLesson(Inverse()), 24 + len(bought.mixtures) + searched),
        (CommitteeLesson(), 24 + len(bought.mixtures)),
    ):
        assert cost_of(lesson, bought) == cost


def test_what_a_student_learned_from_is_told_apart(purchase: Purchase) -> None:
    bought = purchase.bought
    assert bought.distances is not None
    digests = {
        bought.digest,
        replace(bought, distances=None).digest,
        replace(bought, committee=bought.committee[:1]).digest,
        replace(bought, mixtures=bought.mixtures.take(torch.arange(3))).digest,
        replace(bought, answers=bought.answers.take(torch.arange(23))).digest,
    }
    assert len(digests) == 5
