"""Disagreement is high where sure members differ; what they disagree on is asked more often, but not alone."""

import torch

from db3kd.acquisition import Choosers, Disagreement, disagreement
from db3kd.answers import Candidates
from made_answers import NONE, PRIORS, SHAPE, committee, seeded


def test_disagreement_is_high_where_sure_members_differ_and_zero_where_all_are_unsure() -> None:
    believed = torch.tensor([[[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]], [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]])
    assert torch.allclose(disagreement(believed), torch.tensor([0.6931, 0.0, 0.0]), atol=1e-3)


def test_beliefs_are_probabilities_member_by_member() -> None:
    candidates = PRIORS.draw(30, NONE, seeded())
    believed = Choosers(committee()).beliefs(candidates.pixels)
    assert believed.shape == (2, 30, 4)
    assert torch.allclose(believed.sum(dim=2), torch.ones(2, 30))
    assert torch.allclose(believed, Choosers(committee()).beliefs(candidates.images()), atol=1e-6)


def test_what_the_members_disagree_on_is_chosen_more_often_and_what_they_agree_on_as_well() -> None:
    candidates = Candidates(torch.rand(1000, *SHAPE, generator=seeded()), ("images",) * 1000)
    believed = torch.zeros(2, 1000, 4)
    believed[:, :, 0] = 1.0
    # On a tenth they are sure of different classes, of which the first has the last word.
    believed[1, :100] = torch.tensor([0.1, 0.9, 0.0, 0.0])
    believed[0, :100] = torch.tensor([0.99, 0.01, 0.0, 0.0])
    chosen = Disagreement().choose(candidates, believed, NONE, 100, seeded(1))
    share = (chosen < 100).float().mean()
    assert 0.4 < share < 0.98


def test_what_is_likely_of_no_class_is_asked_about_less() -> None:
    candidates = Candidates(torch.rand(1000, *SHAPE, generator=seeded()), ("images",) * 1000)
    believed = torch.zeros(2, 1000, 5)
    believed[:, :500, 4], believed[:, :500, 0], believed[:, 500:, 0] = 0.95, 0.05, 1.0
    chosen = Disagreement().choose(candidates, believed, NONE, 200, seeded(1))
    assert 0.85 < (chosen >= 500).float().mean() < 1
