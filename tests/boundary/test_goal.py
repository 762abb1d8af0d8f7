"""Targeted and untargeted goals, and the keys that random choices are drawn by."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from db3kd.boundary import Goals, Pairs


def test_reaching_wants_the_class_and_leaving_any_other() -> None:
    classes, rows = torch.tensor([1, 2]), torch.tensor([0, 0, 1, 1])
    decisions = torch.tensor([1, 2, 1, 2])
    assert Goals.reach(classes).across(rows, decisions).tolist() == [True, False, False, True]
    assert Goals.leave(classes).across(rows, decisions).tolist() == [False, True, True, False]


@settings(max_examples=30, deadline=None)
@given(decisions=st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_every_image_is_paired_with_every_class_but_the_one_that_the_teacher_gave_it(decisions: list[int]) -> None:
    count = len(decisions)
    ids = [f"image/{row}" for row in range(count)]
    pairs = Pairs.every_other_class(torch.rand(count, 1, 2, 2), ids, torch.tensor(decisions), num_classes=4)
    listed = list(zip(pairs.image_of.tolist(), pairs.goals.classes.tolist(), strict=True))
    assert listed == [(row, other) for row in range(count) for other in range(4) if other != decisions[row]]
    assert pairs.goals.reaching.all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**40), ids=st.lists(st.text(max_size=5), min_size=1, max_size=6, unique=True))
def test_keys_depend_on_seed_id_and_goal_alone(seed: int, ids: list[str]) -> None:
    count = len(ids)
    decisions = torch.arange(count) % 3
    pairs = Pairs.every_other_class(torch.rand(count, 1, 2, 2), ids, decisions, num_classes=3, seed=seed)
    leaving = Pairs.leaving_own_class(torch.rand(count, 1, 2, 2), ids, decisions, seed=seed)
    keys = torch.cat([pairs.keys, leaving.keys])
    assert len(keys.unique()) == len(keys)
    assert (keys >= 0).all()
    last = Pairs.every_other_class(torch.zeros(1, 1, 2, 2), ids[-1:], decisions[-1:], num_classes=3, seed=seed)
    assert torch.equal(last.keys, pairs.keys[-2:])
    other = Pairs.every_other_class(torch.zeros(1, 1, 2, 2), ids[-1:], decisions[-1:], num_classes=3, seed=seed + 1)
    assert not (other.keys == last.keys).any()
