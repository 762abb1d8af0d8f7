"""Families are painted by what their answers were worth."""

import pytest
import torch

from db3kd.pools.priors import FAMILIES, PROCEDURAL
from db3kd.pools.priors.shares import family_shares, worth_of_each
from made_answers import NONE, PRIORS, add, of_families, seeded

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


def test_children_and_images_of_other_sources_do_not_count() -> None:
    answers = of_families(("recombined/shapes",) * 50 + ("images",) * 50, torch.tensor([0, 1] * 50))
    assert torch.allclose(family_shares(answers, NAMES), family_shares(NONE, NAMES), atol=1e-3)
    worth = worth_of_each(answers)
    assert torch.allclose(worth, torch.full((100,), 1 / len(PROCEDURAL)), atol=1e-3)


def test_a_family_whose_images_are_of_no_class_is_painted_less_and_never_given_up() -> None:
    names = NAMES[:10]
    family = torch.arange(len(names)).repeat_interleave(60)
    decisions = torch.arange(len(family)) % 4
    decisions[family >= 2] = 4
    # Of the third, half are of a class.
    decisions[(family == 2) & (torch.arange(len(family)) % 8 < 4)] = torch.arange(32) % 4
    shares = family_shares(of_families(tuple(names[place] for place in family.tolist()), decisions), names)
    assert shares[:2].min() > 1.4 * shares[2] > 4 * shares[3:].max()
    assert shares[3:].min() > 0.1 / len(names)


def test_most_questions_are_decided_soon_where_a_teacher_knows_few_families() -> None:
    answers, decided = NONE, []
    for seed in range(3):
        drawn = PRIORS.draw(300, answers, seeded(seed))
        known = torch.tensor([origin.endswith("on dark") for origin in drawn.origins])
        classes = torch.randint(4, (300,), generator=seeded(seed))
        answers = add(answers, drawn, classes.masked_fill(~known, 4))
        decided.append(int(known.sum()))
    assert decided[0] < 100
    assert min(decided[1:]) > 150


def test_no_family_looks_like_a_child() -> None:
    assert not any("/" in name for name in NAMES)
