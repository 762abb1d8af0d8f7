"""Random choice is fair, whatever a committee believes."""

import torch

from db3kd.acquisition import Random
from made_answers import NONE, PRIORS, seeded

CANDIDATES = PRIORS.draw(20, NONE, seeded(1))


def test_each_candidate_is_chosen_as_often_as_any_other_and_anywhere() -> None:
    generator, sure = seeded(3), torch.zeros(2, 20, 4)
    sure[:, :5, 0] = 1.0
    drawn = torch.stack([Random().choose(CANDIDATES, sure, NONE, 5, generator) for _ in range(2_000)])
    # Each is expected 500 times among the five, and 100 times as the first of them.
    often = torch.bincount(drawn.flatten(), minlength=20)
    first = torch.bincount(drawn[:, 0], minlength=20)
    assert (often - 500).abs().max() < 100
    assert (first - 100).abs().max() < 50


def test_it_needs_no_committee() -> None:
    assert not Random.committee
    chosen = Random().choose(CANDIDATES, torch.zeros(0, 20, 4), NONE, 20, seeded())
    assert sorted(chosen.tolist()) == list(range(20))
