"""Families are painted by what their answers were worth."""

import pytest
import torch

from db3kd.pools.priors import FAMILIES, PROCEDURAL
from db3kd.pools.priors.shares import family_shares, worth_of_each
from made_answers import NONE, of_families

NAMES = tuple(family.name for family in FAMILIES)


def test_a_family_of_rare_and_diverse_answers_is_painted_more_often() -> None:
    family = torch.arange(len(NAMES)).repeat_interleave(100)
    decisions = torch.zeros(len(family), dtype=torch.int64)
    decisions[family == 5] = torch.arange(100) % 4
    shares = family_shares(of_families(tuple(NAMES[place] for place in family.tolist()), decisions), NAMES)
    assert shares.sum() == pytest.approx(1.0)
    assert shares.argmax() == 5
    assert shares.min() > 0.1 / len(NAMES)
    even = family_shares(NONE, NAMES)
    assert torch.allclose(even, torch.full_like(even, 1 / len(NAMES)))


def test_a_family_that_alone_shows_a_class_is_painted_no_more_than_balances_the_classes() -> None:
    family = torch.arange(len(NAMES)).repeat_interleave(1000)
    decisions = torch.zeros(len(family), dtype=torch.int64)
    decisions[family == 7] = 3
    shares = family_shares(of_families(tuple(NAMES[place] for place in family.tolist()), decisions), NAMES)
    assert shares.argmax() == 7
    assert 0.4 < shares[7] < 0.6


def test_children_abstentions_and_images_of_other_sources_do_not_count() -> None:
    origins = ("recombined/shapes",) * 50 + ("images",) * 50 + ("strokes",) * 50
    decisions = torch.tensor([0, 1] * 50 + [4] * 50)
    answers = of_families(origins, decisions)
    assert torch.allclose(family_shares(answers, NAMES), family_shares(NONE, NAMES), atol=1e-3)
    worth = worth_of_each(answers)
    assert torch.allclose(worth, torch.full((150,), 1 / len(PROCEDURAL)), atol=1e-3)


def test_no_family_looks_like_a_child() -> None:
    assert not any("/" in name for name in NAMES)
