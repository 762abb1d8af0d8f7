"""A draw that is balanced, prefers what is worth more, and whose beginning is that of a larger one."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from db3kd.acquisition.balance import balanced_choice, draw_lots
from made_answers import seeded


def test_a_choice_is_balanced_and_prefers_what_is_worth_more() -> None:
    generator = seeded()
    classes = torch.tensor([0] * 900 + [1] * 90 + [2] * 10)
    worth = torch.rand(1000, generator=generator)
    lots = draw_lots(worth, generator)
    chosen = balanced_choice(classes, lots, 130)
    assert torch.bincount(classes[chosen]).tolist() == [60, 60, 10]
    assert len(torch.unique(chosen)) == 130
    assert worth[chosen[classes[chosen] == 0]].mean() > 0.6
    assert len(balanced_choice(classes, lots, 5000)) == 1000
    assert len(balanced_choice(classes[:0], lots[:0], 5)) == 0


@settings(max_examples=100, deadline=None)
@given(
    chances=st.lists(st.floats(0.01, 1), min_size=1, max_size=5),
    total=st.integers(1, 120),
    count=st.integers(1, 60),
    seed=st.integers(0, 1000),
)
def test_the_classes_take_turns_and_a_smaller_choice_begins_a_larger_one(
    chances: list[float], total: int, count: int, seed: int
) -> None:
    generator = seeded(seed)
    classes = torch.multinomial(torch.tensor(chances), total, replacement=True, generator=generator)
    lots = torch.rand(total, generator=generator)
    whole = balanced_choice(classes, lots, total)
    assert torch.equal(whole.sort().values, torch.arange(total))
    assert torch.equal(balanced_choice(classes, lots, count), whole[:count])
    sizes = torch.bincount(classes, minlength=len(chances))
    chosen = torch.bincount(classes[whole[:count]], minlength=len(chances))
    # No class has less than another one by more than its turn, unless it is used up.
    assert all(chosen[label] >= chosen.max() - 1 or chosen[label] == sizes[label] for label in range(len(chances)))
    for label in range(len(chances)):
        own = lots[whole[classes[whole] == label]]
        assert torch.equal(own, own.sort(descending=True).values)
