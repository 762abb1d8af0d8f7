"""Disagreement is high where sure members differ; what they disagree on is asked more often, but not alone."""

import pytest
import torch

from db3kd.acquisition import Disagreement, disagreement
from db3kd.acquisition.duplicates import unlike
from db3kd.answers import Candidates, together
from made_answers import NONE, PRIORS, SHAPE, answered, seeded

CANDIDATES = PRIORS.draw(300, NONE, seeded(1))


def test_disagreement_is_high_where_sure_members_differ_and_zero_where_all_are_unsure() -> None:
    believed = torch.tensor([[[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]], [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]])
    assert torch.allclose(disagreement(believed), torch.tensor([0.6931, 0.0, 0.0]), atol=1e-3)


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


def _with_copies(copies: int) -> Candidates:
    """A few candidates, and one of them many times."""
    rows = torch.cat([torch.arange(100), torch.zeros(copies, dtype=torch.int64)])
    distinct = CANDIDATES.take(unlike(CANDIDATES.pixels, CANDIDATES.pixels[:0]).nonzero()[:, 0])
    return distinct.take(rows)


def test_disagreement_asks_about_no_near_duplicate_while_others_are_left() -> None:
    candidates = _with_copies(900)
    believed = torch.rand(3, 1000, 4, generator=seeded(2)).softmax(dim=2)
    chosen = Disagreement().choose(candidates, believed, NONE, 90, seeded(3))
    assert unlike(candidates.pixels[chosen], NONE.images.pixels).all()
    more = Disagreement().choose(candidates, believed, NONE, 150, seeded(3))
    assert unlike(candidates.pixels[more], NONE.images.pixels)[:100].all()
    known = answered()
    asked = together([Candidates(known.images.pixels, known.origins), CANDIDATES])
    believed = torch.rand(3, len(asked), 4, generator=seeded(2)).softmax(dim=2)
    assert (Disagreement().choose(asked, believed, known, 100, seeded(3)) >= 200).all()


def test_disagreement_chooses_all_expected_classes_alike() -> None:
    believed = torch.full((2, 300, 4), 0.1)
    believed[:, :240, 0], believed[:, 240:270, 1], believed[:, 270:, 2] = 0.7, 0.7, 0.7
    chosen = Disagreement().choose(CANDIDATES, believed, NONE, 60, seeded(3))
    assert torch.bincount(believed[0, chosen].argmax(dim=1), minlength=4).tolist() == pytest.approx(
        [20, 20, 20, 0], abs=4
    )
